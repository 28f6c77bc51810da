"""Rows as pictures: a panel of bars for each case, one bar for each way."""

from __future__ import annotations

import io
from itertools import groupby
from typing import TYPE_CHECKING

import matplotlib as mpl
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Sequence

Row = dict[str, object]

_MEASURES = {
    "bulk": "cpu_us",
    "catalogue": "per_second",
    "coalescing": "requests",
    "decoding": "cpu_us",
    "imports": "ms",
    "ledger": "per_second",
    "memory": "growth_mib",
    "observing": "per_second",
    "polling": "requests",
    "sandbox": "requests_per_second",
    "service": "requests_per_second",
    "transport": "cpu_us",
}
"""What each benchmark is about; the table has all the rest."""
_NAMES = ("way", "database", "case", "orders")
_OURS = "followersdata_async"
_WIDTH, _BAR, _HEAD = 9.0, 0.32, 0.9


def drawn(rows: Sequence[Row]) -> bytes:
    """One SVG, the same for the same rows; rows without the benchmark's measure are left to the table."""
    shown = [row for row in rows if _MEASURES[str(row["benchmark"])] in row]
    groups = [list(group) for _, group in groupby(shown, key=_title)]
    heights = [_BAR * len(group) + _HEAD for group in groups]
    mpl.rcParams |= {"svg.hashsalt": "followersdata_async", "svg.fonttype": "none"}
    figure = Figure(figsize=(_WIDTH, sum(heights)), layout="constrained")
    panels = figure.subplots(len(groups), squeeze=False, height_ratios=heights)
    for group, (panel,) in zip(groups, panels, strict=True):
        measure = _MEASURES[str(group[0]["benchmark"])]
        names = [_name(row) for row in group]
        bars = panel.barh(
            range(len(group)),
            [float(str(row[measure])) for row in group],
            color=["tab:blue" if _OURS in name else "tab:gray" for name in names],
        )
        panel.bar_label(bars, labels=[_label(row, measure) for row in group], padding=3)
        panel.set_yticks(range(len(group)), names)
        panel.invert_yaxis()
        panel.margins(x=0.2)
        panel.set_title(f"{_title(group[0])} ({measure.replace('_', ' ')})", loc="left", fontsize="medium")
        panel.spines[["top", "right"]].set_visible(False)
    out = io.BytesIO()
    figure.savefig(out, format="svg", metadata={"Date": None})
    return out.getvalue()


def _title(row: Row) -> str:
    return f"{row['benchmark']}: {row['case']}" if "case" in row and "way" in row else str(row["benchmark"])


def _name(row: Row) -> str:
    """What tells a row from its neighbours."""
    if "case" in row and "way" in row:
        return str(row["way"])
    return ", ".join(f"{row[name]}{' orders' * (name == 'orders')}" for name in _NAMES if name in row)


def _label(row: Row, measure: str) -> str:
    ratio = f"  x {row['ratio']}" if "ratio" in row else ""
    return f"{float(str(row[measure])):,.10g}{ratio}{'  noisy' if row.get('noisy') else ''}"
