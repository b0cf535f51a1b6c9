"""A clip from a radiance map, and the folder of truth beside it."""

from __future__ import annotations

import dataclasses
import json

import av
import cv2
import numpy as np
import pytest

from pipeline.simulate import simulate
from stages.capture.simulated import SimulatedConfig
from stages.encoding.video import VideoConfig, VideoEncoder
from stages.errors import ConfigError, SourceError


@pytest.fixture
def config(tmp_path):
    rng = np.random.default_rng(2)
    radiance = np.exp(cv2.GaussianBlur(rng.normal(0, 12, (128, 256, 3)).astype(np.float32), (0, 0), 4))
    path = tmp_path / "map.hdr"
    cv2.imwrite(str(path), radiance)
    return SimulatedConfig(map=str(path), width=96, height=64, seconds=0.4, seed=1)


def encoder(path, **settings) -> VideoEncoder:
    return VideoEncoder(VideoConfig(output=str(path), **settings))


def decoded(path) -> list[av.VideoFrame]:
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


def test_a_clip_holds_every_frame_of_both_exposures(config, tmp_path):
    progress: list[int] = []

    count = simulate(config, encoder(tmp_path / "clip.mp4"), on_frame=progress.append)

    frames = decoded(tmp_path / "clip.mp4")
    means = [frame.to_ndarray(format="gray").mean() for frame in frames]
    assert count == len(frames) == 10
    assert progress == list(range(1, 11))
    assert [float(frame.pts * frame.time_base) for frame in frames] == pytest.approx([i / 25 for i in range(10)])
    assert all(over > under + 20 for under, over in zip(means[::2], means[1::2], strict=True))


def test_the_truth_folder_names_both_noise_free_pictures_of_every_frame(config, tmp_path):
    truth = tmp_path / "deep" / "truth"

    simulate(config, encoder(tmp_path / "clip.mkv", codec="ffv1"), truth=truth)

    account = json.loads((truth / "truth.json").read_text(encoding="utf-8"))
    assert account["ratio_stops"] == config.stops
    assert account["settings"]["seed"] == 1
    assert [frame["exposure"] for frame in account["frames"]] == ["under", "over"] * 5
    for record, frame in zip(account["frames"], decoded(tmp_path / "clip.mkv"), strict=True):
        pictures = {name: cv2.imread(str(truth / f"{name}_{record['index']:05d}.png")) for name in ("under", "over")}
        luma = frame.to_ndarray()[:64].astype(np.float32)
        expected = pictures[record["exposure"]] @ np.array([0.0722, 0.7152, 0.2126])
        assert np.abs((luma - 16) * 255 / 219 - expected).mean() < 6
        assert pictures["over"].mean() > pictures["under"].mean() + 20


def test_ten_bit_clips_have_sixteen_bit_truth(config, tmp_path):
    truth = tmp_path / "truth"

    simulate(dataclasses.replace(config, bit_depth=10), encoder(tmp_path / "clip.mkv", codec="ffv1"), truth=truth)

    assert decoded(tmp_path / "clip.mkv")[0].format.name == "yuv420p10le"
    assert cv2.imread(str(truth / "over_00000.png"), cv2.IMREAD_UNCHANGED).dtype == np.uint16


def test_exposures_are_told_when_the_camera_did_not_obey(config, tmp_path):
    truth = tmp_path / "truth"

    simulate(dataclasses.replace(config, obeys=False), encoder(tmp_path / "clip.mkv"), truth=truth)

    account = json.loads((truth / "truth.json").read_text(encoding="utf-8"))
    assert {frame["exposure"] for frame in account["frames"]} == {None}


def test_a_missing_map_leaves_nothing_behind(config, tmp_path):
    missing = dataclasses.replace(config, map=str(tmp_path / "none.hdr"))

    with pytest.raises(SourceError, match=r"none\.hdr"):
        simulate(missing, encoder(tmp_path / "clip.mp4"), truth=tmp_path / "truth")

    assert [path.name for path in tmp_path.iterdir()] == ["map.hdr"]


def test_a_file_is_no_folder_for_the_truth(config, tmp_path):
    (tmp_path / "truth").touch()

    with pytest.raises(ConfigError, match="truth is a file"):
        simulate(config, encoder(tmp_path / "clip.mp4"), truth=tmp_path / "truth")

    assert not (tmp_path / "clip.mp4").exists()


def test_a_clip_without_an_end_is_refused(config, tmp_path):
    with pytest.raises(ConfigError, match="seconds"):
        simulate(dataclasses.replace(config, seconds=None), encoder(tmp_path / "clip.mp4"))


def test_a_clip_of_which_no_frame_arrived_is_refused(config, tmp_path):
    lossy = dataclasses.replace(config, seconds=0.04, dropped_frames=0.99)

    with pytest.raises(SourceError, match="none of 1 frames arrived"):
        simulate(lossy, encoder(tmp_path / "clip.mp4"))

    assert not (tmp_path / "clip.mp4").exists()
