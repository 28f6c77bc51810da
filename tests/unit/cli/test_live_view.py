"""The live view of orders: what it counts, and where it is shown."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from followersdata_async import Change, Failed, OrderState, OrderStatus, PanelUnavailableError
from followersdata_async.cli.live_view import LiveView, show_live_view
from followersdata_async.cli.output import OutputOptions

if TYPE_CHECKING:
    from followersdata_async.cli.output import Format


def make_status(state: OrderState) -> OrderStatus:
    """Return the status of an order in a state."""
    return OrderStatus(status=state.value, state=state)


def test_view_counts_orders_by_state_requests_and_changes() -> None:
    """Changes are those of the last minute. A first status and a failed poll are not changes."""
    now = 100.0
    view = LiveView({None: 6}, clock=lambda: now)
    pending, completed = make_status(OrderState.PENDING), make_status(OrderState.COMPLETED)
    for order in (1, 2, 3):
        view.record(Change(order, None, pending), 1)
    view.record(Failed(4, PanelUnavailableError("down")), 2)
    view.record(Failed(5, PanelUnavailableError("down")), 2)
    view.record(Failed(1, PanelUnavailableError("down")), 2)
    view.record(Change(5, None, pending), 3)
    assert view.changes_per_minute == 0
    view.record(Change(1, pending, completed), 3)
    now = 130.0
    view.record(Change(2, pending, completed), 4)
    assert view.counts == {"completed": 2, "pending": 2, "no answer": 1, "not seen yet": 1}
    assert view.changes_per_minute == 2
    now = 161.0
    assert view.changes_per_minute == 1
    assert "2 of 6 final; 4 requests, 1 changes in the last minute, 61 s" in render(view)


def test_view_of_a_ledger_starts_with_the_orders_on_record() -> None:
    """It also counts orders that are added later."""
    view = LiveView({None: 1, OrderState.PENDING: 2, OrderState.COMPLETED: 5})
    pending, completed = make_status(OrderState.PENDING), make_status(OrderState.COMPLETED)
    for order in (1, 2, 3):
        view.record_change(Change(order, None, pending), 1)
    view.record_change(Change(1, pending, completed), 2)
    assert view.counts == {"completed": 6, "pending": 4}
    assert "6 of 10 final; 2 requests, 1 changes in the last minute" in render(view)


def render(view: LiveView) -> str:
    """Return what a terminal would show."""
    console = Console(file=io.StringIO(), width=100)
    console.print(view)
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    return text


@pytest.mark.parametrize(
    ("output_format", "is_stderr_terminal", "is_stdout_terminal", "is_shown"),
    [
        ("table", True, True, True),
        ("table", False, True, False),
        ("jsonl", True, False, True),
        ("jsonl", True, True, False),
        ("csv", True, True, False),
    ],
)
def test_view_is_shown_on_a_terminal_without_rows(
    output_format: Format,
    is_stderr_terminal: bool,
    is_stdout_terminal: bool,
    is_shown: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It goes to standard error, never to standard output."""
    screens = {"stderr": io.StringIO(), "stdout": io.StringIO()}
    for name, is_terminal in (("stderr", is_stderr_terminal), ("stdout", is_stdout_terminal)):
        monkeypatch.setattr(screens[name], "isatty", lambda is_terminal=is_terminal: is_terminal)
        monkeypatch.setattr(f"sys.{name}", screens[name])
    with show_live_view(LiveView({None: 3}), OutputOptions(format=output_format)):
        pass
    assert ("0 of 3 final" in screens["stderr"].getvalue()) is is_shown
    assert screens["stdout"].getvalue() == ""
