"""The documentation site: built without a complaint, and every link in it leads somewhere."""

from __future__ import annotations

import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import final
from urllib.parse import unquote, urlsplit

import pytest

SITE = Path("site")


@final
class Page(HTMLParser):
    """A page's links, and the places in it that links can lead to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.places: set[str] = {"", "__skip"}
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an id, a link or a picture."""
        facts = dict(attrs)
        self.places |= {place for name in ("id", "name") if (place := facts.get(name))}
        if tag in {"a", "img", "script", "link"} and (target := facts.get("href") or facts.get("src")):
            self.links.add(target)

    def handle_data(self, data: str) -> None:
        """Note what people read."""
        self.texts.append(data)


@pytest.fixture(scope="module", name="said")
def _said() -> str:
    """What the build says."""
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module", name="pages")
def _pages(said: str) -> dict[Path, Page]:
    assert said
    return {file: Page(file.read_text("utf-8")) for file in SITE.rglob("*.html")}


def test_the_build_has_no_complaint(said: str) -> None:
    """Neither of the site nor of a docstring, which strictness alone lets pass."""
    assert [line for line in said.splitlines() if not line.startswith(("Build ", "No issues found"))] == []


def test_every_link_leads_somewhere(pages: dict[Path, Page]) -> None:
    """To a file that is there, and to a place in it that is there; others' sites are not ours to keep."""
    lost = []
    for file, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc or file.name == "404.html":
                continue
            target = (file.parent / unquote(parts.path)).resolve() if parts.path else file.resolve()
            target = target / "index.html" if target.is_dir() else target
            known = {path.resolve(): found for path, found in pages.items()}.get(target)
            if not target.exists() or (known and unquote(parts.fragment) not in known.places):
                lost.append(f"{file}: {link}")
    assert lost == []


def test_every_public_name_is_in_the_reference(pages: dict[Path, Page]) -> None:
    """Under its full name, so that other sites can link to it."""
    from followersdata_async import __all__ as names  # noqa: PLC0415 - where the package is documented, not tested

    places = {place.rpartition(".")[2] for page in pages.values() for place in page.places if "followersdata" in place}
    assert set(names) - places == set()
    assert {"followersdata_client", "followersdata_sandbox"} <= places


def test_nothing_of_the_inside_is_in_the_reference(pages: dict[Path, Page]) -> None:
    """What a module does not offer is nobody's to use."""
    inside = {"msg", "MARK", "MAIN", "Attributes"}
    assert {place for page in pages.values() for place in page.places if place.rpartition(".")[2] in inside} == set()


def test_nothing_is_left_unrendered(pages: dict[Path, Page]) -> None:
    """No directive and no reference that found nothing."""
    for file, page in pages.items():
        assert not any(text.lstrip().startswith("::: ") for text in page.texts), file
