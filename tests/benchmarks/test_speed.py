"""What labelling costs is measured on real processes."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import speed
from benchmarks.__main__ import main
from dollygrip.runners.rendering import write_video


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    texture = np.random.default_rng(0).integers(0, 255, (96, 160, 3), dtype=np.uint8)
    frames = [np.roll(texture, -2 * i, axis=1) for i in range(12)]
    path = tmp_path / "clip.mp4"
    write_video(path, iter(frames), np.arange(12) / 10)
    return path


@pytest.mark.slow
def test_a_clip_is_decoded_and_labelled(clip: Path, tmp_path: Path) -> None:
    assert main(["speed", str(clip), "--repeats", "1", "--out", str(tmp_path)]) == 0
    (cost,) = json.loads((tmp_path / "speed.json").read_text())["costs"]
    assert cost["size"] == "160x96"
    assert cost["video_seconds"] == pytest.approx(1.1, abs=0.15)
    assert cost["ratio"] == pytest.approx(cost["label_seconds"] / cost["decode_seconds"])
    assert cost["label_seconds"] > cost["decode_seconds"] > 0


@pytest.mark.slow
def test_further_clips_are_counted_without_the_first(clip: Path) -> None:
    further = speed.measure_steady(clip, 1)
    assert further.video_seconds == pytest.approx(5 * 1.1, abs=0.75)
    assert further.ratio == pytest.approx(further.label_seconds / further.decode_seconds)


@pytest.mark.slow
def test_lengths_are_those_asked_for(clip: Path) -> None:
    costs = speed.measure_lengths(clip, 1, (1, 3))
    assert [cost.video_seconds for cost in costs] == pytest.approx([1, 3, 3], abs=0.25)
    assert [cost.size for cost in costs] == ["160x96", "160x96", "3840x2304"]


def test_stages_make_up_the_whole(clip: Path, tmp_path: Path) -> None:
    shares = speed.measure_stages(clip)
    assert sum(share.share for share in shares) == pytest.approx(1)
    assert all(share.cpu_seconds >= 0 for share in shares)
    assert "track" in speed.render_stages(shares)


def test_a_folder_without_clips_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["speed", str(tmp_path)]) == 1
    assert "no clips" in capsys.readouterr().err
