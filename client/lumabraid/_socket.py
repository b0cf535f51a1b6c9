"""ZeroMQ sockets as the wire format wants them."""

from __future__ import annotations

import zmq

from lumabraid._errors import AddressError
from lumabraid._layout import MAX_PAYLOAD_BYTES
from lumabraid.keys import KeyPair, new_key_pair

_PUBLISHER_QUEUE = 2
"""Pictures that wait for a reader to take them off the wire; more would only make it late."""
_SUBSCRIBER_QUEUE = 8
"""Pictures that wait for the receiving thread. It takes all there are at once, so they outlast a busy moment and make
nothing late."""
_HEARTBEAT_MS = 500
_SILENCE_MS = 1500
_RECONNECT_MS = 100
_RECONNECT_MAX_MS = 500
_HANDSHAKE_MS = 5000
_LARGEST_SUBSCRIPTION = 1024
"""Bytes; a publisher receives nothing else."""


def check_address(address: str) -> None:
    """Refuse what no publisher binds to.

    Raises:
        AddressError: it is neither tcp nor ipc.
    """
    if not address.startswith(("tcp://", "ipc://")):
        raise AddressError(f"an address is tcp://HOST:PORT or ipc://PATH, got {address!r}")


def subscriber_socket(
    context: zmq.Context[zmq.Socket[bytes]],
    address: str,
    topics: tuple[str, ...],
    *,
    server_key: bytes | None,
    keys: KeyPair | None,
) -> zmq.Socket[bytes]:
    """A SUB socket that connects, and connects again whenever the publisher was away.

    Raises:
        AddressError: ZeroMQ does not take the address.
    """
    socket = context.socket(zmq.SUB)
    _set_up(socket, address)
    socket.setsockopt(zmq.RCVHWM, _SUBSCRIBER_QUEUE)
    socket.setsockopt(zmq.MAXMSGSIZE, MAX_PAYLOAD_BYTES)
    socket.setsockopt(zmq.CONNECT_TIMEOUT, _SILENCE_MS)
    socket.setsockopt(zmq.RECONNECT_IVL, _RECONNECT_MS)
    socket.setsockopt(zmq.RECONNECT_IVL_MAX, _RECONNECT_MAX_MS)
    if server_key is not None:
        pair = keys or new_key_pair()
        socket.curve_serverkey = server_key
        socket.curve_publickey = pair.public
        socket.curve_secretkey = pair.secret
    for topic in topics:
        socket.setsockopt(zmq.SUBSCRIBE, topic.encode())
    try:
        socket.connect(address)
    except zmq.ZMQError as error:
        socket.close(linger=0)
        raise AddressError(f"cannot connect to {address!r}: {error.strerror}") from None
    return socket


def publisher_socket(
    context: zmq.Context[zmq.Socket[bytes]], address: str, *, keys: KeyPair | None, linger_ms: int
) -> zmq.Socket[bytes]:
    """An XPUB socket, bound; it drops what a reader has no room for.

    Raises:
        AddressError: ZeroMQ cannot bind to the address.
    """
    socket = context.socket(zmq.XPUB)
    _set_up(socket, address)
    socket.setsockopt(zmq.SNDHWM, _PUBLISHER_QUEUE)
    socket.setsockopt(zmq.MAXMSGSIZE, _LARGEST_SUBSCRIPTION)
    socket.setsockopt(zmq.LINGER, linger_ms)
    if keys is not None:
        socket.curve_server = True
        socket.curve_publickey = keys.public
        socket.curve_secretkey = keys.secret
    try:
        socket.bind(address)
    except zmq.ZMQError as error:
        socket.close(linger=0)
        raise AddressError(f"cannot bind to {address!r}: {error.strerror}") from None
    return socket


def _set_up(socket: zmq.Socket[bytes], address: str) -> None:
    socket.setsockopt(zmq.IPV6, "[" in address)
    socket.setsockopt(zmq.HEARTBEAT_IVL, _HEARTBEAT_MS)
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, _SILENCE_MS)
    socket.setsockopt(zmq.HANDSHAKE_IVL, _HANDSHAKE_MS)
