"""Pairing by brightness or by the camera's own word: the stage.

A stream begins on trial: its frames are held until they are seen to alternate, 6 frames as a rule, a few more
with irregularities among them, 3 when the camera reports the exposure of every frame. From then on each frame
leaves as it comes, paired with the one before it; only the first frame of a scene and a frame that repeats the
exposure of the one before it wait for the next. A camera that takes a while to begin alternating is given
``settle_frames``; what then lies too far back to be held is dropped. Where alternation stops later, frames
without a partner within ``max_distance`` are dropped, and pairing goes on when alternation does.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar, Literal

from stages.errors import PairingError
from stages.frame import ExposurePair, Frame, StreamInfo
from stages.pairing.alternation import alternation_ratio, describe_lone_frames, describe_refusal
from stages.pairing.comparison import shift_of_brightness
from stages.pairing.scene import Ratio, Scene
from stages.pairing.seen import Seen
from stages.pairing.signature import Signature, measure
from stages.pairing.tremor import tremors_stops
from stages.stage import FORBID_UNKNOWN_KEYS, Dropped, Stage

_HELD_FRAMES = 11
"""Most frames held on trial."""
_TRIALS = ((6, 0), (8, 1), (11, 2))
"""(frames, steps among them that may break the pattern): either proves that exposures alternate."""
_LAST_TRIAL = (4, 0)
"""The same for a stream that ends on trial."""
_METADATA_TRIAL_FRAMES = 3


@dataclass(frozen=True)
class BrightnessConfig:
    """Pairs each frame with its nearest neighbour of the other exposure."""

    kind: Literal["brightness"] = "brightness"
    min_ratio_stops: float = 0.75
    """Least difference between the two exposures, in stops; anything smaller is flicker."""
    max_distance: int = 4
    """How many frames away a neighbour may be; a frame with none that near is dropped."""
    settle_frames: int = 30
    """Frames after which a stream that does not alternate is refused; black or white ones do not count."""

    __pydantic_config__: ClassVar[dict[str, Any]] = FORBID_UNKNOWN_KEYS

    def __post_init__(self) -> None:
        """Refuse values that cannot work."""
        if not self.min_ratio_stops > 0:
            raise ValueError(f"min_ratio_stops must be over 0, got {self.min_ratio_stops}")
        if self.max_distance < 1:
            raise ValueError(f"max_distance must be at least 1, got {self.max_distance}")
        if self.settle_frames < 2:
            raise ValueError(f"settle_frames must be at least 2, got {self.settle_frames}")


class BrightnessPairing(Stage[Frame, ExposurePair]):
    """Gives one pair for each frame, in order, with the frame as its reference."""

    Config = BrightnessConfig

    def __init__(self, config: BrightnessConfig) -> None:
        self._config = config
        self._name = ""
        self._held: deque[Seen] = deque()
        self._trial: list[Signature] = []
        self._telling_frames = 0
        self._scene: Scene | None = None
        self._ratio = Ratio(0.0)
        self._by_metadata = False
        self._has_paired = False

    def open(self, info: StreamInfo) -> StreamInfo:
        """Take the stream's name for messages; its description stays as it is."""
        self._name = info.name
        return info

    def process(self, item: Frame) -> Iterator[ExposurePair | Dropped]:
        """Pairs for this frame and for earlier ones that waited for it.

        Raises:
            PairingError: the exposures do not alternate between two levels.
        """
        seen = Seen(item, measure(item.planes, item.color))
        yield from self._watched(self._try(seen) if self._scene is None else self._follow(seen))

    def flush(self) -> Iterator[ExposurePair | Dropped]:
        """Pairs for the frames that waited for one more.

        Raises:
            PairingError: the stream ended before its exposures were seen to alternate, or no frame found a partner.
        """
        if self._scene is None and self._held:
            frames = len(self._held)
            if not self._alternates(((frames, int(frames > 2)), _LAST_TRIAL)):
                raise self._refusal()
            yield from self._watched(self._begin())
        if self._scene is not None:
            yield from self._watched(self._scene.end())
            if not self._has_paired:
                raise self._error(describe_lone_frames(self._config.max_distance))

    def close(self) -> None:
        """Forget the frames held."""
        self._held.clear()
        self._trial.clear()
        self._scene = None

    def _watched(self, outputs: Iterator[ExposurePair | Dropped]) -> Iterator[ExposurePair | Dropped]:
        """The outputs, remembering whether a pair was ever among them."""
        for output in outputs:
            self._has_paired |= isinstance(output, ExposurePair)
            yield output

    def _try(self, seen: Seen) -> Iterator[ExposurePair | Dropped]:
        """Hold a frame on trial."""
        if self._trial:
            step = shift_of_brightness(self._trial[-1], seen.signature)
            self._telling_frames += step.is_exact or abs(step.stops) >= self._config.min_ratio_stops
        self._held.append(seen)
        self._trial = [*self._trial, seen.signature][-self._config.settle_frames :]
        if self._alternates(_TRIALS):
            yield from self._begin()
        elif self._telling_frames >= self._config.settle_frames:
            raise self._refusal()
        elif len(self._held) > _HELD_FRAMES:
            yield Dropped(self._held.popleft().frame.index, "came before the exposures began to alternate")

    def _alternates(self, trials: tuple[tuple[int, int], ...]) -> bool:
        """Whether the frames held pass a trial; sets the ratio and where exposures are known from."""
        for by_metadata, frames, exceptions in [
            (True, _METADATA_TRIAL_FRAMES, 0),
            *((False, frames, exceptions) for frames, exceptions in trials),
        ]:
            latest = list(self._held)[-frames:]
            if len(latest) < frames or (by_metadata and any(seen.frame.exposure is None for seen in latest)):
                continue
            ratio = alternation_ratio(
                [first.shift_to(second, by_metadata=by_metadata) for first, second in pairwise(latest)],
                min_ratio_stops=self._config.min_ratio_stops,
                exceptions=exceptions,
            )
            if ratio is not None:
                self._ratio, self._by_metadata = Ratio(ratio), by_metadata
                if not by_metadata and exceptions == 0 and frames >= _LAST_TRIAL[0]:
                    self._mark_tremors(frames)
                return True
        return False

    def _mark_tremors(self, frames: int) -> None:
        """Note down how far the exposures of the last frames held, which alternate regularly, are off."""
        latest = [self._held.pop() for _ in range(frames)][::-1]
        shifts = [first.shift_to(second, by_metadata=False) for first, second in pairwise(latest)]
        if all(shift.is_exact for shift in shifts):
            tremors = tremors_stops([shift.stops for shift in shifts])
            latest = [seen.with_tremor(float(stops)) for seen, stops in zip(latest, tremors, strict=True)]
        self._held.extend(latest)

    def _begin(self) -> Iterator[ExposurePair | Dropped]:
        """Pair the frames that were held on trial."""
        self._trial.clear()
        while self._held:
            yield from self._follow(self._held.popleft())

    def _follow(self, seen: Seen) -> Iterator[ExposurePair | Dropped]:
        """Add a frame to its scene, or to a new one after a cut."""
        scene = self._scene or self._new_scene(last_under=None)
        if not scene.holds(seen):
            yield from scene.end()
            scene = self._new_scene(last_under=scene.last_under)
        self._scene = scene
        yield from scene.add(seen)

    def _new_scene(self, last_under: int | None) -> Scene:
        return Scene(
            self._ratio,
            max_distance=self._config.max_distance,
            by_metadata=self._by_metadata,
            last_under=last_under,
        )

    def _refusal(self) -> PairingError:
        return self._error(describe_refusal(self._trial, self._config.min_ratio_stops))

    def _error(self, saw: str) -> PairingError:
        return PairingError(f"{self._name}: {saw}" if self._name else saw)
