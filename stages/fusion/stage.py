"""Fusion as stages of a pipeline: with LCNDR, or none at all."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal

from stages.device.choice import DeviceName, choose_device
from stages.errors import ConfigError
from stages.frame import AlignedPair, FusedFrame, Planes, StreamInfo
from stages.fusion.fuser import Fuser
from stages.fusion.mode import Mode
from stages.fusion.models import load_model
from stages.stage import FORBID_UNKNOWN_KEYS, Stage

_MOST_IN_FLIGHT: Final = 8


@dataclass(frozen=True, slots=True)
class LcndrConfig:
    """Fusion with the LCNDR network."""

    __pydantic_config__: ClassVar[dict[str, Any]] = FORBID_UNKNOWN_KEYS

    kind: Literal["lcndr"] = "lcndr"
    model: str = "lcndr"
    """Name of a packaged model (`lumabraid models` lists them), or path of a .safetensors file."""
    mode: Mode = "stream"
    """`full` runs every module at full resolution; `stream` costs the same for every pixel and suits large pictures."""
    device: DeviceName = "auto"
    """`auto` takes CUDA where there is one."""
    frames_in_flight: int = 1
    """Frames that a GPU may have at once, copies up and down beside computation. 1 gives each frame before the next is
    taken, which suits live use; 3 keeps a GPU busy and gives each frame two frames later. A CPU always does one."""
    join_kernels: bool = False
    """Let torch's compiler join the many small operations after the weight maps into few kernels of a GPU, for a start
    that takes some seconds longer, and minutes once a machine. A CPU has its own engine."""

    def __post_init__(self) -> None:
        """Refuse numbers that make no sense."""
        if not 1 <= self.frames_in_flight <= _MOST_IN_FLIGHT:
            raise ValueError(f"frames_in_flight must be from 1 to {_MOST_IN_FLIGHT}, got {self.frames_in_flight}")


class LcndrFusion(Stage[AlignedPair, FusedFrame]):
    """Fuses aligned pairs with LCNDR."""

    Config = LcndrConfig

    def __init__(self, config: LcndrConfig) -> None:
        self._config = config
        self._fuser: Fuser | None = None
        self._under_way: deque[AlignedPair] = deque()
        self._share: int | None = None
        """Of the cores, where others work beside it."""

    def share_cores(self, threads: int) -> None:
        """Work on so many threads; with a network that all others wait for, on every core."""
        self._share = threads

    def open(self, info: StreamInfo) -> StreamInfo:
        """Load the network; pictures of the stream keep their size and depth."""
        config = self._config
        device = choose_device(config.device)
        network = load_model(config.model)
        self._fuser = Fuser(
            network,
            config.mode,
            device,
            frames_in_flight=config.frames_in_flight,
            join_kernels=config.join_kernels,
            threads=self._share if network.erm is None else None,
        )
        self._fuser.prepare(info.width, info.height, info.bit_depth)
        return info

    def process(self, item: AlignedPair) -> Iterable[FusedFrame]:
        """One fused frame for each pair, here or later, in order."""
        if self._fuser is None:
            raise ConfigError("the fusion stage was not opened")
        self._under_way.append(item)
        for planes in self._fuser.push(item.under, item.over, item.pair.reference.color):
            yield _finished(self._under_way.popleft(), planes)

    def flush(self) -> Iterable[FusedFrame]:
        """The frames still under way."""
        for planes in self._fuser.drain() if self._fuser is not None else []:
            yield _finished(self._under_way.popleft(), planes)

    def close(self) -> None:
        """Let go of the network, and of frames still under way."""
        if self._fuser is not None:
            self._fuser.close()
        self._fuser = None
        self._under_way.clear()


@dataclass(frozen=True, slots=True)
class PassthroughConfig:
    """No fusion: the reference frame as it was captured; shows what everything else costs."""

    __pydantic_config__: ClassVar[dict[str, Any]] = FORBID_UNKNOWN_KEYS

    kind: Literal["passthrough"] = "passthrough"


class PassthroughFusion(Stage[AlignedPair, FusedFrame]):
    """Gives every pair's reference back untouched."""

    Config = PassthroughConfig

    def __init__(self, config: PassthroughConfig) -> None:
        self._config = config

    def open(self, info: StreamInfo) -> StreamInfo:
        """Nothing to prepare."""
        return info

    def process(self, item: AlignedPair) -> Iterable[FusedFrame]:
        """The reference's own planes."""
        yield _finished(item, item.pair.reference.planes)

    def close(self) -> None:
        """Nothing to let go of."""


def _finished(item: AlignedPair, planes: Planes) -> FusedFrame:
    """The reference's time and tags around fused planes."""
    pair, reference = item.pair, item.pair.reference
    sources = (reference.index, pair.neighbour.index)
    return FusedFrame(
        index=reference.index,
        planes=planes,
        pts=reference.pts,
        time_base=reference.time_base,
        duration=reference.duration,
        color=reference.color,
        sources=sources if pair.reference_is_under else sources[::-1],
        ratio_stops=pair.ratio_stops,
        captured_ns=reference.captured_ns,
        fused_ns=time.time_ns(),
        aligned=item,
    )
