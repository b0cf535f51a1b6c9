"""Statistics on stdout, line by line; what they tell of does not depend on who reads them."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from typing import Final

import click

from pipeline.report import Report

_INTERVAL_S: Final = 1.0

_log = logging.getLogger("stages.stats")


class LineByLine:
    """Prints lines on stdout; once that is closed or full, it says so and prints no more."""

    def __init__(self) -> None:
        self._broken = False

    def print(self, line: str) -> None:
        """Print it, unless an earlier one failed."""
        if self._broken:
            return
        try:
            click.echo(line)
        except OSError as error:
            self._broken = True
            _discard_stdout()
            _log.warning("the statistics end here, for stdout cannot be written: %s", error.strerror)


class StatsLines:
    """A run's reports as lines of JSON."""

    def __init__(self) -> None:
        self._lines = LineByLine()
        self._due_s = time.monotonic() + _INTERVAL_S

    def show(self, report: Report) -> None:
        """Print a report of a run that goes on, unless the last one is less than a second old."""
        if report.state in ("running", "stopping") and time.monotonic() >= self._due_s:
            self.end(report)
            self._due_s = time.monotonic() + _INTERVAL_S

    def end(self, report: Report) -> None:
        """Print the last one."""
        self._lines.print(json.dumps(report.to_dict(), ensure_ascii=False))


def _discard_stdout() -> None:
    """Let what is still buffered go nowhere: Python writes it once more on its way out."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
