"""The view: what is drawn where, on pictures of any size, and what becomes of its file."""

import os
import resource
import weakref
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dollygrip.classifiers.base import failed
from dollygrip.classifiers.records import Segment, ShotLabels
from dollygrip.classifiers.reliability import Failure, Reason
from dollygrip.classifiers.threshold import ThresholdClassifier
from dollygrip.geometry.synthetic import SIGNED_AXES, Move, camera_path
from dollygrip.geometry.trajectory import Hypothesis, Trajectory
from dollygrip.runners.drawing import (
    BLUE,
    GREEN,
    LINE,
    ORANGE,
    UNKNOWN,
    WHITE,
    YELLOW,
    cut_to,
    draw_horizon,
    draw_tracks,
    movement_color,
    plain_text,
    text_width,
    wrap,
)
from dollygrip.runners.estimators.base import Estimate
from dollygrip.runners.estimators.flow import FlowEstimator
from dollygrip.runners.estimators.tracks import Tracks
from dollygrip.runners.formats.trajectories import ShotMotion
from dollygrip.runners.rendering import Look, render, write_video
from dollygrip.runners.scenery import person, scene
from dollygrip.runners.strip import GUTTER, ROW, Strip, spoken
from dollygrip.runners.video import Frame, FrameRequest, VideoError, read_frames
from dollygrip.runners.viewer import view_clip_file
from dollygrip.runners.views import ViewError

SIZE = (480, 270)
MIDDLE = (np.array(SIZE) - 1) / 2


class Still:
    """Says of every shot that the camera stood still."""

    name = "still"
    frame_request = FrameRequest(480, 12.0)

    def estimate(self, frames: Iterable[Frame]) -> Estimate:
        times = [frame.time for frame in frames]
        if len(times) < 2:
            return Estimate((), Failure(Reason.TOO_SHORT, "One picture."))
        poses = np.tile(np.eye(4), (len(times), 1, 1))
        path = Trajectory.from_poses(times, poses, size=(48, 27), scene_depth=1.0)
        return Estimate((Hypothesis("static", 1.0, path),))


def view(clip: Path, out: Path, estimator=None, **how) -> ShotLabels:
    return view_clip_file(clip, out, estimator or Still(), ThresholdClassifier(), **how)


def decoded(path: Path) -> tuple[list[float], list[np.ndarray]]:
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    return [float(f.pts * f.time_base) for f in frames], [
        f.to_ndarray(format="rgb24") for f in frames
    ]


def near(image: np.ndarray, color: tuple[int, int, int], tolerance: int = 0) -> np.ndarray:
    """(H, W) where a picture has a colour."""
    return np.abs(image.astype(int) - color).max(axis=-1) <= tolerance


def noise(count: int, size: tuple[int, int], seed: int = 0) -> list[np.ndarray]:
    """A still picture with a patch that jumps about, so that it is no frozen one."""
    rng = np.random.default_rng(seed)
    picture = rng.integers(0, 256, (*size[::-1], 3), np.uint8)
    pictures = []
    for _ in range(count):
        pictures.append(picture.copy())
        pictures[-1][: size[1] // 3] = rng.integers(0, 256, 3, np.uint8)
    return pictures


# --- the horizon ----------------------------------------------------------------------------


def horizon(*moves: Move, size: tuple[int, int] = SIZE) -> np.ndarray:
    """(N, 2) pixels from the middle that the horizon takes after some moves."""
    path = camera_path(moves, duration=2.0, size=SIZE)
    image = np.zeros((size[1], size[0], 3), np.uint8)
    draw_horizon(image, path, len(path) - 1)
    y, x = np.nonzero(near(image, YELLOW, 2))
    return np.column_stack([x, y]) - (np.array(size) - 1) / 2


@pytest.mark.parametrize("moves", [(), (Move("pan_left", 30.0),), (Move("dolly_in", 0.4),)])
def test_a_camera_that_stays_level_has_its_horizon_in_the_middle(moves):
    line = horizon(*moves)
    assert np.abs(line[:, 1]).max() <= 2
    assert np.ptp(line[:, 0]) >= SIZE[0] - 2


@pytest.mark.parametrize(("name", "sign"), [("tilt_up", 1), ("tilt_down", -1)])
def test_looking_up_lowers_the_horizon(name, sign):
    focal = camera_path((), size=SIZE).focals[0]
    for size in (SIZE, (960, 540)):
        line = horizon(Move(name, 10.0), size=size)
        expected = sign * np.tan(np.radians(10.0)) * focal * size[0] / SIZE[0]
        assert line[:, 1].mean() == pytest.approx(expected, abs=1.0)


@pytest.mark.parametrize(("name", "sign"), [("roll_cw", -1), ("roll_ccw", 1)])
def test_the_horizon_leans_against_the_camera(name, sign):
    line = horizon(Move(name, 20.0))
    slope = np.polyfit(line[:, 0], line[:, 1], 1)[0]
    assert np.degrees(np.arctan(slope)) == pytest.approx(sign * 20.0, abs=1.0)


@pytest.mark.parametrize(("name", "sign"), [("tilt_up", 1), ("tilt_down", -1)])
@pytest.mark.parametrize("amount", [40.0, 85.0])
def test_an_arrow_says_where_the_horizon_went(name, sign, amount):
    arrow = horizon(Move(name, amount))
    assert 20 < len(arrow) < 200
    assert (sign * arrow[:, 1]).min() > SIZE[1] / 2 - 20
    assert np.abs(arrow[:, 0]).max() < 20


def test_no_horizon_where_there_is_no_pose():
    path = camera_path((), duration=1.0, size=SIZE)
    valid = np.arange(len(path)) != 5
    image = np.zeros((270, 480, 3), np.uint8)
    draw_horizon(image, replace(path, valid=valid), 5)
    assert not image.any()


# --- points ---------------------------------------------------------------------------------


def moving_points(step: float) -> Tracks:
    """Four points in three frames, of which three go right; one is seen in the last frame only."""
    frame = np.array([0, 0, 0, 1, 1, 1, 2, 2, 2, 2])
    track = np.array([0, 1, 2, 0, 1, 2, 0, 1, 2, 3])
    start = np.array([[-150.0, -90.0], [20.0, -60.0], [-40.0, 70.0], [150.0, 80.0]])
    return Tracks(
        times=np.arange(3) / 12.0,
        size=SIZE,
        frame=frame,
        track=track,
        xy=start[track] + np.column_stack([step * frame, 0 * frame]),
        texture=np.ones(3),
        brightness=np.ones(3),
        still_frames=np.zeros((0, 2), np.intp),
        still=np.zeros((0, 1), np.bool_),
        textured=np.zeros((0, 1), np.bool_),
    )


@pytest.mark.parametrize("size", [SIZE, (960, 540), (240, 135)])
def test_points_are_drawn_where_they_are_in_the_colour_of_what_they_do(size):
    image = np.zeros((size[1], size[0], 3), np.uint8)
    tracks = moving_points(12.0)
    belief = np.array([0.0, 1.0, 0.5, np.nan])
    draw_tracks(image, tracks, belief, 2)
    now = tracks.frame == 2
    places = (np.array(size) - 1) / 2 + tracks.xy[now] * size[0] / SIZE[0]
    for (x, y), color in zip(places, (BLUE, ORANGE, WHITE, UNKNOWN), strict=True):
        here = image[round(y), round(x)]
        assert near(here, color, 3), (here, color)
    # Tails point to where the points were; nothing is ahead of them.
    reach = 18.0 * size[0] / SIZE[0]
    for (x, y), color in zip(places, (BLUE, ORANGE, WHITE, (0, 0, 0)), strict=True):
        tail = image[round(y) - 1 : round(y) + 2, round(x - reach)].max(axis=0)
        assert near(tail, color, 120)
        assert tail.any() == any(color)
        assert not image[round(y), round(x + reach)].any()


def test_the_first_frame_has_points_without_tails():
    image = np.zeros((270, 480, 3), np.uint8)
    draw_tracks(image, moving_points(12.0), np.zeros(4), 0)
    assert 0 < near(image, BLUE, 3).sum() < 3 * 40


@given(st.one_of(st.just(float("nan")), st.floats(0.0, 1.0)))
def test_every_probability_has_a_colour(belief):
    color = movement_color(belief)
    assert (color == UNKNOWN) == np.isnan(belief)


# --- words ----------------------------------------------------------------------------------


@given(st.text(max_size=300), st.integers(60, 700), st.integers(1, 4))
def test_any_text_fits(text, width, lines):
    assert all(" " <= c <= "~" for c in plain_text(text))
    assert text_width(cut_to(text, width)) <= width
    broken = wrap(text, width, lines)
    assert len(broken) <= lines
    assert all(text_width(line) <= width for line in broken)


def test_what_fits_is_left_whole():
    said = "The pictures are too dark to follow anything in them."
    assert " ".join(wrap(said, 200, 9)) == said
    assert wrap(said, 200, 1) == [cut_to(said, 200)]


# --- the strip of rates ---------------------------------------------------------------------


def shot(*moves: Move, start: float = 0.0, segments: tuple[Segment, ...] = ()):
    path = camera_path(moves, duration=2.0, rate=12.0, size=SIZE)
    path = replace(path, times=path.times + start)
    end = float(path.times[-1])
    motion = ShotMotion(start, end, (Hypothesis("all", 1.0, path),))
    return motion, ShotLabels(start, end, segments=segments)


def strip(*shots) -> Strip:
    motions, labels = zip(*shots, strict=True)
    return Strip(640, motions, labels, motions[-1].end)


def row_of(image: np.ndarray, row: int) -> np.ndarray:
    return image[row * ROW : (row + 1) * ROW, GUTTER:]


def height_of(image: np.ndarray, row: int) -> float:
    """How far above the row's middle its curve runs, in pixels."""
    y, _ = np.nonzero(near(row_of(image, row), BLUE, 40))
    return ROW // 2 - float(y.mean())


@pytest.mark.parametrize(
    ("name", "row", "way"),
    [
        ("pan_right", 0, 1), ("pan_left", 0, -1), ("tilt_up", 1, 1), ("roll_ccw", 2, -1),
        ("truck_right", 3, 1), ("pedestal_down", 4, -1), ("dolly_in", 5, 1), ("zoom_out", 6, -1),
    ],
)  # fmt: skip
def test_a_positive_rate_is_drawn_above_the_line(name, row, way):
    image = strip(shot(Move(name, 0.3 if row > 2 else 15.0))).at(1.0, 0)
    assert way * height_of(image, row) > 4
    for other in set(range(7)) - {row}:
        assert abs(height_of(image, other)) < 2


@pytest.mark.parametrize("name", SIGNED_AXES)
def test_a_rate_is_said_in_the_words_of_its_label(name):
    axis, sign = SIGNED_AXES[name]
    assert spoken(axis, 0.5 * sign).endswith(f" {name.rpartition('_')[2]}")
    assert spoken(axis, 1e-4 * sign) == "0"


def test_the_playhead_goes_from_end_to_end():
    drawn = strip(shot())
    blank = drawn.at(0.5, 0)
    columns = []
    for time in (0.0, 1.0, 2.0 - 1 / 12):
        head = near(drawn.at(time, 0)[: 7 * ROW], ORANGE)
        columns.append(int(head.sum(axis=0).argmax()))
        assert head[:, columns[-1]].all()
    assert columns[0] == GUTTER
    assert columns[0] < columns[1] < columns[2] < 640
    assert blank.shape == (drawn.height, 640, 3)


def test_a_cut_is_a_line():
    image = strip(shot(), shot(Move("pan_left", 20.0), start=2.0)).at(0.0, 0)
    column = near(image[: 7 * ROW], WHITE).all(axis=0)
    assert column[GUTTER:].sum() == 1
    assert np.flatnonzero(column)[0] == pytest.approx((GUTTER + 632) / 2, abs=12)


def test_a_shot_without_an_answer_looks_unlike_a_still_one():
    nothing = ShotMotion(0.0, 2.0, failure=Failure(Reason.TOO_DARK, "Too dark."))
    dark = strip((nothing, failed(nothing.failure, start=0.0, end=2.0))).at(1.0, 0)
    still = strip(shot()).at(1.0, 0)
    assert not near(dark, BLUE, 40)[:, GUTTER:].any()
    reddish = (dark[: 7 * ROW, GUTTER:].astype(int) @ [1, 0, -1] > 20).mean()
    assert reddish > 0.8
    assert (still[: 7 * ROW, GUTTER:].astype(int) @ [1, 0, -1] > 20).mean() < 0.05


def test_the_row_of_a_named_move_is_lit_while_it_lasts():
    named = shot(Move("pan_right", 10.0), segments=(Segment("pan_right", 0.0, 0.9, 0.9),))
    drawn = strip(named)
    brightness = row_of(drawn.at(0.1, 0), 0).mean(axis=(0, 2))
    assert brightness[20:150].mean() > 1.2 * brightness[300:400].mean()
    # Its name too, while the playhead is in it.
    inside, outside = drawn.at(0.5, 0), drawn.at(1.5, 0)
    assert inside[:ROW, :GUTTER].max() > outside[:ROW, :GUTTER].max()


@pytest.mark.parametrize("end", [0.0, 1 / 12, 1e5])
def test_clips_of_any_length(end):
    motion, labels = shot()
    drawn = Strip(640, [motion], [labels], end)
    assert drawn.at(end, 0).shape == (drawn.height, 640, 3)


# --- the whole video ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def panned(tmp_path_factory):
    """A pan over a street with a walker, and its view by the real estimator."""
    folder = tmp_path_factory.mktemp("view")
    path = camera_path((Move("pan_right", 14.0),), duration=2.0, rate=24.0, size=(320, 180))
    street = scene("street", seed=7)
    walker = person(1, 0.5, start=(-0.2, 0.42, 0.8), velocity=(0.3, 0.0, 0.0))
    pictures = render(path, street.with_actors(walker), Look(noise=1.5))
    write_video(folder / "pan.mp4", pictures, path.times, crf=8)
    labels = view(folder / "pan.mp4", folder / "view.mp4", FlowEstimator())
    return folder / "pan.mp4", labels, *decoded(folder / "view.mp4")


def test_the_view_has_the_pictures_that_the_estimator_saw_at_their_times(panned):
    clip, labels, times, images = panned
    assert labels.labels == ("pan_right",)
    request = replace(FlowEstimator().frame_request, long_side=960, color=True)
    seen = list(read_frames(clip, request))
    np.testing.assert_allclose(times, [frame.time for frame in seen], atol=1e-3)
    for frame, image in zip(seen, images, strict=True):
        # Enlarged to 640 x 360 and drawn upon; most of it is as it was.
        shown = image[:360:2, :640:2].astype(int)
        assert np.median(np.abs(shown - frame.image)) < 12


def test_points_horizon_and_words_are_in_the_view(panned):
    *_, images = panned
    for image in images[3:]:
        assert image.shape[0] % 2 == image.shape[1] % 2 == 0
        picture, words = image[:360], image[360 : 360 + 4 * LINE]
        assert near(picture, BLUE, 60).sum() > 100
        assert near(picture, ORANGE, 60).sum() > 10
        assert near(picture, YELLOW, 60).any(axis=0).mean() > 0.5
        assert near(words, WHITE, 60).any()
        assert not near(words, ORANGE, 60).any()


def test_points_go_with_what_they_are_on(tmp_path):
    """A box that crosses a blank wall: the foremost orange dots are on its right edge."""
    pictures = [np.full((360, 640, 3), 90, np.uint8) for _ in range(16)]
    edges = [100 + 20 * number for number in range(16)]
    for image, edge in zip(pictures, edges, strict=True):
        image[150:210, edge - 60 : edge] = 230
    write_video(tmp_path / "clip.mp4", pictures, np.arange(16) / 12, crf=8)
    view(tmp_path / "clip.mp4", tmp_path / "out.mp4")
    _, images = decoded(tmp_path / "out.mp4")
    for image, edge in list(zip(images, edges, strict=True))[4:]:
        on_box = near(image[150:210], ORANGE, 60)
        assert np.flatnonzero(on_box.any(axis=0)).max() == pytest.approx(edge, abs=12)


def test_a_still_camera_is_no_failure_and_a_failure_is_none_of_a_still_camera(tmp_path):
    write_video(tmp_path / "still.mp4", noise(12, (320, 180)), np.arange(12) / 12)
    assert view(tmp_path / "still.mp4", tmp_path / "a.mp4").labels == ("static",)
    grey = [np.full((180, 320, 3), 90, np.uint8)] * 12
    write_video(tmp_path / "blank.mp4", grey, np.arange(12) / 12)
    labels = view(tmp_path / "blank.mp4", tmp_path / "b.mp4", FlowEstimator())
    assert labels.failure is not None
    still, blank = (decoded(tmp_path / name)[1][5][360:] for name in ("a.mp4", "b.mp4"))
    assert near(still[: 3 * LINE], GREEN, 60).any()
    assert not near(still[: 4 * LINE], ORANGE, 60).any()
    assert near(blank[: 5 * LINE], ORANGE, 60).sum() > 100
    assert not near(blank, GREEN, 60).any()


def test_each_shot_of_a_clip_is_told(tmp_path):
    clip = tmp_path / "cut.mp4"
    pictures = noise(14, (320, 180)) + noise(14, (320, 180), seed=1)
    write_video(clip, pictures, np.arange(28) / 12)
    labels = view(clip, tmp_path / "out.mp4")
    assert any(doubt.reason is Reason.CUT_INSIDE for doubt in labels.doubts)
    _, images = decoded(tmp_path / "out.mp4")
    assert len(images) == 28


@pytest.mark.parametrize(
    "size", [(8, 8), (16, 160), (160, 90), (162, 122), (90, 160), (1200, 60), (1922, 1080)]
)
@pytest.mark.parametrize("count", [1, 3])
def test_pictures_of_any_size_and_number(tmp_path, size, count):
    clip = tmp_path / "clip.mp4"
    write_video(clip, noise(count, size), np.arange(count) / 12)
    labels = view(clip, tmp_path / "out.mp4")
    assert (labels.failure is not None) == (count == 1)
    times, images = decoded(tmp_path / "out.mp4")
    assert len(times) == count
    height, width = images[0].shape[:2]
    assert 640 <= width <= 960
    shown = max(640, min(960, max(size))) * min(1.0, size[1] / size[0])
    assert 300 < height - shown < 460


def test_a_folder_of_pictures(tmp_path):
    import cv2

    folder = tmp_path / "pictures"
    folder.mkdir()
    for number, picture in enumerate(noise(6, (64, 48))):
        cv2.imwrite(str(folder / f"{number}.png"), picture)
    view(folder, folder / "view.mp4")
    assert len(decoded(folder / "view.mp4")[0]) == 3


def test_pictures_are_let_go(tmp_path):
    write_video(tmp_path / "clip.mp4", noise(40, (64, 48)), np.arange(40) / 24)
    alive: list[weakref.ref] = []
    most = 0

    def watch(views, total):
        nonlocal most
        assert abs(total - 20) <= 1
        for item in views:
            alive.append(weakref.ref(item[1]))
            yield item
            del item
            most = max(most, sum(ref() is not None for ref in alive))

    view(tmp_path / "clip.mp4", tmp_path / "out.mp4", watch=watch)
    assert len(alive) == 20
    assert most <= 2


# --- the file -------------------------------------------------------------------------------


@pytest.fixture
def clip(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_video(Path("clip.mp4"), noise(6, (64, 48)), np.arange(6) / 12)
    os.link("clip.mp4", "same.mp4")
    Path("also.mp4").symlink_to("clip.mp4")
    Path("folder.mp4").mkdir()
    os.mkfifo("pipe.mp4")
    Path("text.txt").write_text("text")
    return Path("clip.mp4")


@pytest.mark.parametrize(
    ("out", "said"),
    [
        ("clip.mp4", "is the clip itself"),
        ("./folder.mp4/../clip.mp4", "is the clip itself"),
        ("same.mp4", "is the clip itself"),
        ("also.mp4", "is the clip itself"),
        ("folder.mp4", "no file"),
        ("pipe.mp4", "no file"),
        ("missing/out.mp4", "No such file or directory"),
        ("text.txt/out.mp4", "Not a directory"),
        ("text.txt", ".mp4"),
        ("out", ".mp4"),
        (f"{300 * 'x'}.mp4", "too long"),
        ("missing\n\x1b[5m/out.mp4", "missing\\n\\x1b[5m/out.mp4"),
    ],
)
def test_where_the_view_cannot_be_is_said_at_once(clip, out, said, monkeypatch):
    monkeypatch.delattr("dollygrip.runners.viewer.labelled")
    before = clip.read_bytes()
    names = set(Path().iterdir())
    with pytest.raises(ViewError) as error:
        view(clip, Path(out))
    assert said in str(error.value)
    assert "\n" not in str(error.value)
    assert set(Path().iterdir()) == names
    assert clip.read_bytes() == before


@pytest.mark.parametrize("name", ["missing.mp4", "text.txt", "pipe.mp4", "folder.mp4"])
def test_what_cannot_be_read_leaves_nothing(clip, name):
    names = set(Path().iterdir())
    with pytest.raises(VideoError, match=name):
        view(Path(name), Path("out.mp4"))
    assert set(Path().iterdir()) == names


def test_an_older_view_is_replaced_and_has_the_usual_permissions(clip):
    Path("out.mp4").write_text("old")
    view(clip, Path("out.mp4"))
    assert len(decoded(Path("out.mp4"))[0]) == 6
    mask = os.umask(0)
    os.umask(mask)
    assert Path("out.mp4").stat().st_mode & 0o777 == 0o666 & ~mask


@pytest.mark.parametrize("after", [0, 1, 4])
def test_a_view_that_breaks_off_leaves_the_older_one(clip, after):
    def stop(views, total):
        for number, item in enumerate(views):
            if number == after:
                raise KeyboardInterrupt
            yield item

    Path("out.mp4").write_text("old")
    names = set(Path().iterdir())
    with pytest.raises(KeyboardInterrupt):
        view(clip, Path("out.mp4"), watch=stop)
    assert Path("out.mp4").read_text() == "old"
    assert set(Path().iterdir()) == names


def test_a_full_disk_is_said(clip):
    names = set(Path().iterdir())
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))
    try:
        with pytest.raises(ViewError, match=r"out\.mp4 cannot be written: "):
            view(clip, Path("out.mp4"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert set(Path().iterdir()) == names
