"""What a training shows while it goes on."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from pipeline import progress
from pipeline.training_run import TrainingRun
from stages.fusion.training import Progress


class TrainingView:
    """Steps, speed, loss and the best score so far."""

    def __init__(self, run: TrainingRun, bar: progress.Progress) -> None:
        self._steps = run.steps
        self._bar = bar
        self._first_step: int | None = None

    def on_step(self, step: Progress) -> None:
        """Show where training stands."""
        if self._first_step is None:
            self._first_step = step.step - 1
        rate = (step.step - self._first_step) / max(step.elapsed_s, 1e-6)
        best = f", best {step.best.loss:.4f}, MEF-SSIM {step.best.mef_ssim:.4f}" if step.best else ""
        self._bar.show(step.step, self._steps, rate, f"loss {step.loss:.4f}{best}")


def say_left_out(line: str) -> None:
    """Tell of a pair that cannot be used."""
    print(f"lumabraid: {line}", file=sys.stderr, flush=True)


@contextmanager
def shown_progress(run: TrainingRun) -> Iterator[TrainingView]:
    """Show progress on stderr while the block runs."""
    with progress.progress(f"train {run.name}", unit="steps/s") as bar:
        yield TrainingView(run, bar)
