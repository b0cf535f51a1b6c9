"""Encoding on an NVIDIA GPU (NVENC) in place of x264, x265 and SVT-AV1, where that works."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

import av
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from stages.encoding.codecs import CODECS, Codec, CodecName
from stages.encoding.videofile import KEYFRAME_INTERVAL_S
from stages.hardware import Hardware, refusal

_log = logging.getLogger(__name__)

_PIXEL_FORMATS = {8: "yuv420p", 10: "p010le"}
_LOW_DELAY = {"tune": "ll", "zerolatency": "1", "delay": "0", "bf": "0"}


def _nvenc(name: CodecName, encoder: str, depths: tuple[int, ...], options: Mapping[str, str]) -> Codec:
    """A codec on offer, made by another encoder."""
    return replace(
        CODECS[name],
        encoder=encoder,
        pixel_formats={depth: _PIXEL_FORMATS[depth] for depth in depths},
        # Without b=0, FFmpeg's default of 2 Mbit/s would be aimed at in place of a quality.
        options={"rc": "vbr", "b": "0", **options},
        low_delay_options=_LOW_DELAY,
    )


# Only the newest GPUs encode H.264 with 10 bit. HEVC finds its profile by the pixel format.
NVENC: Mapping[CodecName, Codec] = {
    "h264": _nvenc("h264", "h264_nvenc", (8,), {"profile": "high"}),
    "h265": _nvenc("h265", "hevc_nvenc", (8, 10), {}),
    "av1": _nvenc("av1", "av1_nvenc", (8, 10), {}),
}
"""By the name of the codec; the scales of quality are those of the encoders they replace."""

_DEFAULT_PRESET = "p5"
_PRESETS: Mapping[CodecName, str] = {"h264": "1123456777", "h265": "1123456777", "av1": "7776655443321"}
"""For each preset of the software encoder, in the order of ``Codec.presets``, which of p1 to p7."""


def nvenc_options(name: CodecName, crf: int | None, preset: str | int | None) -> dict[str, str]:
    """FFmpeg options that correspond to a quality and preset of the software encoder.

    Args:
        name: of the codec.
        crf: constant rate factor from 1; None takes the codec's default. NVENC's ``cq`` has the same scale.
        preset: the software encoder's; None takes p5, of p1 (fastest) to p7, which costs no processor time.
    """
    codec = NVENC[name]
    same = _DEFAULT_PRESET if preset is None else f"p{_PRESETS[name][codec.presets.index(str(preset))]}"
    return {**codec.options, "cq": str(codec.default_crf if crf is None else crf), "preset": same}


@dataclass(frozen=True, slots=True)
class Picture:
    """What is to be encoded."""

    width: int
    height: int
    bit_depth: int
    frame_rate: Fraction


Trial = Callable[[Codec, Mapping[str, str], Picture], str | None]
"""Why an encoder does not encode such pictures; None where it has just encoded one."""


def try_encoder(codec: Codec, options: Mapping[str, str], picture: Picture) -> str | None:
    """A trial with one picture, which meets the driver, the GPU and its limits."""

    def encode_one() -> None:
        context = av.CodecContext.create(codec.encoder, "w")
        assert isinstance(context, VideoCodecContext)
        context.width, context.height = picture.width, picture.height
        context.pix_fmt = codec.pixel_format(picture.width, picture.height, picture.bit_depth)
        context.framerate = picture.frame_rate
        context.time_base = 1 / picture.frame_rate
        context.gop_size = max(1, round(KEYFRAME_INTERVAL_S * picture.frame_rate))
        context.options = dict(options)
        context.encode(VideoFrame(picture.width, picture.height, context.pix_fmt))
        context.encode(None)

    return refusal(encode_one)


class HardwareEncoding:
    """NVENC for one output, as long as it encodes what comes; says in one line why it does not."""

    def __init__(
        self,
        name: CodecName,
        crf: int | None,
        preset: str | int | None,
        hardware: Hardware,
        trial: Trial | None = None,
    ) -> None:
        """Make ready to try.

        Args:
            name: of the codec.
            crf: as ``nvenc_options``, also 0.
            preset: as ``nvenc_options``.
            hardware: whether NVENC is to be tried.
            trial: how; None for ``try_encoder``.
        """
        self._name: CodecName = name
        self._crf = crf
        self._preset = preset
        self._is_wanted = hardware == "auto"
        self._trial = trial or try_encoder
        self._tried: set[Picture] = set()

    def encoder_for(self, picture: Picture, label: str) -> tuple[Codec, dict[str, str]] | None:
        """The codec and its encoder's options; None to encode in software.

        Args:
            picture: of the kind that is to be encoded.
            label: what they become, for the message.
        """
        if not self._is_wanted:
            return None
        obstacle = None if picture in self._tried else self._obstacle(picture)
        if obstacle is not None:
            self._is_wanted = False
            _log.info("%s: encoding in software (%s), not by NVENC: %s", label, CODECS[self._name].encoder, obstacle)
            return None
        self._tried.add(picture)
        return NVENC[self._name], nvenc_options(self._name, self._crf, self._preset)

    def _obstacle(self, picture: Picture) -> str | None:
        """Why NVENC cannot encode them."""
        codec = NVENC.get(self._name)
        if codec is None:
            return f"it has no {CODECS[self._name].title}"
        if picture.bit_depth not in codec.pixel_formats:
            return f"{codec.encoder} has no {picture.bit_depth} bit"
        if picture.width % 2 or picture.height % 2:
            return f"{codec.encoder} takes even sizes alone, not {picture.width}x{picture.height}"
        if self._crf == 0:
            return f"{codec.encoder} has nothing like crf 0"
        return self._trial(codec, nvenc_options(self._name, self._crf, self._preset), picture)
