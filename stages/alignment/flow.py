"""Alignment for cameras and scenes that move."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from stages.alignment.assembly import Side, assemble
from stages.alignment.crew import Crew
from stages.alignment.matching import Matcher
from stages.alignment.memory import Memory
from stages.alignment.rehearsal import rehearsal_pairs
from stages.alignment.resampling import shrink
from stages.frame import AlignedPair, ExposurePair, StreamInfo
from stages.stage import FORBID_UNKNOWN_KEYS, Dropped, Stage


@dataclass(frozen=True)
class FlowConfig:
    """Settings of the alignment by optical flow."""

    __pydantic_config__: ClassVar[dict[str, Any]] = FORBID_UNKNOWN_KEYS

    kind: Literal["flow"] = "flow"
    """Alignment by optical flow."""
    mode: Literal["causal", "lookahead"] = "causal"
    """`causal` looks at the past only and adds no latency; `lookahead` waits for the next frame and takes the missing
    exposure from whichever side shows it better, which is steadier and costs more."""
    working_long_side_px: int = 640
    """Motion and confidence are found on pictures reduced to this long side. Larger is slower and sees smaller
    things."""

    def __post_init__(self) -> None:
        """Refuse sizes at which flow means nothing."""
        if self.working_long_side_px < 64:
            raise ValueError(f"working_long_side_px must be at least 64, got {self.working_long_side_px}")
        if self.mode not in ("causal", "lookahead"):
            raise ValueError(f"mode must be causal or lookahead, got {self.mode!r}")


class FlowAlignment(Stage[ExposurePair, AlignedPair]):
    """Moves the neighbour onto the reference's pixel grid and replaces what cannot be trusted.

    What the last aligned pair showed takes noise from the next, and evens out exposures that tremble, as long as the
    frames follow one another: nothing of it survives a cut, a gap, a change of size or an interval in which the scene
    changed.
    """

    Config = FlowConfig

    def __init__(self, config: FlowConfig) -> None:
        self._config = config
        self._looks_ahead = config.mode == "lookahead"
        self._crew = Crew()
        self._matcher = Matcher(config.working_long_side_px, self._crew)
        self._memory: Memory | None = None
        self._held: tuple[ExposurePair, Side] | None = None

    def open(self, info: StreamInfo) -> StreamInfo:
        """Makes everything ready, and passes the description on: size, depth and time are the reference's."""
        rehearsal = FlowAlignment(self._config)
        for pair in rehearsal_pairs(info.bit_depth):
            # They are too small to be shrunk on the way.
            shrink(pair.reference.planes.luma, pair.reference.planes.width // 3)
            for _ in rehearsal.process(pair):
                pass
        rehearsal.close()
        return info

    def process(self, item: ExposurePair) -> Iterable[AlignedPair | Dropped]:
        """One aligned pair for each pair; with ``lookahead`` that of the pair before."""
        if not self._looks_ahead:
            yield self._finish(item, [self._matcher.match(item)])
            return
        own, following = self._matcher.match_both(item)
        if self._held is not None:
            held, side = self._held
            yield self._finish(held, [side, following] if _follows(item, held) else [side])
        self._held = (item, own)

    def flush(self) -> Iterable[AlignedPair | Dropped]:
        """The pair that waited for a frame which does not come."""
        if self._held is not None:
            held, side = self._held
            self._held = None
            yield self._finish(held, [side])

    def close(self) -> None:
        """Forget the frames and let the helpers go."""
        self._memory = self._held = None
        self._crew.close()

    def _finish(self, pair: ExposurePair, sides: list[Side]) -> AlignedPair:
        known = self._memory if self._memory is not None and self._memory.precedes(pair) else None
        reference, neighbour, confidence = assemble(pair, sides, known, self._crew)
        self._memory = Memory(
            pair.index,
            reference=reference,
            neighbour=neighbour,
            confidence=confidence,
            reference_is_under=pair.reference_is_under,
            frames=1 + (known.frames if known is not None else 0),
        )
        under, over = (reference, neighbour) if pair.reference_is_under else (neighbour, reference)
        return AlignedPair(pair, under=under, over=over, confidence=confidence)


def _follows(item: ExposurePair, held: ExposurePair) -> bool:
    """Whether an item brings another neighbour of the held reference: the frame after it."""
    return (
        item.neighbour.index == held.reference.index
        and item.reference.index != held.neighbour.index
        and item.reference_is_under != held.reference_is_under
        and item.reference.planes.luma.shape == held.reference.planes.luma.shape
        and item.reference.planes.bit_depth == held.reference.planes.bit_depth
    )
