"""Which frames a model is shown."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from dollygrip.runners.video import VideoError
from dollygrip.runners.vlm.errors import VlmError
from dollygrip.runners.vlm.frames import MOST_FRAMES, Sampling, pictures, sample


def numbered(count: int, size: tuple[int, int] = (64, 48)) -> list[np.ndarray]:
    """Pictures that say their number by their grey level."""
    return [np.full(size[::-1], 40 + 4 * number, np.uint8) for number in range(count)]


def shown(path: Path, sampling: Sampling) -> list[int]:
    """The numbers of the pictures that are sent, read off the pictures."""
    images = pictures(path, sample(path, sampling), sampling)
    decoded = (cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) for data in images)
    return [round((float(image.mean()) - 40) / 4) for image in decoded]


def test_evenly_with_both_ends(make_clip):
    clip = make_clip("even.mp4", numbered(29))
    chosen = sample(clip, Sampling(8))
    assert shown(clip, Sampling(8)) == list(range(0, 29, 4))
    assert chosen.times == pytest.approx(np.arange(0, 29, 4) / 25, abs=1e-6)
    assert chosen.size == (64, 48)


def test_evenly_by_time_and_not_by_number(make_clip):
    # Ten frames in the first tenth of a second, ten in the nine tenths after it.
    stamps = [*range(0, 100, 10), *range(100, 1100, 100)]
    clip = make_clip("vfr.mp4", numbered(20), stamps=stamps)
    assert shown(clip, Sampling(3)) == [0, 14, 19]


def test_a_rate_gives_longer_clips_more(make_clip):
    clip = make_clip("two.mp4", numbered(49))
    assert shown(clip, Sampling(rate=25 / 12)) == [0, 12, 24, 36, 48]
    assert len(sample(clip, Sampling(rate=1000)).times) == 49  # never one twice


def test_a_rate_is_bounded(make_clip):
    clip = make_clip("many.mp4", numbered(50) * 4)
    assert len(sample(clip, Sampling(rate=1000)).times) == MOST_FRAMES


def test_few_frames_are_all_shown_once(make_clip):
    clip = make_clip("short.mp4", numbered(3))
    assert shown(clip, Sampling(8)) == [0, 1, 2]


def test_shrunk_but_never_enlarged(make_clip):
    clip = make_clip("size.mp4", numbered(3, (160, 120)))
    assert sample(clip, Sampling(2, long_side=80)).size == (80, 60)
    assert sample(clip, Sampling(2, long_side=512)).size == (160, 120)


def test_the_digest_is_of_what_is_shown(make_clip):
    one, other = make_clip("1.mp4", numbered(9)), make_clip("2.mp4", numbered(9)[::-1])
    digests = {
        sample(clip, how).digest
        for clip in (one, other)
        for how in (Sampling(2), Sampling(3), Sampling(3, long_side=64))
    }
    assert len(digests) == 4  # 64 pixels is what the clip has
    assert sample(one, Sampling(3)) == sample(one, Sampling(3))


def test_colours_are_kept(make_clip):
    clip = make_clip("red.mp4", [np.full((48, 64, 3), (220, 30, 30), np.uint8)] * 3)
    data, *_ = pictures(clip, sample(clip, Sampling(2)), Sampling(2))
    shown = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert shown.mean(axis=(0, 1)) == pytest.approx((30, 30, 220), abs=12)  # blue first


def test_a_clip_that_has_changed_is_not_shown(make_clip):
    clip = make_clip("a.mp4", numbered(9))
    chosen = sample(clip, Sampling(3))
    make_clip("a.mp4", numbered(9)[::-1])
    with pytest.raises(VideoError, match="changed"):
        pictures(clip, chosen, Sampling(3))


def test_clips_that_cannot_be_shown(make_clip, tmp_path: Path):
    (tmp_path / "text.mp4").write_text("text")
    for path in (tmp_path / "text.mp4", tmp_path / "none.mp4", make_clip("1.mp4", numbered(1))):
        with pytest.raises(VideoError, match=path.name):
            sample(path, Sampling())


@pytest.mark.parametrize("wrong", [{"frames": 1}, {"frames": 1000}, {"long_side": 5000}])
def test_bounds(wrong: dict[str, int]):
    with pytest.raises(VlmError):
        Sampling(**wrong)
