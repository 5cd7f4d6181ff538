"""The learner: scikit-learn's contract, and what calibration and training promise."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from dollygrip.classifiers.fitting import (
    Examples,
    NetworkClassifier,
    TrainingTable,
    calibrated,
    fit_all,
    fit_one,
    forward,
    grouped_folds,
)
from dollygrip.classifiers.network import Network, from_bytes, to_bytes

FEATURES = ("amount", "noise", "turns")


def _small(**changed: Any) -> NetworkClassifier:
    given = {"hidden": (8,), "members": 2, "steps": 150, "random_state": 0, **changed}
    return NetworkClassifier(**given)


def _data(n: int = 600, seed: int = 0) -> tuple[Any, Any, Any]:
    """Rows whose answer depends on the first two features together; log odds known."""
    rng = np.random.default_rng(seed)
    rows = np.column_stack([rng.normal(size=(n, 2)), rng.integers(0, 2, n)])
    logits = 2.0 * (np.abs(rows[:, 0]) - np.abs(rows[:, 1])) + rows[:, 2]
    return rows, rng.random(n) < 1 / (1 + np.exp(-logits)), logits


def _examples(n: int = 600, seed: int = 0) -> Examples:
    rows, targets, _ = _data(n, seed)
    return Examples(FEATURES, rows, targets, np.ones(n), np.arange(n) // 10, kinds=("turns",))


def _same(first: Network, second: Network) -> bool:
    return to_bytes({"n": first}, {}) == to_bytes({"n": second}, {})


@parametrize_with_checks(
    [NetworkClassifier(hidden=(4,), members=1, steps=40, learning_rate=0.05)],
    expected_failed_checks=lambda _: {
        # As for all of scikit-learn's own classifiers that draw batches or samples.
        "check_sample_weight_equivalence_on_dense_data": "rounding of sums differs",
    },
)
def test_keeps_the_contract_of_scikit_learn(estimator: Any, check: Any) -> None:
    check(estimator)


def test_learns_what_no_line_can_tell() -> None:
    rows, targets, logits = _data(3000)
    new, answers, truth = _data(3000, seed=1)
    fitted = _small(hidden=(16, 16), steps=400).fit(rows, targets)
    best = roc_auc_score(answers, truth)
    assert roc_auc_score(answers, fitted.decision_function(new)) > best - 0.02
    assert np.corrcoef(fitted.decision_function(new), truth)[0, 1] > 0.9
    assert logits.shape == targets.shape


def test_equal_seeds_give_equal_bits_and_others_do_not() -> None:
    rows, targets, _ = _data()
    first, again = (_small().fit(rows, targets).network_ for _ in range(2))
    other = _small(random_state=1).fit(rows, targets).network_
    assert _same(first, again)
    assert not _same(first, other)


def test_the_global_state_of_torch_is_left_alone() -> None:
    rows, targets, _ = _data(50)
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    _small(steps=3).fit(rows, targets)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize("hidden", [(), (8,), (8, 4)])
def test_torch_and_numpy_say_the_same(hidden: tuple[int, ...]) -> None:
    rows, targets, _ = _data()
    network = _small(hidden=hidden, steps=20).fit(rows, targets).network_
    told = forward(
        torch.from_numpy(network.standardised(rows)),
        [torch.from_numpy(weight.astype(np.float64)) for weight in network.weights],
        [torch.from_numpy(bias.astype(np.float64)) for bias in network.biases],
    )
    np.testing.assert_allclose(told.mean(dim=0).numpy(), network.logits(rows), atol=1e-12)


def test_rows_of_no_weight_are_not_there() -> None:
    rows, targets, _ = _data(200)
    more_rows, more = np.concatenate([rows, rows + 50.0]), np.concatenate([targets, ~targets])
    weights = np.repeat([1.0, 0.0], 200)
    with_them = _small().fit(more_rows, more, sample_weight=weights)
    assert _same(with_them.network_, _small().fit(rows, targets).network_)


def test_weights_move_the_answer() -> None:
    rows = np.zeros((100, 1))
    targets = np.arange(100) < 50
    weights = np.where(targets, 3.0, 1.0)
    fitted = _small(steps=400, weight_decay=0.0).fit(rows, targets, sample_weight=weights)
    assert fitted.predict_proba(rows[:1])[0, 1] == pytest.approx(0.75, abs=0.02)


def test_a_wild_value_hides_no_feature() -> None:
    rows, targets, _ = _data(2000)
    rows[:3, 0] = 1e9
    fitted = _small(steps=400).fit(rows, targets)
    new, answers, truth = _data(2000, seed=1)
    score = roc_auc_score(answers, fitted.decision_function(new))
    assert score > roc_auc_score(answers, truth) - 0.04


@pytest.mark.parametrize("answers", [np.zeros(20), np.arange(20) % 3, np.linspace(0, 1, 20)])
def test_other_than_two_classes_are_refused(answers: Any) -> None:
    with pytest.raises(ValueError, match=r"class"):
        _small().fit(_data(20)[0], answers)


def test_works_inside_scikit_learn() -> None:
    rows, targets, _ = _data(200)
    names = np.where(targets, "yes", "no")
    groups = np.arange(200) // 10
    search = GridSearchCV(
        make_pipeline(StandardScaler(), _small(steps=30)),
        {"networkclassifier__hidden": [(4,), (4, 4)]},
        cv=GroupKFold(2),
        scoring="neg_log_loss",
    ).fit(rows, names, groups=groups)
    assert set(search.predict(rows)) == {"no", "yes"}
    chances = cross_val_predict(
        clone(_small(steps=30)),
        rows,
        names,
        groups=groups,
        cv=GroupKFold(3),
        method="predict_proba",
    )
    np.testing.assert_allclose(chances.sum(axis=1), 1.0)


def _distance(first: Network, second: Network) -> float:
    pairs = zip(first.weights, second.weights, strict=True)
    return float(np.sqrt(sum(np.sum((a - b) ** 2) for a, b in pairs)))


def test_a_start_is_gone_on_from_and_stayed_close_to() -> None:
    rows, targets, _ = _data()
    start = _small(weight_decay=0.0).fit(rows, targets).network_
    new, answers, _ = _data(60, seed=1)
    near, free = (
        _small(start=start, weight_decay=decay, steps=200).fit(new, ~answers).network_
        for decay in (20.0, 0.0)
    )
    assert 0 < _distance(near, start) < 0.5 * _distance(free, start)
    np.testing.assert_array_equal(near.mean, start.mean)
    with pytest.raises(ValueError, match="start has 3"):
        _small(start=start).fit(new[:, :2], answers)


def test_a_baseline_and_what_is_learned_count_the_same() -> None:
    rows, targets, logits = _data()
    rows[:, 1] = 0.3 * logits + 0.5
    network = _small().fit(rows, targets).network_
    averaged = network.averaged_with(1).logits(rows)
    near = np.abs((rows[:, 1] - network.mean[1]) / network.scale[1]) < 1.0
    expected = 0.5 * (network.logits(rows) + rows[:, 1])
    np.testing.assert_allclose(averaged[near], expected[near], atol=0.02)
    fitted = fit_one(replace(_examples(), baseline="noise"), _small(), 3)
    assert fitted.recipe["baseline"] == "noise"
    assert 0.5 < fitted.recipe["scores"]["roc_auc"] <= 1.0


def test_a_calibrated_start_starts_calibrated() -> None:
    rows, targets, _ = _data()
    start = _small().fit(rows, targets).network_.recalibrated(0.5, 1.0, np.array([0.0, 0.0, 0.3]))
    after = _small(start=start, learning_rate=1e-12, steps=1).fit(rows, targets).network_
    np.testing.assert_allclose(after.logits(rows), start.logits(rows), atol=1e-5)


def test_calibration_finds_slope_offset_and_kinds() -> None:
    rows, targets, _ = _data(20000)
    network = _small(steps=400).fit(rows, targets).network_
    # Logits three times too sure and biased, and more so for rows of one kind.
    wrong = network.recalibrated(3.0, -1.0, np.array([0.0, 0.0, 0.7]))
    new, answers, truth = _data(20000, seed=1)
    right = calibrated(wrong, new, answers, kinds=[2])
    before, after, best = (
        log_loss(answers, 1 / (1 + np.exp(-said)))
        for said in (wrong.logits(new), right.logits(new), truth)
    )
    assert after < best + 0.02 < before
    for kind in (0, 1):
        rows_of = new[:, 2] == kind
        mean = right.probabilities(new[rows_of]).mean()
        assert mean == pytest.approx(answers[rows_of].mean(), abs=0.005)


def test_few_rows_change_little() -> None:
    rows, targets, _ = _data()
    network = _small().fit(rows, targets).network_
    new, answers, _ = _data(2, seed=1)
    changed = calibrated(network, new, answers).logits(rows) - network.logits(rows)
    assert np.abs(changed).mean() < 0.5
    nothing = calibrated(network, np.zeros((0, 3)), np.zeros(0, np.bool_))
    np.testing.assert_array_equal(nothing.logits(rows), network.logits(rows))


def test_calibration_keeps_the_order_even_against_the_answers() -> None:
    rows, targets, _ = _data()
    network = _small().fit(rows, targets).network_
    said = calibrated(network, rows, ~targets).logits(rows)
    assert (np.diff(said[np.argsort(network.logits(rows))]) >= -1e-6).all()


def test_folds_part_no_group() -> None:
    groups = np.repeat(np.arange(7), [1, 5, 2, 9, 1, 1, 4])
    asked = []
    for seen, held in grouped_folds(groups, 3):
        assert not set(groups[seen]) & set(groups[held])
        asked.extend(held)
    assert sorted(asked) == list(range(len(groups)))


def test_chances_are_made_by_networks_that_have_not_seen_the_group() -> None:
    # A feature that tells the group, and answers that differ by group at random: all that can be
    # learned is learned by heart.
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(60), 8)
    targets = (rng.random(60) < 0.5)[groups]
    rows = np.eye(60)[groups]
    names = tuple(f"is_{i}" for i in range(60))
    fitted = fit_one(Examples(names, rows, targets, np.ones(480), groups), _small(steps=400), 3)
    assert roc_auc_score(targets, fitted.network.logits(rows)) > 0.95
    assert roc_auc_score(targets, fitted.chances) < 0.65


def test_fit_all_makes_all_networks_and_says_how() -> None:
    table = TrainingTable(_examples(), _examples(seed=1), recipe={"clips": 60})
    asked: list[Any] = []

    def trust(chances: Any) -> Examples:
        asked.append(chances)
        right = (chances > 0.5) == table.labels.targets
        size = np.ones(len(right))
        return Examples(("chance",), chances[:, None], right, size, table.labels.groups)

    model = _small(steps=60)
    networks, recipe = fit_all(table, {"trust": trust}, seed=3, folds=3, model=model)
    again, _ = fit_all(table, {"trust": trust}, seed=3, folds=3, model=model)
    data = to_bytes(networks, recipe)
    assert data == to_bytes(again, recipe)
    found, read = from_bytes(data, "w")
    assert sorted(found) == ["labels", "moments", "trust"]
    assert read["questions"]["labels"]["features"] == list(FEATURES)
    assert read["questions"]["labels"]["groups"] == 60
    assert read["data"] == {"clips": 60}
    assert 0.5 < read["questions"]["labels"]["scores"]["roc_auc"] <= 1.0
    assert ((asked[0] > 0) & (asked[0] < 1)).all()
    assert model.random_state == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rows": np.zeros((600, 2))}, "rows has shape"),
        ({"weights": np.ones(3)}, "weights has shape"),
        ({"kinds": ("pans",)}, "'pans' is no feature"),
        ({"baseline": "score"}, "'score' is no feature"),
    ],
    ids=["rows", "weights", "kinds", "baseline"],
)
def test_examples_that_do_not_fit_are_refused(change: dict[str, Any], message: str) -> None:
    parts = {name: getattr(_examples(), name) for name in Examples.__dataclass_fields__}
    with pytest.raises(ValueError, match=message):
        Examples(**{**parts, **change})


@pytest.mark.slow
def test_a_hundred_thousand_rows_take_less_than_a_minute() -> None:
    from time import process_time

    rng = np.random.default_rng(0)
    rows = rng.normal(size=(100_000, 60))
    targets = rows[:, 0] * rows[:, 1] + rows[:, 2] > 0
    before = process_time()
    fitted = NetworkClassifier(random_state=0).fit(rows, targets)
    assert process_time() - before < 60
    assert fitted.score(rows[:5000], targets[:5000]) > 0.9
