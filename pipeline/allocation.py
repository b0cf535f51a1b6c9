"""How memory is taken from the system and given back."""

from __future__ import annotations

import ctypes
import sys
from typing import Final

# From glibc's malloc.h, for mallopt(3).
_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3

_LARGE_BYTES: Final = 4_000_000
"""Less than the chroma of a 4K picture. Smaller blocks would cost more in page faults than they save."""
_SLACK_BYTES: Final = 1 << 25
"""What a heap may keep free at its end; with glibc's own 128 KB, pages would come and go with every frame."""


def return_large_blocks() -> None:
    """Let glibc give large blocks back to the system when they are freed; elsewhere nothing is changed.

    By itself it raises its threshold with each block freed, up to 32 MB. From then on planes come from the heaps of the
    threads that ask for them, and what is free in the heap of one serves no other.
    """
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
        if mallopt is not None:
            mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
            mallopt(_M_TRIM_THRESHOLD, _SLACK_BYTES)
