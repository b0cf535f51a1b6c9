"""What the page tells in figures."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Final

from stages.bracket import BracketControl, BracketState
from stages.preview.newest import Newest
from stages.preview.slide import exposure_dict

_FRESH_S: Final = 0.2
"""For so long every viewer is told the same."""

Status = Callable[[], Mapping[str, object]]
"""What the pipeline says of itself, for JSON."""


class Figures:
    """Pace and age of the pictures, the pipeline's own account, and the bracket's state."""

    def __init__(self, newest: Newest, status: Status | None, bracket: BracketControl | None) -> None:
        self._newest = newest
        self._status = status
        self._bracket = bracket
        self._text = ""
        self._made_s = 0.0

    def to_dict(self) -> dict[str, object]:
        """For JSON."""
        picture, age_s = self._newest.picture, self._newest.age_s
        return {
            "fps": round(self._newest.fps, 2),
            "picture": None if picture is None else picture.index,
            "picture_age_s": None if age_s is None else round(age_s, 3),
            "size": None if picture is None else [picture.fused.width, picture.fused.height],
            "bit_depth": None if picture is None else picture.fused.bit_depth,
            "bracket": None if self._bracket is None else bracket_dict(self._bracket.state),
            "pipeline": None if self._status is None else self._status(),
        }

    def text(self) -> str:
        """As a message; made again when it is no longer fresh."""
        now_s = time.monotonic()
        if now_s - self._made_s > _FRESH_S:
            self._text = json.dumps({"type": "figures", **self.to_dict()}, ensure_ascii=False)
            self._made_s = now_s
        return self._text


def bracket_dict(state: BracketState) -> dict[str, object]:
    """For JSON."""
    return {
        "settings": asdict(state.settings),
        "under": exposure_dict(state.under),
        "over": exposure_dict(state.over),
        "settled": state.settled,
        "control_delay_frames": state.control_delay_frames,
        "note": state.note,
    }
