"""The video codecs on offer: which encoder makes them, which containers hold them, how pixels are laid out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

CodecName = Literal["h264", "h265", "av1", "ffv1", "prores"]


@dataclass(frozen=True, slots=True)
class Codec:
    """One codec and the encoder that makes it."""

    title: str
    """For messages."""
    encoder: str
    """FFmpeg's name of the encoder."""
    suffixes: tuple[str, ...]
    """Of the containers that hold it and were tested, the usual one first."""
    pixel_formats: Mapping[int, str]
    """FFmpeg's pixel format by bit depth."""
    odd_pixel_formats: Mapping[int, str] | None = None
    """In place of ``pixel_formats`` when width or height is odd; None when any size will do."""
    default_bit_depth: int | None = None
    """None keeps the source's."""
    limited_range_only: bool = False
    """True when the bitstream has no way to say full range: such pictures are brought to limited range."""
    intra_only: bool = False
    """True when every frame stands for itself."""
    default_crf: int | None = None
    """Constant rate factor; None when the codec has no such setting."""
    max_crf: int = 0
    preset_option: str = "preset"
    """The encoder's option that takes the preset."""
    presets: tuple[str, ...] = ()
    """Allowed presets; empty when there is none to choose."""
    default_preset: str = ""
    tuning: Mapping[str, str] = field(default_factory=dict)
    """Encoder options beside the default preset: of one that is asked for by name, nothing is changed."""
    options: Mapping[str, str] = field(default_factory=dict)
    """Encoder options that are always set."""
    low_delay_options: Mapping[str, str] = field(default_factory=lambda: {"tune": "zerolatency"})
    """Encoder options that make it hold no frame back; of H.264 and H.265."""
    tag: Mapping[str, str] = field(default_factory=dict)
    """FourCC by muxer where the muxer's own choice plays in fewer places."""

    def pixel_format(self, width: int, height: int, bit_depth: int) -> str:
        """FFmpeg's pixel format for pictures of this size and bit depth (8 or 10)."""
        odd = width % 2 or height % 2
        formats = self.odd_pixel_formats if odd and self.odd_pixel_formats else self.pixel_formats
        return formats[bit_depth]

    def encoder_options(self, crf: int | None, preset: str | int | None) -> dict[str, str]:
        """FFmpeg options for this encoder; None takes the codec's default, for the preset with its tuning."""
        options = {**self.options, **(self.tuning if preset is None else {})}
        if self.default_crf is not None:
            options["crf"] = str(self.default_crf if crf is None else crf)
        if self.presets:
            options[self.preset_option] = self.default_preset if preset is None else str(preset)
        return options


_YUV420 = {8: "yuv420p", 10: "yuv420p10le"}
# A 4:2:0 bitstream of H.264 or H.265 can only crop by whole chroma samples, so its size is even; 4:4:4 holds any size.
_YUV444 = {8: "yuv444p", 10: "yuv444p10le"}
_X26X_PRESETS = (
    *("ultrafast", "superfast", "veryfast", "faster", "fast"),
    *("medium", "slow", "slower", "veryslow", "placebo"),
)

CODECS: Mapping[CodecName, Codec] = {
    "h264": Codec(
        title="H.264",
        encoder="libx264",
        suffixes=(".mp4", ".m4v", ".mov", ".mkv"),
        pixel_formats=_YUV420,
        odd_pixel_formats=_YUV444,
        default_bit_depth=8,
        default_crf=18,
        max_crf=51,
        presets=_X26X_PRESETS,
        # At this CRF x264's medium takes over three times the time, for a PSNR 1 to 1.7 dB higher and files two fifths
        # larger.
        default_preset="veryfast",
        # At equal PSNR the files are as large as veryfast's own, within 3 %, for a third less time. It holds less than
        # half the memory: each frame looked ahead at, each frame referred to and each thread by frames takes its part.
        tuning={
            "thread_type": "slice",
            "rc-lookahead": "5",
            "bf": "2",
            "b-pyramid": "none",
            "partitions": "none",
            "me_method": "dia",
        },
    ),
    "h265": Codec(
        title="H.265",
        encoder="libx265",
        suffixes=(".mp4", ".m4v", ".mov", ".mkv"),
        pixel_formats=_YUV420,
        odd_pixel_formats=_YUV444,
        default_crf=20,
        max_crf=51,
        presets=_X26X_PRESETS,
        default_preset="fast",
        options={"x265-params": "log-level=none:open-gop=0"},
        # Apple's players refuse the muxer's own hev1.
        tag={"mp4": "hvc1", "mov": "hvc1"},
    ),
    "av1": Codec(
        title="AV1",
        encoder="libsvtav1",
        suffixes=(".mp4", ".m4v", ".mkv", ".webm"),
        pixel_formats=_YUV420,
        default_crf=25,
        max_crf=63,
        presets=tuple(str(preset) for preset in range(13)),
        default_preset="8",
    ),
    "ffv1": Codec(
        title="FFV1",
        encoder="ffv1",
        suffixes=(".mkv",),
        pixel_formats=_YUV420,
        intra_only=True,
        options={"level": "3", "slicecrc": "1"},
    ),
    "prores": Codec(
        title="ProRes",
        encoder="prores_ks",
        suffixes=(".mov", ".mkv"),
        pixel_formats={10: "yuv422p10le"},
        default_bit_depth=10,
        limited_range_only=True,
        intra_only=True,
        preset_option="profile",
        presets=("proxy", "lt", "standard", "hq"),
        default_preset="hq",
    ),
}
