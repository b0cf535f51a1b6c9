"""Decoding on an NVIDIA GPU (NVDEC): tried for each source, and given up for it where it does not work."""

from __future__ import annotations

import logging
from typing import Protocol

import av
from av.codec.hwaccel import HWAccel
from av.video.stream import VideoStream

from stages.hardware import Hardware, refusal

_log = logging.getLogger(__name__)

_ALWAYS_KNOWN = "h264"
"""Every NVDEC decodes it, and FFmpeg's decoder for it takes the device."""


class Device(Protocol):
    """What decodes besides the processor."""

    def refusal(self) -> str | None:
        """Why it cannot be had; None where it has just been opened."""

    def accelerator(self) -> HWAccel:
        """What ``av.open`` is told, so that streams are decoded on it where that works."""

    def takes(self, stream: VideoStream) -> bool:
        """Whether the stream's decoder can use it at all."""

    def decoded(self, stream: VideoStream) -> bool:
        """Whether it decoded the latest picture of a stream."""


class Nvdec:
    """NVIDIA's decoder, through FFmpeg, which brings each picture back into memory as NV12 or P010."""

    def refusal(self) -> str | None:
        """Why FFmpeg cannot open the device."""
        return refusal(lambda: HWAccel("cuda").create(av.Codec(_ALWAYS_KNOWN, "r")))

    def accelerator(self) -> HWAccel:
        """As ``Device``; a stream that the device refuses is decoded in software."""
        return HWAccel("cuda", allow_software_fallback=True)

    def takes(self, stream: VideoStream) -> bool:
        """As ``Device``; of AV1, PyAV takes the decoder that cannot."""
        return stream.codec_context.is_hwaccel

    def decoded(self, stream: VideoStream) -> bool:
        """As ``Device``; FFmpeg asks for the pixel format anew where the device refuses a stream."""
        return self.takes(stream) and stream.codec_context.pix_fmt == "cuda"


def try_decoding(path: str) -> str | None:
    """Why NVDEC does not decode a video file; None where it has just decoded the first picture.

    Raises:
        FFmpegError: it is no video.
    """
    device = Nvdec()
    reason = device.refusal()
    if reason is not None:
        return reason
    with av.open(path, hwaccel=device.accelerator()) as container:
        stream = container.streams.video[0]
        has_picture = next(container.decode(stream), None) is not None
        return None if has_picture and device.decoded(stream) else _refused(stream)


class HardwareDecoding:
    """The device for one source, as long as it works; says in one line why it does not."""

    def __init__(self, hardware: Hardware, name: str, device: Device | None = None) -> None:
        """Make ready to try.

        Args:
            hardware: whether to.
            name: of the source, for the message.
            device: what to decode on; None for NVDEC.
        """
        self._device = device or Nvdec()
        self._name = name
        self._is_wanted = hardware == "auto"
        self._is_open = False

    def accelerator(self) -> HWAccel | None:
        """What to open the container with; None to decode in software."""
        if self._is_wanted and not self._is_open:
            reason = self._device.refusal()
            self._is_open = reason is None
            if reason is not None:
                self._give_up(reason)
        return self._device.accelerator() if self._is_wanted else None

    def check(self, stream: VideoStream, *, has_picture: bool) -> bool:
        """Give the device up if it did not decode the first picture.

        Args:
            stream: of a container opened with ``accelerator``.
            has_picture: whether there was one.

        Returns:
            Whether to open the source again, because this decoder was made for the device.
        """
        if not self._is_wanted or (has_picture and self._device.decoded(stream)):
            return False
        takes = self._device.takes(stream)
        self._give_up(_refused(stream) if takes else f"the decoder {stream.codec_context.name} does not use it")
        return takes

    def _give_up(self, reason: str) -> None:
        self._is_wanted = False
        _log.info("%s: decoding in software, not by NVDEC: %s", self._name, reason)


def _refused(stream: VideoStream) -> str:
    context = stream.codec_context
    profile = f" ({context.profile})" if context.profile else ""
    return f"it does not decode this {context.codec.canonical_name}{profile}"
