"""From a configuration to a pipeline that is ready to run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from pipeline.allocation import return_large_blocks
from pipeline.config import PipelineConfig
from pipeline.cores import share_cores
from pipeline.registry import STAGES, stage_class
from pipeline.report import Report
from pipeline.runner import Runner
from stages.frame import FusedFrame, StreamInfo
from stages.stage import Done, Dropped, Source, Stage

if TYPE_CHECKING:
    from stages.encoding.segments import SegmentRecorder
    from stages.preview.browser import BrowserPreview
    from stages.publishing.zeromq import ZeroMqPublisher
    from stages.window.desktop import DesktopWindow

_SHOW_EXPOSURES: Final = ("fusion", "publishing", "preview")
"""The roles that make or look at what a frame was fused from, in the order of the way."""

_STEPS_PER_STOP: Final = 100
"""Ratios are counted in hundredths of a stop, so that the tally does not grow with the stream."""


class Watched(Stage[FusedFrame, Done]):
    """The sink, with a tally of what arrives at it: the stream and the exposures found in it."""

    def __init__(self, sink: Stage[FusedFrame, Done]) -> None:
        self._sink = sink
        self.stream: StreamInfo | None = None
        """None until every stage is open."""
        self.complete = False
        """Whether the sink has committed its result."""
        self.size: tuple[int, int] | None = None
        """Width and height of the latest frame; None before the first."""
        self.ratio_stops: float | None = None
        """Of the latest frame that tells."""
        self._ratios: Counter[int] = Counter()
        self._frames = self._under_frames = 0

    def open(self, info: StreamInfo) -> StreamInfo:
        """As the sink."""
        info = self._sink.open(info)
        self.stream = info
        return info

    def process(self, item: FusedFrame) -> Iterable[Done | Dropped]:
        """As the sink."""
        self.size = item.planes.width, item.planes.height
        if item.ratio_stops is not None:
            self.ratio_stops = item.ratio_stops
            self._ratios[round(item.ratio_stops * _STEPS_PER_STOP)] += 1
        self._frames += 1
        self._under_frames += item.index == item.sources[0]
        return self._sink.process(item)

    def flush(self) -> Iterable[Done | Dropped]:
        """As the sink."""
        yield from self._sink.flush()
        self.complete = True

    def close(self) -> None:
        """As the sink."""
        self._sink.close()

    def exposures(self) -> dict[str, object] | None:
        """For the report: how many frames were under and over, and the stops between; None before the first."""
        ratios = sorted(Counter(self._ratios).elements())
        if not ratios:
            return None
        low, middle, high = (ratios[i] / _STEPS_PER_STOP for i in (0, len(ratios) // 2, -1))
        return {
            "under": self._under_frames,
            "over": self._frames - self._under_frames,
            "ratio_stops": {"min": low, "median": middle, "max": high},
        }


class Introduced(Stage[FusedFrame, FusedFrame]):
    """The preview, told of the run when the source is open: some sources know only then whether they can be steered."""

    def __init__(self, preview: BrowserPreview, source: Source, status: Callable[[], Mapping[str, object]]) -> None:
        self._preview = preview
        self._source = source
        self._status = status

    def open(self, info: StreamInfo) -> StreamInfo:
        """As the preview."""
        self._preview.connect(status=self._status, bracket=self._source.bracket)
        return self._preview.open(info)

    def process(self, item: FusedFrame) -> Iterable[FusedFrame | Dropped]:
        """As the preview."""
        return self._preview.process(item)

    def close(self) -> None:
        """As the preview."""
        self._preview.close()


class Relieved(Stage[Any, FusedFrame]):
    """The last stage that knows what a frame was fused from: nobody after it holds the exposures in memory."""

    def __init__(self, stage: Stage[Any, FusedFrame]) -> None:
        self._stage = stage

    def open(self, info: StreamInfo) -> StreamInfo:
        """As the stage."""
        return self._stage.open(info)

    def process(self, item: Any) -> Iterable[FusedFrame | Dropped]:
        """As the stage, of every frame the fused picture alone."""
        return map(_alone, self._stage.process(item))

    def flush(self) -> Iterable[FusedFrame | Dropped]:
        """As ``process``."""
        return map(_alone, self._stage.flush())

    def close(self) -> None:
        """As the stage."""
        self._stage.close()


def _alone(output: FusedFrame | Dropped) -> FusedFrame | Dropped:
    return replace(output, aligned=None) if isinstance(output, FusedFrame) else output


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Stages connected; ``runner.run()`` runs them, once."""

    runner: Runner
    source: Source
    sink: Watched
    publisher: ZeroMqPublisher | None
    """This and the next two where the configuration has them."""
    preview: BrowserPreview | None
    window: DesktopWindow | None
    recorder: SegmentRecorder | None
    """Where it records in segments."""

    @property
    def frame_count(self) -> int | None:
        """Frames to expect, as the source estimates; None when unknown."""
        return self.sink.stream.frame_count if self.sink.stream else None


def beside_fusion(alignment: Any, fusion: Any) -> Any:
    """Settings of alignment whose device, if it is left open, is fusion's: a picture crosses the bus once then."""
    if getattr(alignment, "device", None) != "auto":
        return alignment
    return replace(alignment, device=getattr(fusion, "device", "cpu"))


def assemble(config: PipelineConfig, *, on_progress: Callable[[Report], None] | None = None) -> Pipeline:
    """Make the stages a configuration names and connect them; nothing is opened yet.

    Args:
        config: what to connect.
        on_progress: as ``Runner``.
    """
    made: dict[str, Any] = {}
    for role in STAGES:
        settings = getattr(config, role)
        if settings is not None:
            if role == "alignment":
                settings = beside_fusion(settings, config.fusion)
            made[role] = stage_class(role, settings.kind)(settings)
    source: Source = made.pop("capture")
    if config.channels.policy == "block":
        share_cores(made.values())
    sink = Watched(made["encoding"])
    played = {**made, "encoding": sink}
    if "preview" in made:
        played["preview"] = Introduced(made["preview"], source, lambda: runner.report().to_dict())
    last = next(role for role in reversed(_SHOW_EXPOSURES) if role in played)
    played[last] = Relieved(played[last])
    return_large_blocks()
    runner = Runner(
        source,
        list(played.items()),
        capacity=config.channels.capacity,
        policy=config.channels.policy,
        on_progress=on_progress,
    )
    return Pipeline(
        runner,
        source,
        sink,
        publisher=made.get("publishing"),
        preview=made.get("preview"),
        window=made.get("window"),
        recorder=made["encoding"] if config.encoding.kind == "segments" else None,
    )
