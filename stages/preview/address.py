"""Where the preview listens."""

from __future__ import annotations

import ipaddress
import socket
from typing import Final

import psutil

from stages.errors import ConfigError

LOCAL: Final = "127.0.0.1"
"""For this machine alone."""
_EVERYWHERE: Final = {"*": "0.0.0.0"}
_ANY: Final = {"0.0.0.0": socket.AF_INET, "::": socket.AF_INET6}
"""Hosts that are every address of this machine in a family."""


def parse_address(address: str) -> tuple[str, int]:
    """(host, port) of ``HOST:PORT`` or ``PORT``; the host ``*`` is every address of this machine.

    Raises:
        ValueError: it is neither.
    """
    host, colon, port = address.rpartition(":")
    if not (port.isascii() and port.isdecimal() and int(port) < 1 << 16) or (colon and not host):
        raise ValueError(f"address must be HOST:PORT, or PORT for this machine alone, got {address!r}")
    if not colon:
        return LOCAL, int(port)
    bare = host.removeprefix("[").removesuffix("]")
    if (":" in bare) != host.startswith("["):
        raise ValueError(f"address must be HOST:PORT, with an IPv6 address in brackets, got {address!r}")
    return _EVERYWHERE.get(bare, bare), int(port)


def is_public(host: str) -> bool:
    """Whether other machines may reach what listens there."""
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host != "localhost"


def url_of(host: str, port: int) -> str:
    """What to open on this machine."""
    host = {"0.0.0.0": LOCAL, "::": "::1"}.get(host, host)
    return _url(host, port)


def urls_elsewhere(host: str, port: int) -> list[str]:
    """What to open on other machines; where it listens on every address, those of the interfaces that are up."""
    if host not in _ANY:
        return [url_of(host, port)] if is_public(host) else []
    is_up = {name for name, state in psutil.net_if_stats().items() if state.isup}
    found = [
        ipaddress.ip_address(address.address.partition("%")[0])
        for name, addresses in sorted(psutil.net_if_addrs().items())
        for address in addresses
        if name in is_up and address.family == _ANY[host]
    ]
    # A link-local address of IPv6 needs the name of the other machine's interface.
    return [_url(str(one), port) for one in found if not (one.is_loopback or (one.version == 6 and one.is_link_local))]


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 finds a free one.

    Raises:
        ConfigError: it cannot.
    """
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        # create_server adds the address to the system's words.
        reason = (error.strerror or str(error)).partition(" (while")[0]
        raise ConfigError(f"preview: cannot listen on {where}: {reason}; choose another address") from None
