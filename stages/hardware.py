"""Decoding and encoding on an NVIDIA GPU: the setting that asks for it, and in FFmpeg's words why it does not work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import av

Hardware = Literal["none", "auto"]
"""auto: a GPU's decoder and encoder where they work, which is tried, and the processor elsewhere. Not ``off``, which
YAML would read as false."""


def refusal(trial: Callable[[], object]) -> str | None:
    """Why a trial of something in FFmpeg fails; None where it works.

    FFmpeg's errors say little, such as "Operation not permitted" where the driver is missing; what it logs before them
    says more. It is listened to for the time of the trial only, since a log message takes the interpreter's lock; what
    other threads have to say meanwhile is left out, as always.
    """
    level, skips = av.logging.get_level(), av.logging.get_skip_repeated()
    av.logging.set_skip_repeated(False)
    av.logging.set_level(av.logging.ERROR)
    try:
        with av.logging.Capture(local=False), av.logging.Capture() as logged:
            trial()
    except (av.error.FFmpegError, NotImplementedError, ValueError) as error:
        said = [message.strip() for _, _, message in logged if message.strip()]
        reason = error.strerror if isinstance(error, av.error.FFmpegError) else error
        # What comes after the first message follows from it.
        return said[0] if said else str(reason)
    finally:
        av.logging.set_level(level)
        av.logging.set_skip_repeated(skips)
    return None
