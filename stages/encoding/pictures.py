"""Kind ``pictures``: fused frames into numbered picture files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import cv2
import numpy as np

from stages.color import bgr_from_planes
from stages.encoding.atomic import check_folder
from stages.errors import ConfigError, EncodeError
from stages.frame import FusedFrame, StreamInfo
from stages.stage import FORBID_UNKNOWN_KEYS, Done, Dropped, Stage

_SUFFIXES = (".png", ".tif", ".tiff", ".jpg", ".jpeg")
_JPEG = (".jpg", ".jpeg")
_NUMBER = re.compile(r"%(0\d+)?d")


@dataclass(frozen=True, kw_only=True)
class PictureConfig:
    """Settings of the picture writer."""

    __pydantic_config__: ClassVar[dict[str, Any]] = FORBID_UNKNOWN_KEYS

    kind: Literal["pictures"] = "pictures"
    """Which sink this is."""
    output: str
    """A pattern such as out/%05d.png (.png, .tif or .jpg), numbered by the frame's place in the source from 0; or
    a folder, made if missing, which gets %06d.png. A percent sign in a pattern is written %%."""
    bit_depth: Literal["auto", 8, 16] = "auto"
    """auto: 16 for a source of more than 8 bits where the format allows; jpg is always 8."""
    jpeg_quality: int = 95
    """1 to 100."""
    overwrite: bool = False
    """Replace pictures that exist; off, because a sequence often goes beside the one it was made from."""

    def __post_init__(self) -> None:
        """Refuse settings that do not go together."""
        if not 1 <= self.jpeg_quality <= 100:
            raise ValueError(f"jpeg_quality must lie in 1 to 100, got {self.jpeg_quality}")
        if not self.output:
            raise ValueError("output must name a folder or a pattern such as out/%05d.png, got ''")
        name = Path(self.output).name
        suffix = Path(self.output).suffix.lower()
        if suffix not in _SUFFIXES and not _is_pattern(name):
            return
        if suffix not in _SUFFIXES:
            raise ValueError(f"output {self.output!r} must end in {', '.join(_SUFFIXES)}")
        plain = name.replace("%%", "")
        if len(_NUMBER.findall(plain)) != 1 or plain.count("%") != 1:
            raise ValueError(f"output {self.output!r} needs exactly one number such as %05d in the file name")
        if self.bit_depth == 16 and suffix in _JPEG:
            raise ValueError(f"bit_depth 16 does not exist in {suffix}; use .png or .tif")


class PictureWriter(Stage[FusedFrame, Done]):
    """Writes one RGB picture a frame, turned upright; each appears under its name only when it is complete."""

    Config = PictureConfig

    def __init__(self, config: PictureConfig) -> None:
        """``config``: the settings."""
        self._config = config
        output = Path(config.output)
        if output.suffix.lower() in _SUFFIXES:
            self._folder, self._pattern, self._is_folder = output.parent, output.name, False
        else:
            self._folder, self._pattern, self._is_folder = output, "%06d.png", True
        self._suffix = Path(self._pattern).suffix.lower()
        self._turns = 0

    def open(self, info: StreamInfo) -> StreamInfo:
        """Check that pictures can be written; touches nothing.

        Raises:
            ConfigError: the folder, or the one it would be made in, is missing or not writable, or the output lies
                among the pictures being read: a folder that holds them, or a pattern that names one of them.
        """
        self._turns = info.rotation_deg // 90
        if self._folder.exists():
            check_folder(self._folder)
            self._spare(info.pictures)
        else:
            check_folder(self._folder.absolute().parent)
        return info

    def process(self, item: FusedFrame) -> Iterable[Done | Dropped]:
        """Write a picture.

        Raises:
            ConfigError: it exists and shall not be overwritten.
            EncodeError: it cannot be written.
        """
        path = self._folder / (self._pattern % item.index)
        if path.exists() and not self._config.overwrite:
            raise ConfigError(f"output {path} exists; choose another folder or set overwrite")
        self._write(path, self._encode(item))
        yield Done(item.index)

    def close(self) -> None:
        """Nothing is held."""

    def _spare(self, pictures: Sequence[Path]) -> None:
        """Raise ConfigError where the output would lie among ``pictures``, which are being read, or replace one."""
        if self._is_folder and any(self._folder.samefile(folder) for folder in {path.parent for path in pictures}):
            raise ConfigError(f"output folder {self._folder} holds the input pictures; give another, or one inside it")
        inputs = {_identity(path): path for path in pictures}
        for index in range(len(pictures)):
            path = self._folder / (self._pattern % index)
            for written in (path, _partial(path)):
                if written.exists() and (taken := inputs.get(_identity(written))):
                    raise ConfigError(f"output {path} would overwrite the input {taken}; give another name")

    def _encode(self, frame: FusedFrame) -> bytes:
        depth = self._config.bit_depth
        if depth == "auto":
            depth = 8 if frame.planes.bit_depth == 8 or self._suffix in _JPEG else 16
        bgr = np.rot90(bgr_from_planes(frame.planes, frame.color), self._turns)
        scaled = np.rint(bgr * np.float32((1 << depth) - 1)).astype(np.uint8 if depth == 8 else np.uint16)
        quality = [cv2.IMWRITE_JPEG_QUALITY, self._config.jpeg_quality] if self._suffix in _JPEG else []
        done, encoded = cv2.imencode(self._suffix, np.ascontiguousarray(scaled), quality)
        if not done:
            raise EncodeError(f"frame {frame.index} cannot be encoded as {self._suffix}; try another format")
        return encoded.tobytes()

    def _write(self, path: Path, encoded: bytes) -> None:
        partial = _partial(path)
        try:
            self._folder.mkdir(exist_ok=True)
            partial.write_bytes(encoded)
            partial.replace(path)
        except OSError as error:
            partial.unlink(missing_ok=True)
            raise EncodeError(f"cannot write {path}: {error.strerror}; check the disk and its space") from error


def _partial(path: Path) -> Path:
    return path.with_name(f"{path.stem}.partial{path.suffix}")


def _identity(path: Path) -> tuple[int, int]:
    """The same for all names of a file."""
    status = path.stat()
    return status.st_dev, status.st_ino


def _is_pattern(name: str) -> bool:
    return _NUMBER.search(name.replace("%%", "")) is not None
