"""The adjustment, from exact tracks of exact paths."""

from dataclasses import replace

import numpy as np
import pytest

from dollygrip.geometry.bundle import (
    Observations,
    Solution,
    _Problem,
    _State,
    adjust,
    explained_share,
    standing_still,
)
from dollygrip.geometry.rotations import exp, is_rotation, log
from dollygrip.geometry.synthetic import Move, camera_path
from dollygrip.geometry.trajectory import Trajectory

FOCAL = 432.0
SCALES = np.concatenate([np.geomspace(30.0, 2.0, 9), np.full(6, 1.5)])


def path_of(*moves: Move, focal: float = FOCAL) -> Trajectory:
    return camera_path(moves, duration=1.6, rate=5.0, focal=focal)


def solve(
    seen: Observations,
    *,
    start: Solution | None = None,
    translate: bool = True,
    zoom: bool = False,
    noise: float = 0.5,
    scales: np.ndarray = SCALES,
) -> Solution:
    return adjust(
        seen,
        standing_still(seen, FOCAL) if start is None else start,
        translate=translate,
        zoom=zoom,
        focal_prior=FOCAL,
        noise=noise,
        scales=scales,
    )


def turn_error_deg(found: Solution, path: Trajectory) -> float:
    miss = log(np.swapaxes(path.rotations, 1, 2) @ found.rotations)
    return float(np.degrees(np.linalg.norm(miss, axis=1)).max())


# The derivatives.


@pytest.fixture(scope="module")
def linearized(scene):
    """The problem, a state that is nothing special, and its derivatives there."""
    seen, _ = scene(path_of(Move("arc_cw", 10.0), Move("zoom_in", 0.2)), tracks=30)
    rng = np.random.default_rng(3)
    n, t = seen.frames, len(seen.anchor)
    state = _State(
        exp(rng.normal(0.0, 0.1, (n, 3))),
        rng.normal(0.0, 0.1, (n, 3)),
        rng.normal(0.0, 0.1, n),
        float(np.log(400.0)),
        -0.3,
        rng.uniform(0.3, 1.7, t),
    )
    problem = _Problem(seen, True, True, True, FOCAL, 0.5)
    return problem, state, problem.linearize(state)


STEP = 1e-6


def numeric(problem: _Problem, plus: _State, minus: _State) -> np.ndarray:
    """(K, 2) change of the projections: the residuals fall as they grow."""
    rise = problem.linearize(plus).residual - problem.linearize(minus).residual
    return -rise / (2.0 * STEP)


def nudged(state: _State, frame: int, axis: int, by: float) -> _State:
    change = np.zeros((len(state.zooms), 7))
    change[frame, axis] = by
    return replace(
        state,
        rotations=state.rotations @ exp(change[:, :3]),
        centers=state.centers + change[:, 3:6],
        zooms=state.zooms + change[:, 6],
    )


@pytest.mark.parametrize("axis", range(7))
def test_derivatives_by_the_cameras_are_those_of_the_projection(linearized, axis):
    problem, state, here = linearized
    seen = problem.seen
    for frame in (0, 3, seen.frames - 1):
        expected = numeric(
            problem, nudged(state, frame, axis, STEP), nudged(state, frame, axis, -STEP)
        )
        observing = (seen.frame == frame)[:, None] * here.camera[:, :, axis]
        anchoring = (seen.anchor[seen.track] == frame)[:, None] * here.anchor[:, :, axis]
        assert np.abs(expected).max() > 1.0
        np.testing.assert_allclose(observing + anchoring, expected, atol=2e-3, rtol=1e-5)


def test_derivatives_by_depth_and_what_all_frames_share_are_those_of_the_projection(linearized):
    problem, state, here = linearized
    for track in (0, 7, 20):
        nudge = STEP * (np.arange(len(state.depth)) == track)
        expected = numeric(
            problem,
            replace(state, depth=state.depth + nudge),
            replace(state, depth=state.depth - nudge),
        )
        mine = (problem.seen.track == track)[:, None] * here.depth
        assert np.abs(expected).max() > 1.0
        np.testing.assert_allclose(mine, expected, atol=2e-3, rtol=1e-5)
    for column, name in enumerate(("log_focal", "lens")):
        plus, minus = (
            replace(state, **{name: getattr(state, name) + step}) for step in (STEP, -STEP)
        )
        expected = numeric(problem, plus, minus)
        assert np.abs(expected).max() > 1.0
        np.testing.assert_allclose(here.shared[:, :, column], expected, atol=2e-3, rtol=1e-5)


@pytest.mark.parametrize("lens", [-0.6, 0.0, 0.2])
def test_the_true_path_leaves_no_residual(scene, lens):
    path = path_of(Move("arc_cw", 15.0), Move("zoom_in", 0.2), Move("roll_cw", 8.0))
    seen, depth = scene(path, lens=lens)
    zooms = np.log(path.focals / path.focals[0])
    state = _State(path.rotations, path.centers, zooms, float(np.log(FOCAL)), lens, depth)
    here = _Problem(seen, True, True, True, FOCAL, 0.5).linearize(state)
    np.testing.assert_allclose(here.residual, 0.0, atol=1e-9)


# What is found, from a standing start.


@pytest.mark.parametrize("name", ["pan_left", "tilt_up", "roll_ccw"])
def test_turns(scene, name):
    path = path_of(Move(name, 12.0))
    seen, _ = scene(path, noise=0.2)
    found = solve(seen, translate=False)
    assert turn_error_deg(found, path) < 0.1
    assert found.residual.max() < 1.5


def test_a_wide_pan_tells_the_focal_length(scene):
    path = path_of(Move("pan_left", 25.0), focal=600.0)
    found = solve(scene(path, tracks=200, noise=0.1)[0], translate=False)
    assert found.focal == pytest.approx(600.0, rel=0.05)


def test_a_wide_pan_tells_the_lens(scene):
    path = path_of(Move("pan_left", 25.0))
    seen, _ = scene(path, tracks=200, noise=0.1, lens=-0.7)
    start = standing_still(seen, FOCAL)
    kind = {"translate": False, "zoom": False, "focal_prior": FOCAL, "noise": 0.5}
    straight = adjust(seen, start, scales=SCALES, **kind)
    free = adjust(seen, start, scales=SCALES, bend=True, **kind)
    assert straight.lens == 0.0
    assert free.lens == pytest.approx(-0.7, abs=0.05)
    assert turn_error_deg(free, path) < 0.3 < turn_error_deg(straight, path)


@pytest.mark.parametrize("name", ["zoom_in", "zoom_out"])
def test_zooms(scene, name):
    path = path_of(Move(name, 0.3))
    found = solve(scene(path, noise=0.2)[0], translate=False, zoom=True)
    np.testing.assert_allclose(found.zooms, np.log(path.focals / FOCAL), atol=0.01)
    assert turn_error_deg(found, path) < 0.2


@pytest.mark.parametrize(
    "name", ["truck_right", "truck_left", "pedestal_up", "pedestal_down", "dolly_in", "dolly_out"]
)
def test_travel(scene, name):
    path = path_of(Move(name, 0.25))
    seen, depth = scene(path, noise=0.2)
    found = solve(seen)
    end, true = found.centers[-1], path.centers[-1]
    cosine = end @ true / np.linalg.norm(end) / np.linalg.norm(true)
    assert np.degrees(np.arccos(cosine)) < 3.0
    # How far is only as well known as how deep the scene is.
    assert np.linalg.norm(end) == pytest.approx(np.linalg.norm(true), rel=0.25)
    assert turn_error_deg(found, path) < 0.5
    seen_often = np.bincount(seen.track, minlength=len(depth)) > 3
    assert np.corrcoef(found.inverse_depth[seen_often], depth[seen_often])[0, 1] > 0.95


def test_distance_over_depth_is_sharper_than_either(scene):
    path = path_of(Move("truck_right", 0.25))
    seen, depth = scene(path)
    found = solve(seen)
    often = np.bincount(seen.track, minlength=len(depth)) > 5
    parallax = found.centers[-1, 0] * found.inverse_depth[often]
    assert np.median(parallax / (0.25 * depth[often])) == pytest.approx(1.0, abs=0.05)


def test_turning_while_travelling(scene):
    path = path_of(Move("arc_ccw", 18.0))
    found = solve(scene(path, noise=0.2)[0])
    assert turn_error_deg(found, path) < 1.0
    np.testing.assert_allclose(found.centers, path.centers, atol=0.06)


def test_a_dolly_zoom_from_half_of_it(scene):
    """Nothing moves but the depths apart, so that a standing start may find another path."""
    path = path_of(Move("dolly_zoom_in", 0.3))
    seen, _ = scene(path, tracks=200, noise=0.1)
    zooms = np.log(path.focals / FOCAL)
    half = replace(standing_still(seen, FOCAL), centers=0.5 * path.centers, zooms=0.5 * zooms)
    found = solve(seen, start=half, zoom=True)
    assert found.zooms[-1] == pytest.approx(np.log(path.focals[-1] / FOCAL), abs=0.06)
    assert found.centers[-1, 2] == pytest.approx(-0.3, abs=0.06)


@pytest.mark.parametrize(
    ("move", "kind"),
    [
        (Move("pan_left", 12.0), {"translate": False}),
        (Move("zoom_in", 0.3), {"translate": False, "zoom": True}),
        (Move("truck_left", 0.25), {}),
    ],
)
def test_a_quarter_of_wild_points_changes_little(scene, move, kind):
    path = path_of(move)
    clean = solve(scene(path, tracks=150, noise=0.2)[0], **kind)
    seen, _ = scene(path, tracks=150, noise=0.2, outliers=0.25)
    wild = solve(seen, **kind)
    assert turn_error_deg(wild, path) < turn_error_deg(clean, path) + 0.5
    np.testing.assert_allclose(wild.centers, clean.centers, atol=0.05)
    np.testing.assert_allclose(wild.zooms, clean.zooms, atol=0.01)
    assert 0.6 < np.mean(wild.residual < 2.0) < 0.8


# What holds whatever is seen.


@pytest.mark.parametrize("translate", [False, True])
@pytest.mark.parametrize("zoom", [False, True])
def test_the_first_camera_is_the_world_and_only_what_may_move_moves(scene, translate, zoom):
    moves = Move("arc_cw", 15.0), Move("zoom_in", 0.2)
    seen, _ = scene(path_of(*moves), noise=0.5, outliers=0.1)
    found = solve(seen, translate=translate, zoom=zoom)
    np.testing.assert_array_equal(found.rotations[0], np.eye(3))
    np.testing.assert_array_equal(found.centers[0], 0.0)
    assert found.zooms[0] == 0.0
    np.testing.assert_array_equal(found.sigmas[0], 0.0)
    assert is_rotation(found.rotations, 1e-9)
    assert (np.abs(found.centers[1:]).max(axis=1) > 0.0).all() == translate
    assert (found.zooms[1:] != 0.0).all() == zoom
    if not translate:
        np.testing.assert_array_equal(found.centers, 0.0)
        np.testing.assert_array_equal(found.sigmas[:, 3:6], 0.0)
        np.testing.assert_array_equal(found.inverse_depth, seen.inverse_depth)
    if not zoom:
        np.testing.assert_array_equal(found.zooms, 0.0)


def test_more_steps_never_make_it_worse(scene):
    seen, _ = scene(path_of(Move("arc_cw", 15.0)), noise=0.5, outliers=0.2)
    energies = [solve(seen, scales=np.full(steps, 1.5)).energy for steps in (1, 4, 12)]
    assert energies == sorted(energies, reverse=True)
    assert energies[0] > energies[-1]


def test_freer_models_explain_at_least_as_much(scene):
    seen, _ = scene(path_of(Move("dolly_zoom_in", 0.3)), noise=0.3)
    turned = solve(seen, translate=False)
    travelled = solve(seen, start=turned)
    everything = solve(seen, start=travelled, zoom=True)
    shares = [explained_share(s.residual, 2.0) for s in (turned, travelled, everything)]
    assert shares == sorted(shares)


def test_a_mirrored_scene_gives_the_mirrored_path(scene):
    path = path_of(Move("arc_cw", 15.0), Move("roll_cw", 5.0))
    seen, _ = scene(path, noise=0.3)
    flip = np.array([-1.0, 1.0])
    mirrored = replace(seen, xy=seen.xy * flip, anchor_xy=seen.anchor_xy * flip)
    found, other = solve(seen), solve(mirrored)
    np.testing.assert_allclose(other.centers, found.centers * [-1, 1, 1], atol=1e-6)
    np.testing.assert_allclose(log(other.rotations), log(found.rotations) * [1, -1, -1], atol=1e-6)


# How sure.


def test_fewer_tracks_and_more_noise_leave_more_doubt(scene):
    path = path_of(Move("pan_left", 10.0))

    def sigmas(tracks: int, noise: float) -> np.ndarray:
        seen, _ = scene(path, tracks=tracks, noise=noise)
        found = solve(seen, translate=False, noise=noise, scales=2.0 * noise * SCALES)
        return found.sigmas[-1, :3]

    many = sigmas(200, 0.5)
    assert (many > 0.0).all()
    assert (sigmas(50, 0.5) > 1.3 * many).all()
    assert (sigmas(200, 1.5) > 1.3 * many).all()


def test_errors_are_as_large_as_they_are_said_to_be(scene):
    """Of independent noise: less than said, because real noise is not independent."""
    path = path_of(Move("pan_left", 10.0), Move("tilt_up", 5.0))
    ratios = []
    for seed in range(12):
        seen, _ = scene(path, seed=seed, tracks=60, noise=0.5)
        found = solve(seen, translate=False)
        miss = log(np.swapaxes(path.rotations, 1, 2) @ found.rotations)[-1]
        ratios.append(miss / found.sigmas[-1, :3])
    spread = np.sqrt(np.mean(np.square(ratios)))
    assert 0.1 < spread < 1.5


# What tells nothing.


def none_of(seen: Observations) -> Observations:
    nothing = np.zeros(0, np.intp)
    return replace(seen, frame=nothing, track=nothing, xy=np.zeros((0, 2)))


def no_tracks(frames: int) -> Observations:
    nothing, empty = np.zeros(0, np.intp), np.zeros((0, 2))
    return Observations(nothing, nothing, empty, nothing, empty, np.zeros(0), frames)


@pytest.mark.parametrize("translate", [False, True])
@pytest.mark.parametrize("zoom", [False, True])
@pytest.mark.parametrize("frames", [2, 7])
def test_without_observations_the_camera_stays(translate, zoom, frames):
    found = solve(no_tracks(frames), translate=translate, zoom=zoom)
    np.testing.assert_array_equal(found.rotations, np.tile(np.eye(3), (frames, 1, 1)))
    np.testing.assert_array_equal(found.centers, 0.0)
    np.testing.assert_array_equal(found.zooms, 0.0)
    assert found.focal == pytest.approx(FOCAL)
    assert found.residual.shape == (0,)
    assert np.isfinite(found.sigmas).all()
    # Nothing is known, and that is said.
    assert (found.sigmas[1:, :3] > 1.0).all()


def test_tracks_that_nobody_sees_again(scene):
    seen, _ = scene(path_of(Move("truck_right", 0.25)))
    found = solve(none_of(seen))
    np.testing.assert_array_equal(found.centers, 0.0)
    np.testing.assert_array_equal(found.inverse_depth, seen.inverse_depth)


@pytest.mark.parametrize("translate", [False, True])
def test_a_frame_that_sees_nothing_does_not_harm_the_others(scene, translate):
    path = path_of(Move("pan_left", 8.0))
    seen, _ = scene(path, noise=0.2)
    blank = seen.frames
    found = solve(replace(seen, frames=blank + 1), translate=translate)
    alone = solve(seen, translate=translate)
    difference = log(np.swapaxes(alone.rotations, 1, 2) @ found.rotations[:blank])
    assert np.degrees(np.abs(difference).max()) < 0.1
    assert np.isfinite(found.sigmas).all()
    assert (found.sigmas[blank, :3] > 10.0 * found.sigmas[blank - 1, :3]).all()


@pytest.mark.parametrize("translate", [False, True])
def test_two_frames(scene, translate):
    path = camera_path([Move("pan_left", 5.0)], duration=0.4, rate=5.0)
    assert len(path) == 2
    found = solve(scene(path, noise=0.1)[0], translate=translate)
    assert found.rotations.shape == (2, 3, 3)
    assert turn_error_deg(found, path) < (1.0 if translate else 0.1)


def test_one_track_only(scene):
    seen, _ = scene(path_of(Move("truck_right", 0.25)), tracks=1)
    found = solve(seen, zoom=True)
    assert np.isfinite(found.centers).all()
    assert np.isfinite(found.sigmas).all()
    assert is_rotation(found.rotations, 1e-9)


def test_points_behind_the_camera_and_absurd_positions_stay_finite(scene):
    seen, _ = scene(path_of(Move("truck_right", 0.25)), tracks=30)
    found = solve(replace(seen, xy=seen.xy * 1e6), zoom=True)
    for values in (found.rotations, found.centers, found.zooms, found.sigmas, found.residual):
        assert np.isfinite(values).all()


def test_standing_still_measures_how_far_points_went(scene):
    seen, _ = scene(path_of())
    still = standing_still(seen, FOCAL)
    np.testing.assert_allclose(still.residual, 0.0, atol=1e-9)
    moved = standing_still(replace(seen, xy=seen.xy + np.array([3.0, 4.0])), FOCAL)
    np.testing.assert_allclose(moved.residual, 5.0, atol=1e-9)


def test_explained_share():
    assert explained_share(np.zeros(3), 2.0) == 1.0
    assert explained_share(np.full(3, 2.0), 2.0) == pytest.approx(0.5)
    assert explained_share(np.array([0.0, 1e9]), 2.0) == pytest.approx(0.5)
    assert explained_share(np.zeros(0), 2.0) == 0.0
