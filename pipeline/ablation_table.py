"""The ablation's table, in Markdown for the documentation."""

from __future__ import annotations

from typing import Final

from pipeline.evaluation.evaluation import Evaluation
from pipeline.evaluation.metrics.judge import METRICS
from pipeline.evaluation.table import shown
from pipeline.training_run import TrainingRun

_COLUMNS: Final = ("mef_ssim", "q_abf", "viff", "tone_reversal", "clipped", "chroma_distance")


def ablation_table(run: TrainingRun, evaluation: Evaluation, command: str) -> str:
    """How it was made, and the mean of the metrics for each variant and for what a user could run instead."""
    header = ["variant", *(METRICS[column].title for column in _COLUMNS)]
    rows = [
        [
            method.removesuffix(" stream").replace("-", " ", 1),
            *(shown(column, scores[column]) for column in _COLUMNS),
        ]
        for method, scores in evaluation.means().items()
    ]
    lines = [f"| {' | '.join(row)} |" for row in (header, ["---"] * len(header), *rows)]
    table = "\n".join(lines)
    return f"""# Ablation

    {command}

Each variant: {run.steps} steps of {run.batch_size} pairs of {run.side} x {run.side} pixels, seed {run.seed}.
Judged on {len(evaluation.pairs)} pairs in `stream` mode; `docs/evaluation.md` defines the columns.

{table}
"""
