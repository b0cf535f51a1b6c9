"""The errors a user can meet.

A message says what was seen, where, and what to do, in one line. ``exit_code`` is what the command line
returns: 2 for a user's mistake, 1 for a failure.
"""

from __future__ import annotations


class LumabraidError(Exception):
    """Base of every error lumabraid raises on purpose."""

    exit_code = 1


class ConfigError(LumabraidError):
    """A setting is unknown, contradictory or out of range."""

    exit_code = 2


class SourceError(LumabraidError):
    """A source cannot be opened or holds nothing to fuse: missing, empty, text, audio only."""

    exit_code = 2


class DamagedSourceError(SourceError):
    """A source broke off after frames were read: what came before it is fused and kept."""

    exit_code = 1


class PairingError(LumabraidError):
    """The exposures do not alternate between two levels."""

    exit_code = 2


class DeviceError(LumabraidError):
    """A compute device is missing or gave out."""


class EncodeError(LumabraidError):
    """The result cannot be written."""
