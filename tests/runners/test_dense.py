"""The dense estimator answers any stream of pictures, with a path or with a reason."""

import json
import sys
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache

import cv2
import numpy as np
import pytest

from dollygrip.classifiers.labels import PRIMITIVES
from dollygrip.classifiers.reliability import Reason
from dollygrip.classifiers.threshold import ThresholdClassifier
from dollygrip.geometry.ladder import MODELS, STATIC
from dollygrip.geometry.rotations import log
from dollygrip.geometry.synthetic import Motion, Move, camera_path, named_motions
from dollygrip.geometry.trajectory import Trajectory
from dollygrip.runners.estimators.base import Estimate
from dollygrip.runners.estimators.dense import DenseEstimator, DenseSettings
from dollygrip.runners.estimators.dense_depth import Expected, aligned, load_depth_model
from dollygrip.runners.rendering import Look, render
from dollygrip.runners.scenery import Actor, Scene, depths, person, scene
from dollygrip.runners.video import Frame

torch = pytest.importorskip("torch")

SIZE, SECONDS, RATE = (192, 112), 2.0, 5.0
GRID = (14, 24)
SENSOR = Look(noise=1.5)
# Fewer keyframes, so that a clip takes half a second.
QUICK = DenseSettings(keyframes=8)
CANONICAL = named_motions(SECONDS)


@lru_cache(maxsize=4)
def world(name: str, seed: int = 3) -> Scene:
    return scene(name, seed=seed)


def path_of(*moves: Motion, size: tuple[int, int] = SIZE, seconds: float = SECONDS) -> Trajectory:
    return camera_path(moves, duration=seconds, rate=RATE, size=size)


def filmed(
    path: Trajectory,
    place: str = "street",
    cast: Sequence[Actor] = (),
    color: bool = False,
    look: Look = SENSOR,
) -> list[Frame]:
    shown = render(path, world(place).with_actors(*cast), look)
    return [
        Frame(index, time, picture if color else cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY))
        for index, (time, picture) in enumerate(zip(path.times.tolist(), shown, strict=True))
    ]


def labels(estimate: Estimate) -> set[str]:
    assert estimate.failure is None
    times = estimate.trajectory.times
    shot = ThresholdClassifier().classify(
        estimate.hypotheses, start=float(times[0]), end=float(times[-1])
    )
    return set(shot.labels)


def assert_answer(estimate: Estimate, frames: Sequence[Frame]) -> None:
    """Everything an answer promises, whatever was seen."""
    json.dumps([estimate.diagnostics, estimate.settings], allow_nan=False)
    assert estimate.estimator == "dense"
    assert estimate.seconds > 0.0
    if estimate.failure is not None:
        assert estimate.failure.message.endswith(".")
        return
    probabilities = [h.probability for h in estimate.hypotheses]
    assert sum(probabilities) == pytest.approx(1.0)
    assert probabilities == sorted(probabilities, reverse=True)
    assert {h.model for h in estimate.hypotheses} <= set(MODELS)
    for hypothesis in estimate.hypotheses:
        path = hypothesis.trajectory
        np.testing.assert_array_equal(path.times, [frame.time for frame in frames])
        np.testing.assert_allclose(path.rotations[0], np.eye(3), atol=1e-9)
        np.testing.assert_allclose(path.centers[0], 0.0, atol=1e-9)


# What is told.

# The others are slow, and mirror images of these.
_FIRST = ("static", "pan_right", "truck_left", "dolly_in", "zoom_out")


@pytest.mark.parametrize(
    "name",
    [n if n in _FIRST else pytest.param(n, marks=pytest.mark.slow) for n in PRIMITIVES],
)
def test_every_primitive_is_told(name):
    frames = filmed(path_of(*CANONICAL[name]))
    estimate = DenseEstimator(QUICK).estimate(frames)
    assert_answer(estimate, frames)
    assert labels(estimate) == {name}


WALKER = person(1, 0.9, start=(-0.25, 0.6, 0.6), velocity=(0.25, 0.0, 0.0))


def test_a_subject_that_walks_moves_no_camera():
    estimate = DenseEstimator(QUICK).estimate(filmed(path_of(), cast=[WALKER]))
    assert estimate.hypotheses[0].model == STATIC
    assert labels(estimate) == {"static"}


@pytest.mark.slow
def test_a_pan_through_a_wide_lens_is_no_truck():
    frames = filmed(path_of(Move("pan_right", 25.0)), "room", look=Look(noise=1.5, barrel=0.3))
    assert labels(DenseEstimator(QUICK).estimate(frames)) == {"pan_right"}


@pytest.mark.slow
def test_a_long_shot_is_chained():
    frames = filmed(path_of(Move("pan_right", 30.0), seconds=4.0))
    estimate = DenseEstimator(replace(QUICK, window=1.0, keyframes=5)).estimate(frames)
    assert_answer(estimate, frames)
    turned = np.degrees(log(estimate.trajectory.rotations[-1]))
    np.testing.assert_allclose(turned, [0.0, 30.0, 0.0], atol=2.0)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_shot():
    there_and_back = filmed(path_of(Move("pan_right", 8.0), seconds=1.0), "room")
    there_and_back += there_and_back[-2:0:-1]
    held: dict[int, int] = {}

    def long() -> Iterator[Frame]:
        for turn in range(12):
            held[turn] = tracemalloc.get_traced_memory()[0]
            for number, frame in enumerate(there_and_back):
                yield replace(frame, time=(turn * len(there_and_back) + number) / RATE)

    tracemalloc.start()
    try:
        DenseEstimator(replace(QUICK, window=1.0, keyframes=4)).estimate(long())
    finally:
        tracemalloc.stop()
    # A second's pictures take 170 kB; what is kept of it is a few times less.
    assert min(held[turn] for turn in range(8, 12)) - min(held[t] for t in range(4, 8)) < 300_000


# Laws.


def same(one: Estimate, other: Estimate, tolerance: float) -> None:
    assert [h.model for h in one.hypotheses] == [h.model for h in other.hypotheses]
    for mine, yours in zip(one.hypotheses, other.hypotheses, strict=True):
        assert mine.probability == pytest.approx(yours.probability, abs=tolerance)
        for name in ("times", "rotations", "centers", "focals", "sigmas"):
            np.testing.assert_allclose(
                getattr(mine.trajectory, name), getattr(yours.trajectory, name), atol=tolerance
            )


@pytest.mark.slow
def test_several_shots_at_once_are_the_same_as_one_by_one():
    """Of other lengths and sizes, one of them blank."""
    blank = [Frame(n, n / RATE, np.full((144, 256), 90, np.uint8)) for n in range(5)]
    shots = [
        filmed(path_of(*CANONICAL["truck_right"])),
        filmed(path_of(Move("pan_left", 9.0), seconds=0.8)),
        blank,
        filmed(path_of(*CANONICAL["zoom_in"], size=(120, 200), seconds=1.5), "room"),
    ]
    estimator = DenseEstimator(replace(QUICK, maps=True, window=1.2))
    together = estimator.estimate_many([iter(shot) for shot in shots])
    for shot, one in zip(shots, together, strict=True):
        assert_answer(one, shot)
        alone = estimator.estimate(shot)
        same(one, alone, 1e-5)
        assert one.failure == alone.failure
        if alone.maps is not None:
            np.testing.assert_allclose(one.maps.moving, alone.maps.moving, atol=1e-4)
    assert together[2].failure.reason == Reason.NO_TEXTURE
    assert estimator.estimate_many([]) == []


@pytest.mark.slow
def test_the_same_frames_give_the_same_answer():
    frames = filmed(path_of(*CANONICAL["dolly_out"]))[:6]
    one, other = (DenseEstimator(QUICK).estimate(shot) for shot in (frames, iter(frames)))
    assert one.diagnostics == other.diagnostics
    same(one, other, 0.0)


def test_the_callers_threads_are_left_alone():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        DenseEstimator(QUICK).estimate(filmed(path_of())[:3])
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


# Depth and movement.


def true_depths(path: Trajectory, frame: int, place: str, grid: tuple[int, int]) -> np.ndarray:
    """(rows, columns) depth of a 16:9 picture of the prior focal length."""
    turn, center = path.rotations[frame], path.centers[frame]
    rows, columns = grid
    panels = [
        replace(
            panel,
            origin=(panel.origin - center) @ turn,
            right=panel.right @ turn,
            down=panel.down @ turn,
        )
        for panel in world(place).panels
    ]
    return depths(panels, columns, rows)


def test_depths_of_a_truck_are_those_of_the_scene():
    path = path_of(*CANONICAL["truck_right"])
    estimate = DenseEstimator(replace(QUICK, maps=True)).estimate(filmed(path, "room"))
    maps = estimate.maps
    assert maps.depths.shape == maps.moving.shape == (8, *GRID)
    truth = np.stack(
        [true_depths(path, int(np.abs(path.times - t).argmin()), "room", GRID) for t in maps.times]
    )
    known = np.isfinite(maps.depths)
    assert known.mean() > 0.5
    near, found = 1.0 / truth[known], 1.0 / maps.depths[known]
    assert np.corrcoef(near, found)[0, 1] > 0.8
    # In the unit of the path.
    unit = estimate.trajectory.centers[-1, 0] / path.centers[-1, 0]
    assert np.median(near / found) == pytest.approx(unit, rel=0.1)
    assert maps.moving.mean() < 0.2


@pytest.mark.parametrize("moves", [(), (Move("truck_right", 0.2),)], ids=["still", "truck"])
def test_the_mask_covers_who_moves(moves):
    path = path_of(*moves)
    frames, empty = filmed(path, "room", [WALKER]), filmed(path, "room")
    estimate = DenseEstimator(replace(QUICK, maps=True)).estimate(frames)
    maps = estimate.maps
    covered, elsewhere = [], []
    for time, moving in zip(maps.times, maps.moving, strict=True):
        number = int(np.abs(path.times - time).argmin())
        change = cv2.absdiff(frames[number].image, empty[number].image).astype(np.float32)
        subject = (
            cv2.resize(cv2.blur(change, (9, 9)), GRID[::-1], interpolation=cv2.INTER_AREA) > 12
        )
        around = cv2.dilate(subject.astype(np.uint8), np.ones((5, 5))) > 0
        covered.append(moving[subject])
        elsewhere.append(moving[~around])
    assert np.mean(np.concatenate(covered) > 0.5) > 0.7
    assert np.mean(np.concatenate(elsewhere) > 0.5) < 0.15


def test_a_pan_knows_no_depth():
    estimate = DenseEstimator(replace(QUICK, maps=True)).estimate(
        filmed(path_of(*CANONICAL["pan_left"]))
    )
    assert np.isnan(estimate.maps.depths).all()


def test_no_maps_unless_asked():
    assert DenseEstimator(QUICK).estimate(filmed(path_of())[:4]).maps is None


# What cannot be told.


def blank(level: int, count: int = 6, size: tuple[int, int] = SIZE) -> list[Frame]:
    return [Frame(n, n / RATE, np.full(size[::-1], level, np.uint8)) for n in range(count)]


@pytest.mark.parametrize("count", [0, 1, 2])
def test_too_short(count):
    estimate = DenseEstimator(QUICK).estimate(iter(filmed(path_of(Move("pan_left", 5.0)))[:count]))
    assert estimate.failure.reason == Reason.TOO_SHORT
    assert estimate.hypotheses == ()


@pytest.mark.parametrize(
    ("level", "reason"), [(0, Reason.TOO_DARK), (8, Reason.TOO_DARK), (200, Reason.NO_TEXTURE)]
)
def test_blank_or_dark(level, reason):
    assert DenseEstimator(QUICK).estimate(blank(level)).failure.reason == reason


def test_too_small():
    estimate = DenseEstimator(QUICK).estimate(blank(9, size=(40, 30)))
    assert estimate.failure.reason == Reason.TOO_SMALL


def test_black_pictures_at_the_ends_tell_nothing():
    shown = filmed(path_of(Move("pan_right", 12.0)))
    images = [*[shown[0].image * 0] * 3, *(frame.image for frame in shown), shown[0].image * 0]
    frames = [Frame(number, number / RATE, image) for number, image in enumerate(images)]
    estimate = DenseEstimator(QUICK).estimate(frames)
    assert_answer(estimate, frames)
    np.testing.assert_array_equal(
        estimate.trajectory.valid, [False] * 3 + [True] * len(shown) + [False]
    )


def noise(
    rng: np.random.Generator, count: int, size: tuple[int, int] = (96, 54)
) -> list[np.ndarray]:
    return list(rng.integers(0, 256, (count, *size[::-1])).astype(np.uint8))


_GREY = [np.full((54, 96), 128, np.uint8)] * 4
_BOARD = ((np.indices((54, 96)) // 6).sum(axis=0) % 2 * 255).astype(np.uint8)
SCENES: dict[str, Callable[[np.random.Generator], list[np.ndarray]]] = {
    "noise": lambda rng: noise(rng, 5),
    "three frames": lambda rng: noise(rng, 3),
    "upright noise": lambda rng: noise(rng, 4, (27, 48)),
    "a line of noise": lambda rng: noise(rng, 5, (64, 8)),
    "the same noise": lambda rng: noise(rng, 1) * 6,
    "twins": lambda rng: [image for image in noise(rng, 3) for _ in range(2)],
    "blank, then noise": lambda rng: _GREY + noise(rng, 4),
    "noise or blank": lambda rng: [i for p in zip(_GREY, noise(rng, 4), strict=True) for i in p],
    "a board": lambda _: [_BOARD] * 6,
    "a board that flickers": lambda _: [_BOARD, 255 - _BOARD] * 3,
    "stripes": lambda _: [np.roll(np.tile(_BOARD[:1], (54, 1)), n, axis=1) for n in range(6)],
}


@pytest.mark.parametrize("name", SCENES)
@pytest.mark.filterwarnings("error")
def test_odd_pictures_never_raise(name):
    images = SCENES[name](np.random.default_rng(0))
    frames = [Frame(number, number / RATE, image) for number, image in enumerate(images)]
    assert_answer(DenseEstimator(replace(QUICK, maps=True)).estimate(frames), frames)


# Making one.


@pytest.mark.parametrize(
    "wrong",
    [{"long_side": 47}, {"rate": 0.0}, {"window": -6.0}, {"keyframes": 2}],
)
def test_nonsense_is_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        DenseSettings(**wrong)


def test_without_torch_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ImportError, match=r"dollygrip\[dense\]"):
        DenseEstimator()


def test_what_it_needs_is_known_before_it_is_made(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    (plain,) = DenseEstimator.needs(DenseSettings())
    assert plain.there
    informed = DenseEstimator.needs(DenseSettings(depth_model="some/model"))
    assert [need.what for need in informed if not need.there] == ["the Python package transformers"]


def test_a_device_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert DenseEstimator(DenseSettings(device="auto")).device == "cpu"
    with pytest.raises(ValueError, match="no CUDA device"):
        DenseEstimator(DenseSettings(device="cuda"))


# A depth model.


def test_a_depth_model_is_asked_for_every_keyframe():
    path = path_of(*CANONICAL["pedestal_up"])
    frames = filmed(path, "room", color=True)
    truth = {
        frame.image.tobytes(): 1.0 / true_depths(path, number, "room", (28, 48))
        for number, frame in enumerate(frames)
    }
    asked = []

    def model(picture: np.ndarray) -> np.ndarray:
        asked.append(picture)
        # As a network would have it: in no unit, and from any zero.
        return 7.0 * truth[picture.tobytes()] + 3.0

    estimator = DenseEstimator(QUICK, depth=model)
    assert estimator.frame_request.color
    assert labels(estimator.estimate(frames)) == {"pedestal_up"}
    assert len(asked) == QUICK.keyframes


def test_a_depth_model_that_says_nothing_changes_nothing():
    nothing = [np.full((4, 5), np.nan), np.zeros((9, 7)), np.zeros((0, 0)), np.zeros(3)]
    said = iter(2 * nothing)
    frames = filmed(path_of(*CANONICAL["truck_right"]), color=True)[:8]
    grey = [replace(frame, image=cv2.cvtColor(frame.image, cv2.COLOR_RGB2GRAY)) for frame in frames]
    plain = DenseEstimator(QUICK).estimate(grey)
    same(DenseEstimator(QUICK, depth=lambda picture: next(said)).estimate(frames), plain, 1e-6)


def test_a_depth_model_needs_its_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ImportError, match="pip install transformers"):
        DenseEstimator(DenseSettings(depth_model="some/model"))


class _Checkpoints:
    """Stands in for ``transformers``: there is one checkpoint, whose depth is the brightness."""

    def __init__(self, kind: str) -> None:
        self.config = type("Config", (), {"depth_estimation_type": kind})
        self.AutoImageProcessor = self.AutoModelForDepthEstimation = self

    def from_pretrained(self, name: str, *, local_files_only: bool) -> "_Checkpoints":
        if name != "here" and local_files_only:
            raise OSError(f"{name} is not here\nand more")
        return self

    def to(self, device: str) -> "_Checkpoints":
        return self

    def eval(self) -> "_Checkpoints":
        return self

    def __call__(self, images=None, pixels=None, return_tensors=None):
        if images is not None:
            return _Inputs(pixels=torch.as_tensor(images.mean(axis=2))[None])
        return type("Output", (), {"predicted_depth": pixels})


class _Inputs(dict):
    def to(self, device: str) -> "_Inputs":
        return self


@pytest.mark.parametrize("kind", ["relative", "metric"])
def test_a_checkpoint_gives_inverse_depth(monkeypatch, kind):
    monkeypatch.setitem(sys.modules, "transformers", _Checkpoints(kind))
    provider = load_depth_model("here", "cpu")
    picture = np.arange(1, 13, dtype=np.uint8).reshape(3, 4)[..., None].repeat(3, axis=2)
    expected = picture[..., 0] if kind == "relative" else 1.0 / picture[..., 0]
    np.testing.assert_allclose(provider(picture), expected, rtol=1e-6)


def test_a_checkpoint_that_is_not_there_is_said_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", _Checkpoints("relative"))
    with pytest.raises(ValueError, match=r"'nowhere' cannot be loaded \(depth_download"):
        DenseEstimator(DenseSettings(depth_model="nowhere"))
    assert load_depth_model("nowhere", "cpu", download=True) is not None


def test_a_depth_model_fades_with_parallax():
    """MegaSaM's rule: what travel shows of depths is not to be overruled."""
    rng = np.random.default_rng(0)
    plain = Expected(np.ones((2, 50)), np.full((2, 50), 2.0))
    model = Expected(rng.uniform(0.5, 2.0, (2, 50)), np.full((2, 50), 7.0))
    found = 0.7 * model.mean + 0.2
    near, some = aligned(model, plain, found, 0.0), aligned(model, plain, found, 10.0)
    np.testing.assert_allclose(near.mean, found, atol=1e-9)
    np.testing.assert_allclose(near.precision, 7.0)
    assert (some.precision < near.precision).all()
    assert (some.precision > plain.precision).all()
    assert aligned(model, plain, found, 30.0) is plain
