import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dollygrip.classifiers import bootstrap
from dollygrip.classifiers.bootstrap import difference, interval, replicates
from dollygrip.classifiers.metrics import weighted_average_precision


def weighted_mean(values):
    """The mean of some values as a function of weights."""
    return lambda weights: (weights @ values / weights.sum(axis=1))[:, None]


def itself(weights):
    """The weights as they are."""
    return weights


@given(st.lists(st.sampled_from("abcd"), min_size=2), st.integers(0, 5))
def test_groups_are_drawn_whole_and_as_often_as_there_are(groups, seed):
    drawn = replicates(itself, groups, 20, seed)
    names = sorted(set(groups))
    if len(names) == 1:
        assert np.isnan(drawn).all()
        return
    counts = np.column_stack([drawn[:, groups.index(name)] for name in names])
    assert (counts.sum(axis=1) == len(names)).all()
    for i, name in enumerate(groups):
        assert (drawn[:, i] == counts[:, names.index(name)]).all()


def test_the_same_seed_draws_the_same_for_everybody(monkeypatch):
    groups = [0, 0, 1, 2, 3]
    drawn = replicates(itself, groups, 50, seed=7)
    again = replicates(lambda weights: 2.0 * weights, groups, 50, seed=7)
    assert (again == 2.0 * drawn).all()
    assert (replicates(itself, groups, 50, seed=8) != drawn).any()
    # However many fit into memory at once.
    monkeypatch.setattr(bootstrap, "_MOST_WEIGHTS", 11)
    assert (replicates(itself, groups, 50, seed=7) == drawn).all()


def test_the_interval_of_a_mean_is_that_of_the_normal_distribution():
    rng = np.random.default_rng(0)
    values = rng.normal(size=400)
    drawn = replicates(weighted_mean(values), np.arange(400), 4000, seed=1)
    low, high = interval([values.mean()], drawn)
    error = values.std() / 20.0
    assert low[0] == pytest.approx(values.mean() - 1.96 * error, abs=0.15 * error)
    assert high[0] == pytest.approx(values.mean() + 1.96 * error, abs=0.15 * error)


def test_intervals_hold_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(1)
    held = []
    for _ in range(200):
        # 40 videos with 5 clips that are nearly alike.
        values = np.repeat(rng.normal(size=40), 5) + 0.1 * rng.normal(size=200)
        ends = [
            interval([values.mean()], replicates(weighted_mean(values), groups, 200, seed=2))
            for groups in (np.repeat(np.arange(40), 5), np.arange(200))
        ]
        held.append([low[0] <= 0.0 <= high[0] for low, high in ends])
    of_videos, of_clips = np.mean(held, axis=0)
    assert of_videos == pytest.approx(0.95, abs=0.04)
    assert of_clips < 0.75  # drawn clip by clip they are far too narrow


def test_resamples_without_a_value_are_left_out():
    drawn = np.array([[1.0, np.nan], [2.0, np.nan], [np.nan, np.nan], [3.0, np.nan]])
    low, high = interval([2.0, np.nan], drawn)
    assert (low[0], high[0]) == pytest.approx((1.05, 2.95))
    assert np.isnan([low[1], high[1]]).all()


def test_no_resamples_are_no_interval():
    drawn = replicates(weighted_mean(np.arange(3.0)), [0, 1, 2], 0, seed=0)
    assert drawn.shape == (0, 1)
    assert np.isnan(interval([1.0], drawn)).all()


@given(st.floats(-2, 2), st.lists(st.floats(-1, 1), min_size=1))
def test_an_interval_holds_its_number_wherever_resamples_are(value, drawn):
    low, high = interval([value], np.array(drawn)[:, None])
    assert low[0] <= value <= high[0]
    ends = interval([value], np.array(drawn)[:, None] + 0.5)
    assert ends[0] == pytest.approx(low) and ends[1] == pytest.approx(high)


def test_what_resamples_are_off_by_is_taken_off():
    rng = np.random.default_rng(5)
    truth = rng.random(200) < 0.1
    scores = truth + 2.0 * rng.normal(size=200)

    def ap(weights):
        return weighted_average_precision(truth, scores, weights)[:, None]

    drawn = replicates(ap, np.arange(200), 1000, seed=6)
    value = ap(np.ones((1, 200)))[0]
    assert drawn.mean() > 1.1 * value[0]  # an item that was drawn twice ranks beside itself
    low, high = interval(value, drawn)
    assert (low + high)[0] / 2.0 == pytest.approx(value[0], rel=0.15)


def test_p_is_small_where_one_is_always_better_and_never_zero():
    found = difference(0.5, np.linspace(0.1, 0.9, 999))
    assert found.p == 2 / 1000
    assert (found.low, found.high) == pytest.approx((0.12, 0.88))


def test_p_is_one_between_equals_and_where_either_may_be_better():
    assert difference(0.0, np.zeros(100)).p == 1.0
    assert difference(0.0, np.linspace(-1.0, 1.0, 101)).p == 1.0


@given(st.lists(st.floats(-1, 1), min_size=1))
def test_p_is_the_same_the_other_way_round(drawn):
    one, other = difference(0.1, np.array(drawn)), difference(-0.1, -np.array(drawn))
    assert one.p == other.p
    assert (one.low, one.high) == pytest.approx((-other.high, -other.low))
    assert 0.0 < one.p <= 1.0


def test_p_is_even_where_there_is_no_difference():
    rng = np.random.default_rng(3)
    found = []
    for _ in range(400):
        gains = rng.normal(size=60)
        drawn = replicates(weighted_mean(gains), np.arange(60), 200, seed=4)
        found.append(difference(gains.mean(), drawn[:, 0]).p)
    assert np.mean(np.array(found) < 0.05) == pytest.approx(0.05, abs=0.03)
    assert np.mean(np.array(found) < 0.5) == pytest.approx(0.5, abs=0.08)


def test_no_value_has_no_test():
    found = difference(float("nan"), np.array([np.nan, np.nan]))
    assert np.isnan([found.low, found.high, found.p]).all()
