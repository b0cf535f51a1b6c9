"""Cores shared out among the stages of a pipeline that all have enough to do at any time."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from stages.stage import Stage


def share_cores(stages: Iterable[Stage[Any, Any]]) -> None:
    """Let each stage of a pipeline work on half of the cores, at least on one, before any is opened.

    Where no frame is dropped, stages wait for each other alone. Measured on two cores at 1080p, a file takes 4 to 10 %
    less time than with a thread for each core in every stage: those wait for each other, and empty each other's
    caches. Live, cores have pauses between frames, and more threads bring each frame sooner.
    """
    threads = max(1, (os.cpu_count() or 1) // 2)
    for stage in stages:
        stage.share_cores(threads)
