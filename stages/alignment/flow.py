"""Alignment for cameras and scenes that move."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import cv2
import numpy as np

from stages.alignment.assembler import Assembler, choose_assembler, reason_to_give_up
from stages.alignment.assembly import CpuAssembler
from stages.alignment.blend import lay_over
from stages.alignment.crew import Crew
from stages.alignment.evening import Evener
from stages.alignment.exposure import SMALLEST_STOPS, exposed_by
from stages.alignment.flood import flooded_map
from stages.alignment.levels import Levels, eight_bit
from stages.alignment.matching import Matcher
from stages.alignment.memory import Memory
from stages.alignment.plan import Plan, Recall, Side, make_plan, recall
from stages.alignment.rehearsal import rehearsal_pairs
from stages.alignment.resampling import shrink
from stages.alignment.shutter import rehearse_shutter
from stages.alignment.substitute import saturating_codes
from stages.device.choice import DeviceName
from stages.frame import AlignedPair, ExposurePair, Planes, StreamInfo
from stages.stage import FORBID_UNKNOWN_KEYS, Dropped, Stage

_log = logging.getLogger(__name__)


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
    device: DeviceName = "auto"
    """Where pictures are moved and mixed at full size. `auto` takes CUDA where there is one, and in a pipeline follows
    fusion, so that a frame is sent to a GPU once. Motion is always found on the CPU."""

    def __post_init__(self) -> None:
        """Refuse sizes at which flow means nothing."""
        if self.working_long_side_px < 64:
            raise ValueError(f"working_long_side_px must be at least 64, got {self.working_long_side_px}")
        if self.mode not in ("causal", "lookahead"):
            raise ValueError(f"mode must be causal or lookahead, got {self.mode!r}")
        if self.device not in ("auto", "cpu", "cuda"):
            raise ValueError(f"device must be auto, cpu or cuda, got {self.device!r}")


class FlowAlignment(Stage[ExposurePair, AlignedPair]):
    """Moves the neighbour onto the reference's pixel grid and replaces what cannot be trusted.

    What the last aligned pair showed takes noise from the next, and evens out exposures that tremble, as long as the
    frames follow one another: nothing of it survives a cut, a gap, a change of size or an interval in which the scene
    changed.

    Args:
        config: settings.
        assembler: puts pictures together in place of the one that the settings' device has.
    """

    Config = FlowConfig

    def __init__(self, config: FlowConfig, assembler: Assembler | None = None) -> None:
        self._config = config
        self._looks_ahead = config.mode == "lookahead"
        self._crew = Crew()
        self._evener = Evener(self._crew)
        self._matcher = Matcher(config.working_long_side_px, self._crew)
        self._assembler = assembler
        self._memory: Memory | None = None
        self._held: tuple[ExposurePair, Side] | None = None
        self._share: int | None = None
        """Of the cores, where others work beside it."""
        self._opencv_threads: int | None = None
        """OpenCV's before, where they are limited meanwhile."""

    def share_cores(self, threads: int) -> None:
        """Work on so many threads, and OpenCV in this process, too, until this is closed."""
        self._crew.limit(threads)
        self._share = threads

    def open(self, info: StreamInfo) -> StreamInfo:
        """Makes everything ready, and passes the description on: size, depth and time are the reference's.

        Raises:
            DeviceError: CUDA was asked for and there is none.
        """
        if self._share is not None and self._opencv_threads is None:
            self._opencv_threads = cv2.getNumThreads()
            cv2.setNumThreads(min(self._share, self._opencv_threads))
        rehearsal = FlowAlignment(self._config, self._assembler)
        for pair in rehearsal_pairs(info.bit_depth):
            # They are too small to be shrunk on the way, and hardly ever quite still.
            planes = pair.reference.planes
            shrink(planes.luma, planes.width // 3)
            copy = Planes(planes.luma.copy(), planes.chroma.copy(), planes.bit_depth)
            lay_over(copy, planes, np.ones((2, 2), np.float32), rehearsal._crew)
            # Nor do their exposures tremble.
            levels = Levels.of(pair.reference.color, planes.bit_depth)
            exposed_by(planes, 2 * SMALLEST_STOPS, levels, rehearsal._crew)
            # Nor do they move fast.
            rehearse_shutter(pair, rehearsal._crew)
            picture, white = (
                eight_bit(planes.luma, planes.bit_depth),
                saturating_codes(Levels.of(pair.reference.color, 8)),
            )
            flooded_map(picture, picture, picture, np.ones(picture.shape, np.float32), reach_px=1, white=white)
            for _ in rehearsal.process(pair):
                pass
        if isinstance(rehearsal._assembler, CpuAssembler):
            # Also where a GPU has just given out.
            self._assembler = CpuAssembler(self._crew)
        rehearsal.close()
        return info

    def process(self, item: ExposurePair) -> Iterable[AlignedPair | Dropped]:
        """One aligned pair for each pair; with ``lookahead`` that of the pair before."""
        item = self._evener.even(item)
        if not self._looks_ahead:
            side = self._matcher.match(item)
            yield self._finish(item, [side], self._recalled(item, side))
            return
        if self._held is None:
            own, _ = self._matcher.match_both(item)
        else:
            held, side = self._held
            (own, following), recalled = self._crew.both(
                lambda: self._matcher.match_both(item), lambda: self._begin(held, side)
            )
            yield self._finish(held, [side, following] if _follows(item, held) else [side], recalled)
        self._held = (item, own)

    def flush(self) -> Iterable[AlignedPair | Dropped]:
        """The pair that waited for a frame which does not come."""
        if self._held is not None:
            held, side = self._held
            self._held = None
            yield self._finish(held, [side], self._recalled(held, side))

    def close(self) -> None:
        """Forget the frames and let the helpers go."""
        self._memory = self._held = self._assembler = None
        self._matcher.forget()
        self._evener.forget()
        self._crew.close()
        if self._opencv_threads is not None:
            cv2.setNumThreads(self._opencv_threads)
            self._opencv_threads = None

    def _recalled(self, pair: ExposurePair, side: Side) -> Recall | None:
        """The frame before, if that is the pair's neighbour."""
        memory = self._memory
        return recall(pair, side, memory) if memory is not None and memory.precedes(pair) else None

    def _begin(self, pair: ExposurePair, side: Side) -> Recall | None:
        """What ``_finish`` needs and what can be done before the frame after is matched."""
        recalled = self._recalled(pair, side)
        if self._assembler is not None:
            self._assembler.begin(pair, side, recalled)
        return recalled

    def _finish(self, pair: ExposurePair, sides: list[Side], recalled: Recall | None) -> AlignedPair:
        plan = make_plan(pair, sides, recalled)
        reference, neighbour = self._assembled(plan)
        self._memory = Memory(
            pair.index,
            reference=reference,
            neighbour=neighbour,
            confidence=plan.confidence,
            reference_is_under=pair.reference_is_under,
            frames=1 + plan.frames_seen,
        )
        under, over = (reference, neighbour) if pair.reference_is_under else (neighbour, reference)
        return AlignedPair(pair, under=under, over=over, confidence=plan.confidence)

    def _assembled(self, plan: Plan) -> tuple[Planes, Planes]:
        """By whoever the settings ask for, by the processor from the frame on at which a GPU gives out."""
        if self._assembler is None:
            self._assembler = choose_assembler(self._config.device, self._crew)
        try:
            return self._assembler.assemble(plan)
        except RuntimeError as error:
            reason = reason_to_give_up(error)
            if reason is None:
                raise
            _log.warning("alignment goes on on the CPU: %s", reason)
        self._assembler = CpuAssembler(self._crew)
        # What is remembered lies on the device.
        return self._assembler.assemble(replace(plan, recall=None))


def _follows(item: ExposurePair, held: ExposurePair) -> bool:
    """Whether an item brings another neighbour of the held reference: the frame after it."""
    return (
        item.neighbour.index == held.reference.index
        and item.reference.index != held.neighbour.index
        and item.reference_is_under != held.reference_is_under
        and item.reference.planes.luma.shape == held.reference.planes.luma.shape
        and item.reference.planes.bit_depth == held.reference.planes.bit_depth
    )
