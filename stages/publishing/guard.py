"""CURVE: encrypts the stream, and lets in only those whose public key is on the list."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final

import zmq
from lumabraid import LumabraidError as ClientError
from lumabraid.keys import load_allowed_keys, load_key_pair
from zmq.auth.thread import ThreadAuthenticator

from stages.errors import ConfigError

PUBLISHER_NAME: Final = "publisher"
"""Of the publisher's key pair in its folder."""
READERS_FOLDER: Final = "readers"
"""The allow-list: the folder inside it whose ``*.key`` files may read."""

_DOMAIN: Final = "lumabraid"

_log = logging.getLogger(__name__)


class Guard:
    """Answers ZeroMQ's question who may come in, in a thread of its own, for one context.

    The list is read for every connection, so that a reader can be added while the stream runs. Taking one off it
    does not end a connection that stands.
    """

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], folder: str) -> None:
        """Read the keys and begin to answer.

        Raises:
            ConfigError: the folder lacks the publisher's pair, or its allow-list is missing or damaged.
        """
        self._readers = Path(folder) / READERS_FOLDER
        try:
            self._pair = load_key_pair(Path(folder) / f"{PUBLISHER_NAME}.key_secret")
            load_allowed_keys(self._readers)
        except ClientError as error:
            raise ConfigError(f"publishing.keys: {error}; `lumabraid keys new {folder}` makes them") from None
        self._authenticator = ThreadAuthenticator(context)
        self._authenticator.start()
        self._authenticator.configure_curve_callback(_DOMAIN, self)

    def protect(self, socket: zmq.Socket[bytes]) -> None:
        """Make a socket that is not bound yet speak with those on the list alone."""
        socket.setsockopt_string(zmq.ZAP_DOMAIN, _DOMAIN)
        socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)  # where nobody answers for the list, nobody comes in
        socket.setsockopt(zmq.CURVE_SERVER, 1)
        socket.setsockopt(zmq.CURVE_PUBLICKEY, self._pair.public)
        socket.setsockopt(zmq.CURVE_SECRETKEY, self._pair.secret)

    def callback(self, _domain: str, key: bytes) -> bool:
        """Whether the holder of this public key (Z85) may read; called by the authenticator."""
        try:
            return key in load_allowed_keys(self._readers)
        except ClientError as error:
            _log.warning("nobody new can subscribe: %s", error)
            return False

    def close(self) -> None:
        """Answer no more."""
        self._authenticator.stop()
