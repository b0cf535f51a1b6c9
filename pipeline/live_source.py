"""What a person calls a source, as settings: ``0``, ``/dev/video0``, ``rtsp://...``, ``simulated:room.hdr``, a file."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Final

from pipeline.config_file import Settings
from stages.capture.locate import display_name
from stages.errors import ConfigError

_SIMULATED: Final = "simulated:"
_URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
STEERABLE: Final = ("camera", "simulated")
"""Kinds whose exposures can be set."""


def capture_settings(source: str, *, stops: float | None = None, bias_stops: float | None = None) -> Settings:
    """The ``capture`` section for a live run.

    Args:
        source: as on the command line.
        stops: between under and over; None = left to the camera's controller.
        bias_stops: brightens both.

    Raises:
        ConfigError: exposures are asked of a source that cannot set any, or there is no such file.
    """
    settings = _settings(source)
    wanted = {key: value for key, value in (("stops", stops), ("bias_stops", bias_stops)) if value is not None}
    if wanted and settings["kind"] not in STEERABLE:
        raise ConfigError(
            f"--stops and --bias need a camera whose exposures can be set, and {source_title(source)} is "
            f"a {settings['kind']}; set them where it is recorded"
        )
    return {**settings, "exposure": wanted} if settings["kind"] in STEERABLE else settings


def source_title(source: str) -> str:
    """For messages: short, and without credentials."""
    if source.isdecimal():
        return f"camera {source}"
    name = display_name(source)
    if source.startswith(_SIMULATED):
        return f"simulated camera in {Path(name.removeprefix(_SIMULATED)).name}"
    return name if _URL.match(source) or source.startswith("/dev/") else Path(name).name


def source_argument(source: str) -> str:
    """For commands to copy: quoted for a shell, and without credentials."""
    return shlex.quote(source_title(source) if _URL.match(source) else source)


def _settings(source: str) -> Settings:
    if source.isdecimal() or source.startswith("/dev/"):
        return {"kind": "camera", "device": int(source) if source.isdecimal() else source}
    if source in (_SIMULATED, _SIMULATED.removesuffix(":")):
        raise ConfigError(
            "the simulated camera looks into a radiance map: name an equirectangular .hdr file, as in "
            "--source simulated:room.hdr; https://polyhaven.com/hdris has free ones"
        )
    if source.startswith(_SIMULATED):
        return {"kind": "simulated", "map": source.removeprefix(_SIMULATED), "seconds": None, "realtime": True}
    if _URL.match(source):
        return {"kind": "stream", "input": source}
    if not Path(source).exists():
        raise ConfigError(
            f"no source '{display_name(source)}': neither a camera's number, a device, a URL, simulated:MAP.hdr "
            "nor a file; `lumabraid live --help` explains"
        )
    return {"kind": "file", "input": source, "realtime": True}
