"""Which class plays which part: adding a stage is one file in ``stages`` and one line here."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any, Final

STAGES: Final[dict[str, dict[str, str]]] = {
    "capture": {
        "file": "stages.capture.file:FileSource",
        "pictures": "stages.capture.pictures:PicturesSource",
        "camera": "stages.capture.device:CameraSource",
        "stream": "stages.capture.stream:StreamSource",
        "simulated": "stages.capture.simulated:SimulatedSource",
    },
    "pairing": {
        "brightness": "stages.pairing.brightness:BrightnessPairing",
    },
    "alignment": {
        "flow": "stages.alignment.flow:FlowAlignment",
        "none": "stages.alignment.none:NoAlignment",
    },
    "fusion": {
        "lcndr": "stages.fusion.stage:LcndrFusion",
        "passthrough": "stages.fusion.stage:PassthroughFusion",
    },
    "publishing": {
        "zeromq": "stages.publishing.zeromq:ZeroMqPublisher",
    },
    "preview": {
        "browser": "stages.preview.browser:BrowserPreview",
    },
    "window": {
        "desktop": "stages.window.desktop:DesktopWindow",
    },
    "encoding": {
        "video": "stages.encoding.video:VideoEncoder",
        "pictures": "stages.encoding.pictures:PictureWriter",
        "segments": "stages.encoding.segments:SegmentRecorder",
        "none": "stages.encoding.none:NoOutput",
    },
}
"""Class by role, in the order frames pass, and by kind; the first kind of a role is its default."""

OPTIONAL_ROLES: Final = ("publishing", "preview", "window")
"""Roles that nobody plays unless the configuration has a section for them; with one of them, no file is needed."""


def default_kind(role: str) -> str:
    """The kind a role has when the configuration names none."""
    return next(iter(STAGES[role]))


def stage_class(role: str, kind: str) -> type[Any]:
    """The class of a stage, imported now and not before, so that nobody waits for what they do not use.

    Raises:
        KeyError: no such role or kind.
    """
    module, name = STAGES[role][kind].split(":")
    if module not in sys.modules:
        with _garbage_let_lie():
            import_module(module)
    found: type[Any] = getattr(sys.modules[module], name)
    return found


@contextmanager
def _garbage_let_lie() -> Iterator[None]:
    """No garbage is looked for meanwhile, nor ever again in what is there by then.

    Importing torch and numba makes hundreds of thousands of objects that stay, and the collector would go through all
    of them again and again: a fifth of the time, and later a pause in the middle of a stream.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()
