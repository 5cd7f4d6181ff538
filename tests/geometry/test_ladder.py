"""Which model is believed, from exact tracks with a fifth of a pixel of noise."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dollygrip.geometry.bundle import standing_still
from dollygrip.geometry.ladder import (
    ALL,
    MODELS,
    MOVING,
    ROTATION,
    STATIC,
    TRANSLATION,
    ZOOM,
    Climb,
    climb,
    weigh,
)
from dollygrip.geometry.observations import Observations
from dollygrip.geometry.rotations import is_rotation, log
from dollygrip.geometry.synthetic import Move, camera_path

FOCAL = 432.0


@pytest.fixture(scope="module")
def climbed(scene):
    """The ladder for an exact motion, from a standing start."""

    def climbing(*moves: Move, duration: float = 1.6, **kind):
        path = camera_path(moves, duration=duration, rate=5.0)
        seen, _ = scene(path, **({"noise": 0.2} | kind))
        return path, climb(seen, standing_still(seen, FOCAL), FOCAL, 1.0)

    return climbing


def believed(answer: Climb) -> str:
    return max(answer.beliefs, key=lambda model: answer.beliefs[model])


@pytest.mark.parametrize(
    ("move", "model"),
    [
        (Move("pan_left", 12.0), ROTATION),
        (Move("tilt_up", 10.0), ROTATION),
        (Move("roll_cw", 12.0), ROTATION),
        (Move("zoom_in", 0.3), ZOOM),
        (Move("zoom_out", 0.3), ZOOM),
        (Move("truck_right", 0.25), TRANSLATION),
        (Move("pedestal_down", 0.2), TRANSLATION),
        (Move("dolly_in", 0.3), TRANSLATION),
        (Move("dolly_out", 0.3), TRANSLATION),
        (Move("arc_cw", 18.0), TRANSLATION),
        (Move("dolly_zoom_in", 0.3), ALL),
    ],
)
@pytest.mark.parametrize("outliers", [0.0, 0.15])
def test_in_a_scene_with_depth_the_right_model_is_believed(climbed, move, model, outliers):
    path, answer = climbed(move, outliers=outliers)
    assert believed(answer) == model
    assert answer.beliefs[model] > 0.7
    found = answer.solutions[model]
    miss = log(np.swapaxes(path.rotations, 1, 2) @ found.rotations)
    assert np.degrees(np.linalg.norm(miss, axis=1)).max() < 1.0
    np.testing.assert_allclose(found.zooms, np.log(path.focals / FOCAL), atol=0.06)
    np.testing.assert_allclose(found.centers, path.centers, atol=0.08)


@pytest.mark.parametrize("move", [Move("pan_right", 14.0), Move("tilt_down", 12.0)])
def test_a_turn_through_a_wide_lens_is_no_travel(climbed, move):
    path, answer = climbed(move, lens=-0.9, tracks=200)
    assert believed(answer) == ROTATION
    found = answer.solutions[ROTATION]
    miss = log(np.swapaxes(path.rotations, 1, 2) @ found.rotations)
    assert np.degrees(np.linalg.norm(miss, axis=1)).max() < 1.5


@pytest.mark.parametrize("move", [Move("truck_right", 0.25), Move("dolly_in", 0.3)])
def test_travel_is_no_turn_through_a_wide_lens(climbed, move):
    _, answer = climbed(move)
    assert believed(answer) == TRANSLATION
    assert answer.solutions[ROTATION].lens == 0.0


@pytest.mark.parametrize("turns_first", [False, True])
@pytest.mark.parametrize(
    ("travel", "turn"),
    [
        (("truck_right", 0.1), ("pan_right", 20.0)),
        (("truck_left", 0.12), ("tilt_up", 15.0)),
        (("pedestal_up", 0.12), ("pan_left", 20.0)),
        (("dolly_in", 0.15), ("pan_right", 20.0)),
    ],
    ids=lambda part: part[0],
)
def test_a_turn_hides_no_travel_before_or_after_it(climbed, travel, turn, turns_first):
    """Points that leave the picture soon tell of one half of the time only."""
    first, second = (turn, travel) if turns_first else (travel, turn)
    moves = Move(*first, 0.0, 1.6), Move(*second, 1.6, 3.2)
    _, answer = climbed(*moves, duration=3.2, noise=0.5, tracks=150, lasting=3)
    assert answer.beliefs[TRANSLATION] > 0.6


@pytest.mark.parametrize("lens", [0.0, -0.9])
@pytest.mark.parametrize(
    "moves",
    [
        (Move("pan_right", 20.0),),
        (Move("pan_right", 20.0, 0.0, 1.6),),
        (Move("tilt_up", 15.0, 0.0, 1.6), Move("pan_left", 20.0, 1.6, 3.2)),
    ],
    ids=["all along", "then stands", "one then another"],
)
def test_of_turns_alone_no_half_travels(climbed, moves, lens):
    _, answer = climbed(*moves, duration=3.2, noise=0.5, tracks=250, lasting=3, lens=lens)
    assert believed(answer) == ROTATION


def test_a_dolly_zoom_is_travel_against_zoom(climbed):
    """Which is which, small motion hardly tells: the depths turned inside out look the same."""
    _, answer = climbed(Move("dolly_zoom_out", 0.3))
    assert believed(answer) == ALL
    found = answer.solutions[ALL]
    assert found.zooms[-1] * found.centers[-1, 2] < 0.0
    assert abs(found.zooms[-1]) > 0.15


@pytest.mark.parametrize("depths", [(0.3, 1.7), (1.0, 1.0)])
def test_a_zoom_may_always_be_a_dolly_towards_something_flat(climbed, depths):
    _, answer = climbed(Move("zoom_in", 0.3), inverse_depths=depths)
    assert believed(answer) == ZOOM
    assert 0.2 <= answer.beliefs[TRANSLATION] / answer.beliefs[ZOOM] < 1.0
    assert sum(answer.beliefs.values()) == pytest.approx(1.0)


def test_turning_while_zooming(climbed):
    _, answer = climbed(Move("pan_right", 10.0), Move("zoom_in", 0.25))
    assert believed(answer) == ZOOM


@pytest.mark.parametrize("far", [(0.0, 0.0), (0.0, 0.02)])
def test_in_a_far_scene_travel_is_not_invented(climbed, far):
    _, answer = climbed(Move("pan_left", 12.0), inverse_depths=far)
    assert believed(answer) == ROTATION
    assert answer.beliefs[TRANSLATION] + answer.beliefs[ALL] < 0.1
    _, answer = climbed(Move("zoom_in", 0.3), inverse_depths=far)
    assert believed(answer) == ZOOM
    assert answer.beliefs[TRANSLATION] + answer.beliefs[ALL] < 0.25


def test_what_hardly_moves_is_never_believed_to_travel(climbed):
    for seed in range(3):
        _, answer = climbed(inverse_depths=(1.0, 1.0), seed=seed)
        assert answer.beliefs[TRANSLATION] + answer.beliefs[ALL] < 0.2


@pytest.mark.parametrize("frames", [2, 3])
def test_a_handful_of_frames(climbed, frames):
    _, answer = climbed(Move("pan_left", 4.0), duration=frames / 5.0)
    assert answer.solutions[ROTATION].rotations.shape == (frames, 3, 3)
    assert believed(answer) == ROTATION


def test_every_model_has_a_path_that_keeps_its_word(climbed):
    _, answer = climbed(Move("arc_cw", 15.0), Move("zoom_in", 0.2))
    assert set(answer.solutions) == set(answer.explained) == set(MODELS)
    assert set(answer.beliefs) == set(MOVING)
    for model, path in answer.solutions.items():
        assert is_rotation(path.rotations, 1e-9)
        np.testing.assert_array_equal(path.rotations[0], np.eye(3))
        assert path.rotations[1:].any() or model == STATIC
        assert path.centers.any() == (model in (TRANSLATION, ALL))
        assert path.zooms.any() == (model in (ZOOM, ALL))
    assert answer.explained[ALL] > answer.explained[ROTATION] > answer.explained[STATIC]


@pytest.mark.parametrize("frames", [2, 5])
def test_without_observations_nothing_is_said_and_nothing_breaks(frames):
    nothing, empty = np.zeros(0, np.intp), np.zeros((0, 2))
    seen = Observations(nothing, nothing, empty, nothing, empty, np.zeros(0), frames)
    answer = climb(seen, standing_still(seen, FOCAL), FOCAL, 1.0)
    assert set(answer.explained.values()) == {0.0}
    assert sum(answer.beliefs.values()) == pytest.approx(1.0)
    assert believed(answer) == ROTATION
    for path in answer.solutions.values():
        np.testing.assert_array_equal(path.centers, 0.0)
        assert np.isfinite(path.sigmas).all()


def test_the_size_of_the_picture_does_not_matter(scene):
    """Twice the pixels, and twice their noise, are the same picture."""
    path = camera_path([Move("truck_right", 0.2)], duration=1.6, rate=5.0)
    large = camera_path([Move("truck_right", 0.2)], duration=1.6, rate=5.0, size=(960, 540))
    answers = []
    for way, unit in ((path, 1.0), (large, 2.0)):
        seen, _ = scene(way, noise=0.2 * unit)
        answers.append(climb(seen, standing_still(seen, unit * FOCAL), unit * FOCAL, unit))
    small, big = answers
    for model in MOVING:
        assert big.beliefs[model] == pytest.approx(small.beliefs[model], abs=1e-3)
    np.testing.assert_allclose(
        big.solutions[TRANSLATION].centers, small.solutions[TRANSLATION].centers, atol=1e-4
    )


# Weighing.

shares = st.floats(0.0, 1.0)
explanations = st.fixed_dictionaries({model: shares for model in MODELS})


@given(explanations)
def test_beliefs_are_a_distribution_over_the_moving_models(explained):
    beliefs = weigh(explained)
    assert list(beliefs) == list(MOVING)
    assert all(0.0 <= belief <= 1.0 for belief in beliefs.values())
    assert sum(beliefs.values()) == pytest.approx(1.0)


@given(shares)
def test_of_models_that_explain_alike_the_simpler_is_believed(share):
    beliefs = weigh(dict.fromkeys(MODELS, share))
    assert [*beliefs.values()] == sorted(beliefs.values(), reverse=True)
    assert beliefs[ROTATION] > 0.9


@given(explanations, st.sampled_from(MOVING), st.floats(0.01, 0.5))
def test_what_explains_more_is_believed_more(explained, model, more):
    best = max(explained[m] for m in MOVING)
    better = min(explained[model] + more, max(best, explained[model]))
    # Within what the best explains: beyond it, the yardstick itself grows.
    before, after = weigh(explained), weigh(explained | {model: better})
    assert after[model] >= before[model] - 1e-12


@given(explanations, st.floats(0.1, 1.0))
def test_only_shares_of_the_best_count(explained, factor):
    """A picture half of which is subject leaves half of it to be explained."""
    explained = {model: 0.01 + 0.99 * share for model, share in explained.items()}
    scaled = weigh({model: factor * share for model, share in explained.items()})
    for model, belief in weigh(explained).items():
        assert scaled[model] == pytest.approx(belief, abs=1e-9)
