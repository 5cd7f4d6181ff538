"""Frames of a shot become files that other programs read."""

from collections.abc import Iterator

import av
import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dollygrip.runners.pictures import CLIP_RATE, write_clip, write_pictures
from dollygrip.runners.video import Frame, FrameRequest, read_frames

RAMP = (np.arange(48 * 64).reshape(48, 64) % 251).astype(np.uint8)


def stream(count: int, color: bool = False, size: tuple[int, int] = (64, 48)) -> list[Frame]:
    """Frames whose grey level says their number, at uneven times."""
    width, height = size
    shape = (height, width, 3) if color else (height, width)
    return [
        Frame(3 * n, 0.1 * n + 0.01 * (n % 2), np.full(shape, 5 * n, np.uint8))
        for n in range(count)
    ]


def test_grey_pictures_are_written_without_loss(tmp_path):
    pictures = write_pictures([Frame(0, 0.5, RAMP)], tmp_path)
    assert pictures.names == ("000000.png",)
    assert pictures.size == (64, 48)
    np.testing.assert_array_equal(pictures.times, [0.5])
    read = cv2.imread(str(tmp_path / "000000.png"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(read, RAMP)


def test_colours_stay_what_they_are(tmp_path):
    image = np.zeros((48, 64, 3), np.uint8)
    image[..., 0], image[:24, :, 2] = 200, 90
    write_pictures([Frame(0, 0.0, image)], tmp_path)
    frame = next(iter(read_frames(tmp_path, FrameRequest(color=True))))
    np.testing.assert_array_equal(frame.image, image)


def test_only_pictures_are_written_and_names_follow_time(tmp_path):
    pictures = write_pictures(stream(12), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == list(pictures.names)
    np.testing.assert_array_equal(pictures.times, [frame.time for frame in stream(12)])
    levels = [cv2.imread(str(tmp_path / name))[0, 0, 0] for name in pictures.names]
    assert levels == [5 * n for n in range(12)]


@given(count=st.integers(1, 400), most=st.integers(2, 40))
def test_thinning_is_even_and_keeps_both_ends(tmp_path_factory, count, most):
    image = np.zeros((2, 2), np.uint8)
    frames = [Frame(n, float(n), image) for n in range(count)]
    clip = write_pictures(frames, tmp_path_factory.mktemp("thin"), most)
    assert len(clip.names) <= most
    assert len(clip.names) > min(count, most) / 2
    assert (clip.times[0], clip.times[-1]) == (0.0, count - 1.0)
    steps = np.diff(clip.times)
    if count <= most:
        assert (steps == 1).all()
    if len(steps) > 1:
        assert len(set(steps[:-1])) == 1
        assert 0 < steps[-1] < 2 * steps[0]


def test_no_more_frames_are_held_than_are_wanted(tmp_path):
    alive: set[int] = set()
    most_alive = 0

    class Counted(Frame):
        def __del__(self) -> None:
            alive.discard(self.index)

    def endless() -> Iterator[Frame]:
        nonlocal most_alive
        for number in range(300):
            alive.add(number)
            most_alive = max(most_alive, len(alive))
            yield Counted(number, float(number), np.zeros((2, 2), np.uint8))

    write_pictures(endless(), tmp_path, 16)
    assert most_alive <= 16 + 3


def test_no_frames_are_no_pictures_and_no_clip(tmp_path):
    assert write_pictures([], tmp_path, 8).names == ()
    clip = write_clip([], tmp_path / "clip.mp4")
    assert len(clip.times) == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("color", [False, True])
def test_a_clip_has_the_frames_at_a_constant_rate(tmp_path, color):
    frames = stream(10, color)
    clip = write_clip(frames, tmp_path / "clip.mp4")
    np.testing.assert_array_equal(clip.times, [frame.time for frame in frames])
    with av.open(str(clip.path)) as container:
        assert container.streams.video[0].codec_context.name == "h264"
        read = list(container.decode(video=0))
    assert [frame.time for frame in read] == pytest.approx([n / CLIP_RATE for n in range(10)])
    levels = [frame.to_ndarray(format="rgb24").mean() for frame in read]
    np.testing.assert_allclose(levels, [5 * n for n in range(10)], atol=3)


def test_a_clip_of_odd_size_loses_a_row_and_a_column(tmp_path):
    clip = write_clip(stream(3, size=(65, 49)), tmp_path / "clip.mp4")
    assert clip.size == (64, 48)
    with av.open(str(clip.path)) as container:
        frame = next(container.decode(video=0))
    assert (frame.width, frame.height) == clip.size


def test_a_clip_is_thinned_like_pictures(tmp_path):
    clip = write_clip(stream(40), tmp_path / "clip.mp4", 8)
    folder = tmp_path / "pictures"
    folder.mkdir()
    np.testing.assert_array_equal(clip.times, write_pictures(stream(40), folder, 8).times)


def test_a_folder_that_cannot_be_written_to_is_an_os_error(tmp_path):
    with pytest.raises(OSError, match="missing"):
        write_pictures(stream(1), tmp_path / "missing")
    with pytest.raises(OSError, match="No such file"):
        write_clip(stream(1), tmp_path / "missing" / "clip.mp4")
