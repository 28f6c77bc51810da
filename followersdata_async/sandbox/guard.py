"""The guard of the administration: it answers only to hosts of this machine, and takes changes only from them.

Any page on the web can make a browser send requests to a loopback port: by its
own address, which gives them a foreign ``Origin``, or by a name of its own that
it lets point to 127.0.0.1 (DNS rebinding), which gives them a foreign ``Host``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, final

from attrs import frozen
from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.types import Receive, Scope, Send

IN_PROCESS_HOST = "sandbox.invalid"
"""The host of requests without a socket. No DNS server has an address for it (RFC 6761)."""
_IN_PROCESS_HOSTS = (IN_PROCESS_HOST, "testserver")
"""The second is that of Starlette's test client."""
_LOCAL_HOSTS = ("localhost", "127.0.0.1", "[::1]")

_HOST = r"[a-z0-9_.-]+|\[[0-9a-f:.]+\]"
_ADDRESS = re.compile(rf"(?:(?P<scheme>https?)://)?(?P<host>{_HOST})(?::[0-9]+)?")
_SAFE_METHODS = frozenset({"GET", "HEAD"})


def parse_hosts(names: Iterable[str], *, serve: bool) -> tuple[str, ...]:
    """Return the hosts of this machine and those of ``names``, in lower case.

    A sandbox that does not listen has the hosts of requests in process, too.

    Raises:
        ValueError: A name has a scheme, a port or a wildcard, or ``names`` is a string.
    """
    if isinstance(names, str):
        msg = f"allowed_hosts must be a list of host names, got {names!r}: write [{names!r}]"
        raise ValueError(msg)  # noqa: TRY004 - as for all settings of a sandbox
    hosts = [*_LOCAL_HOSTS] if serve else [*_LOCAL_HOSTS, *_IN_PROCESS_HOSTS]
    for name in names:
        if re.fullmatch(_HOST, name.lower()) is None:
            msg = f"a host of allowed_hosts must be a name like 'panel.test', got {name!r}: leave out scheme and port"
            raise ValueError(msg)
        hosts.append(name.lower())
    return tuple(dict.fromkeys(hosts))


@final
@frozen
class Guard:
    """An ASGI application that passes a request to ``app`` if it may be from this machine, or responds with HTTP 403.

    The request must be sent to one of ``hosts``, under any port. If it is not a
    read, it must not come from a page of another host.
    """

    app: ASGIApp
    hosts: tuple[str, ...]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check one request."""
        problem = self._find_problem(scope["method"], Headers(scope=scope)) if scope["type"] == "http" else None
        if problem is None:
            await self.app(scope, receive, send)
        else:
            await JSONResponse({"error": problem}, 403)(scope, receive, send)

    def _find_problem(self, method: str, headers: Headers) -> str | None:
        """Return why the request is refused, or ``None``."""
        sent_to = headers.getlist("host")
        if len(sent_to) != 1 or not self._is_allowed(sent_to[0]):
            return self._format_problem("Host", sent_to)
        if method in _SAFE_METHODS:
            return None
        if headers.get("sec-fetch-site") == "cross-site":
            return "Sec-Fetch-Site must not be cross-site: send changes from the sandbox's own page, or from a program"
        origins = headers.getlist("origin")
        return None if all(map(self._is_allowed, origins)) else self._format_problem("Origin", origins)

    def _is_allowed(self, address: str) -> bool:
        """Return whether the host of ``address``, which may have a scheme and a port, is an allowed one."""
        match = _ADDRESS.fullmatch(address.lower())
        return match is not None and match["host"] in self.hosts

    def _format_problem(self, header: str, values: list[str]) -> str:
        return (
            f"{header} must be {', '.join(self.hosts[:-1])} or {self.hosts[-1]}, got {', '.join(values)!r}: "
            "to allow another host, start the sandbox with allowed_hosts=[…] or --allowed-host"
        )
