"""COLMAP itself runs on rendered clips: signs end to end, and never a phantom."""

import json
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest

from dollygrip.classifiers.reliability import Reason
from dollygrip.classifiers.threshold import ThresholdClassifier
from dollygrip.geometry.ladder import ALL, ROTATION, TRANSLATION, ZOOM
from dollygrip.geometry.normalize import camera_motion
from dollygrip.geometry.profile import AXES
from dollygrip.geometry.synthetic import SIGNED_AXES, Motion, Move, camera_path, named_motions
from dollygrip.runners.estimators.base import Estimate
from dollygrip.runners.estimators.colmap import ColmapEstimator, ColmapSettings, GlomapEstimator
from dollygrip.runners.rendering import Look, render
from dollygrip.runners.scenery import scene
from dollygrip.runners.video import Frame

SIZE = (400, 226)
# Less to match, so that a clip takes two seconds.
QUICK = ColmapSettings(features=600, overlap=3)


@cache
def clip(
    *moves: Motion,
    world: str = "room",
    count: int = 10,
    size: tuple[int, int] = SIZE,
    focal: float | None = None,
) -> tuple[Frame, ...]:
    """Grey frames of two seconds."""
    path = camera_path(moves, duration=2.0, rate=count / 2.0, size=size, focal=focal)
    images = render(path, scene(world, seed=3), Look(noise=1.0))
    return tuple(
        Frame(number, float(time), cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))
        for number, (time, image) in enumerate(zip(path.times, images, strict=True))
    )


def labels(estimate: Estimate) -> set[str]:
    assert estimate.failure is None, estimate.failure
    return set(ThresholdClassifier().classify(estimate.hypotheses, start=0.0, end=2.0).labels)


def net(estimate: Estimate) -> dict[str, float]:
    """What the camera did in all, by axis."""
    assert estimate.trajectory is not None
    return dict(zip(AXES, camera_motion(estimate.trajectory).position[-1], strict=True))


@pytest.fixture(autouse=True)
def nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every estimate removes its folder, whatever happens."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield
    assert not list(tmp_path.glob("dollygrip-*"))


# Signs.


@pytest.mark.parametrize(
    "estimator, move, axis, sign",
    [
        (GlomapEstimator, Move("truck_right", 0.3), "truck", 1),
        (ColmapEstimator, Move("dolly_in", 0.35), "dolly", 1),
    ],
)
def test_travel_has_the_right_sign(estimator, move, axis, sign):
    estimate = estimator(QUICK).estimate(clip(move))
    assert labels(estimate) == {move.name}
    assert [h.model for h in estimate.hypotheses] == [TRANSLATION]
    # Against the depth of what has features, which is not that of the whole scene.
    assert 0.6 < sign * net(estimate)[axis] / move.amount < 1.6


def test_an_arc_turns_one_way_and_travels_the_other_and_always_the_same():
    frames = clip(Move("arc_cw", 20.0))
    estimates = [ColmapEstimator(QUICK).estimate(iter(frames)) for _ in range(2)]
    assert {"pan_right", "truck_left", "arc_cw"} <= labels(estimates[0])
    assert net(estimates[0])["pan"] == pytest.approx(20.0, abs=2.0)
    first, second = (estimate.trajectory for estimate in estimates)
    for name in ("times", "rotations", "centers", "focals", "valid", "sigmas"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    assert estimates[0].diagnostics == estimates[1].diagnostics


def test_a_path_says_what_it_rests_on_and_where_it_has_gaps():
    frames = list(clip(Move("truck_left", 0.3)))
    frames[4] = replace(frames[4], image=np.full_like(frames[4].image, 16))
    estimate = ColmapEstimator(QUICK).estimate(frames)
    assert labels(estimate) == {"truck_left"}
    path = estimate.trajectory
    assert path is not None
    np.testing.assert_array_equal(path.times, [frame.time for frame in frames])
    np.testing.assert_array_equal(path.valid, np.arange(10) != 4)
    assert (path.size, path.scene_depth) == (SIZE, 1.0)
    np.testing.assert_allclose(path.rotations[0], np.eye(3), atol=1e-9)
    np.testing.assert_allclose(path.centers[0], 0.0, atol=1e-9)
    # Against the first camera later ones are unsure, but less than they travelled.
    assert (path.sigmas[1:][path.valid[1:], :6] > 0).all()
    assert path.sigmas[-1, 3] < 0.5 * abs(path.centers[-1, 0])
    told = estimate.diagnostics
    json.dumps(told, allow_nan=False)
    assert (told["pictures"], told["registered"]) == (10, 9)
    assert 0 < told["reprojection_error"] < 0.6
    assert told["track_length"] > 2
    assert 1 < told["parallax_deg"] < 20
    assert told["points"] > 100
    assert sum(told["pairs"].values()) > 10
    assert (estimate.estimator, estimate.settings["features"]) == ("colmap", 600)
    assert estimate.seconds > 0


@pytest.mark.slow
@pytest.mark.parametrize("estimator", [ColmapEstimator, GlomapEstimator])
@pytest.mark.parametrize("name", ["pedestal_up", "dolly_out", "arc_ccw"])
def test_moves_are_named_at_full_settings(estimator, name):
    moves = named_motions(2.0)[name]
    found = labels(estimator().estimate(clip(*moves, count=16, size=(480, 270))))
    assert name in found
    if name in SIGNED_AXES:
        assert found == {name}


# No phantoms.


def test_a_pan_is_a_turn_without_travel_for_glomap():
    estimate = GlomapEstimator(QUICK).estimate(clip(Move("pan_left", 15.0)))
    assert [h.model for h in estimate.hypotheses] == [ROTATION]
    assert estimate.trajectory is not None
    assert not estimate.trajectory.centers.any()
    assert net(estimate)["pan"] == pytest.approx(-15.0, abs=0.5)
    assert labels(estimate) == {"pan_left"}


def test_a_still_camera_gives_colmap_nothing_to_start_from():
    estimate = ColmapEstimator(QUICK).estimate(clip())
    failure = estimate.failure
    assert failure is not None and failure.reason is Reason.NO_PARALLAX_SCALE
    assert "stood still or only turned" in failure.message
    assert "flow" in failure.message and "glomap" in failure.message
    assert estimate.diagnostics["turn_explains"]


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.7, 1.2])
def test_a_pan_with_another_lens_is_no_travel_either(share):
    frames = clip(Move("pan_right", 20.0), focal=share * SIZE[0], count=14)
    failure = ColmapEstimator().estimate(frames).failure
    assert failure is not None and failure.reason is Reason.NO_PARALLAX_SCALE
    estimate = GlomapEstimator().estimate(frames)
    assert [h.model for h in estimate.hypotheses] == [ROTATION]
    # The lens is found, so that the angle is right.
    assert net(estimate)["pan"] == pytest.approx(20.0, rel=0.1)


@pytest.mark.slow
def test_each_picture_may_have_its_own_focal_length_where_that_can_be_told():
    settings = ColmapSettings(focal="per_frame")
    arc = ColmapEstimator(settings).estimate(clip(Move("arc_cw", 40.0), count=16))
    assert [h.model for h in arc.hypotheses] == [ALL]
    assert arc.trajectory is not None
    np.testing.assert_allclose(arc.trajectory.focals, 0.9 * SIZE[0], rtol=0.05)
    assert "arc_cw" in labels(arc)
    truck = ColmapEstimator(settings).estimate(clip(Move("truck_left", 0.3)))
    assert [h.model for h in truck.hypotheses] == [TRANSLATION]
    assert truck.trajectory is not None
    np.testing.assert_array_equal(truck.trajectory.focals, 0.9 * SIZE[0])


@pytest.mark.slow
def test_a_still_camera_is_still_for_glomap():
    assert labels(GlomapEstimator(QUICK).estimate(clip())) == {"static"}


@pytest.mark.slow
def test_a_zoom_is_more_likely_a_zoom_than_a_dolly():
    frames = clip(Move("zoom_in", 0.4))
    estimate = ColmapEstimator(QUICK).estimate(frames)
    assert labels(estimate) == {"zoom_in"}
    assert [h.model for h in estimate.hypotheses] == [ZOOM, TRANSLATION]
    assert net(estimate)["zoom"] == pytest.approx(0.4, abs=0.05)
    fixed = ColmapEstimator(replace(QUICK, focal="prior")).estimate(frames)
    assert Reason.AMBIGUOUS_ZOOM_DOLLY in {doubt.reason for doubt in fixed.doubts}


# Failures are data.


def test_what_takes_too_long_is_stopped():
    hurried = ColmapEstimator(ColmapSettings(seconds=0.5))
    failure = hurried.estimate(clip(Move("truck_left", 0.3))).failure
    assert failure is not None and failure.reason is Reason.TIMED_OUT
    assert failure.message.startswith("colmap")


def test_what_takes_too_much_memory_is_stopped():
    cramped = GlomapEstimator(ColmapSettings(memory_mb=20))
    failure = cramped.estimate(clip(Move("truck_left", 0.3))).failure
    assert failure is not None and failure.reason is Reason.OUT_OF_MEMORY
    assert failure.message.startswith("glomap")


@pytest.mark.parametrize(
    "image, count, reason",
    [
        (np.zeros((90, 160), np.uint8), 2, Reason.TOO_SHORT),
        (np.zeros((30, 40), np.uint8), 5, Reason.TOO_SMALL),
        (np.zeros((90, 160), np.uint8), 0, Reason.TOO_SHORT),
        (np.full((90, 160), 128, np.uint8), 5, Reason.NO_TEXTURE),
    ],
)
def test_pictures_without_anything_to_match_are_told_why(image, count, reason):
    frames = [Frame(number, 0.1 * number, image) for number in range(count)]
    failure = ColmapEstimator(QUICK).estimate(frames).failure
    assert failure is not None and failure.reason is reason
    assert failure.message.endswith(".")


def test_pictures_of_different_places_do_not_match():
    rng = np.random.default_rng(0)
    noise = [rng.integers(0, 255, (24, 32), dtype=np.uint8) for _ in range(5)]
    images = [cv2.resize(n, (160, 120), interpolation=cv2.INTER_CUBIC) for n in noise]
    failure = (
        ColmapEstimator(QUICK)
        .estimate([Frame(n, 0.1 * n, i) for n, i in enumerate(images)])
        .failure
    )
    assert failure is not None and failure.reason is Reason.DID_NOT_CONVERGE


@pytest.mark.parametrize(
    "wrong",
    [
        {"pictures": 2},
        {"long_side": 20},
        {"rate": 0.0},
        {"features": 0},
        {"overlap": 0},
        {"threads": -1},
        {"seed": -1},
        {"seconds": 0.0},
        {"memory_mb": 0},
    ],
)
def test_settings_that_cannot_work_are_refused(wrong):
    with pytest.raises(ValueError):
        ColmapSettings(**wrong)
