"""The documents say what is true: their examples run, their clauses exist, what they cite is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser

import followersdata_async
from followersdata_async import ServiceKind, orders

if TYPE_CHECKING:
    from followersdata_async.sandbox import Sandbox

ROOT = Path(__file__).parent.parent
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
    for code in (0, 1, 2, 3, 4, 5, 6, 130):
        assert f"| {code} |" in text


def test_the_examples_of_the_readme_run(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """From the first to the last, against a sandbox."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FOLLOWERSDATA_API_KEY", sandbox.key)
    monkeypatch.setenv("FOLLOWERSDATA_API_URL", sandbox.url)
    document = Sybil(parsers=[PythonCodeBlockParser()]).parse(ROOT / "README.md")
    examples = list(document.examples())
    for example in examples:
        example.evaluate()
    assert len(examples) == 8
    out = capsys.readouterr().out
    assert "30001 OrderState.PENDING" in out
    assert "\n1000 OrderState." in out


def test_the_examples_of_the_other_documents_are_python_and_import_what_is_there() -> None:
    """They need more than a sandbox to run."""
    imports = []
    for document in ROOT.glob("docs/*.md"):
        for text in re.findall(r"^```python\n(.*?)^```", document.read_text("utf-8"), re.MULTILINE | re.DOTALL):
            compile(text, str(document), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            imports += re.findall(r"^from followersdata_async.*", text, re.MULTILINE)
    for line in imports:
        exec(line, {})  # noqa: S102 - of our own documents
    assert len(imports) == 3


@pytest.mark.parametrize(
    "document", sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]), ids=lambda path: path.name
)
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    """Relative ones; the others are not ours to keep."""
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text("utf-8")):
        assert (document.parent / target).exists(), target


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
