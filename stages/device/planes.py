"""Pictures that lie on a device, for whoever computes there, and on the host for whoever asks."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from stages.device.queue import Mark
from stages.frame import PixelArray, Planes


@dataclass(frozen=True, slots=True)
class Layout:
    """How the code values of a picture lie in one piece of memory: luma, Cb, Cr."""

    height: int
    width: int
    bit_depth: int

    @classmethod
    def like(cls, planes: Planes) -> Layout:
        """That of a picture."""
        return cls(planes.height, planes.width, planes.bit_depth)

    @property
    def dtype(self) -> torch.dtype:
        """Of code values: torch does little with uint16, and 10 bits fit its signed sibling."""
        return torch.uint8 if self.bit_depth == 8 else torch.int16

    @property
    def codes(self) -> int:
        """Code values of one picture, luma and chroma."""
        return self.height * self.width + 2 * (-(-self.height // 2) * -(-self.width // 2))

    def split(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Pictures' code values (..., codes) as luma (..., H, W) and chroma (..., 2, h, w), in the same memory."""
        pixels = self.height * self.width
        lead = codes.shape[:-1]
        luma = codes[..., :pixels].view(*lead, self.height, self.width)
        return luma, codes[..., pixels:].view(*lead, 2, -(-self.height // 2), -(-self.width // 2))

    def fill(self, codes: Tensor, planes: Planes) -> None:
        """Copy a picture on the host into such memory there."""
        luma, chroma = self.split(codes)
        luma.copy_(_tensor(planes.luma))
        chroma.copy_(_tensor(planes.chroma))

    def planes(self, codes: Tensor) -> Planes:
        """The picture in such memory on the host, copied."""
        luma, chroma = self.split(codes)
        return Planes(_codes(luma), _codes(chroma), self.bit_depth)


class DevicePlanes(Planes):
    """A picture on a device; it comes to the host when somebody reads its luma or chroma, once, and then stays there.

    Any thread may read it. Work on the device waits for ``ready`` (``DeviceQueue.hold``), and whoever gives it such
    work keeps the picture until that is done.

    Args:
        layout: of the code values.
        codes: (layout.codes,) on the device.
        ready: passed when they are there.
    """

    __slots__ = ("_downloaded", "_lock", "codes", "layout", "ready")

    layout: Layout
    codes: Tensor
    ready: Mark
    _downloaded: Planes | None
    _lock: Lock

    def __init__(self, layout: Layout, codes: Tensor, ready: Mark) -> None:
        # Planes are frozen, and so are these but for what they download.
        for name, value in (
            ("bit_depth", layout.bit_depth),
            ("layout", layout),
            ("codes", codes),
            ("ready", ready),
            ("_downloaded", None),
            ("_lock", Lock()),
        ):
            object.__setattr__(self, name, value)

    @property
    def luma(self) -> PixelArray:
        """(height, width), on the host."""
        return self._on_host().luma

    @property
    def chroma(self) -> PixelArray:
        """(2, ceil(height / 2), ceil(width / 2)), on the host."""
        return self._on_host().chroma

    @property
    def height(self) -> int:
        """Rows of luma."""
        return self.layout.height

    @property
    def width(self) -> int:
        """Columns of luma."""
        return self.layout.width

    @property
    def is_downloaded(self) -> bool:
        """Whether it has been asked for on the host."""
        return self._downloaded is not None

    def _on_host(self) -> Planes:
        with self._lock:
            if self._downloaded is None:
                self.ready.wait()
                object.__setattr__(self, "_downloaded", self.layout.planes(self.codes.cpu()))
            assert self._downloaded is not None
            return self._downloaded


def _tensor(plane: PixelArray) -> Tensor:
    """A plane's own memory."""
    values = np.ascontiguousarray(plane)
    return torch.from_numpy(values.view(np.int16) if values.dtype == np.uint16 else values)


def _codes(plane: Tensor) -> PixelArray:
    """A copy."""
    if plane.dtype == torch.uint8:
        return np.array(plane.numpy())
    codes: npt.NDArray[np.uint16] = np.array(plane.numpy().view(np.uint16))
    return codes
