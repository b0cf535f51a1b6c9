"""The program's first lines: from here on a signal ends it with one line, also while the command line is imported."""

from __future__ import annotations

import sys

from pipeline.interrupt import INTERRUPTED, Signals, ended_by


def main() -> int:
    """Run the command line; returns the exit code, as ``pipeline.cli.main``."""
    signals = Signals()
    try:
        with ended_by(signals):
            from pipeline import cli
    except BaseException:
        if not signals.came:
            raise
        print("lumabraid: interrupted", file=sys.stderr)
        return INTERRUPTED
    return cli.main()
