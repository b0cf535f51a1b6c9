"""What this machine can do, found out by trying."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np
import psutil

from stages.errors import LumabraidError
from stages.frame import BT709, FusedFrame, Planes, StreamInfo
from stages.stage import Done, Stage

_CAMERA_TIMEOUT_S: Final = 20
_TRIAL_FRAMES: Final = 8
_DECODED_ON_GPU: Final = ("h264", "h265")
"""Of the codecs on offer; FFmpeg's decoder for AV1 in PyAV does not use the GPU."""
_GIB: Final = 2**30

_CAMERA_TRIAL: Final = """
import json, sys
import cv2
camera = cv2.VideoCapture(int(sys.argv[1]))
read, picture = camera.read() if camera.isOpened() else (False, None)
print(json.dumps(list(picture.shape[1::-1]) if read else None))
"""
"""Runs in a process of its own: a driver may hang or write to stderr."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was tried."""

    section: str
    name: str
    works: bool
    detail: str
    """What was seen; when it does not work: why."""


def examine() -> Iterator[Finding]:
    """Try everything, one thing after the other; what breaks is a finding too."""
    checks: dict[str, Callable[[], Iterator[Finding]]] = {
        "software": _software,
        "resources": _resources,
        "devices": _devices,
        "codecs": _codecs,
        "models": _models,
        "cameras": _cameras,
    }
    for section, check in checks.items():
        try:
            yield from check()
        except Exception as error:
            yield Finding(section, section, False, f"{type(error).__name__}: {_first_line(error)}")


def _software() -> Iterator[Finding]:
    yield Finding("software", "python", True, f"{platform.python_version()} on {platform.platform()}")
    for name in ("torch", "av", "cv2", "numpy"):
        try:
            yield Finding("software", name, True, import_module(name).__version__)
        except ImportError as error:
            yield Finding("software", name, False, _first_line(error))


def _resources() -> Iterator[Finding]:
    memory = psutil.virtual_memory()
    disk = shutil.disk_usage(Path.cwd())
    free, total = memory.available / _GIB, memory.total / _GIB
    yield Finding("resources", "memory", True, f"{free:.1f} of {total:.1f} GiB free")
    yield Finding("resources", "disk", True, f"{disk.free / _GIB:.1f} GiB free in {Path.cwd()}")


def _devices() -> Iterator[Finding]:
    import torch

    from stages.fusion.fast import compiled_engine

    def tried(device: str) -> bool:
        return bool((torch.ones(8, 8, device=device) @ torch.ones(8, 8, device=device)).sum().item() == 512)

    cores = f"{torch.get_num_threads()} threads, {torch.backends.cpu.get_cpu_capability()}"
    yield Finding("devices", "cpu", tried("cpu"), cores)
    engine = compiled_engine()
    if isinstance(engine, str):
        yield Finding("devices", "cpu fusion", False, f"runs plainly in torch, several times slower: {engine}")
    else:
        yield Finding(
            "devices",
            "cpu fusion",
            True,
            f"in kernels that numba {import_module('numba').__version__} compiles for this CPU",
        )
    if torch.version.cuda is None:
        yield Finding("devices", "cuda", False, "this torch was built without CUDA")
    elif not torch.cuda.is_available():
        yield Finding("devices", "cuda", False, "no NVIDIA GPU, or no driver for it")
    else:
        for index in range(torch.cuda.device_count()):
            name = f"cuda:{index}"
            try:
                works = tried(name)
                free, total = torch.cuda.mem_get_info(index)
                seen = f"{torch.cuda.get_device_name(index)}, {free / _GIB:.1f} of {total / _GIB:.1f} GiB free"
                yield Finding("devices", name, works, seen)
            except RuntimeError as error:
                yield Finding("devices", name, False, _first_line(error))


def _codecs() -> Iterator[Finding]:
    """Each codec on offer, by encoding a few frames as a pipeline would."""
    from stages.capture.hardware import try_decoding
    from stages.encoding.codecs import CODECS
    from stages.encoding.hardware import NVENC, Picture, nvenc_options, try_encoder
    from stages.encoding.video import VideoConfig, VideoEncoder

    with TemporaryDirectory() as folder:
        for name, codec in CODECS.items():
            output = Path(folder) / f"{name}{codec.suffixes[0]}"
            try:
                _encode(VideoEncoder(VideoConfig(output=str(output), codec=name)))
                works, seen = output.stat().st_size > 0, f"{codec.title}, {codec.encoder}"
            except (LumabraidError, OSError) as error:
                works, seen = False, _first_line(error)
            yield Finding("codecs", name, works, seen)
            if works and name in _DECODED_ON_GPU:
                why_not = try_decoding(str(output))
                yield Finding(
                    "codecs", f"{name} nvdec", why_not is None, why_not or f"{codec.title}, decoded on the GPU"
                )
            if works and name in NVENC:
                options = nvenc_options(name, None, None)
                why_not = try_encoder(NVENC[name], options, Picture(256, 144, 8, Fraction(25)))
                seen = why_not or f"{codec.title}, {NVENC[name].encoder} on the GPU"
                yield Finding("codecs", f"{name} nvenc", why_not is None, seen)


def _encode(encoder: Stage[FusedFrame, Done]) -> None:
    """A few gray frames."""
    gray = Planes(np.full((144, 256), 128, np.uint8), np.full((2, 72, 128), 128, np.uint8))
    try:
        encoder.open(StreamInfo(width=256, height=144, bit_depth=8, time_base=Fraction(1, 25), color=BT709))
        for index in range(_TRIAL_FRAMES):
            frame = FusedFrame(
                index=index,
                planes=gray,
                pts=index,
                time_base=Fraction(1, 25),
                duration=1,
                color=BT709,
                sources=(index, index),
                ratio_stops=None,
                captured_ns=0,
                fused_ns=0,
            )
            list(encoder.process(frame))
        list(encoder.flush())
    finally:
        encoder.close()


def _models() -> Iterator[Finding]:
    """Each packaged network, by loading it."""
    from stages.fusion.models import list_models, load_model

    models = list_models()
    if not models:
        yield Finding("models", "models", False, "none is packaged; `lumabraid train` makes one")
    for model in models:
        load_model(model.name)
        yield Finding("models", model.name, True, f"{model.parameters:,} parameters")


def _cameras() -> Iterator[Finding]:
    """OpenCV's cameras by index; Linux names them, elsewhere only the first is tried."""
    if sys.platform == "linux":
        nodes = sorted(Path("/dev").glob("video[0-9]*"))
        names = {int(node.name.removeprefix("video")): str(node) for node in nodes}
    else:
        names = {0: "camera 0"}
    if not names:
        yield Finding("cameras", "cameras", False, "no /dev/video* on this machine")
    for index, name in sorted(names.items()):
        size = _try_camera(index)
        seen = f"{size[0]}x{size[1]}" if size else "gives no picture: in use, not permitted, or not a camera"
        yield Finding("cameras", name, size is not None, seen)


def _try_camera(index: int) -> tuple[int, int] | None:
    """Width and height of a picture the camera gave."""
    try:
        trial = subprocess.run(
            [sys.executable, "-c", _CAMERA_TRIAL, str(index)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
            timeout=_CAMERA_TIMEOUT_S,
            check=True,
            env={**os.environ, "OPENCV_LOG_LEVEL": "OFF"},
        )
    except subprocess.SubprocessError:
        return None
    size = json.loads(trial.stdout)
    return (size[0], size[1]) if size else None


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0]
