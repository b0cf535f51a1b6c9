"""The report: one HTML file with the table, the pictures side by side, and zooms where methods differ most."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from pipeline.evaluation.evaluation import Evaluation, PairResult
from pipeline.evaluation.metrics.judge import METRICS, Scores
from pipeline.evaluation.pair import EvaluationPair
from pipeline.evaluation.picture import Picture, shrink
from pipeline.evaluation.table import best_methods, shown
from pipeline.evaluation.zooms import Region, most_different
from pipeline.output_file import write_output

MOST_PAIRS: Final = 20
"""Pairs that are shown."""

_THUMBNAIL_SIDE = 560
_ZOOMS = 3
_ZOOM_SHARE = 7
"""A zoom is this part of the picture's longer side, within limits in pixels:"""
_ZOOM_LEAST, _ZOOM_SIDE = 112, 336
"""All are stored at the larger one, so that a large picture's are not reduced."""
_SUMMARY: Final = ("mef_ssim", "q_abf")
_ARROWS = {"high": "&#8593;", "low": "&#8595;", "one": "&#8594;1"}


class Report:
    """Collects the pictures while pairs are evaluated; they are kept as JPEG only."""

    def __init__(self, pairs: int) -> None:
        """Of ``pairs`` pairs, at most 20 are shown, evenly spread."""
        shown_pairs = min(pairs, MOST_PAIRS)
        self._wanted = {index * pairs // shown_pairs for index in range(shown_pairs)}
        self._pictures: list[str] = []
        self._seen = 0

    def skip(self) -> None:
        """A pair that could not be read; the next one is shown in its place."""
        if self._seen in self._wanted:
            self._wanted.add(self._seen + 1)
        self._seen += 1

    def add(self, pair: EvaluationPair, fused: Mapping[str, Picture], scores: Mapping[str, Scores]) -> None:
        """The next pair."""
        is_shown = self._seen in self._wanted and len(fused) > 0
        self._pictures.append(_pictures_of(pair, fused, scores) if is_shown else "")
        self._seen += 1

    def write(self, path: Path, evaluation: Evaluation, settings: Mapping[str, Any]) -> None:
        """The whole page.

        Raises:
            EncodeError: it cannot be written.
        """
        sections = [
            f"<section><h2>{escape(pair.name)} <small>{pair.width}&times;{pair.height}, "
            f"{pair.ratio_stops:.1f} stops</small></h2>"
            f"{pictures}{_pair_table(pair)}</section>"
            for pair, pictures in zip(evaluation.pairs, self._pictures, strict=True)
            if pictures
        ]
        style = files("pipeline.evaluation").joinpath("report.css").read_text(encoding="utf-8")
        failures = "".join(f"<li>{escape(line)}</li>" for line in evaluation.failures)
        page = f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>lumabraid evaluate</title><style>{style}</style></head><body>
<header><h1>lumabraid evaluate</h1>
<p>{len(evaluation.pairs)} pairs, {len(evaluation.methods)} methods. Means over the pairs each method fused; the best
values stand out.</p></header>
{_table(evaluation.means(), {method: evaluation.fused_pairs(method) for method in evaluation.methods})}
{f'<ul class="failures">{failures}</ul>' if failures else ""}
<details><summary>What the columns mean, and the settings</summary><dl>{_glossary()}</dl><dl>{_listed(settings)}</dl>
</details>
{"".join(sections)}
</body></html>
"""
        write_output(path, page)


def _pictures_of(pair: EvaluationPair, fused: Mapping[str, Picture], scores: Mapping[str, Scores]) -> str:
    """Sources and results, then a row of zooms for each region."""
    named = [("under", pair.under), ("over", pair.over), *fused.items()]
    side = min(max(_ZOOM_LEAST, max(pair.under.shape[:2]) // _ZOOM_SHARE), _ZOOM_SIDE)
    regions = most_different(list(fused.values()), _ZOOMS, side)
    frames = "".join(_frame(region, number, pair.under) for number, region in enumerate(regions, 1))
    pictures = "".join(
        _figure(name, shrink(picture, _THUMBNAIL_SIDE), frames if index < 2 else "", _summary(scores.get(name)))
        for index, (name, picture) in enumerate(named)
    )
    zooms = "".join(
        f'<h3><span class="number">{number}</span></h3><div class="zooms">'
        + "".join(_figure(name, _enlarged(region.cut(picture))) for name, picture in named)
        + "</div>"
        for number, region in enumerate(regions, 1)
    )
    return f'<div class="pictures">{pictures}</div>{zooms}'


def _enlarged(picture: Picture) -> Picture:
    """At the size zooms are stored at."""
    return np.asarray(cv2.resize(picture, (_ZOOM_SIDE, _ZOOM_SIDE), interpolation=cv2.INTER_CUBIC), np.uint8)


def _summary(scores: Scores | None) -> str:
    """The first figures beside a result's name."""
    return "" if scores is None else ", ".join(f"{METRICS[key].title} {shown(key, scores[key])}" for key in _SUMMARY)


def _figure(name: str, picture: Picture, inside: str = "", note: str = "") -> str:
    packed = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 88])[1]
    data = base64.b64encode(packed.tobytes()).decode("ascii")
    label = escape(name)
    return (
        f'<figure><div class="picture"><img alt="{label}" src="data:image/jpeg;base64,{data}">{inside}</div>'
        f"<figcaption>{label} <small>{escape(note)}</small></figcaption></figure>"
    )


def _frame(region: Region, number: int, picture: Picture) -> str:
    """Shows on a source where a zoom was taken."""
    height, width = picture.shape[:2]
    place = (
        f"left:{100 * region.left / width:.2f}%;top:{100 * region.top / height:.2f}%;"
        f"width:{100 * region.side / width:.2f}%;height:{100 * region.side / height:.2f}%"
    )
    return f'<span class="frame" style="{place}">{number}</span>'


def _table(scores: Mapping[str, Scores], counts: Mapping[str, int] | None = None) -> str:
    best = {metric: best_methods(scores, metric) for metric in METRICS}
    head = "".join(
        f'<th title="{escape(about.meaning)}">{escape(about.title)}&nbsp;{_ARROWS[about.best]}</th>'
        for about in METRICS.values()
    )
    rows = []
    for method, values in scores.items():
        cells = "".join(
            f"<td{' class=best' if method in best[metric] else ''}>{shown(metric, values[metric])}</td>"
            for metric in METRICS
        )
        count = "" if counts is None else f"<td>{counts[method]}</td>"
        rows.append(f"<tr><th>{escape(method)}</th>{count}{cells}</tr>")
    pairs = "" if counts is None else "<th>pairs</th>"
    return (
        f'<div class="table"><table><thead><tr><th>method</th>{pairs}{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _pair_table(pair: PairResult) -> str:
    return f"<details><summary>Figures of this pair</summary>{_table(pair.scores)}</details>"


def _glossary() -> str:
    return _terms([(about.title, about.meaning) for about in METRICS.values()])


def _listed(settings: Mapping[str, Any]) -> str:
    return _terms([(key, str(value)) for key, value in settings.items()])


def _terms(terms: Sequence[tuple[str, str]]) -> str:
    return "".join(f"<dt>{escape(term)}</dt><dd>{escape(meaning)}</dd>" for term, meaning in terms)
