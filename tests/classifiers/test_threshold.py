import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dollygrip.classifiers.labels import BY_NAME, DEFINITIONS, DIRECTIONS, PRIMITIVES
from dollygrip.classifiers.records import ShotLabels
from dollygrip.classifiers.reliability import Failure, Reason
from dollygrip.classifiers.threshold import ThresholdClassifier, ThresholdSettings
from dollygrip.geometry.profile import AXES
from dollygrip.geometry.rotations import exp
from dollygrip.geometry.trajectory import Hypothesis, Trajectory

# A move that anybody would name, per axis.
CLEAR = {
    "pan": 20.0,
    "tilt": 15.0,
    "roll": 15.0,
    "truck": 0.4,
    "pedestal": 0.3,
    "dolly": 0.4,
    "zoom": 0.35,
}

COMBINED = {
    "arc_cw": {"pan": 30.0, "truck": -0.5},
    "arc_ccw": {"pan": -30.0, "truck": 0.5},
    "crane_up": {"pedestal": 0.4, "tilt": -20.0},
    "crane_down": {"pedestal": -0.4, "tilt": 20.0},
    "dolly_zoom_in": {"zoom": 0.4, "dolly": -0.4},
    "dolly_zoom_out": {"zoom": -0.4, "dolly": 0.4},
}

OPPOSITE = {
    "left": "right",
    "right": "left",
    "up": "down",
    "down": "up",
    "in": "out",
    "out": "in",
    "cw": "ccw",
    "ccw": "cw",
}


def opposite(name: str) -> str:
    stem, _, way = name.rpartition("_")
    return f"{stem}_{OPPOSITE[way]}" if way in OPPOSITE else name


def mirror(name: str) -> str:
    return opposite(name) if name.rpartition("_")[2] in ("left", "right", "cw", "ccw") else name


def amounts(name: str) -> dict[str, float]:
    definition = BY_NAME[name]
    return {definition.axis: definition.sign * CLEAR[definition.axis]}


# Mixtures of a few moves, from invisible to clear, in either direction.
MIXTURES = st.dictionaries(st.sampled_from(AXES), st.floats(-1.5, 1.5), max_size=3).map(
    lambda shares: {axis: share * CLEAR[axis] for axis, share in shares.items()}
)


@pytest.mark.parametrize("name", DIRECTIONS)
def test_every_direction_alone(path, label, name):
    assert label(path(**amounts(name))).labels == (name,)


@pytest.mark.parametrize("name", COMBINED)
def test_combined_moves_are_named_with_their_parts(path, label, name):
    said = set(label(path(**COMBINED[name])).labels)
    parts = {
        d for d in DIRECTIONS if COMBINED[name].get(BY_NAME[d].axis, 0.0) * BY_NAME[d].sign > 0
    }
    assert said == {name, *parts}


def test_travel_along_with_the_turn_is_no_arc(path, label):
    assert set(label(path(pan=30.0, truck=0.5)).labels) == {"pan_right", "truck_right"}


def test_one_after_the_other_is_no_arc(sequence, label):
    shot = label(sequence((2.0, {"pan": 30.0}), (2.0, {"truck": -0.5})))
    assert set(shot.labels) == {"pan_right", "truck_left"}


def test_two_moves_at_once(path, label):
    assert set(label(path(pan=20.0, zoom=0.3)).labels) == {"pan_right", "zoom_in"}
    assert set(label(path(dolly=0.5, tilt=-12.0)).labels) == {"dolly_in", "tilt_down"}


def test_there_and_back_is_both(sequence, label):
    shot = label(sequence((2.0, {"pan": 20.0}), (2.0, {"pan": -20.0})))
    assert set(shot.labels) == {"pan_right", "pan_left"}


@pytest.mark.parametrize("back", [-3.0, -8.0])
def test_settling_after_a_move_is_not_the_opposite_move(sequence, label, back):
    shot = label(sequence((3.0, {"pan": 25.0}), (1.0, {"pan": back}), (0.5, {})))
    assert shot.labels == ("pan_right",)


def test_a_slant_is_not_a_second_translation(path, label):
    assert label(path(truck=0.6, dolly=0.1)).labels == ("truck_right",)


def test_an_accompanying_turn_is_not_named_but_a_clear_zoom_is(path, label):
    assert label(path(pan=60.0, tilt=5.0)).labels == ("pan_right",)
    assert set(label(path(pan=180.0, zoom=0.35)).labels) == {"pan_right", "zoom_in"}


def test_a_wide_turn_with_little_travel_is_no_arc(path, label):
    shot = label(path(pan=80.0, truck=-0.2))
    assert set(shot.labels) == {"pan_right", "truck_left"}


def test_stillness_in_much_noise_is_doubtful(path, label):
    sure, unsure = label(path()), label(path(sigma=np.radians(5.0)))
    assert unsure.scores["static"] < 0.6 < sure.scores["static"]
    assert unsure.trust < 0.8 * sure.trust


def test_a_label_at_the_border_lowers_the_trust(path, label):
    assert label(path(pan=3.2)).trust < label(path(pan=20.0)).trust - 0.03


def test_numbers_are_those_of_a_hypothesis_that_fits_the_labels(path, label):
    pan = path(pan=25.0)
    shot = label(path(), pan, path(pan=25.0, tilt=5.0), probabilities=(0.4, 0.3, 0.3))
    assert shot.labels == ("pan_right",)
    assert shot.attributes["net"] == label(pan).attributes["net"]


def test_a_still_camera_is_static(path, label):
    shot = label(path())
    assert shot.labels == ("static",)
    assert shot.scores["static"] > 0.95
    assert [s.motion for s in shot.segments] == ["static"]


@pytest.mark.parametrize("degrees_of_shake", [0.05, 0.2, 0.5, 1.0])
@pytest.mark.parametrize("seed", range(3))
def test_noise_creates_no_moves(label, degrees_of_shake, seed):
    random = np.random.default_rng(seed)
    times = np.arange(60) / 12.0
    turns = exp(np.radians(random.normal(0.0, degrees_of_shake, (60, 3))))
    still = Trajectory.from_poses(
        times,
        np.concatenate([turns, random.normal(0.0, 0.0005, (60, 3, 1))], axis=2),
        size=(640, 360),
        scene_depth=1.0,
    )
    shot = label(still)
    assert set(shot.labels) <= {"static", "shaky"}
    assert ("shaky" in shot.labels) == (degrees_of_shake > 0.4)
    assert ("static" in shot.labels) == (degrees_of_shake < 0.1)


def test_shake_does_not_hide_a_move(path, label):
    random = np.random.default_rng(0)
    smooth = path(pan=20.0)
    turns = exp(np.radians(random.normal(0.0, 0.6, (len(smooth), 3))))
    shaken = Trajectory.from_poses(
        smooth.times,
        np.concatenate([smooth.rotations @ turns, smooth.centers[:, :, None]], axis=2),
        size=smooth.size,
        scene_depth=1.0,
    )
    assert label(shaken).labels == ("pan_right", "shaky")


def test_an_abrupt_start_or_a_fast_move_is_not_shake(sequence, path, label):
    assert label(sequence((1.0, {}), (1.0, {"pan": 40.0}), (1.0, {}))).labels == ("pan_right",)
    assert label(path(seconds=1.5, pan=40.0)).labels == ("pan_right",)
    assert label(path(seconds=0.3, pan=40.0)).labels == ("pan_right",)


@given(MIXTURES)
@settings(max_examples=25, deadline=None)
def test_scores_are_bounded_and_static_excludes_moves(path, label, mixture):
    shot = label(path(fps=8.0, seconds=3.0, **mixture))
    assert set(shot.scores) == {d.name for d in DEFINITIONS}
    assert all(0.0 <= score <= 1.0 for score in shot.scores.values())
    assert 0.0 <= shot.trust <= 1.0
    assert set(shot.labels) <= {name for name, score in shot.scores.items() if score >= 0.5}
    assert "static" not in shot.labels or shot.labels == ("static",)
    for name in DIRECTIONS:
        assert shot.scores["static"] + shot.scores[name] <= 1.0 + 1e-9


@given(MIXTURES)
@settings(max_examples=25, deadline=None)
def test_running_time_backwards_swaps_opposites(path, label, mixture):
    forward = path(fps=8.0, seconds=3.0, **mixture)
    there, back = label(forward), label(forward.reversed())
    for name in PRIMITIVES:
        assert back.scores[opposite(name)] == pytest.approx(there.scores[name], abs=1e-6)
    assert back.scores["shaky"] == pytest.approx(there.scores["shaky"], abs=1e-6)


@given(MIXTURES)
@settings(max_examples=25, deadline=None)
def test_a_mirror_swaps_left_and_right(path, label, mixture):
    seen = path(fps=8.0, seconds=3.0, **mixture)
    plain, mirrored = label(seen), label(seen.mirrored())
    for d in DEFINITIONS:
        assert mirrored.scores[mirror(d.name)] == pytest.approx(plain.scores[d.name], abs=1e-6)


@given(
    MIXTURES,
    st.floats(1e-3, 1e3),
    st.tuples(*[st.floats(-3.0, 3.0)] * 3),
    st.tuples(*[st.floats(-100.0, 100.0)] * 3),
)
@settings(max_examples=25, deadline=None)
def test_world_and_unit_do_not_matter(path, label, mixture, scale, turn, shift):
    seen = path(fps=8.0, seconds=3.0, **mixture)
    world = exp(np.array(turn))
    poses = np.concatenate(
        [world @ seen.rotations, (scale * (seen.centers @ world.T + shift))[:, :, None]], axis=2
    )
    moved = Trajectory.from_poses(
        seen.times, poses, size=seen.size, focals=seen.focals, scene_depth=scale
    )
    plain, other = label(seen), label(moved)
    for d in DEFINITIONS:
        assert other.scores[d.name] == pytest.approx(plain.scores[d.name], abs=1e-3)


@pytest.mark.parametrize("name", [*DIRECTIONS, *COMBINED])
def test_frame_rate_duration_and_start_do_not_matter(path, label, name):
    move = COMBINED.get(name) or amounts(name)
    plain = label(path(seconds=4.0, fps=12.0, **move)).labels
    for fps in (6.0, 24.0, 60.0):
        assert label(path(seconds=4.0, fps=fps, **move)).labels == plain
    for seconds in (2.0, 8.0, 20.0):
        assert label(path(seconds=seconds, fps=8.0, **move)).labels == plain


@pytest.mark.parametrize("axis", AXES)
def test_scores_grow_with_the_amount(path, label, axis):
    shares = (-1.0, -0.2, 0.0, 0.02, 0.1, 0.3, 1.0, 2.0, 4.0)
    name = next(d.name for d in DEFINITIONS if d.axis == axis and d.sign > 0)
    scores = [label(path(fps=8.0, **{axis: share * CLEAR[axis]})).scores[name] for share in shares]
    assert all(a < b for a, b in pairwise(scores))


@pytest.mark.parametrize("upright", [False, True])
def test_picture_shape_does_not_matter(path, label, upright):
    seen = path(tilt=15.0)
    size = (360, 640) if upright else (640, 360)
    shot = label(
        Trajectory.from_poses(
            seen.times,
            np.concatenate([seen.rotations, seen.centers[:, :, None]], axis=2),
            size=size,
            scene_depth=1.0,
        )
    )
    assert shot.scores["tilt_up"] == pytest.approx(label(seen).scores["tilt_up"], abs=1e-9)


def test_an_amount_within_its_noise_is_not_named(path, label):
    clear = label(path(pan=20.0))
    noisy = label(path(pan=20.0, sigma=np.radians(10.0)))
    assert "pan_right" in clear.labels
    assert "pan_right" not in noisy.labels
    assert noisy.trust < 0.5 * clear.trust
    assert noisy.scores["pan_right"] > noisy.scores["pan_left"]


def test_hypotheses_are_mixed_by_probability(path, label):
    pan, still = path(pan=20.0), path()
    alone, none = label(pan).scores["pan_right"], label(still).scores["pan_right"]
    mixed = label(pan, still, probabilities=(0.7, 0.3))
    assert mixed.scores["pan_right"] == pytest.approx(0.7 * alone + 0.3 * none)
    assert mixed.trust < label(pan).trust


def test_probabilities_need_not_be_normalised(path, label):
    one = label(path(pan=20.0), path(), probabilities=(0.7, 0.3))
    ten = label(path(pan=20.0), path(), probabilities=(7.0, 3.0))
    assert one.scores == pytest.approx(ten.scores)


@pytest.mark.parametrize(
    ("first", "second", "pair", "reason"),
    [
        ({"pan": 20.0}, {"truck": 0.4}, ("pan_right", "truck_right"), "ambiguous_pan_truck"),
        ({"pan": -20.0}, {"truck": -0.4}, ("pan_left", "truck_left"), "ambiguous_pan_truck"),
        ({"tilt": 15.0}, {"pedestal": 0.3}, ("tilt_up", "pedestal_up"), "ambiguous_tilt_pedestal"),
        ({"zoom": 0.35}, {"dolly": 0.4}, ("zoom_in", "dolly_in"), "ambiguous_zoom_dolly"),
    ],
)
def test_lookalikes_are_called_ambiguous(path, label, first, second, pair, reason):
    shot = label(path(**first), path(**second), probabilities=(0.55, 0.45))
    assert shot.ambiguous == (pair,)
    assert [doubt.reason for doubt in shot.doubts] == [Reason(reason)]
    assert len(set(shot.labels) & set(pair)) == 1
    assert "cannot tell which" in shot.caption
    assert shot.trust < 0.6


def test_a_small_rival_or_an_opposite_is_not_ambiguous(path, label):
    assert not label(path(pan=20.0), path(truck=0.4), probabilities=(0.95, 0.05)).ambiguous
    assert not label(path(pan=20.0), path(truck=-0.4), probabilities=(0.5, 0.5)).ambiguous
    assert not label(path(pan=20.0, truck=0.4)).ambiguous


def test_what_is_neither_a_move_nor_still_is_said_to_be_unclear(path, label):
    faint = label(path(pan=1.3))
    assert not faint.labels
    assert [doubt.reason for doubt in faint.doubts] == [Reason.UNCLEAR]
    assert "pan_right" in faint.doubts[0].message
    for clear in (label(path()), label(path(pan=20.0))):
        assert clear.labels
        assert not clear.doubts


def test_doubts_and_diagnostics_are_passed_on(path):
    doubt = Failure(Reason.DYNAMIC_SCENE, "Something large moves.")
    hypotheses = [Hypothesis("rotation", 1.0, path(pan=20.0))]
    classifier = ThresholdClassifier()
    sure = classifier.classify(hypotheses, start=0.0, end=4.0)
    unsure = classifier.classify(
        hypotheses, start=0.0, end=4.0, doubts=[doubt], diagnostics={"tracks": 12}
    )
    assert unsure.doubts == (doubt,)
    assert unsure.diagnostics == {"tracks": 12}
    assert unsure.labels == sure.labels
    assert unsure.trust < sure.trust


def test_unknown_scale_is_a_doubt_only_for_a_camera_that_travels(path, label):
    def unscaled(seen: Trajectory) -> Trajectory:
        poses = np.concatenate([seen.rotations, seen.centers[:, :, None]], axis=2)
        return Trajectory.from_poses(seen.times, poses, size=seen.size, focals=seen.focals)

    travels = label(unscaled(path(truck=0.4)))
    assert travels.labels == ("truck_right",)
    assert [doubt.reason for doubt in travels.doubts] == [Reason.NO_PARALLAX_SCALE]
    assert label(unscaled(path(pan=20.0))).doubts == ()


def test_no_poses_is_a_failure_not_static(path):
    seen = path()
    lost = Trajectory.from_poses(
        seen.times,
        np.concatenate([seen.rotations, seen.centers[:, :, None]], axis=2),
        size=seen.size,
        valid=[True] + [False] * (len(seen) - 1),
    )
    shot = ThresholdClassifier().classify([Hypothesis("all", 1.0, lost)], start=0.0, end=4.0)
    assert shot.failure is not None
    assert shot.failure.reason is Reason.FEW_FRAMES_REGISTERED
    assert (shot.labels, shot.scores, shot.segments) == ((), {}, ())
    assert shot.caption.startswith("Could not tell:")


def test_numbers_that_are_none_are_a_failure(path):
    broken = replace(path(truck=0.3), scene_depth=1e-320)  # its inverse is infinite
    with np.errstate(all="ignore"):
        shot = ThresholdClassifier().classify([Hypothesis("all", 1.0, broken)], start=0.0, end=4.0)
    assert shot.failure is not None
    assert shot.failure.reason is Reason.DID_NOT_CONVERGE


@given(MIXTURES)
@settings(max_examples=10, deadline=None)
def test_records_survive_json(path, label, mixture):
    shot = label(path(fps=8.0, seconds=3.0, **mixture))
    told = json.loads(json.dumps(shot.to_dict(), allow_nan=False))
    assert ShotLabels.from_dict(told).to_dict() == shot.to_dict()


def test_settings_decide(path):
    hypotheses = [Hypothesis("rotation", 1.0, path(pan=5.0))]
    strict = ThresholdClassifier(ThresholdSettings(shift=0.2))
    assert "pan_right" in ThresholdClassifier().classify(hypotheses, start=0.0, end=4.0).labels
    assert "pan_right" not in strict.classify(hypotheses, start=0.0, end=4.0).labels


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
def test_settings_must_be_positive(value):
    with pytest.raises(ValueError, match="slope"):
        ThresholdSettings(slope=value)
