"""The documents say what is true: their examples run, their clauses exist, what they cite is there."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import anyio
import pytest
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser

import followersdata_async
from followersdata_async import ServiceKind, errors, events, orders
from followersdata_async.integrations import fastapi

if TYPE_CHECKING:
    from followersdata_async.sandbox import Sandbox

ROOT = Path(__file__).parents[3]
PACKAGE = Path(followersdata_async.__file__).parent
SOURCES = sorted(PACKAGE.rglob("*.py"))
CLAUSES = set(
    re.findall(r"^#+ (?:§)?(\d+(?:\.\d+)?)[. ]", (ROOT / "docs/panel-api.md").read_text("utf-8"), re.MULTILINE)
)


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_every_clause_that_code_cites_is_in_the_document(source: Path) -> None:
    """docs/panel-api.md is the law; code says which part of it."""
    cited = re.findall(r"panel-api (§[\d., §]+)", source.read_text("utf-8"))
    numbers = {number.rstrip(".") for group in cited for number in re.findall(r"\d+(?:\.\d+)?", group)}
    assert numbers - CLAUSES == set()


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_every_document_that_code_cites_is_there(source: Path) -> None:
    """No dead links."""
    for name in re.findall(r"docs/[\w-]+\.md", source.read_text("utf-8")):
        assert (ROOT / name).is_file(), name


def test_the_exit_codes_are_explained() -> None:
    """Each in its line."""
    text = (ROOT / "docs/command-line.md").read_text("utf-8")
    for code in (0, 1, 2, 3, 4, 5, 6, 7, 130):
        assert f"| {code} |" in text


@pytest.mark.parametrize(
    ("document", "count", "printed"),
    [
        ("README.md", 8, ["30001 OrderState.PENDING", "\n1000 OrderState."]),
        ("docs/tutorial.md", 4, ["100 requests, 10000 answers", "no-such-order Refused(", "the panel took 1 order"]),
        (
            "docs/bulk-status.md",
            3,
            ["[1, 2, 'no-such-order']", "no-such-order the panel said no: Incorrect order ID\n1"],
        ),
        ("docs/never-twice.md", 1, ["order 1\n", "ask a person to look for https://example.com/p/1", "[1, 2]"]),
        ("docs/other-panels.md", 1, []),
        ("docs/moving.md", 2, ["Balance(balance=Decimal('"]),
        ("docs/errors.md", 1, ["Incorrect order ID"]),
    ],
)
def test_the_examples_of_a_document_run(  # noqa: PLR0917 - pytest names them
    sandbox: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    document: str,
    count: int,
    printed: list[str],
) -> None:
    """From the first to the last, against a sandbox."""
    sandbox.reset()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FOLLOWERSDATA_API_KEY", sandbox.key)
    monkeypatch.setenv("FOLLOWERSDATA_API_URL", sandbox.url)
    examples = list(Sybil(parsers=[PythonCodeBlockParser()]).parse(ROOT / document).examples())
    for example in examples:
        example.evaluate()
    assert len(examples) == count
    out = capsys.readouterr().out
    for text in printed:
        assert text in out


def test_every_error_is_in_the_handbook() -> None:
    """With when it comes, and what to do; and those that are answered by services, with their status."""
    handbook = (ROOT / "docs/errors.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)`.*\|$", handbook, re.MULTILINE)
    named = {*rows, "FollowersDataError", "TransportError", "OutcomeUnknownError"}
    assert set(errors.__all__) - named == set()
    assert "## Nobody knows: `OutcomeUnknownError`" in handbook
    told = {
        name: int(status)
        for status, names in re.findall(
            r"^\| (\d{3}) \| (.*) \|$", (ROOT / "docs/fastapi.md").read_text("utf-8"), re.MULTILINE
        )
        for name in re.findall(r"`(\w+)`", names)
    }
    statuses = {class_.__name__: status for class_, (status, _) in fastapi._PROBLEMS.items()}
    assert {name: statuses[name] for name in told} == told
    assert {name for name, status in statuses.items() if status != 502} <= told.keys()


def blocks(document: str, language: str) -> list[str]:
    """A document's examples of a language."""
    text = (ROOT / document).read_text("utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def test_the_sandboxs_guide_speaks_to_it_from_a_shell(sandbox: Sandbox) -> None:
    """Line by line, with nothing but curl."""
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("curl is not installed")
    environment = os.environ | {"FOLLOWERSDATA_API_URL": sandbox.url}
    lines = [line for block in blocks("docs/sandbox.md", "bash") for line in block.splitlines()]
    answers = [
        json.loads(subprocess.run(["/bin/sh", "-c", line], env=environment, capture_output=True, check=True).stdout)
        for line in lines
    ]
    added, statuses, balance, faults, ledger = answers
    sandbox.clear()
    assert list(statuses) == ["1", "2", "3"]
    assert balance["currency"] == "USD"
    assert faults == [{"fault": "dropped", "times": 1, "action": "add"}]
    assert ledger[-1]["order"] == added["order"]


def test_the_sandboxs_guide_speaks_to_it_from_the_standard_library(sandbox: Sandbox) -> None:
    """In a Python of its own, which imports nothing of ours."""
    (example,) = [block for block in blocks("docs/sandbox.md", "python") if "urllib" in block]
    environment = os.environ | {"FOLLOWERSDATA_API_URL": sandbox.url}
    done = subprocess.run(
        [sys.executable, "-I", "-c", example], env=environment, capture_output=True, text=True, check=True
    )
    assert list(ast.literal_eval(done.stdout)) == ["1", "2", "3"]


def test_the_sandboxs_guide_shows_time_passing(capsys: pytest.CaptureFixture[str]) -> None:
    """As it would run in a notebook."""
    (example,) = [block for block in blocks("docs/sandbox.md", "python") if "async with" in block]
    code = compile(example, "sandbox.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)

    async def main() -> None:
        await eval(code, {})  # noqa: S307 - of our own document

    anyio.run(main)
    assert "OrderState.COMPLETED" in capsys.readouterr().out


def test_the_guide_to_observing_prints_the_spans_of_a_bulk_status(sandbox: Sandbox) -> None:
    """By the SDK's console exporter, in a program of its own: it sets what is global."""
    (example,) = [block for block in blocks("docs/observing.md", "python") if "ConsoleSpanExporter" in block]
    environment = os.environ | {"FOLLOWERSDATA_API_URL": sandbox.url, "FOLLOWERSDATA_API_KEY": sandbox.key}
    done = subprocess.run([sys.executable, "-c", example], env=environment, capture_output=True, text=True, check=True)
    span = json.loads(done.stdout)
    assert span["name"] == "followersdata multi_status"
    assert span["attributes"]["followersdata.chunks"] == span["attributes"]["followersdata.requests"] == 10
    assert span["attributes"]["followersdata.outcomes.ok"] == 1000


def test_the_guide_to_observing_lists_every_event_and_metric() -> None:
    """As they are in the code."""
    text = (ROOT / "docs/observing.md").read_text("utf-8")
    names = [class_.__name__ for class_ in get_args(events.ClientEvent)]
    names += re.findall(
        r"followersdata\.(?:client|ledger)\.[a-z_.]*[a-z]",
        (PACKAGE / "integrations/opentelemetry.py").read_text("utf-8"),
    )
    assert len(set(names)) == 7 + 10 + 11
    for name in names:
        assert f"`{name}`" in text, name


def test_every_promise_has_a_test_that_is_there() -> None:
    """By its file and name."""
    cited = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (ROOT / "docs/reliability.md").read_text("utf-8"))
    assert len(cited) >= 15
    for file, name in cited:
        assert f"def {name}(" in (ROOT / file).read_text("utf-8"), name


@pytest.mark.parametrize(
    "document", sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]), ids=lambda path: path.name
)
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    """Relative ones, to a file and to a heading in it; the others are not ours to keep."""
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", document.read_text("utf-8")):
        name, _, place = target.partition("#")
        file = document.parent / name if name else document
        assert file.exists(), target
        if place:
            assert place in {_anchor_of(heading) for heading in _headings_of(file)}, target


def _headings_of(file: Path) -> list[str]:
    return re.findall(r"^#+ (.+)$", file.read_text("utf-8"), re.MULTILINE)


def _anchor_of(heading: str) -> str:
    """As the site and repositories make it."""
    return re.sub(r"[ ]+", "-", re.sub(r"[^\w\- ]", "", heading.lower())).strip("-")


def test_the_readme_says_what_every_type_takes() -> None:
    """The table names each class, with all of its fields."""
    rows = re.findall(r"^\| (`[A-Z][^|]*) \| (.*) \|$", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE)
    told = {
        name: set(re.findall(r"`(\w+)`", fields)) for names, fields in rows for name in re.findall(r"`(\w+)`", names)
    }
    for kind in ServiceKind:
        if kind is not ServiceKind.UNKNOWN:
            name = kind.value.title().replace("_", "")
            assert told[name] - {"date"} == set(orders.fields_of(kind)) - {"extra"}, name
