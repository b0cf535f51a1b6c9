from fractions import Fraction

import numpy as np
import pytest

from stages.frame import BT709, AlignedPair, ExposurePair, Frame, FusedFrame, Planes, StreamInfo
from stages.fusion.stage import LcndrConfig, LcndrFusion, PassthroughConfig, PassthroughFusion
from stages.stage import Stage

INFO = StreamInfo(width=64, height=48, bit_depth=8, time_base=Fraction(1, 1000))


def aligned(*, reference_is_under: bool) -> AlignedPair:
    rng = np.random.default_rng(0)
    under = Planes(rng.integers(16, 90, (48, 64), np.uint8), np.full((2, 24, 32), 128, np.uint8))
    over = Planes(rng.integers(90, 235, (48, 64), np.uint8), np.full((2, 24, 32), 128, np.uint8))
    reference, neighbour = (under, over) if reference_is_under else (over, under)
    pair = ExposurePair(
        reference=Frame(7, reference, pts=280, time_base=Fraction(1, 1000), duration=40, captured_ns=5, color=BT709),
        neighbour=Frame(6, neighbour, pts=240, time_base=Fraction(1, 1000), color=BT709),
        reference_is_under=reference_is_under,
        ratio_stops=3.0,
    )
    return AlignedPair(pair, under, over, np.ones((24, 32), np.float32))


@pytest.mark.parametrize("stage", [LcndrFusion(LcndrConfig(device="cpu")), PassthroughFusion(PassthroughConfig())])
@pytest.mark.parametrize(("reference_is_under", "sources"), [(True, (7, 6)), (False, (6, 7))])
def test_a_fused_frame_has_the_references_time_and_tags(
    stage: Stage[AlignedPair, FusedFrame], reference_is_under: bool, sources: tuple[int, int]
) -> None:
    assert stage.open(INFO) == INFO
    (fused,) = stage.process(aligned(reference_is_under=reference_is_under))
    stage.close()
    assert isinstance(fused, FusedFrame)
    assert (fused.index, fused.pts, fused.duration, fused.time_base) == (7, 280, 40, Fraction(1, 1000))
    assert fused.color == BT709
    assert fused.sources == sources
    assert fused.captured_ns == 5
    assert fused.fused_ns > 0


def test_passthrough_gives_the_reference_bit_for_bit() -> None:
    pair = aligned(reference_is_under=True)
    (fused,) = PassthroughFusion(PassthroughConfig()).process(pair)
    assert isinstance(fused, FusedFrame)
    assert fused.planes is pair.pair.reference.planes
