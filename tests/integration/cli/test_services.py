"""A choice of the catalogue, and what has changed in it."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from followersdata_async import AsyncClient
from followersdata_async.cli import main
from followersdata_async.cli.commands.services import ServiceFilter
from followersdata_async.models import Catalogue, Service, ServiceKind, UnreadableService

if TYPE_CHECKING:
    from pathlib import Path

    from followersdata_async.sandbox import Sandbox

Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox) -> None:
    monkeypatch.setenv("FOLLOWERSDATA_API_KEY", sandbox.key)
    monkeypatch.setenv("FOLLOWERSDATA_API_URL", sandbox.url)


def written(capsys: Captured, *arguments: str) -> Any:
    """What ``services`` writes as JSON."""
    assert main(["services", "--format", "json", *arguments]) == 0
    return json.loads(capsys.readouterr().out)


def a_service(number: int | str, **facts: Any) -> Service:
    """A service of the catalogue."""
    usual: dict[str, Any] = {"name": f"Service {number}", "type": "Default", "kind": ServiceKind.DEFAULT}
    usual |= {"category": "One", "rate": Decimal(1), "min": 1, "max": 10, "refill": True, "cancel": True}
    return Service(service=number, **usual | facts)


CATALOGUE = [
    a_service(3, name="Instagram Followers", rate=Decimal("0.90")),
    a_service("b", name="instagram likes", rate=Decimal(2)),
    a_service(1, name="Views", category="Instagram", rate=Decimal(10), max=None),
    a_service("A", name="Views", category=None, type="Package", rate=Decimal("2.01"), max=5),
]


@pytest.mark.parametrize(
    ("selection", "ids"),
    [
        (ServiceFilter(), [3, "b", 1, "A"]),
        (ServiceFilter(search="INSTAGRAM"), [3, "b", 1]),
        (ServiceFilter(search="likes insta"), ["b"]),
        (ServiceFilter(search="package"), ["A"]),
        (ServiceFilter(search="tiktok"), []),
        (ServiceFilter(max_rate=Decimal(2)), [3, "b"]),
        (ServiceFilter(max_rate=Decimal(20)), [3, "b", 1, "A"]),
        (ServiceFilter(search="instagram", max_rate=Decimal(1)), [3]),
        (ServiceFilter(sort="rate"), [3, "b", "A", 1]),
        (ServiceFilter(sort="service"), [1, 3, "A", "b"]),
        (ServiceFilter(sort="name"), [3, "b", 1, "A"]),
        (ServiceFilter(sort="category"), [1, 3, "b", "A"]),
        (ServiceFilter(sort="max"), ["A", 3, "b", 1]),
    ],
)
def test_services_are_filtered_and_sorted(selection: ServiceFilter, ids: list[int | str]) -> None:
    """By all words, in any order and case. Services without a value to sort by come last."""
    assert [service.service for service in selection.apply(CATALOGUE)] == ids


def test_the_command_says_how_many_there_are(capsys: Captured) -> None:
    """Only where some were left out."""
    assert main(["services", "--search", "followers", "--max-rate", "2", "--sort", "rate", "--format", "json"]) == 0
    captured = capsys.readouterr()
    rates = [Decimal(row["rate"]) for row in json.loads(captured.out)]
    assert rates == sorted(rates)
    assert captured.err == f"{len(rates)} of 24 services\n"
    assert main(["services", "--format", "json"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("output_format", ["json", "jsonl"])
def test_catalogue_is_compared_with_a_saved_one(capsys: Captured, tmp_path: Path, output_format: str) -> None:
    """There is a row for each difference."""
    rows = written(capsys)
    assert rows[0]["service"] == 1
    rows[0] |= {"rate": "0.80", "name": "Old name", "max": 7}
    gone = rows.pop(1)
    rows.append({**rows[0], "service": 99, "name": "No longer sold"})
    file = tmp_path / "old"
    file.write_text(json.dumps(rows) if output_format == "json" else "".join(json.dumps(row) + "\n" for row in rows))
    assert main(["services", "--diff", str(file), "--format", "json"]) == 0
    captured = capsys.readouterr()
    usual = {"what": None, "before": None, "after": None}
    assert json.loads(captured.out) == [
        {"change": "added", "service": 2, "name": gone["name"], **usual},
        {"change": "removed", "service": 99, "name": "No longer sold", **usual},
        {"change": "repriced", "service": 1, "name": "Followers", "what": "rate", "before": "0.80", "after": "0.90"},
        {"change": "changed", "service": 1, "name": "Followers", "what": "max", "before": 7, "after": 10000},
        {"change": "described", "service": 1, "name": "Followers", "what": "name", "before": "Old name",
         "after": "Followers"},
    ]  # fmt: skip
    assert captured.err == "1 added, 1 removed, 1 repriced, 1 changed, 1 described anew\n"
    # Without some fields.
    assert main(["services", "--diff", str(file), "--ignore", "name, rate", "--format", "json"]) == 0
    assert [row["what"] for row in json.loads(capsys.readouterr().out)] == [None, None, "max"]
    assert main(["services", "--diff", str(file), "--ignore", "price"]) == 2
    assert "--ignore" in capsys.readouterr().err
    # Of both, only what was chosen.
    assert main(["services", "--diff", str(file), "--search", "no longer", "--format", "json"]) == 0
    assert [row["service"] for row in json.loads(capsys.readouterr().out)] == [99]


def test_catalogue_saved_a_moment_ago_has_not_changed(capsys: Captured, tmp_path: Path) -> None:
    """In both formats that can be read again."""
    for output_format in ("json", "jsonl"):
        assert main(["services", "--format", output_format]) == 0
        (tmp_path / output_format).write_text(capsys.readouterr().out)
        assert main(["services", "--diff", str(tmp_path / output_format), "--format", "json"]) == 0
        captured = capsys.readouterr()
        assert (json.loads(captured.out), captured.err) == (
            [],
            "0 added, 0 removed, 0 repriced, 0 changed, 0 described anew\n",
        )


def test_rate_in_a_saved_catalogue_is_read_exactly(capsys: Captured, tmp_path: Path) -> None:
    """A float would round it. The kind of a service is not compared, because it follows from the type."""
    rows = written(capsys)
    file = tmp_path / "old.json"
    text = json.dumps([rows[0] | {"kind": "of a later version"}, *rows[1:]])
    file.write_text(text.replace('"rate": "0.90"', '"rate": 0.9000000000000000000000000000000000000001', 1))
    capsys.readouterr()
    assert main(["services", "--diff", str(file), "--format", "json"]) == 0
    (change,) = json.loads(capsys.readouterr().out)
    assert (change["before"], change["after"]) == ("0.9000000000000000000000000000000000000001", "0.90")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "No such file"),
        (b"service,name\n1,a\n", "is no catalogue that --format json or jsonl has written"),
        (b'[{"id": 1}]', "is no catalogue"),
        (b'{"error": "x"}', "is no catalogue"),
        (b"[1]", "is no catalogue that --format json or jsonl has written: a service is an object, and not '1'"),
        (b'[{"service": true, "name": "A", "type": "B", "rate": "1"}]', "an id is an int or a str, not bool"),
        (b'[{"service": "1 2", "name": "A", "type": "B", "rate": "1"}]', "the id '1 2' has a comma, a blank"),
        (b'[{"service": 1, "type": "B", "rate": "1"}]', "the name of a service cannot be 'None'"),
        (b'[{"service": 1, "name": "A", "type": "B", "rate": []}]', "the rate of a service cannot be '[]'"),
        (b'[{"service": 1, "name": "A", "type": "B", "rate": "NaN"}]', "the rate of a service cannot be 'NaN'"),
        (b'[{"service": 1, "name": "A", "type": "B", "rate": "one"}]', "the rate of a service cannot be 'one'"),
        (b'[{"service": 1, "name": "A", "type": "B", "rate": NaN}]', "NaN is not a number in JSON"),
        (b'[{"service": 1, "name": "A", "type": "B", "rate": "1", "min": "9"}]', "the min of a service cannot be '9'"),
        (
            b'[{"service": 1, "name": "A", "type": "B", "rate": "1", "extra": 9}]',
            "the extra of a service cannot be '9'",
        ),
        (b"\xff", "is no catalogue"),
    ],
)
def test_file_that_is_not_a_catalogue_is_exit_2(
    capsys: Captured, tmp_path: Path, content: bytes | None, says: str
) -> None:
    """The message has the name of the file."""
    if content is not None:
        (tmp_path / "old").write_bytes(content)
    assert main(["services", "--diff", str(tmp_path / "old")]) == 2
    captured = capsys.readouterr()
    assert says in captured.err
    assert str(tmp_path / "old") in captured.err
    assert captured.out == ""


def test_a_service_without_a_rate_is_not_cheap() -> None:
    """It is not among those that cost at most something, and comes last when they are sorted."""
    unpriced = a_service(5, rate=None)
    assert ServiceFilter(max_rate=Decimal(10**9)).apply([unpriced]) == []
    assert ServiceFilter(sort="rate").apply([unpriced, *CATALOGUE])[-1] == unpriced


def test_rows_that_cannot_be_read_are_counted(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    """On standard error, with what is wrong with the first one."""

    async def services(_: AsyncClient) -> Catalogue:
        return Catalogue(CATALOGUE, unreadable=[UnreadableService({}, ("required field missing @ row.name",))])

    monkeypatch.setattr(AsyncClient, "services", services)
    assert main(["services", "--format", "json"]) == 0
    captured = capsys.readouterr()
    assert len(json.loads(captured.out)) == len(CATALOGUE)
    assert "1 rows cannot be read, the first one: required field missing @ row.name" in captured.err
