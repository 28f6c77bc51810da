"""What is checked, and how: ``nox`` runs what needs nothing but pip; ``nox -l`` lists everything."""

from __future__ import annotations

import platform
import re
import shutil
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "venv"
nox.options.sessions = ["lint", "typing", "tests", "description", "clients", "docs"]

PROJECT = nox.project.load_toml("pyproject.toml")
SUPPORTED = nox.project.python_versions(PROJECT)
RUNNING = ".".join(platform.python_version_tuple()[:2])
# The Python that runs this is always there, and newer ones should work, too.
PYTHONS = SUPPORTED if RUNNING in SUPPORTED else [*SUPPORTED, RUNNING]
# Most tests wait: for a socket, a database, or another process.
AT_ONCE = ["--numprocesses=4"]


def group(name: str) -> list[str]:
    """What a dependency group of pyproject.toml asks for."""
    return nox.project.dependency_groups(PROJECT, name)


def alone(folder: str) -> list[str]:
    """How pytest runs tests that need none of the other tests' packages."""
    return [f"--confcutdir={folder}", folder]


@nox.session(python=RUNNING)
def lint(session: nox.Session) -> None:
    """Check the formatting, the style, the spelling, that imports point downwards, and what could be a way in."""
    session.install(".", *group("lint"))
    session.run("ruff", "format", "--check", ".")
    session.run("ruff", "check", ".")
    session.run("codespell")
    session.run("lint-imports")
    session.run("bandit", "--quiet", "--configfile", "pyproject.toml", "--recursive", "followersdata_async")
    session.run("zizmor", "--offline", "--persona=pedantic", "--quiet", ".")


@nox.session(python=RUNNING)
def typing(session: nox.Session) -> None:
    """Types, strictly, with two checkers; that every public name has one, and every import is declared."""
    session.install(".[all]", *group("typing"))
    session.run("mypy")
    session.run("pyright")
    session.run("pyright", "--ignoreexternal", "--verifytypes", "followersdata_async")
    session.run("deptry", "followersdata_async")


@nox.session(python=RUNNING)
def unit(session: nox.Session) -> None:
    """Run the fast tests of pure modules, without sockets, databases and processes: under 20 seconds."""
    session.install(".[all]", *group("tests"))
    session.run("pytest", "--numprocesses=2", "-m", "not slow", "tests/unit", *session.posargs)


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the tests, on the Python that runs nox with coverage. Arguments after ``--`` go to pytest."""
    session.install(".[all]", *group("tests"))
    if session.python != RUNNING or session.posargs:
        session.run("pytest", *AT_ONCE, *session.posargs)
        return
    session.env["COVERAGE_FILE"] = f"{session.create_tmp()}/coverage"
    session.run("coverage", "erase")
    session.run("coverage", "run", "-m", "pytest", *AT_ONCE)
    session.run("coverage", "combine", "--quiet")
    session.run("coverage", "report")


@nox.session(python=RUNNING)
def description(session: nox.Session) -> None:
    """Schemathesis against the sandbox's OpenAPI description."""
    session.install(".[sandbox]", *group("description"))
    session.run("pytest", *alone("tests/integration/description"), *session.posargs)


@nox.session(python=RUNNING)
def clients(session: nox.Session) -> None:
    """Other people's clients against the sandbox."""
    session.install(".[sandbox]", *group("clients"))
    session.run("pytest", *alone("tests/integration/clients"), *session.posargs)


@nox.session(python=RUNNING)
def browser(session: nox.Session) -> None:
    """The sandbox's page in a real browser; needs chromium and chromedriver."""
    session.install(".[sandbox]", *group("browser"))
    session.run("pytest", *alone("tests/integration/browser"), *session.posargs)


@nox.session(python=RUNNING)
def terminal(session: nox.Session) -> None:
    """The command line in a real terminal; needs tmux."""
    session.install(".[all]", *group("pytest"))
    session.run("pytest", *alone("tests/integration/terminal"), *session.posargs)


@nox.session(python=RUNNING)
def package(session: nox.Session) -> None:
    """Wheel and sdist in ``dist``, checked, and the bill of materials of what they need in ``build``."""
    session.install(*group("package"))
    shutil.rmtree("dist", ignore_errors=True)
    session.run("python", "-m", "build", "--installer", "uv")
    distributions = [str(path) for path in Path("dist").iterdir()]
    session.run("twine", "check", "--strict", *distributions)
    session.run("check-wheel-contents", *(path for path in distributions if path.endswith(".whl")))
    session.run("pytest", *alone("tests/integration/package"), *session.posargs)
    (wheel,) = Path("dist").glob("*.whl")
    needed = installed(session, wheel, "all")
    Path("build").mkdir(exist_ok=True)
    session.run(
        "cyclonedx-py", "environment", needed, "--pyproject", "pyproject.toml", "--mc-type", "library",
        "--output-reproducible", "--output-file", "build/sbom.json",
    )  # fmt: skip


@nox.session(python=PYTHONS)
def extras(session: nox.Session) -> None:
    """The package alone and with each extra, each in an environment of its own: it imports, and nothing conflicts."""
    session.install("uv")
    built = Path(session.create_tmp()) / "dist"
    session.run("uv", "build", "--quiet", "--wheel", "--clear", "--out-dir", str(built))
    (wheel,) = built.glob("*.whl")
    for extra in ["", *PROJECT["project"]["optional-dependencies"]]:
        python = installed(session, wheel, extra)
        session.run("uv", "pip", "check", "--quiet", "--python", python)
        session.run(python, "-I", "tests/integration/package/smoke.py", extra, external=True)


def installed(session: nox.Session, wheel: Path, extra: str) -> str:
    """The Python of a fresh environment that has the wheel with an extra, and nothing else."""
    folder = Path(session.create_tmp()) / (extra or "alone")
    session.run("uv", "venv", "--quiet", "--clear", "--python", f"{session.bin}/python", str(folder))
    python = str(next(path for path in (folder / "bin/python", folder / "Scripts/python.exe") if path.exists()))
    session.run("uv", "pip", "install", "--quiet", "--python", python, f"{wheel}[{extra}]" if extra else str(wheel))
    return python


@nox.session(python=RUNNING)
def lowest(session: nox.Session) -> None:
    """The tests with the lowest versions that pyproject.toml allows, of what it names."""
    session.install("uv")
    solved = Path(session.create_tmp()) / "lowest.txt"
    session.run(
        "uv", "pip", "compile", "--quiet", "--resolution", "lowest-direct", "--extra", "all", "--no-annotate",
        "--python", f"{session.bin}/python", "--output-file", str(solved), "pyproject.toml",
    )  # fmt: skip
    # What stands below them is as new as the tests' own packages want it.
    pinned = [line for line in solved.read_text("utf-8").splitlines() if line.partition("==")[0] in named()]
    solved.write_text("\n".join(pinned), "utf-8")
    session.install(".[all]", *group("tests"), "--constraint", str(solved))
    # Starlette's test client asks anyio for a name that has another place since.
    session.run(
        "pytest", *AT_ONCE, "-W", "ignore:The anyio.abc.BlockingPortal alias:DeprecationWarning", *session.posargs
    )


def named() -> set[str]:
    """The distributions that the package and its extras ask for."""
    project = PROJECT["project"]
    asked = [*project["dependencies"], *(one for extra in project["optional-dependencies"].values() for one in extra)]
    return {re.split(r"[^\w-]", requirement)[0].lower().replace("_", "-") for requirement in asked}


@nox.session(python=RUNNING)
def docs(session: nox.Session) -> None:
    """The documentation site, built strictly into ``site``, and every link in it followed."""
    session.install(".", *group("docs"))
    session.run("pytest", *alone("tests/integration/site"))


@nox.session(python=RUNNING)
def benchmarks(session: nox.Session) -> None:
    """Side by side with what a user would write instead; arguments after ``--`` go to the benchmarks."""
    session.install(".[all]", *group("benchmarks"))
    session.run("python", "-m", "benchmarks", *session.posargs)


@nox.session(python=RUNNING)
def format(session: nox.Session) -> None:  # noqa: A001 - what it is called on the command line
    """Bring the code into its form."""
    session.install(*group("lint"))
    session.run("ruff", "check", "--fix", ".")
    session.run("ruff", "format", ".")
