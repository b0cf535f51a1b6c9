"""The table in the terminal, the best values marked, and the record as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.evaluation.evaluation import Evaluation
from pipeline.evaluation.metrics.judge import METRICS, Scores
from pipeline.output_file import write_output

_BEST_MARK = "*"


def best_methods(scores: Mapping[str, Scores], metric: str) -> set[str]:
    """The methods whose value is the best one as it is shown, rounded; none where there is nothing to compare."""
    about = METRICS[metric]
    badness = {
        method: {"high": -value, "low": value, "one": abs(value - 1)}[about.best]
        for method, value in ((method, round(values[metric], about.digits)) for method, values in scores.items())
    }
    best = min(badness.values(), default=0)
    return {method for method, value in badness.items() if value - best < 1e-9} if len(badness) > 1 else set()


def shown(metric: str, value: float) -> str:
    """A value as the table has it."""
    return f"{value:.{METRICS[metric].digits}f}"


def text_table(evaluation: Evaluation) -> list[str]:
    """Lines: the means of every method over its pairs, the best ones marked with a star."""
    means = evaluation.means()
    best = {metric: best_methods(means, metric) for metric in METRICS}
    rows = [["method", "pairs", *(metric.title for metric in METRICS.values())]]
    for method, scores in means.items():
        values = [shown(metric, scores[metric]) + (_BEST_MARK if method in best[metric] else " ") for metric in METRICS]
        rows.append([method, str(evaluation.fused_pairs(method)), *values])
    rows[0] = [rows[0][0], rows[0][1], *(f"{title} " for title in rows[0][2:])]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def write_json(path: Path, evaluation: Evaluation, settings: Mapping[str, Any]) -> None:
    """Everything, to full precision: settings, what each metric means, means, and every pair's values.

    Raises:
        EncodeError: it cannot be written.
    """
    record = {
        "settings": dict(settings),
        "metrics": {
            key: {"title": about.title, "best": about.best, "meaning": about.meaning} for key, about in METRICS.items()
        },
        "mean": evaluation.means(),
        "pairs": [
            {
                "name": pair.name,
                "width": pair.width,
                "height": pair.height,
                "ratio_stops": pair.ratio_stops,
                "scores": pair.scores,
            }
            for pair in evaluation.pairs
        ],
        "failures": evaluation.failures,
    }
    write_output(path, json.dumps(record, indent=2, ensure_ascii=False) + "\n")
