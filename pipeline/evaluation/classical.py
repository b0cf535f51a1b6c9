"""What a user could run instead: the plain average, OpenCV's exposure fusion and HDR, and enfuse."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.evaluation.methods import Method
from pipeline.evaluation.pair import EvaluationPair
from pipeline.evaluation.picture import Picture, quiet_opencv, read_bgr, rounded
from stages.errors import SourceError

_ENFUSE_TIMEOUT_S: Final = 600


class PlainAverage(Method):
    """The mean of both pictures' code values."""

    name = "plain average"

    def fuse(self, pair: EvaluationPair) -> Picture:
        """Half of each."""
        return np.asarray(cv2.addWeighted(pair.under, 0.5, pair.over, 0.5, 0), np.uint8)


class MergeMertens(Method):
    """OpenCV's exposure fusion with its own settings (Mertens, Kautz, Van Reeth, 2007)."""

    name = "MergeMertens"

    def fuse(self, pair: EvaluationPair) -> Picture:
        """Rounded and clipped."""
        return rounded(cv2.createMergeMertens().process([pair.under, pair.over]))


class DebevecDrago(Method):
    """OpenCV's way to HDR and back: MergeDebevec (Debevec, Malik, 1997), then TonemapDrago (Drago et al., 2003).

    The response is sRGB's: CalibrateDebevec cannot find it from two extreme exposures, and gives false colours. Drago's
    tone mapping came out best of OpenCV's, by eye.
    """

    name = "Debevec+Drago"

    def fuse(self, pair: EvaluationPair) -> Picture:
        """The ratio of exposures is the pair's; of photographs an estimate."""
        times_s = np.array([1.0, 2.0**pair.ratio_stops], np.float32)
        with quiet_opencv():
            radiance = cv2.createMergeDebevec().process([pair.under, pair.over], times_s, _srgb_response())
            return rounded(cv2.createTonemapDrago(gamma=2.2).process(radiance))


def _srgb_response() -> npt.NDArray[np.float32]:
    """(256, 1, 3): light of every code value; black gets a little, since MergeDebevec takes logarithms."""
    codes = np.arange(256) / 255
    light = np.where(codes <= 0.04045, codes / 12.92, ((codes + 0.055) / 1.055) ** 2.4)
    return np.repeat(np.maximum(light, 1e-4).astype(np.float32)[:, None, None], 3, axis=2)


class Enfuse(Method):
    """Enblend's enfuse with its own settings."""

    name = "enfuse"

    def __init__(self, program: str) -> None:
        self._program = program

    @staticmethod
    def on_path() -> Enfuse | None:
        """It, where it is installed."""
        program = shutil.which("enfuse")
        return None if program is None else Enfuse(program)

    def fuse(self, pair: EvaluationPair) -> Picture:
        """Through PNG files in a temporary folder."""
        with tempfile.TemporaryDirectory() as folder:
            under, over, fused = (Path(folder) / f"{name}.png" for name in ("under", "over", "fused"))
            for path, picture in ((under, pair.under), (over, pair.over)):
                cv2.imencode(".png", picture)[1].tofile(path)
            command = [self._program, "-o", str(fused), str(under), str(over)]
            try:
                subprocess.run(command, check=True, capture_output=True, timeout=_ENFUSE_TIMEOUT_S)
            except subprocess.CalledProcessError as error:
                said = error.stderr.decode(errors="replace").strip().splitlines()
                raise SourceError(f"enfuse failed: {said[-1] if said else error.returncode}") from None
            except subprocess.TimeoutExpired:
                raise SourceError(f"enfuse took more than {_ENFUSE_TIMEOUT_S} s") from None
            return read_bgr(fused)
