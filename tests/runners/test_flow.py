"""The flow estimator answers any stream of pictures, with a path or with a reason."""

import json
import tracemalloc
from collections.abc import Callable, Iterator

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dollygrip.classifiers.reliability import Reason
from dollygrip.geometry.ladder import ALL, MODELS, ROTATION, STATIC, TRANSLATION, ZOOM
from dollygrip.geometry.rotations import log, rotation_from_pan_tilt_roll
from dollygrip.geometry.trajectory import FOCAL_PRIOR
from dollygrip.runners.estimators.base import Estimate
from dollygrip.runners.estimators.flow import FlowEstimator, FlowSettings
from dollygrip.runners.video import Frame

WIDTH, HEIGHT = 320, 180
# Fewer tracks and keyframes, so that a clip takes a fraction of a second.
QUICK = FlowEstimator(FlowSettings(keyframes=12, tracks=150))


def stream(images, rate: float = 12.0) -> list[Frame]:
    return [Frame(number, number / rate, image) for number, image in enumerate(images)]


def texture(seed: int = 0, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    noise = np.random.default_rng(seed).uniform(0, 255, (height, width)).astype(np.float32)
    big = cv2.resize(noise, (3 * width, 3 * height), interpolation=cv2.INTER_CUBIC)
    return np.clip(big, 0, 255).astype(np.uint8)


TEXTURE = texture()
FOCAL = FOCAL_PRIOR * WIDTH
MIDDLE = 0.5 * np.array([WIDTH, HEIGHT]) - 0.5
TEXTURE_MIDDLE = 1.5 * np.array([WIDTH, HEIGHT]) - 0.5


def picture(pan: float = 0.0, growth: float = 1.0) -> np.ndarray:
    """A far texture, seen by a camera that panned right by ``pan`` degrees and zoomed."""
    turn = rotation_from_pan_tilt_roll(np.array([pan, 0.0, 0.0]))
    there, here = np.diag([1.0, 1.0, FOCAL]), np.diag([growth, growth, 1.0 / FOCAL])
    there[:2, 2], here[:2, 2] = -TEXTURE_MIDDLE, MIDDLE / FOCAL
    return cv2.warpPerspective(TEXTURE, here @ turn.T @ there, (WIDTH, HEIGHT))


def panning(count: int = 16, total: float = 12.0) -> list[np.ndarray]:
    return [picture(pan=pan) for pan in np.linspace(-0.5 * total, 0.5 * total, count)]


def assert_answer(estimate: Estimate) -> None:
    """Everything an answer promises, whatever was seen."""
    hypotheses = estimate.hypotheses
    models = [h.model for h in hypotheses]
    assert set(models) <= set(MODELS)
    assert len(set(models)) == len(models) > 0
    probabilities = [h.probability for h in hypotheses]
    assert sum(probabilities) == pytest.approx(1.0)
    assert all(0.0 <= p <= 1.0 for p in probabilities)
    assert probabilities == sorted(probabilities, reverse=True)
    assert estimate.trajectory is hypotheses[0].trajectory
    for hypothesis in hypotheses:
        path = hypothesis.trajectory
        np.testing.assert_allclose(path.rotations[0], np.eye(3), atol=1e-9)
        np.testing.assert_allclose(path.centers[0], 0.0, atol=1e-9)
        if hypothesis.model in (STATIC, ROTATION, ZOOM):
            np.testing.assert_array_equal(path.centers, 0.0)
        if hypothesis.model == STATIC:
            np.testing.assert_array_equal(path.rotations, np.tile(np.eye(3), (len(path), 1, 1)))
    json.dumps([estimate.diagnostics, estimate.settings], allow_nan=False)
    assert estimate.estimator == "flow"
    assert estimate.seconds > 0.0


def assert_whole(estimate: Estimate, frames: list[Frame]) -> None:
    """Never an exception: an answer about every frame, or a plain reason."""
    if estimate.failure is not None:
        assert estimate.hypotheses == ()
        assert estimate.failure.message.endswith(".")
        return
    assert_answer(estimate)
    for hypothesis in estimate.hypotheses:
        np.testing.assert_array_equal(hypothesis.trajectory.times, [f.time for f in frames])


# What is told.


@pytest.mark.parametrize("total", [12.0, -12.0])
def test_a_pan(total):
    estimate = QUICK.estimate(stream(panning(total=total)))
    assert_answer(estimate)
    assert estimate.hypotheses[0].model == ROTATION
    turned = np.degrees(log(estimate.trajectory.rotations[-1]))
    np.testing.assert_allclose(turned, [0.0, total, 0.0], atol=1.0)


@pytest.mark.parametrize(("growth", "sign"), [(1.02, 1), (1 / 1.02, -1)])
def test_a_picture_that_grows_is_a_zoom(growth, sign):
    frames = stream(picture(growth=1.2 * growth**number) for number in range(16))
    estimate = QUICK.estimate(frames)
    assert estimate.hypotheses[0].model == ZOOM
    focals = estimate.trajectory.focals
    assert np.log(focals[-1] / focals[0]) == pytest.approx(sign * 15 * np.log(1.02), rel=0.05)


def test_near_things_that_pass_by_faster_are_travel():
    """Two walls, one twice as far as the other, and a camera that goes right."""
    far, near = TEXTURE[:HEIGHT], texture(1)[:HEIGHT]
    images = []
    for number in range(16):
        image = far[:, 3 * number :][:, :WIDTH].copy()
        image[HEIGHT // 2 :] = near[HEIGHT // 2 :, 6 * number :][:, :WIDTH]
        images.append(image)
    estimate = QUICK.estimate(stream(images))
    assert estimate.hypotheses[0].model in (TRANSLATION, ALL)
    end = estimate.trajectory.centers[-1]
    assert end[0] > 0.05
    assert np.abs(end[1:]).max() < 0.5 * end[0]


def test_a_picture_that_stays_is_a_still_camera():
    rng = np.random.default_rng(0)
    grain = [picture() + rng.normal(0.0, 2.0, (HEIGHT, WIDTH)) for _ in range(16)]
    estimate = QUICK.estimate(stream(np.clip(g, 0, 255).astype(np.uint8) for g in grain))
    assert estimate.hypotheses[0].model == STATIC
    assert estimate.hypotheses[0].probability > 0.9


def test_a_long_shot_is_chained():
    short_windows = FlowEstimator(FlowSettings(window=1.0, keyframes=8, tracks=150))
    estimate = short_windows.estimate(stream(panning(36, 24.0)))
    assert_answer(estimate)
    pan = np.degrees(log(estimate.trajectory.rotations)[:, 1])
    np.testing.assert_allclose(pan, np.linspace(0.0, 24.0, 36), atol=2.5)


BLACK = [np.zeros((HEIGHT, WIDTH), np.uint8)]


@pytest.mark.parametrize(("before", "after"), [(0, 5), (5, 0), (3, 4)])
def test_black_pictures_at_the_ends_tell_nothing(before, after):
    frames = stream(BLACK * before + panning(12) + BLACK * after)
    estimate = QUICK.estimate(frames)
    assert_whole(estimate, frames)
    assert estimate.hypotheses[0].model == ROTATION
    seen = np.zeros(len(frames), bool)
    seen[before : before + 12] = True
    for hypothesis in estimate.hypotheses:
        np.testing.assert_array_equal(hypothesis.trajectory.valid, seen)
    path = estimate.trajectory
    turned = np.degrees(log(path.rotations[seen][0].T @ path.rotations[seen][-1]))
    np.testing.assert_allclose(turned, [0.0, 12.0, 0.0], atol=1.0)
    assert path.sigmas[seen, :3].max() < np.radians(1.0)


def test_pictures_after_seconds_of_black_go_on_where_the_camera_was():
    short = FlowEstimator(FlowSettings(window=1.0, keyframes=8, tracks=150))
    frames = stream(panning(14, 10.0) + BLACK * 30 + panning(14, 10.0))
    estimate = short.estimate(frames)
    assert_whole(estimate, frames)
    path = estimate.trajectory
    assert path.valid.all()
    pan = np.degrees(log(path.rotations)[:, 1])
    np.testing.assert_allclose(pan[14:44], 10.0, atol=1.5)
    assert pan[-1] == pytest.approx(20.0, abs=3.0)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_shot():
    """What is kept of a second is no more late in a shot than early on."""
    short = FlowEstimator(FlowSettings(window=1.0, keyframes=5, tracks=50))
    swaying = [picture(pan=pan) for pan in 4.0 * np.sin(np.arange(12) / 12.0 * 2.0 * np.pi)]
    held: dict[int, int] = {}

    def long() -> Iterator[Frame]:
        for second in range(13):
            held[second] = tracemalloc.get_traced_memory()[0]
            yield from (Frame(0, second + n / 12.0, image) for n, image in enumerate(swaying))

    tracemalloc.start()
    try:
        estimate = short.estimate(long())
    finally:
        tracemalloc.stop()
    assert_answer(estimate)
    # A picture of float32 is 230 kB; what is kept of a second is a few times less.
    assert held[12] - held[4] < 8 * 60_000


# Laws.


def test_the_same_frames_give_the_same_answer():
    frames = stream(panning(10))
    one, other = QUICK.estimate(frames), QUICK.estimate(iter(frames))
    assert one.diagnostics == other.diagnostics
    for mine, yours in zip(one.hypotheses, other.hypotheses, strict=True):
        assert (mine.model, mine.probability) == (yours.model, yours.probability)
        for name in ("times", "rotations", "centers", "focals", "sigmas"):
            np.testing.assert_array_equal(
                getattr(mine.trajectory, name), getattr(yours.trajectory, name)
            )


def test_the_clock_only_stamps():
    images = panning(10)
    early = QUICK.estimate(stream(images))
    late = QUICK.estimate(
        [Frame(number + 500, 40.0 + number / 12.0, image) for number, image in enumerate(images)]
    )
    np.testing.assert_allclose(late.trajectory.rotations, early.trajectory.rotations, atol=1e-6)
    np.testing.assert_allclose(late.trajectory.times, early.trajectory.times + 40.0)


def test_frames_are_read_once_and_in_order():
    read: list[int] = []

    def once():
        for frame in stream(panning(6)):
            read.append(frame.index)
            yield frame

    QUICK.estimate(once())
    assert read == list(range(6))


# What cannot be told.


def blank(level: int, count: int = 6, width: int = WIDTH, height: int = HEIGHT) -> list[np.ndarray]:
    return [np.full((height, width), level, np.uint8)] * count


@pytest.mark.parametrize("count", [0, 1, 2])
def test_too_short(count):
    estimate = QUICK.estimate(iter(stream(panning(count))))
    assert estimate.failure.reason == Reason.TOO_SHORT
    assert estimate.hypotheses == ()
    assert estimate.trajectory is None


@pytest.mark.parametrize("size", [(1, 1), (8, 8), (47, 47), (47, 20)])
def test_too_small(size):
    width, height = size
    images = [texture(width=width, height=height)[:height, :width]] * 4
    estimate = QUICK.estimate(stream(images))
    assert estimate.failure.reason == Reason.TOO_SMALL
    assert f"{width}x{height}" in estimate.failure.message


@pytest.mark.parametrize(
    ("level", "reason"), [(0, Reason.TOO_DARK), (8, Reason.TOO_DARK), (200, Reason.NO_TEXTURE)]
)
def test_blank_or_dark(level, reason):
    assert QUICK.estimate(stream(blank(level))).failure.reason == reason


def test_little_texture_is_a_doubt_and_not_a_failure():
    image = np.full((HEIGHT, WIDTH), 120, np.uint8)
    image[80:100, 150:180] = texture()[:20, :30]
    estimate = QUICK.estimate(stream([np.roll(image, 3 * n, axis=1) for n in range(10)]))
    assert_answer(estimate)
    assert [doubt.reason for doubt in estimate.doubts] == [Reason.NO_TEXTURE]
    assert QUICK.estimate(stream(panning(8))).doubts == ()


@pytest.mark.parametrize("share", [0.0, 0.6])
def test_a_large_subject_before_a_still_camera_is_a_doubt(share):
    subject, images = texture(1), []
    for number in range(16):
        image = picture()
        rows = slice(0, round(share * HEIGHT))
        image[rows] = subject[rows, 5 * number :][:, :WIDTH]
        images.append(image)
    estimate = QUICK.estimate(stream(images))
    assert estimate.hypotheses[0].model == STATIC
    doubts = [doubt.reason for doubt in estimate.doubts]
    assert doubts == ([Reason.DYNAMIC_SCENE] if share else [])


# Whatever comes.


def scenes() -> dict[str, Callable[[np.random.Generator], list[np.ndarray]]]:
    def noise(rng, count=6, width=96, height=54):
        return list(rng.integers(0, 256, (count, height, width)).astype(np.uint8))

    def dot(rng):
        images = [np.zeros((54, 96), np.uint8) for _ in range(6)]
        for image in images:
            image[rng.integers(54), rng.integers(96)] = 255
        return images

    yy, xx = np.mgrid[:54, :96]
    board = (((yy // 6 + xx // 6) % 2) * 255).astype(np.uint8)
    moving = [np.roll(texture(3, 96, 54)[:54, :96], 2 * n, axis=1) for n in range(8)]
    grey = blank(128, 8, 96, 54)
    return {
        "noise": noise,
        "little noise": lambda rng: noise(rng, 3, 48, 27),
        "upright noise": lambda rng: noise(rng, 4, 27, 48),
        "a line of noise": lambda rng: noise(rng, 5, 64, 8),
        "three frames": lambda rng: noise(rng, 3),
        "a cut at every frame": lambda rng: noise(rng, 40),
        "the same noise": lambda rng: noise(rng, 1) * 6,
        "twins": lambda rng: [image for image in noise(rng, 4) for _ in range(2)],
        "blank, then noise": lambda rng: grey + noise(rng),
        "noise, then blank": lambda rng: noise(rng) + grey,
        "noise or blank": lambda rng: [i for p in zip(grey, noise(rng, 8), strict=True) for i in p],
        "a dot": dot,
        "one dot": lambda rng: dot(rng)[:1] * 6,
        "a board": lambda _: [board] * 6,
        "a board that flickers": lambda _: [board, 255 - board] * 5,
        "fades in": lambda _: grey * 4 + moving,
        "fades out": lambda _: moving + grey * 4,
        "a flash": lambda _: [*moving[:4], *blank(255, 2, 96, 54), *moving[4:]],
        "one picture amid blanks": lambda _: [*grey, *moving[:1], *grey],
        "two pictures amid blanks": lambda _: [*grey, *moving[:2], *grey],
        "stripes": lambda _: [np.roll(np.tile(board[:1], (54, 1)), n, axis=1) for n in range(8)],
    }


SCENES = scenes()


@pytest.mark.parametrize("name", SCENES)
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.filterwarnings("error")
def test_odd_pictures_never_raise(name, seed):
    frames = stream(SCENES[name](np.random.default_rng(seed)))
    assert_whole(FlowEstimator().estimate(frames), frames)


@pytest.mark.filterwarnings("error")
@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.tuples(st.sampled_from(sorted(SCENES)), st.integers(0, 9)), max_size=10),
    st.floats(0.001, 5.0),
    st.integers(0, 2**31),
)
def test_pictures_out_of_any_order_never_raise(picks, gap, seed):
    """Frames of one size out of all the odd scenes."""
    rng = np.random.default_rng(seed)
    images = []
    for name, number in picks:
        choice = [image for image in SCENES[name](rng) if image.shape == (54, 96)]
        images += choice[number : number + 2]
    frames = stream(images, 1.0 / gap)
    assert_whole(QUICK.estimate(frames), frames)


@pytest.mark.parametrize("gaps", [[1e-6] * 6, [100.0] * 6, [0.1, 50.0, 0.1, 1e-4, 9.0, 0.1]])
def test_odd_clocks_never_raise(gaps):
    times = np.concatenate([[0.0], np.cumsum(gaps)])
    frames = [
        Frame(number, float(time), image)
        for number, (time, image) in enumerate(zip(times, panning(7), strict=True))
    ]
    estimate = QUICK.estimate(frames)
    assert_answer(estimate)
    assert_whole(estimate, frames)


# Settings.


@pytest.mark.parametrize(
    "wrong",
    [
        {"long_side": 47},
        {"long_side": -480},
        {"rate": 0.0},
        {"rate": -1.0},
        {"window": 0.0},
        {"window": -6.0},
        {"keyframes": 2},
        {"tracks": 9},
    ],
)
def test_nonsense_is_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        FlowSettings(**wrong)


def test_settings_say_which_pictures_are_wanted_and_are_kept_with_the_answer():
    estimator = FlowEstimator(FlowSettings(long_side=320, rate=8.0))
    request = estimator.frame_request
    assert (request.long_side, request.rate, request.color) == (320, 8.0, False)
    estimate = estimator.estimate([])
    assert estimate.settings["long_side"] == 320
    assert FlowSettings(**estimate.settings) == estimator.settings


def test_least_settings_work():
    least = FlowEstimator(FlowSettings(long_side=48, keyframes=3, tracks=10, window=0.2))
    frames = stream(panning(12))
    estimate = least.estimate(frames)
    assert_answer(estimate)
    assert_whole(estimate, frames)
