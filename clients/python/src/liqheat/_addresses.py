"""The addresses of a server, from the one that the application names."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit, urlunsplit

_SOCKET_PATH: Final = "/ws/heatmap"
_HTTP_SCHEMES: Final = {"http": "http", "https": "https", "ws": "http", "wss": "https"}
_SOCKET_SCHEMES: Final = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}


def socket_address(address: str) -> str:
    """``http://host`` or ``ws://host/ws/heatmap``, with or without a path prefix -> the socket's address.

    Raises :class:`ValueError` with the accepted forms.
    """
    scheme, host, prefix = _parts(address)
    return urlunsplit((_SOCKET_SCHEMES[scheme], host, f"{prefix}{_SOCKET_PATH}", "", ""))


def http_address(address: str) -> str:
    """The same forms -> the beginning of every HTTP route, without a slash at the end."""
    scheme, host, prefix = _parts(address)
    return urlunsplit((_HTTP_SCHEMES[scheme], host, prefix, "", ""))


def _parts(address: str) -> tuple[str, str, str]:
    try:
        parts = urlsplit(address.strip())
        port_is_valid = parts.port is None or parts.port > 0
    except ValueError:
        port_is_valid = False
        parts = urlsplit("")
    if parts.scheme not in _HTTP_SCHEMES or not parts.hostname or not port_is_valid:
        raise ValueError(f"'{address}' is not the address of a server; write it as http://127.0.0.1:8000")
    return parts.scheme, parts.netloc, parts.path.rstrip("/").removesuffix(_SOCKET_PATH).rstrip("/")
