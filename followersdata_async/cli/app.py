"""Assembles the command line from the commands, each of which is in a module of ``commands``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Literal

from cyclopts import App

from . import exit_codes, runner
from .commands.add import add
from .commands.balance import balance
from .commands.demo import demo
from .commands.ledger import ledger, place, poll, track
from .commands.profile import profile
from .commands.sandbox import sandbox
from .commands.services import services
from .commands.status import cancel, refill, refill_status, status
from .commands.watch import watch
from .examples import EXAMPLES

if TYPE_CHECKING:
    from collections.abc import Sequence

app: App = App(
    name="followersdata",
    help="Order from a social-media panel and follow the orders. "
    "The key is read from FOLLOWERSDATA_API_KEY, the file that FOLLOWERSDATA_API_KEY_FILE names, or a profile.",
    help_format="plaintext",
    help_epilogue=EXAMPLES[""],
    version_flags=["--version"],
)
app.command(place, help_epilogue=EXAMPLES["place"])
app.command(track, help_epilogue=EXAMPLES["track"])
app.command(poll, help_epilogue=EXAMPLES["poll"])
app.command(ledger)
app.command(profile)
app.command(sandbox, help_epilogue=EXAMPLES["sandbox"])
app.command(services, help_epilogue=EXAMPLES["services"])
app.command(balance, help_epilogue=EXAMPLES["balance"])
app.command(add, help_epilogue=EXAMPLES["add"])
app.command(status, help_epilogue=EXAMPLES["status"])
app.command(watch, help_epilogue=EXAMPLES["watch"])
app.command(refill, help_epilogue=EXAMPLES["refill"])
app.command(refill_status, help_epilogue=EXAMPLES["refill-status"])
app.command(cancel, help_epilogue=EXAMPLES["cancel"])
app.command(demo, help_epilogue=EXAMPLES["demo"])


@app.command(help_epilogue=EXAMPLES["completion"])
def completion(shell: Literal["bash", "zsh", "fish", "powershell"]) -> int:
    """Write the script that completes commands and options in a shell.

    Parameters
    ----------
    shell
        Which shell.
    """
    sys.stdout.write(app.generate_completion(prog_name="followersdata", shell=shell))
    return exit_codes.SUCCESS


def run(arguments: Sequence[str]) -> int:
    """Run the command that the arguments name and return its exit code."""
    return runner.run(app, arguments)
