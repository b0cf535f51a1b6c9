"""Where a publisher listens, who may connect, and how its socket is set up."""

from __future__ import annotations

import ipaddress
from typing import Final

import zmq

from stages.errors import ConfigError

HIGH_WATER_MARK: Final = 2
"""Messages kept for a subscriber that falls behind; what comes then is lost to this one alone."""

_HEARTBEAT_MS: Final = 1000
_SILENCE_MS: Final = 3000
"""After so long without a sign of life a connection is given up."""
_HANDSHAKE_MS: Final = 5000
"""A peer that has not shown its key by then is cut off."""
_UNACKNOWLEDGED_MS: Final = 10_000
"""The same for a TCP peer that takes nothing; heartbeats cannot tell, for they wait behind the data."""
_LARGEST_SUBSCRIPTION: Final = 1024
"""Bytes; nothing else is ever received."""


def check_address(address: str) -> None:
    """Refuse what cannot be bound.

    Raises:
        ValueError: it is neither ``tcp://HOST:PORT`` nor ``ipc://PATH``.
    """
    transport, separator, rest = address.partition("://")
    if separator and transport == "ipc" and rest:
        return
    host, colon, port = rest.rpartition(":")
    if transport != "tcp" or not (host and colon and (port == "*" or (port.isdecimal() and int(port) < 1 << 16))):
        raise ValueError(f"address must be tcp://HOST:PORT or ipc://PATH, got {address!r}")


def check_exposure(address: str, *, keys: str | None, insecure: bool) -> None:
    """Refuse to let other machines watch without keys, unless told to.

    Raises:
        ValueError: they could.
    """
    if is_public(address) and keys is None and not insecure:
        raise ValueError(
            f"address {address!r} can be reached from other machines: give keys (`lumabraid keys new DIR` makes them), "
            "or say insecure to let anyone watch"
        )


def is_public(address: str) -> bool:
    """Whether other machines may reach it."""
    transport, _, rest = address.partition("://")
    if transport == "ipc":
        return False
    host = rest.rpartition(":")[0].strip("[]")
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host not in ("localhost", "lo")


def bind(socket: zmq.Socket[bytes], address: str) -> str:
    """Set the publishing socket up and listen.

    Args:
        socket: an XPUB socket, its keys already set.
        address: as ``check_address`` takes it.

    Returns:
        The address with the port that was found, where it left that open.

    Raises:
        ConfigError: it cannot be bound.
    """
    options = {
        zmq.SNDHWM: HIGH_WATER_MARK,
        zmq.XPUB_MANUAL: 1,  # see Readership
        zmq.HEARTBEAT_IVL: _HEARTBEAT_MS,
        zmq.HEARTBEAT_TIMEOUT: _SILENCE_MS,
        zmq.HEARTBEAT_TTL: _SILENCE_MS,
        zmq.HANDSHAKE_IVL: _HANDSHAKE_MS,
        zmq.TCP_MAXRT: _UNACKNOWLEDGED_MS,
        zmq.MAXMSGSIZE: _LARGEST_SUBSCRIPTION,
        zmq.IPV6: int("[" in address),
    }
    for option, value in options.items():
        socket.setsockopt(option, value)
    try:
        # ZeroMQ binds to numbers and interfaces, not to names.
        socket.bind(address.replace("//localhost:", "//127.0.0.1:"))
    except zmq.ZMQError as error:
        reason = str(error.strerror).partition(" (addr=")[0]  # ZeroMQ repeats the address
        raise ConfigError(f"publishing: cannot listen on {address}: {reason}; choose another address") from None
    return socket.getsockopt_string(zmq.LAST_ENDPOINT)
