"""What the CUDA queue asks of torch, on stand-ins for torch's own classes: its calls, not what a GPU makes of them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from stages.device.planes import DevicePlanes, Layout
from stages.device.streams import CudaQueue
from stages.frame import BT709
from stages.fusion.cuda.fuser import CudaFuser
from stages.fusion.cuda.gate import synthetic_pair
from stages.fusion.cuda.replay import WARM_UP_FRAMES
from stages.fusion.lcndr import LCNDR, Widths
from tests.fusion import fake_cuda
from tests.fusion.fake_cuda import calls, current


class Queue(CudaQueue):
    """Pinned memory is the one thing that no build of torch gives without a GPU."""

    def host_buffer(self, count: int, dtype: torch.dtype) -> Tensor:
        return torch.zeros(count, dtype=dtype)


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> Queue:
    fake_cuda.install(monkeypatch)
    return Queue(torch.device("cpu"))


def fuser(queue: Queue) -> CudaFuser:
    network = LCNDR(Widths(shallow=8, middle=8, deep=8, attention=8, revision=8))
    return CudaFuser(network, "stream", queue, frames_in_flight=2, precision="single")


def test_frames_wait_for_events_and_nothing_waits_for_everything(queue: Queue) -> None:
    pair = synthetic_pair(24, 16, bit_depth=8)
    frames = fuser(queue)
    for _ in range(WARM_UP_FRAMES):
        frames.push(*pair, BT709)
    calls.clear()
    frames.push(*pair, BT709)
    assert calls == [
        "compute waits for upload",
        "caller waits for all of compute",
        "empty cache",
        "capture begins",
        "capture ends",
        "replay",
        "download waits for compute",
        "caller waits for download",
    ]
    calls.clear()
    frames.push(*pair, BT709)
    assert calls == [
        "compute waits for upload",
        "replay",
        "download waits for compute",
        "caller waits for download",
    ]
    assert current == []


def test_a_capture_that_breaks_off_is_ended_and_says_why(queue: Queue) -> None:
    def work() -> None:
        assert fake_cuda.Graph.capturing
        raise RuntimeError("operation not permitted when stream is capturing")

    with pytest.raises(RuntimeError, match="not permitted"):
        queue.capture(work)
    assert not fake_cuda.Graph.capturing
    assert current == []
    assert not torch.is_inference_mode_enabled()


def test_giving_up_waits_for_the_three_streams(queue: Queue) -> None:
    frames = fuser(queue)
    frames.push(*synthetic_pair(24, 16, bit_depth=8), BT709)
    calls.clear()
    frames.close()
    assert calls == [f"caller waits for all of {lane}" for lane in ("upload", "compute", "download")]


def test_pictures_on_the_device_are_waited_for_there_and_not_uploaded(queue: Queue) -> None:
    frames, producer = fuser(queue), Queue(torch.device("cpu"))
    layout = Layout(16, 24, 8)
    ready = producer.mark()
    ready.put("compute")
    pair = [DevicePlanes(layout, torch.full((layout.codes,), code, dtype=torch.uint8), ready) for code in (60, 120)]
    frames.push(pair[0], pair[1], BT709)
    calls.clear()
    frames.push(pair[0], pair[1], BT709)
    assert calls[:3] == ["compute waits for compute", "compute waits for compute", "download waits for compute"]
