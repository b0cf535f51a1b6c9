import numpy as np
import pytest
import torch

from stages.device.choice import choose_device
from stages.errors import DeviceError
from stages.frame import BT709, ColorRange, ColorTags, Planes
from stages.fusion.fuser import Fuser
from stages.fusion.models import load_model
from tests.fusion.pictures import codes, pair


@pytest.fixture(scope="module")
def fuser() -> Fuser:
    return Fuser(load_model("lcndr"), "stream", torch.device("cpu"))


def planes(luma: torch.Tensor, *, bit_depth: int = 8, cb: int = 128, cr: int = 128) -> Planes:
    values = codes(luma, bit_depth=bit_depth)
    unit = 1 << (bit_depth - 8)
    half = (-(-values.shape[0] // 2), -(-values.shape[1] // 2))
    chroma = np.stack([np.full(half, cb * unit), np.full(half, cr * unit)]).astype(values.dtype)
    return Planes(values, chroma, bit_depth)


@pytest.mark.parametrize("bit_depth", [8, 10])
@pytest.mark.parametrize("size", [(64, 96), (67, 95)])
def test_size_and_depth_are_kept(fuser: Fuser, bit_depth: int, size: tuple[int, int]) -> None:
    under, over = pair(*size)
    fused = fuser.fuse(planes(under, bit_depth=bit_depth), planes(over, bit_depth=bit_depth), BT709)
    assert fused.luma.shape == size
    assert fused.bit_depth == bit_depth


def test_ten_bit_gives_the_same_picture_as_eight(fuser: Fuser) -> None:
    under, over = pair()
    eight = fuser.fuse(planes(under), planes(over), BT709).luma.astype(float)
    ten = fuser.fuse(planes(under, bit_depth=10), planes(over, bit_depth=10), BT709).luma / 4
    assert np.abs(eight - ten).mean() < 1


def test_full_range_gives_the_same_picture_as_limited(fuser: Fuser) -> None:
    under, over = pair()
    full_tags = ColorTags(matrix=1, range=ColorRange.FULL)

    def full(luma: torch.Tensor) -> Planes:
        values = (luma[0, 0] * 255).round().to(torch.uint8).numpy()
        return Planes(values, planes(luma).chroma)

    limited = (fuser.fuse(planes(under), planes(over), BT709).luma.astype(float) - 16) / 219 * 255
    assert np.abs(limited - fuser.fuse(full(under), full(over), full_tags).luma).mean() < 1


def test_grey_stays_grey(fuser: Fuser) -> None:
    under, over = pair()
    assert (fuser.fuse(planes(under), planes(over), BT709).chroma == 128).all()


def test_a_clipped_lamp_keeps_the_under_pictures_colour(fuser: Fuser) -> None:
    lamp, white = torch.full((1, 1, 64, 64), 0.45), torch.full((1, 1, 64, 64), 0.97)
    orange, bleached = planes(lamp, cb=100, cr=160), planes(white, cb=120, cr=132)
    fused = fuser.fuse(orange, bleached, BT709)
    cb, cr = fused.chroma.reshape(2, -1).mean(axis=1) - 128
    assert cr > 20
    assert cr / -cb == pytest.approx(32 / 28, rel=0.1)


def test_colour_noise_of_the_dark_is_not_lifted(fuser: Fuser) -> None:
    dark, lit = torch.full((1, 1, 64, 64), 0.01), torch.full((1, 1, 64, 64), 0.4)
    fused = fuser.fuse(planes(dark, cb=134, cr=121), planes(lit, cb=128, cr=128), BT709)
    assert np.abs(fused.chroma.astype(int) - 128).max() <= 1


def test_asking_for_cuda_without_a_gpu_says_so() -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a CUDA device")
    assert choose_device("auto").type == "cpu"
    with pytest.raises(DeviceError, match="--device cpu"):
        choose_device("cuda")
