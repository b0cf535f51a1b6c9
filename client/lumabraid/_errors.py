"""The errors a user of the client can meet: one line that says what was seen, where, and what to do."""

from __future__ import annotations


class LumabraidError(Exception):
    """Base of every error this library raises on purpose."""


class MessageError(LumabraidError):
    """Bytes that do not follow the wire format (docs/wire-format.md)."""


class SchemaError(MessageError):
    """A message of another version of the wire format."""


class AddressError(LumabraidError):
    """An address that ZeroMQ cannot connect or bind to."""


class KeyFileError(LumabraidError):
    """A key that is missing, damaged, or not of the kind asked for."""


class ReceiveTimeoutError(LumabraidError, TimeoutError):
    """No frame arrived in time."""


class ClosedError(LumabraidError):
    """The subscriber or publisher was closed."""
