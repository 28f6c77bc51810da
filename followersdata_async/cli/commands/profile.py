"""``profile``: commands that add, list and remove profiles."""

from __future__ import annotations

import getpass
import sys
from typing import Annotated

from cyclopts import App, Parameter

from ..._settings import DEFAULT_URL, resolve_api_key, resolve_url
from .. import exit_codes
from ..examples import EXAMPLES
from ..input import UsageError
from ..output import DEFAULT_OUTPUT, OutputOptions, write_rows
from ..profile_store import Profile, check_name, open_store
from ..progress import print_message

profile: App = App(
    name="profile",
    help="Remember panels and their keys by a name, for --profile. Without it, `main` is used.",
    help_format="plaintext",
    help_epilogue=EXAMPLES["profile"],
)


@profile.command(name="add", help_epilogue=EXAMPLES["profile add"])
def profile_add(
    name: str,
    *,
    url: str = DEFAULT_URL,
    keyring: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """Remember a panel. Its key is asked for without being shown, or read from standard input.

    Parameters
    ----------
    name
        What it is called; `main` is used where no profile is named.
    url
        The API's full address.
    keyring
        Leave the key to the system's keyring (extra `keyring`), not to a file.
    """
    check_name(name)
    full_url = resolve_url(url, {})
    try:
        text = getpass.getpass(f"API key of {full_url}: ") if sys.stdin.isatty() else sys.stdin.readline()
    except EOFError as error:
        msg = "no key was given: nothing is remembered"
        raise UsageError(msg) from error
    key = resolve_api_key(text.strip(), {})
    open_store().add(Profile(name=name, url=full_url, key=key), keyring=keyring)
    print_message(f"{name} is remembered: followersdata balance --profile {name}")
    return exit_codes.SUCCESS


@profile.command(name="list", help_epilogue=EXAMPLES["profile list"])
def profile_list(*, output: OutputOptions = DEFAULT_OUTPUT) -> int:
    """Show what is remembered; never a key."""
    rows = [
        {"name": entry.name, "url": entry.url, "key": "keyring" if entry.key is None else "file"}
        for entry in open_store().load_all().values()
    ]
    write_rows(rows, ("name", "url", "key"), output)
    return exit_codes.SUCCESS


@profile.command(name="remove", help_epilogue=EXAMPLES["profile remove"])
def profile_remove(name: str) -> int:
    """Forget a panel and its key.

    Parameters
    ----------
    name
        What it is called.
    """
    open_store().remove(name)
    print_message(f"{name} is forgotten")
    return exit_codes.SUCCESS
