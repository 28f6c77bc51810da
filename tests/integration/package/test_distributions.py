"""What is published: all that is needed, nothing that is not, and as the project says it is."""

from __future__ import annotations

import email
import os
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

PROJECT = tomllib.loads(Path("pyproject.toml").read_text("utf-8"))["project"]
NAME = f"{PROJECT['name']}-{PROJECT['version']}"


@pytest.fixture(scope="module", name="wheel")
def _wheel() -> zipfile.ZipFile:
    (file,) = Path("dist").glob("*.whl")
    return zipfile.ZipFile(file)


@pytest.fixture(scope="module", name="sdist")
def _sdist() -> tarfile.TarFile:
    (file,) = Path("dist").glob("*.tar.gz")
    return tarfile.open(file)


def test_the_wheel_has_the_package_whole_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    """Its types, its migrations, its page and its licence, too."""
    sources = {str(path) for path in Path(PROJECT["name"]).rglob("*") if path.is_file() and path.suffix != ".pyc"}
    about = {name for name in wheel.namelist() if name.startswith(f"{NAME}.dist-info/")}
    assert set(wheel.namelist()) - about == sources
    assert f"{PROJECT['name']}/py.typed" in sources
    assert f"{NAME}.dist-info/licenses/LICENSE" in about


def test_the_sdist_has_what_its_own_tests_need(sdist: tarfile.TarFile) -> None:
    """And nothing that was built or cached."""
    names = {name.partition("/")[2] for name in sdist.getnames()}
    assert names >= {"pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "noxfile.py", "tests/conftest.py"}
    assert names >= {str(path) for folder in ("docs", ".github/workflows") for path in Path(folder).glob("*.*")}
    assert not [name for name in names if "__pycache__" in name or name.startswith(("site/", "build/", ".nox/"))]


def test_it_says_what_it_is(wheel: zipfile.ZipFile) -> None:
    """As an index shows it."""
    about = email.message_from_bytes(wheel.read(f"{NAME}.dist-info/METADATA"))
    assert (about["Name"], about["Version"], about["License-Expression"]) == (
        PROJECT["name"],
        PROJECT["version"],
        "MIT",
    )
    assert set(about.get_all("Provides-Extra") or ()) == set(PROJECT["optional-dependencies"])
    assert "python -m pip install" in about.get_payload()


def test_what_changed_is_told() -> None:
    """For this version, if it is being released; else at least for what comes next."""
    text = Path("CHANGELOG.md").read_text("utf-8")
    is_released = os.environ.get("GITHUB_REF_TYPE") == "tag"
    assert f"## [{PROJECT['version']}]" in text or (not is_released and "## [Unreleased]" in text)
