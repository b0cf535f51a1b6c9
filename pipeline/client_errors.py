"""The client library's errors as the command line tells them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import lumabraid

from stages.errors import ConfigError, LumabraidError


@contextmanager
def client_errors() -> Iterator[None]:
    """Turn what the client raises inside the block into this program's errors, the message as it is."""
    try:
        yield
    except (lumabraid.AddressError, lumabraid.KeyFileError) as error:
        raise ConfigError(str(error)) from error
    except lumabraid.LumabraidError as error:
        raise LumabraidError(str(error)) from error
