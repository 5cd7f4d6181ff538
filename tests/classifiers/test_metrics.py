import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from dollygrip.classifiers.metrics import average_precision, exact_match, f1, roc_auc

# Few distinct scores, so that ties are the rule.
ITEMS = st.lists(
    st.tuples(st.booleans(), st.sampled_from([-1e10, -2.0, 0.0, 0.25, 0.5, 1.0])), min_size=2
)


@given(ITEMS)
def test_average_precision_is_scikit_learns(items):
    truth, scores = map(list, zip(*items, strict=True))
    assume(any(truth))
    assert average_precision(truth, scores) == pytest.approx(
        average_precision_score(truth, scores), abs=1e-12
    )


@given(ITEMS)
def test_roc_auc_is_scikit_learns(items):
    truth, scores = map(list, zip(*items, strict=True))
    assume(any(truth) and not all(truth))
    assert roc_auc(truth, scores) == pytest.approx(roc_auc_score(truth, scores), abs=1e-12)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1))
def test_f1_is_scikit_learns(items):
    truth, said = map(list, zip(*items, strict=True))
    assume(any(truth) or any(said))
    assert f1(truth, said) == pytest.approx(f1_score(truth, said))


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
    assert np.isnan(roc_auc([True, True], [0.1, 0.2]))
    assert np.isnan(f1([False], [False]))
    assert np.isnan(exact_match([], [], ["static"]))


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="not a number"):
        average_precision([True, False], [0.1, float("nan")])
    with pytest.raises(ValueError, match="shape"):
        roc_auc([True], [0.1, 0.2])
    with pytest.raises(ValueError, match="shape"):
        f1([True], [True, False])
    with pytest.raises(ValueError, match="shorter"):
        exact_match([["static"]], [], ["static"])


def test_exact_match_looks_at_the_named_labels_only():
    truth = [["pan_left"], ["static"]]
    said = [["pan_left", "shaky"], ["zoom_in"]]
    assert exact_match(truth, said, ["pan_left", "static", "zoom_in"]) == 0.5
    assert exact_match(truth, said, ["pan_left", "shaky", "static", "zoom_in"]) == 0.0
