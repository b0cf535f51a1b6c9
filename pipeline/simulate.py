"""Films a clip of alternating exposures with the simulated camera, and keeps the truth behind it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from stages.capture.sensor import code_values
from stages.capture.simulated import SimulatedConfig, SimulatedSource
from stages.errors import ConfigError, EncodeError, SourceError
from stages.frame import Frame, FusedFrame
from stages.stage import Done, Stage


def simulate(
    config: SimulatedConfig,
    encoder: Stage[FusedFrame, Done],
    *,
    truth: Path | None = None,
    on_frame: Callable[[int], None] | None = None,
) -> int:
    """Film a clip and hand its frames to an encoder.

    Args:
        config: the camera; ``seconds`` must say when to stop.
        encoder: not opened yet; here it is opened, fed, flushed and closed.
        truth: folder, made if missing, for ``under_%05d.png`` and ``over_%05d.png`` (the noise-free pictures of
            both exposures at the instant of every frame; 16 bit when the clip has 10) and ``truth.json``.
        on_frame: called with the number of frames so far.

    Returns:
        The number of frames in the clip.

    Raises:
        ConfigError: the clip has no end, or its file or the truth cannot be written where it shall lie.
        SourceError: the map cannot be read, or every frame was lost on the way.
        EncodeError: the clip cannot be written.
        OSError: the truth cannot be written.
    """
    if config.seconds is None:
        raise ConfigError("seconds is null: a clip needs an end; give the number of seconds")
    if truth is not None and truth.exists() and not truth.is_dir():
        raise ConfigError(f"truth {truth} is a file; give the name of a folder")
    source = SimulatedSource(dataclasses.replace(config, metadata=True))
    records: list[dict[str, Any]] = []
    try:
        encoder.open(source.open())
        if truth is not None:
            truth.mkdir(parents=True, exist_ok=True)
        while (frame := source.read()) is not None:
            for _ in encoder.process(_as_fused(frame, config.stops)):
                pass
            records.append(_record(frame, source))
            if truth is not None:
                _write_truth(truth, frame, source)
            if on_frame is not None:
                on_frame(len(records))
        if not records:
            raise SourceError(f"none of {config.frame_count} frames arrived; lower dropped_frames or film longer")
        for _ in encoder.flush():
            pass
    finally:
        encoder.close()
        source.close()
    if truth is not None:
        # Written last: a truth.json says that every picture it names is there.
        account = {"settings": dataclasses.asdict(config), "ratio_stops": config.stops, "frames": records}
        (truth / "truth.json").write_text(json.dumps(account, indent=1) + "\n", encoding="utf-8")
    return len(records)


def _as_fused(frame: Frame, stops: float) -> FusedFrame:
    """The frame as an encoder takes it: made of itself alone."""
    return FusedFrame(
        index=frame.index,
        planes=frame.planes,
        pts=frame.pts,
        time_base=frame.time_base,
        duration=frame.duration,
        color=frame.color,
        sources=(frame.index, frame.index),
        ratio_stops=stops,
        captured_ns=frame.captured_ns,
        fused_ns=frame.captured_ns,
    )


def _record(frame: Frame, source: SimulatedSource) -> dict[str, Any]:
    """What truth.json says of a frame; ``exposure`` is null when the camera did not take either."""
    assert frame.exposure is not None, "the source was told to give metadata"
    roles = dict(zip(source.camera.bracket, ("under", "over"), strict=True))
    return {
        "index": frame.index,
        "pts": frame.pts,
        "exposure": roles.get(frame.exposure),
        "time_us": frame.exposure.time_us,
        "gain": frame.exposure.gain,
    }


def _write_truth(folder: Path, frame: Frame, source: SimulatedSource) -> None:
    """Both noise-free pictures at the instant of a frame."""
    truth = source.camera.truth(frame.pts)
    bits = 8 if frame.planes.bit_depth == 8 else 16
    for name, picture in (("under", truth.under), ("over", truth.over)):
        _write_png(folder / f"{name}_{frame.index:05d}.png", code_values(picture, bit_depth=bits))


def _write_png(path: Path, picture: npt.NDArray[np.uint8] | npt.NDArray[np.uint16]) -> None:
    written, packed = cv2.imencode(path.suffix, picture)
    if not written:
        raise EncodeError(f"{path}: OpenCV cannot make this PNG; try a smaller size")
    path.write_bytes(packed.tobytes())
