import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dollygrip.classifiers.evidence import mixed, read
from dollygrip.classifiers.features import (
    CRITERIA,
    LABEL_FEATURES,
    MOMENT_FEATURES,
    TRUST_FEATURES,
    label_rows,
    moment_rows,
    trust_row,
)
from dollygrip.classifiers.labels import COMBINED, DEFINITIONS, DIRECTIONS, opposite_of
from dollygrip.classifiers.reliability import Failure, Reason
from dollygrip.geometry.profile import AXES
from dollygrip.geometry.trajectory import Hypothesis

NAMES = [d.name for d in DEFINITIONS]
AMOUNTS = {"pan": 20.0, "tilt": 15.0, "roll": 15.0, "truck": 0.4, "pedestal": 0.3} | {
    "dolly": 0.4,
    "zoom": 0.35,
}
MIXTURES = st.dictionaries(st.sampled_from(AXES), st.floats(-1.5, 1.5), max_size=3).map(
    lambda shares: {axis: share * AMOUNTS[axis] for axis, share in shares.items()}
)
FLOW = {
    "explained": {"static": 0.1, "rotation": 0.5, "rotation+zoom": 0.6}
    | {"rotation+translation": 0.75, "all": 0.8},
    "still_share": 0.2,
    "texture": 0.6,
    "points": 200.0,
}
SIDES = ("left", "right", "cw", "ccw")


def readings(*trajectories, models=("all", "rotation"), probabilities=(0.7, 0.3)):
    seen = zip(models, probabilities, trajectories, strict=False)
    return read([Hypothesis(m, p, t) for m, p, t in seen], CRITERIA)


def other_way(name):
    if name in DIRECTIONS:
        return opposite_of(name)
    stem, _, way = name.rpartition("_")
    swapped = {"cw": "ccw", "ccw": "cw", "in": "out", "out": "in", "up": "down", "down": "up"}
    return f"{stem}_{swapped[way]}" if way in swapped else name


def in_a_mirror(name):
    return other_way(name) if name.rpartition("_")[2] in SIDES else name


def rows_by_name(shot):
    return dict(zip(NAMES, label_rows(shot, diagnostics=FLOW), strict=True))


@given(MIXTURES, MIXTURES)
@settings(max_examples=8, deadline=None)
def test_a_mirror_swaps_the_rows_of_left_and_right(path, one, other):
    seen = [path(fps=8.0, **one), path(fps=8.0, **other)]
    plain = rows_by_name(readings(*seen))
    mirrored = rows_by_name(readings(*[trajectory.mirrored() for trajectory in seen]))
    for name in NAMES:
        np.testing.assert_allclose(mirrored[in_a_mirror(name)], plain[name], atol=1e-5)


@given(MIXTURES, MIXTURES)
@settings(max_examples=8, deadline=None)
def test_time_backwards_swaps_the_rows_of_opposites(path, one, other):
    seen = [path(fps=8.0, **one), path(fps=8.0, **other)]
    plain = rows_by_name(readings(*seen))
    back = rows_by_name(readings(*[trajectory.reversed() for trajectory in seen]))
    for name in NAMES:
        np.testing.assert_allclose(back[other_way(name)], plain[name], atol=1e-4)


@pytest.mark.parametrize("name", ["pan", "dolly", "zoom"])
def test_rate_and_length_hardly_change_a_row(path, name):
    plain = label_rows(readings(path(**{name: AMOUNTS[name]})))
    for fps, seconds in ((24.0, 4.0), (8.0, 4.0), (12.0, 12.0)):
        other = label_rows(readings(path(fps=fps, seconds=seconds, **{name: AMOUNTS[name]})))
        # In a longer shot the ends of an eased move are softer, and less of them passes for shake.
        difference = np.delete(np.abs(other - plain), NAMES.index("shaky"), axis=0)
        assert difference.max() < 0.25


@given(st.dictionaries(st.sampled_from(AXES), st.floats(-30.0, 30.0)), st.floats(0.0, 10.0))
@settings(max_examples=12, deadline=None)
def test_whatever_a_path_does_rows_are_finite(path, mixture, sigma):
    amounts = {axis: share * AMOUNTS[axis] for axis, share in mixture.items()}
    shot = readings(path(fps=4.0, seconds=1.0, sigma=sigma, **amounts))
    scores = mixed(shot)
    rows = label_rows(shot)
    moments = moment_rows(shot, "pan_left", np.linspace(-1.0, 3.0, 9))
    trust = trust_row(shot, scores, duration=1.0)
    assert rows.shape == (len(NAMES), len(LABEL_FEATURES))
    assert moments.shape == (9, len(MOMENT_FEATURES))
    assert trust.shape == (len(TRUST_FEATURES),)
    assert np.isfinite(rows).all()
    assert np.isfinite(moments).all()
    assert np.isfinite(trust).all()


def test_no_feature_is_named_twice_or_always_zero(path):
    for names in (LABEL_FEATURES, MOMENT_FEATURES, TRUST_FEATURES):
        assert len(set(names)) == len(names)
    still, moving = path(sigma=0.01), path(pan=-15.0, truck=0.4, zoom=0.3, sigma=0.001)
    seen = [
        rows
        for models in (("static", "rotation+translation"), ("rotation+zoom", "rotation"))
        for rows in label_rows(
            readings(still, moving, models=models, probabilities=(0.4, 0.6)),
            doubts=[Failure(reason, "") for reason in (Reason.DYNAMIC_SCENE, Reason.NO_TEXTURE)],
            diagnostics=FLOW,
        )
    ]
    few = {"explained": {"static": 0.5, "rotation+translation": 0.2, "all": 0.3}}
    seen += [*label_rows(readings(moving)), *label_rows(readings(moving), diagnostics=few)]
    varied = np.ptp(np.array(seen), axis=0) > 0
    constant = [name for name, differs in zip(LABEL_FEATURES, varied, strict=True) if not differs]
    assert constant == ["depth known"]


def test_a_moment_knows_whether_the_move_is_under_way(sequence):
    shot = readings(sequence((1.5, {}), (2.0, {"tilt": 15.0}), (1.5, {})))
    before, during, after = moment_rows(shot, "tilt_up", np.array([0.5, 2.5, 4.5]))
    share, covered = MOMENT_FEATURES.index("share"), MOMENT_FEATURES.index("covered")
    assert abs(before[share]) < 0.1 < 0.8 < during[share]
    assert abs(after[share]) < 0.1
    assert before[covered] < 0.05 < during[covered] < 0.95 < after[covered]
    against = moment_rows(shot, "tilt_down", np.array([2.5]))[0]
    assert against[MOMENT_FEATURES.index("rate")] == pytest.approx(
        -during[MOMENT_FEATURES.index("rate")]
    )


def test_moments_backwards_look_ahead_instead_of_back(sequence):
    forward = sequence((1.0, {}), (2.0, {"pan": 20.0}), (1.0, {"tilt": 5.0}))
    times = np.array([0.5, 1.2, 2.0, 3.4])
    there = moment_rows(readings(forward), "pan_right", times)
    back = moment_rows(readings(forward.reversed()), "pan_left", 4.0 - times)
    for first, second in (("before_0.4", "after_0.4"), ("since_start", "to_end")):
        a, b = MOMENT_FEATURES.index(first), MOMENT_FEATURES.index(second)
        np.testing.assert_allclose(there[:, a], back[:, b], atol=1e-2)
        np.testing.assert_allclose(there[:, b], back[:, a], atol=1e-2)


def test_an_answer_that_its_explanations_share_stands_firmer(path):
    clear, other = path(pan=20.0), path(truck=0.4)
    agreed, split = readings(clear, clear), readings(clear, other, probabilities=(0.55, 0.45))
    rows = [trust_row(shot, mixed(shot), duration=4.0) for shot in (agreed, split)]
    for name in ("support", "certain of all", "least margin"):
        column = TRUST_FEATURES.index(name)
        assert rows[0][column] > rows[1][column]


def test_moves_that_undo_each_other_in_the_picture_are_noticed(path):
    cancelling = TRUST_FEATURES.index("cancelling")
    undoing, along = readings(path(pan=20.0, truck=-0.4)), readings(path(pan=20.0, truck=0.4))
    assert trust_row(undoing, mixed(undoing), duration=4.0)[cancelling] > 0.5
    assert trust_row(along, mixed(along), duration=4.0)[cancelling] < 0.1


@pytest.mark.parametrize("name", COMBINED)
def test_rows_of_combined_moves_tell_of_their_parts(path, name):
    rows = rows_by_name(readings(path(pan=20.0, truck=-0.4)))
    turn = LABEL_FEATURES.index("score of turn")
    assert (rows[name][turn] > 0) == (name == "arc_cw")
