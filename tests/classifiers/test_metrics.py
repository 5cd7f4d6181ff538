import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score

from dollygrip.classifiers.metrics import (
    average_precision,
    calibration_error,
    intersection_over_union,
    matched_segments,
    precision_recall,
    reliability_table,
    roc_auc,
    selective_risk,
    weighted_average_precision,
)
from dollygrip.classifiers.records import Segment

# Few distinct scores, so that ties are the rule.
ITEM = st.tuples(st.booleans(), st.sampled_from([-1e10, -2.0, 0.0, 0.25, 0.5, 1.0]))
ITEMS = st.lists(ITEM, min_size=2)


@given(ITEMS)
def test_average_precision_is_scikit_learns(items):
    truth, scores = map(list, zip(*items, strict=True))
    assume(any(truth))
    assert average_precision(truth, scores) == pytest.approx(
        average_precision_score(truth, scores), abs=1e-12
    )


@given(st.lists(st.tuples(ITEM, st.integers(0, 3)), min_size=1))
def test_weights_are_repeated_items(weighted):
    repeated = [item for item, weight in weighted for _ in range(weight)]
    (truth, scores), weights = zip(*(i for i, _ in weighted), strict=True), [w for _, w in weighted]
    (found,) = weighted_average_precision(truth, scores, np.array([weights], np.float64))
    if any(positive for positive, _ in repeated):
        truth, scores = map(list, zip(*repeated, strict=True))
        assert found == pytest.approx(average_precision_score(truth, scores), abs=1e-12)
    else:
        assert np.isnan(found)


def test_each_row_of_weights_is_a_number_of_its_own():
    truth, scores = [True, False, True], [0.9, 0.5, 0.1]
    found = weighted_average_precision(truth, scores, np.array([[1.0, 1, 1], [1, 0, 1], [0, 1, 1]]))
    assert found == pytest.approx([5 / 6, 1.0, 0.5])


def test_infinite_scores_are_the_largest_and_the_least():
    truth = [True, False, True, False]
    infinite, finite = [np.inf, 0.5, 0.4, -np.inf], [9.0, 0.5, 0.4, -9.0]
    assert average_precision(truth, infinite) == average_precision_score(truth, finite)
    assert roc_auc(truth, infinite) == roc_auc_score(truth, finite)


@given(ITEMS)
def test_average_precision_is_the_area_under_the_curve(items):
    truth, scores = map(list, zip(*items, strict=True))
    assume(any(truth))
    recall, precision = precision_recall(truth, scores)
    area = np.sum(np.diff(recall, prepend=0.0) * precision)
    assert area == pytest.approx(average_precision(truth, scores), abs=1e-12)
    # Scikit-learn begins where all items are taken and ends at a point without any.
    theirs = precision_recall_curve(truth, scores)
    assert precision[::-1] == pytest.approx(theirs[0][:-1])
    assert recall[::-1] == pytest.approx(theirs[1][:-1])


@given(ITEMS)
def test_roc_auc_is_scikit_learns(items):
    truth, scores = map(list, zip(*items, strict=True))
    assume(any(truth) and not all(truth))
    assert roc_auc(truth, scores) == pytest.approx(roc_auc_score(truth, scores), abs=1e-12)


@given(ITEMS, st.randoms(use_true_random=False))
def test_order_of_items_does_not_matter(items, random):
    truth, scores = map(list, zip(*items, strict=True))
    assume(any(truth))
    shuffled = random.sample(items, len(items))
    again = average_precision(*map(list, zip(*shuffled, strict=True)))
    assert again == pytest.approx(average_precision(truth, scores), abs=1e-12)


def test_nothing_to_find_has_no_value():
    assert np.isnan(average_precision([False, False], [0.1, 0.2]))
    assert np.isnan(average_precision([], []))
    assert [len(part) for part in precision_recall([False], [0.1])] == [0, 0]
    assert np.isnan(roc_auc([True, True], [0.1, 0.2]))


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="not a number"):
        average_precision([True, False], [0.1, float("nan")])
    with pytest.raises(ValueError, match="shape"):
        roc_auc([True], [0.1, 0.2])


PROBABILITIES = st.lists(
    st.tuples(st.booleans(), st.one_of(st.floats(0.0, 1.0), st.sampled_from([0.0, 0.5, 1.0]))),
    min_size=1,
)


def test_calibration_error_of_a_hand_made_table():
    truth = [False, False, False, True, True, True, True, False]
    scores = [0.1, 0.1, 0.1, 0.1, 0.8, 0.8, 0.8, 0.8]
    assert calibration_error(truth, scores, bins=2) == pytest.approx(
        0.5 * abs(0.1 - 0.25) + 0.5 * abs(0.8 - 0.75)
    )
    low, high = reliability_table(truth, scores, bins=2)
    assert (low.low, low.high, low.count) == (0.0, 0.5, 4)
    assert (low.score, low.share) == (pytest.approx(0.1), 0.25)
    assert (high.count, high.score, high.share) == (4, pytest.approx(0.8), 0.75)


def test_scores_that_come_true_as_often_as_they_say_are_calibrated():
    shares = [0.05, 0.25, 0.5, 0.75, 0.95]
    truth = [k < 100 * share for share in shares for k in range(100)]
    scores = np.repeat(shares, 100)
    assert calibration_error(truth, scores) == pytest.approx(0.0, abs=1e-9)
    assert calibration_error(np.logical_not(truth), scores) > 0.3


@given(PROBABILITIES, st.integers(1, 20))
def test_a_reliability_table_is_scikit_learns(items, bins):
    truth, scores = map(np.array, zip(*items, strict=True))
    filled = [b for b in reliability_table(truth, scores, bins) if b.count]
    share, score = calibration_curve(truth, scores, n_bins=bins)
    # Which side of a border a score on it belongs to is nobody's business.
    assume(not np.isin(scores, np.linspace(0.0, 1.0, bins + 1)[1:-1]).any())
    assert [b.share for b in filled] == pytest.approx(share.tolist())
    assert [b.score for b in filled] == pytest.approx(score.tolist())


@given(PROBABILITIES, st.integers(1, 20))
def test_every_item_is_in_one_bin(items, bins):
    truth, scores = zip(*items, strict=True)
    table = reliability_table(truth, scores, bins)
    assert len(table) == bins
    assert sum(b.count for b in table) == len(items)
    for b in table:
        assert b.count == 0 or b.low <= b.score <= b.high + 1e-12


@given(PROBABILITIES)
def test_calibration_error_is_at_most_the_mean_distance_from_the_truth(items):
    truth, scores = map(np.array, zip(*items, strict=True))
    error = calibration_error(truth, scores)
    assert 0.0 <= error <= np.abs(truth - scores).mean() + 1e-12
    # One bin sees only how often something is true on the whole.
    assert calibration_error(truth, scores, bins=1) == pytest.approx(
        abs(truth.mean() - scores.mean())
    )


def test_risk_falls_as_the_untrusted_are_dropped():
    wrong = [True, False, True, False, False]
    trust = [0.1, 0.9, 0.3, 0.8, 0.7]
    risks = [selective_risk(wrong, trust, dropped) for dropped in (0.0, 0.2, 0.4)]
    assert risks == pytest.approx([2 / 5, 1 / 4, 0.0])
    # Half of a clip that is wrong is dropped.
    assert selective_risk(wrong, trust, 0.1) == pytest.approx(1.5 / 4.5)


def test_risk_does_not_depend_on_the_order_of_what_is_trusted_alike():
    for wrong in ([True, True, False, False], [False, True, False, True]):
        assert selective_risk(wrong, [0.5] * 4, 0.25) == 0.5


@given(ITEMS, st.floats(0.0, 0.99))
def test_risk_stays_within_bounds(items, dropped):
    wrong, trust = map(np.array, zip(*items, strict=True))
    risk = selective_risk(wrong, trust, dropped)
    assert -1e-12 <= risk * (1.0 - dropped) <= wrong.mean() + 1e-12
    assert risk <= 1.0 + 1e-12
    assert selective_risk(wrong, trust, 0.0) == pytest.approx(wrong.mean())


def test_what_is_no_probability_or_share_is_refused():
    for scores in ([1.1, 0.5], [-0.1, 0.5], [float("nan"), 0.5]):
        with pytest.raises(ValueError, match="probability"):
            calibration_error([True, False], scores)
    with pytest.raises(ValueError, match="at least one bin"):
        reliability_table([True], [0.5], bins=0)
    with pytest.raises(ValueError, match="shape"):
        calibration_error([True], [0.5, 0.5])
    with pytest.raises(ValueError, match="share to drop"):
        selective_risk([True], [0.5], 1.0)
    assert np.isnan(calibration_error([], []))
    assert np.isnan(selective_risk([], [], 0.1))


def pan(start: float, end: float, motion: str = "pan_left") -> Segment:
    return Segment(motion, start, end, 1.0)


def test_overlap_is_shared_time_of_all_time():
    assert intersection_over_union(pan(0.0, 2.0), pan(1.0, 3.0)) == pytest.approx(1 / 3)
    assert intersection_over_union(pan(0.0, 1.0), pan(2.0, 3.0)) == 0.0
    assert intersection_over_union(pan(1.0, 2.0), pan(1.0, 2.0)) == 1.0


def test_segments_are_matched_best_first_and_once():
    truth = [pan(0.0, 2.0), pan(2.0, 4.0), pan(5.0, 6.0, "tilt_up")]
    told = [pan(0.2, 3.0), pan(0.1, 2.0), pan(5.0, 6.0)]
    assert matched_segments(truth, told) == ((0, 1),)
    assert matched_segments(truth, told, least=0.2) == ((0, 1), (1, 0))
    assert matched_segments([], told) == ()


SEGMENTS = st.lists(
    st.builds(
        lambda start, length, motion: pan(start, start + length, motion),
        st.floats(0.0, 5.0),
        st.floats(0.1, 5.0),
        st.sampled_from(["pan_left", "static"]),
    ),
    max_size=6,
)


@given(SEGMENTS, SEGMENTS)
def test_laws_of_matching(truth, told):
    pairs = matched_segments(truth, told)
    assert len({i for i, _ in pairs}) == len({j for _, j in pairs}) == len(pairs)
    for i, j in pairs:
        assert truth[i].motion == told[j].motion
        assert intersection_over_union(truth[i], told[j]) >= 0.5
    itself = matched_segments(truth, truth)
    assert len(itself) == len(truth)
    assert all(intersection_over_union(truth[i], truth[j]) == 1.0 for i, j in itself)
