"""Ways to a fused clip: what a careful user scripts with OpenCV, and lumabraid.

Each takes the clip and gives the luma of every fused frame, (height, width) float32, 0 = black, 255 = white.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from benchmarks.motion.film import Clip
from stages.alignment.flow import FlowAlignment, FlowConfig
from stages.color import bgr_from_planes
from stages.device.choice import choose_device
from stages.frame import BT709, AlignedPair, ExposurePair, Planes
from stages.fusion.fuser import Fuser
from stages.fusion.models import load_model
from stages.pairing.brightness import BrightnessConfig, BrightnessPairing

FloatArray = npt.NDArray[np.float32]
Bgr = npt.NDArray[np.uint8]
Align = Callable[[Bgr, Bgr, bool], Bgr]
"""Brings the neighbour, the second, onto the reference's grid; True says that the reference is under."""

_BT709_BGR = np.array([0.0722, 0.7152, 0.2126], np.float32)


@dataclass(frozen=True, slots=True)
class Method:
    """A way from frames to fused frames, and the same fusion without its difficulties."""

    fuse: Callable[[Clip], list[FloatArray]]
    bound: str
    """Name of the upper bound it is compared with."""


def bounds(pairs: list[tuple[Planes, Planes]]) -> dict[str, list[FloatArray]]:
    """Each fusion applied to simultaneous noise-free pairs of under and over."""
    network = _fuser()
    return {
        "mertens": [_mertens(bgr_picture(under), bgr_picture(over)) for under, over in pairs],
        "lcndr": [_lcndr(network, under, over) for under, over in pairs],
    }


def bgr_picture(planes: Planes) -> Bgr:
    """As OpenCV likes it."""
    return np.rint(bgr_from_planes(planes, BT709) * 255).astype(np.uint8)


def _mertens(first: Bgr, second: Bgr) -> FloatArray:
    merged = cv2.createMergeMertens().process([first, second])
    return np.asarray(np.clip(merged, 0, 1) @ _BT709_BGR * 255, np.float32)


def _fuser() -> Fuser:
    return Fuser(load_model("lcndr"), "stream", choose_device("cpu"))


def _lcndr(network: Fuser, under: Planes, over: Planes) -> FloatArray:
    luma = network.fuse(under, over, BT709).luma.astype(np.float32)
    return np.asarray((luma - 16) * np.float32(255 / 219), np.float32)


def _scripted(align: Align) -> Method:
    def fuse(clip: Clip) -> list[FloatArray]:
        fused = []
        for index in range(len(clip.frames)):
            pair = clip.pair(index)
            reference, neighbour = (bgr_picture(frame.planes) for frame in (pair.reference, pair.neighbour))
            fused.append(_mertens(reference, align(reference, neighbour, pair.reference_is_under)))
        return fused

    return Method(fuse, bound="mertens")


def _unaligned(reference: Bgr, neighbour: Bgr, reference_is_under: bool) -> Bgr:
    return neighbour


def _median_thresholds(reference: Bgr, neighbour: Bgr, reference_is_under: bool) -> Bgr:
    align = cv2.createAlignMTB()
    shift = align.calculateShift(*(cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY) for bgr in (reference, neighbour)))
    return np.asarray(align.shiftMat(neighbour, [int(pixels) for pixels in shift]), np.uint8)


def _correlation(reference: Bgr, neighbour: Bgr, reference_is_under: bool) -> Bgr:
    template, picture = _one_brightness(reference, neighbour, reference_is_under)
    warp = np.eye(2, 3, dtype=np.float32)
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 50, 1e-4)
    try:
        _, found = cv2.findTransformECC(template, picture, warp, cv2.MOTION_AFFINE, criteria)
    except cv2.error:  # it did not converge
        return neighbour
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    size = (neighbour.shape[1], neighbour.shape[0])
    return np.asarray(cv2.warpAffine(neighbour, found, size, flags=flags, borderMode=cv2.BORDER_REPLICATE), np.uint8)


def _dense_flow(reference: Bgr, neighbour: Bgr, reference_is_under: bool) -> Bgr:
    here, there = _one_brightness(reference, neighbour, reference_is_under)
    method = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    flow: Any = method.calc(here, there, np.zeros((*here.shape, 2), np.float32))
    rows, columns = np.indices(here.shape, np.float32)
    x, y = flow[..., 0] + columns, flow[..., 1] + rows
    return np.asarray(cv2.remap(neighbour, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8)


def _one_brightness(reference: Bgr, neighbour: Bgr, reference_is_under: bool) -> tuple[Bgr, Bgr]:
    """Both in grey, the under picture's histogram matched to the over picture's."""
    here, there = (np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY), np.uint8) for bgr in (reference, neighbour))
    if reference_is_under:
        return _matched(here, there), there
    return here, _matched(there, here)


def _matched(source: Bgr, target: Bgr) -> Bgr:
    ranks = [np.cumsum(np.bincount(grey.ravel(), minlength=256)) / grey.size for grey in (source, target)]
    curve = np.interp(ranks[0], ranks[1], np.arange(256)).astype(np.uint8)
    return np.asarray(cv2.LUT(source, curve), np.uint8)


def aligned_pairs(clip: Clip, config: FlowConfig) -> list[AlignedPair]:
    """What lumabraid's pairing and alignment make of a clip, in the order of its frames.

    Raises:
        PairingError: the exposures were not seen to alternate.
    """
    pairing, alignment = BrightnessPairing(BrightnessConfig()), FlowAlignment(config)
    pairs = [item for frame in clip.frames for item in pairing.process(frame)] + list(pairing.flush())
    aligned = [item for pair in pairs if isinstance(pair, ExposurePair) for item in alignment.process(pair)]
    return [item for item in (*aligned, *alignment.flush()) if isinstance(item, AlignedPair)]


def _lumabraid(config: FlowConfig) -> Method:
    def fuse(clip: Clip) -> list[FloatArray]:
        network = _fuser()
        return [_lcndr(network, pair.under, pair.over) for pair in aligned_pairs(clip, config)]

    return Method(fuse, bound="lcndr")


def _unaligned_lcndr(clip: Clip) -> list[FloatArray]:
    network = _fuser()
    pairs: list[ExposurePair] = [clip.pair(index) for index in range(len(clip.frames))]
    planes = [(pair.reference.planes, pair.neighbour.planes, pair.reference_is_under) for pair in pairs]
    return [_lcndr(network, *((here, there) if under else (there, here))) for here, there, under in planes]


METHODS = {
    "none + MergeMertens": _scripted(_unaligned),
    "AlignMTB + MergeMertens": _scripted(_median_thresholds),
    "ECC + MergeMertens": _scripted(_correlation),
    "DIS + MergeMertens": _scripted(_dense_flow),
    "none + LCNDR": Method(_unaligned_lcndr, bound="lcndr"),
    "lumabraid, causal": _lumabraid(FlowConfig(mode="causal", device="cpu")),
    "lumabraid, lookahead": _lumabraid(FlowConfig(mode="lookahead", device="cpu")),
}
