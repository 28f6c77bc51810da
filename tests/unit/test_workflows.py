"""What runs elsewhere with the project's rights is named exactly, and ends."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

WORKFLOWS = sorted((Path(__file__).parents[2] / ".github/workflows").glob("*.y*ml"))
USES = re.compile(r"\buses\b\W*?:\s*(.*)")
PINNED = re.compile(r"[\w.-]+(?:/[\w.-]+)+@[0-9a-f]{40} # v\d+\.\d+\.\d+")


def find_unpinned(workflow: str) -> list[str]:
    """Return the actions of a workflow that are not named by a whole commit, with its version in a comment."""
    return [used for used in USES.findall(workflow) if not PINNED.fullmatch(used)]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_every_action_is_pinned_by_its_commit_and_says_its_version(path: Path) -> None:
    """A tag can be moved to other code, which would then publish; the version is what people and Dependabot read."""
    workflow = path.read_text("utf-8")
    assert USES.search(workflow)
    assert find_unpinned(workflow) == []


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_every_job_has_a_time_limit(path: Path) -> None:
    """GitHub's own is six hours."""
    workflow = path.read_text("utf-8")
    assert workflow.count("\n    timeout-minutes: ") == workflow.count("\n    runs-on: ") > 0


def test_there_are_workflows() -> None:
    """The tests above look at them."""
    assert {path.stem for path in WORKFLOWS} >= {"ci", "release"}


COMMIT = "3d3c42e5aac5ba805825da76410c181273ba90b1"


@pytest.mark.parametrize(
    "used",
    [
        "actions/checkout",
        "actions/checkout@v7",
        "actions/checkout@v7.0.1 # v7.0.1",
        "actions/checkout@main",
        f"actions/checkout@{COMMIT}",
        f"actions/checkout@{COMMIT} #",
        f"actions/checkout@{COMMIT} # v7",
        f"actions/checkout@{COMMIT} # main",
        f"actions/checkout@{COMMIT[:-1]} # v7.0.1",
        f"actions/checkout@{COMMIT.upper()} # v7.0.1",
        f"actions/checkout@{COMMIT}0 # v7.0.1",
        f"docker://alpine@sha256:{COMMIT} # v3.20.0",
    ],
)
@pytest.mark.parametrize("line", ["      - uses: {}", "        uses:   {}", "- 'uses': {}", "- {{ uses: {} }}"])
def test_what_is_pinned_otherwise_is_found(line: str, used: str) -> None:
    """In every form in which YAML writes it."""
    assert find_unpinned(f"steps:\n{line.format(used)}\n")


def test_what_is_pinned_is_not_found() -> None:
    """Neither an action, nor a workflow of another repository."""
    lines = [f"uses: {name}@{COMMIT} # v7.0.1" for name in ("actions/checkout", "owner/name/.github/workflows/x.yml")]
    assert find_unpinned("\n".join(lines)) == []
