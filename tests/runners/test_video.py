"""What is read from awkward, broken and hostile clips: exact times and the right pixels."""

import gc
import os
import shutil
import socket
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from dollygrip.classifiers.reliability import Reason
from dollygrip.runners import video
from dollygrip.runners.video import FrameRequest, VideoError, find_clips, probe, read_frames

EVERYTHING = FrameRequest(rate=1e6)
Make = Callable[..., Path]
Numbered = Callable[..., list[np.ndarray]]


def read(path: Path, request: FrameRequest = EVERYTHING) -> list[video.Frame]:
    return list(read_frames(path, request))


def times(frames: list[video.Frame]) -> list[float]:
    return [frame.time for frame in frames]


def numbers(frames: list[video.Frame]) -> list[int]:
    """Which of the numbered pictures each frame is, from its grey level."""
    return [
        round((int(f.image[f.image.shape[0] // 2, f.image.shape[1] // 2]) - 20) / 4) for f in frames
    ]


def refused(path: Path) -> VideoError:
    with pytest.raises(VideoError) as caught:
        read(path)
    message = caught.value.failure.message
    assert message.isprintable()
    assert video.printable(path) in message
    with pytest.raises(VideoError) as probed:
        probe(path)
    assert probed.value.failure.reason == caught.value.failure.reason
    return caught.value


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("plain.mp4", {}),
        ("bframes.mp4", {"options": {"crf": "5", "bf": "3"}}),
        ("late.mp4", {"stamps": range(9000, 9400, 40)}),
        ("raw.h264", {"format": "h264"}),
        ("broadcast.ts", {}),
        ("old.avi", {"codec": "mpeg4", "options": {"qmin": "1", "qmax": "1"}}),
        ("lossless.mkv", {"codec": "ffv1"}),
        ("deep.mp4", {"pixels": "yuv420p10le"}),
        ("full.mp4", {"full_range": True}),
        ("negative.mkv", {"stamps": range(-80, 320, 40)}),
    ],
)
def test_frames_come_in_order_at_their_times(
    make_clip: Make, numbered: Numbered, name: str, how: dict[str, object]
) -> None:
    frames = read(make_clip(name, numbered(10), **how))
    assert times(frames) == pytest.approx([0.04 * i for i in range(10)], abs=1e-6)
    assert [frame.index for frame in frames] == list(range(10))
    assert numbers(frames) == list(range(10))
    # Luma over the full range, whatever the range in the file.
    assert frames[0].image[2, 2] >= 252
    assert abs(int(frames[0].image[30, 40]) - 20) <= 2


@pytest.mark.parametrize("matrix", ["bt709", "smpte170m", "bt2020nc"])
def test_grey_is_luma_whatever_the_colours(tmp_path: Path, matrix: str) -> None:
    path = tmp_path / "red.mp4"
    planes = np.concatenate([np.full((48, 64), 100, np.uint8), np.full((24, 64), 60, np.uint8)])
    planes[48 + 12 :] = 200
    with av.open(str(path), "w") as container:
        options = {"crf": "0", "x264-params": f"colormatrix={matrix}"}
        stream = container.add_stream("libx264", rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(planes, "yuv420p")))
        container.mux(stream.encode(None))
    for frame in read(path):
        assert np.abs(frame.image.astype(int) - round((100 - 16) * 255 / 219)).max() <= 1


def test_threads_change_nothing(make_clip: Make, numbered: Numbered) -> None:
    noise = np.random.default_rng(1)
    images = [i + noise.integers(0, 12, i.shape, np.uint8) for i in numbered(50)]
    path = make_clip("bframes.mp4", images, options={"bf": "3"})
    one, *several = (list(read_frames(path, threads=threads)) for threads in (1, 2, 4))
    for frames in several:
        assert [(f.index, f.time) for f in frames] == [(f.index, f.time) for f in one]
        assert all((a.image == b.image).all() for a, b in zip(frames, one, strict=True))


def test_pictures_are_not_held_until_the_garbage_collector_comes(
    make_clip: Make, numbered: Numbered, tmp_path: Path
) -> None:
    def alive() -> int:
        return sum(type(thing) is av.VideoFrame for thing in gc.get_objects())

    names = [f"{i}.png" for i in range(12)]
    for path in (
        make_clip("turned.mp4", numbered(50), rotation=90),
        pictures(tmp_path / "take", names, numbered(12)),
    ):
        gc.collect()
        gc.disable()
        before = alive()
        try:
            assert len(read(path)) > 10
            assert alive() <= before + 2
        finally:
            gc.enable()


def test_variable_frame_rate_and_gaps_keep_their_times(make_clip: Make, numbered: Numbered) -> None:
    stamps = [0, 40, 50, 200, 240, 5000, 5033, 5066]
    frames = read(make_clip("vfr.mp4", numbered(8), stamps=stamps))
    assert times(frames) == pytest.approx([s / 1000 for s in stamps], abs=1e-6)
    assert numbers(frames) == list(range(8))


def test_frames_outside_the_edit_list_are_not_shown(make_clip: Make, numbered: Numbered) -> None:
    path = make_clip("edit.mp4", numbered(10), stamps=range(-120, 280, 40))
    frames = read(path)
    assert times(frames) == pytest.approx([0.04 * i for i in range(7)], abs=1e-6)
    assert numbers(frames) == list(range(3, 10))
    assert [f.index for f in frames] == list(range(7))


def test_gif_durations(make_clip: Make) -> None:
    pictures = [np.full((32, 48, 3), level, np.uint8) for level in (0, 255, 0, 255)]
    stamps = [0, 10, 60, 70]
    path = make_clip(
        "a.gif", pictures, codec="gif", pixels="rgb8", stamps=stamps, base=Fraction(1, 100)
    )
    frames = read(path)
    assert times(frames) == pytest.approx([0.0, 0.1, 0.6, 0.7])
    assert [int(f.image[5, 5]) > 128 for f in frames] == [False, True, False, True]


@pytest.mark.parametrize(
    ("rotation", "hflip", "corner"),
    [
        (0, False, (0, 0)),
        (90, False, (1, 0)),
        (180, False, (1, 1)),
        (270, False, (0, 1)),
        (0, True, (0, 1)),
    ],
)
def test_display_matrix_is_applied(
    make_clip: Make, numbered: Numbered, rotation: int, hflip: bool, corner: tuple[int, int]
) -> None:
    path = make_clip("turned.mp4", numbered(2), rotation=rotation, hflip=hflip)
    image = read(path)[0].image
    shape = (64, 48) if rotation % 180 else (48, 64)
    assert image.shape == shape
    assert probe(path).size == shape[::-1]
    bright = {
        (y, x)
        for y in (0, 1)
        for x in (0, 1)
        if image[3 - 7 * y : 4 - 7 * y or None][0][3 - 7 * x] > 200
    }
    assert bright == {corner}


def test_pixels_are_squared(make_clip: Make, numbered: Numbered) -> None:
    path = make_clip("wide.mp4", numbered(2, (64, 48)), aspect=Fraction(4, 3))
    assert probe(path).size == (85, 48)
    image = read(path)[0].image
    assert image.shape == (48, 85)
    assert np.flatnonzero(image[3] > 128).max() == pytest.approx(20.5, abs=1.5)
    upright = make_clip("wide_turned.mp4", numbered(2), aspect=Fraction(4, 3), rotation=90)
    assert read(upright)[0].image.shape == (85, 48)


def test_nonsense_pixel_aspect_is_ignored(make_clip: Make, numbered: Numbered) -> None:
    path = make_clip("mad.mp4", numbered(2), aspect=Fraction(1, 60))
    assert read(path)[0].image.shape == (48, 64)


@pytest.mark.parametrize("size", [(101, 77), (16, 16), (48, 160)])
def test_odd_small_and_vertical_sizes(
    make_clip: Make, numbered: Numbered, size: tuple[int, int]
) -> None:
    path = make_clip("odd.mkv", numbered(3, size), pixels="yuv444p")
    frames = read(path)
    assert [f.image.shape for f in frames] == [size[::-1]] * 3
    assert numbers(frames) == [0, 1, 2]


def test_pictures_are_shrunk_to_the_long_side_never_enlarged(
    make_clip: Make, numbered: Numbered
) -> None:
    path = make_clip("big.mp4", numbered(2, (640, 360)))
    image = read(path, FrameRequest(long_side=160))[0].image
    assert image.shape == (90, 160)
    # The mark keeps its place: the upper left quarter of either side.
    assert image[:21, :38].min() > 240
    assert image[25:, 44:].max() < 30
    assert read(path, FrameRequest(long_side=1000))[0].image.shape == (360, 640)


def test_color(make_clip: Make) -> None:
    red = np.zeros((48, 64, 3), np.uint8)
    red[..., 0] = 255
    frame = read(make_clip("red.mp4", [red]), FrameRequest(color=True))[0]
    assert frame.image.shape == (48, 64, 3)
    assert np.allclose(frame.image.mean((0, 1)), (255, 0, 0), atol=6)


@pytest.mark.parametrize(
    ("rate", "step"), [(8, 1), (12, 1), (15, 1), (24, 2), (25, 2), (30, 2), (50, 4), (60, 4)]
)
def test_thinning_keeps_an_even_beat(
    make_clip: Make, numbered: Numbered, rate: int, step: int
) -> None:
    # Matroska rounds to milliseconds, which must not break the beat.
    path = make_clip("rate.mkv", numbered(58), rate=rate)
    reader = read_frames(path, FrameRequest(rate=12.0))
    frames = list(reader)
    assert [f.index for f in frames] == list(range(0, 58, step))
    assert numbers(frames) == [f.index for f in frames]
    assert times(frames) == pytest.approx([f.index / rate for f in frames], abs=6e-4)
    assert reader.frames_decoded == 58


@pytest.mark.parametrize(
    ("name", "start"),
    [("clip.mp4", 0), ("cut.mp4", -90), ("clip.mkv", 0), ("clip.ts", 0), ("clip.avi", 0)],
)
@pytest.mark.parametrize("options", [{"bf": "3"}, {"bf": "6", "b-pyramid": "none"}, {"bf": "0"}])
@pytest.mark.parametrize("rate", [2, 5, 12, 30])
def test_what_is_thinned_away_has_no_effect_on_what_is_kept(
    make_clip: Make,
    numbered: Numbered,
    name: str,
    start: int,
    options: dict[str, str],
    rate: float,
) -> None:
    noise = np.random.default_rng(1)
    images = [i + noise.integers(0, 12, i.shape, np.uint8) for i in numbered(50)]
    path = make_clip(name, images, stamps=range(start, start + 1000, 20), options=options)
    everything = {frame.index: frame for frame in read(path)}
    reader = read_frames(path, FrameRequest(rate=rate))
    kept = list(reader)
    assert reader.frames_decoded == len(everything)
    assert reader.warnings == []
    due = -1.0
    for frame in everything.values():
        if frame.time >= due:
            same = kept.pop(0)
            assert (same.index, same.time) == (frame.index, frame.time)
            assert (same.image == frame.image).all()
            due = frame.time + 1 / (1.3 * rate)
    assert not kept


def test_times_only_ever_increase(make_clip: Make, numbered: Numbered, tmp_path: Path) -> None:
    """Two broadcasts joined: the clock starts anew in the middle."""
    one = make_clip("one.ts", numbered(10), stamps=range(4000, 4400, 40))
    two = make_clip("two.ts", numbered(10), stamps=range(0, 400, 40))
    joined = tmp_path / "joined.ts"
    joined.write_bytes(one.read_bytes() + two.read_bytes())
    frames = read(joined)
    assert numbers(frames) == [*range(10), *range(10)]
    steps = np.diff(times(frames))
    assert np.all(steps > 0)
    assert steps.max() < 0.2


def test_clock() -> None:
    clock = video._Clock(Fraction(1, 25))
    stamps = [5, 5.04, 5.04, 5.02, None, 5.16, 0, 0.04, 100]
    shown = [clock.time(None if s is None else Fraction(s).limit_denominator(100)) for s in stamps]
    assert shown == pytest.approx([0, 0.04, None, None, 0.08, 0.16, 0.2, 0.24, 100.2])


def test_cut_short_in_the_middle_gives_what_there_is(make_clip: Make, numbered: Numbered) -> None:
    noise = np.random.default_rng(1)
    images = [i + noise.integers(0, 12, i.shape, np.uint8) for i in numbered(50)]
    whole = make_clip("whole.mp4", images, container_options={"movflags": "faststart"})
    complete = read_frames(whole, EVERYTHING)
    assert len(list(complete)) == 50
    assert complete.warnings == []
    whole.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    reader = read_frames(whole, EVERYTHING)
    assert 10 < len(list(reader)) < 40
    (warning,) = reader.warnings
    assert warning.reason == Reason.DECODE_ERROR
    assert "cut short" in warning.message


def test_damage_in_the_middle_is_stepped_over(make_clip: Make, numbered: Numbered) -> None:
    path = make_clip("hurt.ts", numbered(50), codec="mpeg2video", options={"g": "1"})
    data = bytearray(path.read_bytes())
    middle = len(data) // 2 // 188 * 188
    data[middle : middle + 4 * 188] = b"\xff" * (4 * 188)
    path.write_bytes(data)
    reader = read_frames(path, EVERYTHING)
    frames = list(reader)
    assert frames[-1].time == pytest.approx(49 * 0.04, abs=1e-3)
    assert 40 < len(frames) < 50
    assert [w.reason for w in reader.warnings] == [Reason.DECODE_ERROR]


def test_a_file_that_ends_before_its_time_is_said_to(make_clip: Make, numbered: Numbered) -> None:
    path = make_clip("hurt.mkv", numbered(50), codec="ffv1", pixels="gray")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    reader = read_frames(path, EVERYTHING)
    assert 10 < len(list(reader)) < 50
    assert [w.reason for w in reader.warnings] == [Reason.DECODE_ERROR]


def with_sound(path: Path, images: list[np.ndarray], seconds: int, start: int = 0) -> Path:
    """25 pictures a second from ``start`` seconds on, and silence from 0 to ``seconds``."""
    sound_codec = "libopus" if path.suffix == ".webm" else "aac"
    with av.open(str(path), "w") as container:
        pictures = container.add_stream("libvpx" if path.suffix == ".webm" else "mpeg4", rate=25)
        pictures.height, pictures.width = images[0].shape
        pictures.pix_fmt = "yuv420p"
        sound = container.add_stream(sound_codec, rate=48000)
        for second in range(seconds):
            silence = av.AudioFrame.from_ndarray(np.zeros((1, 48000), np.float32), "fltp", "mono")
            silence.rate, silence.pts = 48000, second * 48000
            container.mux(sound.encode(silence))
            first = 25 * max(second - start, 0)
            shown = images[first : first + 25] if second >= start else []
            for number, image in enumerate(shown, start=25 * second):
                frame = av.VideoFrame.from_ndarray(image, "gray")
                frame.pts, frame.time_base = number, Fraction(1, 25)
                container.mux(pictures.encode(frame))
        container.mux(pictures.encode(None))
        container.mux(sound.encode(None))
    return path


@pytest.mark.parametrize("name", ["sound.mkv", "sound.webm"])
def test_a_file_with_sound_that_ends_before_its_time_is_said_to(tmp_path: Path, name: str) -> None:
    images = list(np.random.default_rng(2).integers(0, 255, (100, 48, 64), np.uint8))
    path = with_sound(tmp_path / name, images, 4)
    whole = read_frames(path, EVERYTHING)
    assert len(list(whole)) == 100
    assert whole.warnings == []
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    part = read_frames(path, EVERYTHING)
    assert 25 < len(list(part)) < 75
    (warning,) = part.warnings
    assert "of 4.0 s: it is cut short" in warning.message


@pytest.mark.parametrize("name", ["sound.mkv", "sound.webm", "sound.mp4"])
@pytest.mark.parametrize("start", [0, 2])
def test_sound_before_or_after_the_pictures_is_no_damage(
    tmp_path: Path, numbered: Numbered, name: str, start: int
) -> None:
    path = with_sound(tmp_path / name, numbered(25), 4, start)
    reader = read_frames(path, EVERYTHING)
    assert len(list(reader)) == 25
    assert reader.warnings == []
    assert probe(path).duration == pytest.approx(1.0, abs=0.1)


def test_one_and_two_frames(make_clip: Make, numbered: Numbered) -> None:
    assert times(read(make_clip("one.mp4", numbered(1)))) == [0.0]
    assert times(read(make_clip("two.mp4", numbered(2)))) == pytest.approx([0.0, 0.04])


def test_probe(make_clip: Make, numbered: Numbered) -> None:
    clip = probe(make_clip("p.mp4", numbered(50)))
    assert (clip.size, clip.duration, clip.rate, clip.codec) == ((64, 48), 2.0, 25.0, "h264")


def test_a_reader_knows_the_clip_from_its_first_frame_on(
    make_clip: Make, numbered: Numbered, tmp_path: Path
) -> None:
    for path in (
        make_clip("p.mp4", numbered(5), rotation=90),
        pictures(tmp_path / "take", ["1.png", "2.png"], numbered(2)),
    ):
        reader = read_frames(path)
        assert reader.clip is None
        next(iter(reader))
        assert reader.clip == probe(path)


def test_8k_frame(make_clip: Make, numbered: Numbered) -> None:
    path = make_clip("8k.avi", numbered(1, (7680, 4320)), codec="mjpeg", pixels="yuvj420p")
    frame = read(path)[0]
    assert frame.image.shape == (270, 480)
    assert frame.image[10, 10] > 250
    assert probe(path).size == (7680, 4320)


def test_too_large_is_refused_by_its_header(
    make_clip: Make, numbered: Numbered, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video, "MAX_SIDE", 60)
    error = refused(make_clip("large.mp4", numbered(2)))
    assert error.failure.reason == Reason.TOO_LARGE


# Folders of pictures


def pictures(folder: Path, names: list[str], images: list[np.ndarray]) -> Path:
    folder.mkdir()
    for name, image in zip(names, images, strict=True):
        assert cv2.imwrite(str(folder / name), image)
    return folder


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "tif", "webp"])
def test_folder_of_pictures_in_natural_order(
    tmp_path: Path, numbered: Numbered, suffix: str
) -> None:
    names = [f"f{number}.{suffix}" for number in range(12)]
    folder = pictures(tmp_path / "seq", names, numbered(12))
    (folder / ".hidden.png").write_bytes(b"not a picture")
    (folder / "notes.txt").write_text("not a picture")
    frames = read(folder)
    assert numbers(frames) == list(range(12))
    assert times(frames) == pytest.approx([i / 24 for i in range(12)])
    assert probe(folder).size == (64, 48)
    assert [f.index for f in read(folder, FrameRequest(rate=12))] == [0, 2, 4, 6, 8, 10]


def test_pictures_of_several_sizes_are_an_error(tmp_path: Path, numbered: Numbered) -> None:
    images = [*numbered(2), *numbered(1, (32, 24))]
    folder = pictures(tmp_path / "mix", ["1.png", "2.png", "3.png"], images)
    with pytest.raises(VideoError, match=r"3\.png is 32 x 24 .* 64 x 48"):
        read(folder)


def test_broken_picture_and_empty_folder(tmp_path: Path) -> None:
    folder = tmp_path / "seq"
    folder.mkdir()
    with pytest.raises(VideoError) as caught:
        read(folder)
    assert caught.value.failure.reason == Reason.NO_VIDEO
    (folder / "1.png").write_bytes(b"\x89PNG\r\n\x1a\nrubbish")
    with pytest.raises(VideoError) as caught:
        read(folder)
    assert caught.value.failure.reason == Reason.DECODE_ERROR


# Refused


def test_what_is_no_video(tmp_path: Path) -> None:
    cases = {"empty.mp4": b"", "text.mp4": b"Hello, this is text.\n" * 200, "zero.mp4": bytes(4000)}
    for name, content in cases.items():
        path = tmp_path / name
        path.write_bytes(content)
        assert refused(path).failure.reason == Reason.NO_VIDEO
    picture = tmp_path / "picture.png"
    cv2.imwrite(str(picture), np.zeros((48, 64), np.uint8))
    assert "one picture" in refused(picture).failure.message
    assert refused(tmp_path / "missing.mp4").failure.reason == Reason.MISSING
    assert refused(tmp_path / "nul\0.mp4").failure.reason == Reason.MISSING


def test_mp4_without_its_index(make_clip: Make, numbered: Numbered) -> None:
    path = make_clip("cut.mp4", numbered(30))
    whole = path.read_bytes()
    for lost in (800, len(whole) - whole.index(b"moov") + 4, 2000):
        path.write_bytes(whole[:-lost])
        assert refused(path).failure.reason == Reason.DECODE_ERROR


def test_audio_only(tmp_path: Path) -> None:
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.float32), "fltp", "mono")
        frame.sample_rate = 44100
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert refused(path).failure.reason == Reason.NO_VIDEO


def test_playlists_and_lists_of_files_are_not_followed(
    make_clip: Make, numbered: Numbered, tmp_path: Path
) -> None:
    inner = make_clip("inner.ts", numbered(10))
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{inner}\n#EXT-X-ENDLIST\n"
    contents = {
        "list.m3u8": playlist,
        "list.mp4": playlist,
        "concat.mp4": f"ffconcat version 1.0\nfile '{inner}'\n",
        "cast.sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
        "m=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n",
        "dash.mpd": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"></MPD>',
    }
    for name, text in contents.items():
        path = tmp_path / name
        path.write_text(text)
        assert refused(path).failure.reason == Reason.NO_VIDEO


@pytest.mark.parametrize(
    "name",
    [
        "http:example.mp4",
        "concat:a|b.mp4",
        "-i.mp4",
        "--.mp4",
        "%03d.mp4",
        "a b'\"c.mp4",
        "two\nlines\x1b[31m.mp4",
        "<b>&amp;.mp4",
        "фильм-映画-🎬.mp4",
        "no suffix",
    ],
)
def test_names_are_taken_literally(
    make_clip: Make, numbered: Numbered, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    plain = make_clip("plain.mp4", numbered(3))
    monkeypatch.chdir(tmp_path)
    shutil.copy(plain, Path(name))
    assert len(read(Path(name))) == 3
    Path(name).write_bytes(b"")
    refused(Path(name))


def test_pipes_and_sockets_are_refused_without_waiting(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.mp4"
    os.mkfifo(pipe)
    assert refused(pipe).failure.reason == Reason.NOT_READABLE
    assert refused(Path("/dev/zero")).failure.reason == Reason.NOT_READABLE
    with socket.socket(socket.AF_UNIX) as listener:
        here = Path.cwd()
        os.chdir(tmp_path)
        try:
            listener.bind("s.mp4")
            assert refused(Path("s.mp4")).failure.reason == Reason.NOT_READABLE
        finally:
            os.chdir(here)


def test_no_permission(
    make_clip: Make, numbered: Numbered, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_clip("locked.mp4", numbered(2))
    # Root may read everything, so the system's answer is given here.
    really_open = os.open

    def locked(name: str, *rest: int) -> int:
        if Path(name) == path:
            raise PermissionError(13, "Permission denied")
        return really_open(name, *rest)

    monkeypatch.setattr(os, "open", locked)
    assert refused(path).failure.reason == Reason.NOT_READABLE


# Finding clips


def test_find_clips(make_clip: Make, numbered: Numbered, tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    for name in ("clip10.mp4", "clip9.MP4", ".hidden.mp4", "notes.txt", "list.m3u8", "a.jpg"):
        (root / name).touch()
    (root / "sub" / "deep").mkdir(parents=True)
    (root / "sub" / "deep" / "x.webm").touch()
    (root / ".git").mkdir()
    (root / ".git" / "y.mp4").touch()
    pictures(root / "take", ["1.png", "2.png"], numbered(2))
    (root / "sub" / "loop").symlink_to(root)
    missing = tmp_path / "missing.mp4"
    found = list(find_clips([root, missing, root / "notes.txt"]))
    assert found == [
        root / "clip9.MP4",
        root / "clip10.mp4",
        root / "sub" / "deep" / "x.webm",
        root / "take",
        missing,
        root / "notes.txt",
    ]
    assert list(find_clips([root / ".git"])) == [root / ".git" / "y.mp4"]
    assert list(find_clips([root / "take"])) == [root / "take"]


def test_frames_are_increasing_for_every_clip_of_this_file(
    make_clip: Make, numbered: Numbered
) -> None:
    stamps = np.cumsum(np.random.default_rng(4).integers(1, 90, 50)).tolist()
    frames = read(make_clip("wild.mkv", numbered(50), stamps=stamps), FrameRequest(rate=12))
    assert all(a.time < b.time and a.index < b.index for a, b in pairwise(frames))
    assert numbers(frames) == [f.index for f in frames]
    assert times(frames) == pytest.approx([(stamps[f.index] - stamps[0]) / 1000 for f in frames])
