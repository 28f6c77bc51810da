"""From requests to responses: the only modules that use httpx. They transfer bytes, and interpret none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import ConfigurationError
from .httpx_transport import HttpClient, HttpxTransport, OwnHttpxTransport, parse_url

if TYPE_CHECKING:
    from .._settings import Settings
    from .h11_transport import H11Transport

__all__ = ["HttpClient", "HttpxTransport", "OwnHttpxTransport", "create_transport"]


def create_transport(settings: Settings, client: HttpClient | None) -> H11Transport | HttpxTransport:
    """Create the transport that the settings ask for.

    Raises:
        TypeError: ``client`` is not an asynchronous httpx client.
        ConfigurationError: the address or the proxy can't be used, or a setting has no effect on a custom client.
    """
    parse_url(settings.url)
    if client is not None:
        _check_settings_of_custom_client(settings)
        return HttpxTransport(settings, client)
    if settings.proxy is not None:
        return OwnHttpxTransport(settings)
    from .h11_transport import H11Transport  # noqa: PLC0415 - 7 ms, which an import of the package need not take

    return H11Transport(settings)


def _check_settings_of_custom_client(settings: Settings) -> None:
    """Reject settings without effect: a custom client is never configured."""
    if unused := [name for name in ("proxy", "ssl_context") if getattr(settings, name)]:
        msg = f"{', '.join(unused)} would have no effect on the client passed as http=: set it on that client"
        raise ConfigurationError(msg)
