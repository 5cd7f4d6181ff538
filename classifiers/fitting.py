"""Learns the networks of the learned classifier: torch and scikit-learn, never to label a clip.

Every question is a row of features with a yes or a no. Rows come in groups (shots, clips): those
of one group are alike, so scores and calibration are made across groups, never within.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from itertools import pairwise
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from scipy.optimize import minimize
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.metrics import average_precision_score, log_loss, roc_auc_score
from sklearn.model_selection import GroupKFold
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from dollygrip.classifiers.metrics import calibration_error
from dollygrip.classifiers.network import Network, probability
from dollygrip.geometry.arrays import BoolArray, FloatArray, IntArray, read_only

# What calibration is expected to find: one standard deviation of the log of the slope, of the
# offset, and of the offset of one kind of rows, in log odds. Few rows change little.
_SLOPE_SPREAD, _OFFSET_SPREAD, _KIND_SPREAD = 0.5, 0.5, 0.5

# Features count between these quantiles when their mean and scale are taken: one wild value must
# not flatten all others.
_CORE = (0.005, 0.995)

# Spreads below this share of the mean are rounding.
_SMALLEST = 1e-6

_TOLD = ("hidden", "members", "steps", "batch_size", "learning_rate", "weight_decay")
_VERSIONS = ("numpy", "scikit-learn", "torch")


class NetworkClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Fits a :class:`~dollygrip.classifiers.network.Network`; scikit-learn's contract.

    The members of the network start from different weights and are trained together, on the same
    batches, by AdamW with a rate that rises and falls once. The same arguments give the same bits
    on the same machine.

    Args:
        hidden: Units of each hidden layer.
        members: Networks whose logits are averaged.
        steps: Batches to learn from, however many rows there are.
        batch_size: Rows of a batch.
        learning_rate: The highest rate.
        weight_decay: Pull of the weights towards where they are free: 0, or ``start``.
        start: A network to start from and stay close to; it goes before ``hidden`` and ``members``.
        random_state: Seed of the first weights and of the order of rows.

    Attributes:
        classes_: (2,) the labels, the one that a yes stands for last.
        n_features_in_: Number of features.
        network_: The network.
    """

    def __init__(
        self,
        *,
        hidden: tuple[int, ...] = (32, 32),
        members: int = 4,
        steps: int = 2000,
        batch_size: int = 1024,
        learning_rate: float = 0.01,
        weight_decay: float = 1.0,
        start: Network | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        """Store the arguments; nothing is checked before :meth:`fit`."""
        self.hidden = hidden
        self.members = members
        self.steps = steps
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.start = start
        self.random_state = random_state

    def fit(self, X: npt.ArrayLike, y: npt.ArrayLike, sample_weight: Any = None) -> Self:
        """Learn from rows with answers.

        Args:
            X: (n, K) features.
            y: (n,) labels of two classes.
            sample_weight: (n,) how much each row counts; 1 when not given.

        Returns:
            The classifier itself.

        Raises:
            ValueError: The arrays do not fit each other, have numbers that are not finite, or
                ``y`` has not two classes.
        """
        rows, labels = validate_data(self, X, y, dtype=np.float64)
        weights = _check_sample_weight(
            sample_weight, rows, dtype=np.float64, ensure_non_negative=True
        )
        check_classification_targets(labels)
        kind = type_of_target(labels, input_name="y", raise_unknown=True)
        if kind != "binary":
            raise ValueError(
                f"Only binary classification is supported. The type of the target is {kind}."
            )
        rows, labels, weights = rows[weights > 0], labels[weights > 0], weights[weights > 0]
        self.classes_ = np.unique(labels)
        if len(self.classes_) != 2:
            raise ValueError(f"y has {len(self.classes_)} class where it counts; two are needed")
        rng = check_random_state(self.random_state)
        network = self.start or _untrained(rows, weights, self.hidden, self.members, rng)
        if network.width != rows.shape[1]:
            raise ValueError(f"X has {rows.shape[1]} features, but start has {network.width}")
        self.network_ = self._trained(
            network, rows, labels == self.classes_[1], weights / weights.mean(), rng
        )
        return self

    def decision_function(self, X: npt.ArrayLike) -> FloatArray:
        """(n,) log odds of ``classes_[1]``.

        Args:
            X: (n, K) features.
        """
        check_is_fitted(self)
        return self.network_.logits(validate_data(self, X, dtype=np.float64, reset=False))

    def predict_proba(self, X: npt.ArrayLike) -> FloatArray:
        """(n, 2) chance of each of ``classes_``.

        Args:
            X: (n, K) features.
        """
        yes = probability(self.decision_function(X))
        return np.stack([1.0 - yes, yes], axis=1)

    def predict(self, X: npt.ArrayLike) -> npt.NDArray[Any]:
        """(n,) the likelier class.

        Args:
            X: (n, K) features.
        """
        check_is_fitted(self)
        return np.asarray(self.classes_[(self.decision_function(X) > 0).astype(int)])

    def __sklearn_tags__(self) -> Any:
        """Two classes only."""
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags

    def _trained(
        self,
        network: Network,
        rows: FloatArray,
        targets: BoolArray,
        weights: FloatArray,
        rng: np.random.RandomState,
    ) -> Network:
        with _one_thread():
            inputs = torch.from_numpy(network.standardised(rows).astype(np.float32))
            wanted = torch.from_numpy(targets.astype(np.float32))
            counted = torch.from_numpy(weights.astype(np.float32))
            shifted = inputs @ torch.from_numpy(network.shift.copy())
            first = [
                torch.from_numpy(array.copy()) for array in (*network.weights, *network.biases)
            ]
            # What is learned is the way from where decay pulls to: 0 for new weights.
            origin = [torch.zeros_like(t) for t in first] if self.start is None else first
            moved = [(t - o).requires_grad_() for t, o in zip(first, origin, strict=True)]
            optimizer = torch.optim.AdamW(
                moved, lr=self.learning_rate, weight_decay=self.weight_decay
            )
            schedule = torch.optim.lr_scheduler.OneCycleLR(
                optimizer, self.learning_rate, total_steps=self.steps
            )
            layers = len(network.weights)
            for batch in _batches(len(rows), self.batch_size, self.steps, rng):
                parameters = [o + m for o, m in zip(origin, moved, strict=True)]
                logits = forward(inputs[batch], parameters[:layers], parameters[layers:])
                losses = torch.nn.functional.binary_cross_entropy_with_logits(
                    logits + shifted[batch],
                    wanted[batch].expand_as(logits),
                    counted[batch].expand_as(logits),
                    reduction="none",
                )
                optimizer.zero_grad()
                torch.autograd.backward(losses.mean(dim=1).sum())  # each member learns for itself
                optimizer.step()
                schedule.step()
            final = [(o + m).detach().numpy() for o, m in zip(origin, moved, strict=True)]
        return Network(
            mean=network.mean,
            scale=network.scale,
            shift=network.shift,
            weights=tuple(final[:layers]),
            biases=tuple(final[layers:]),
        )


def forward(
    inputs: torch.Tensor, weights: Sequence[torch.Tensor], biases: Sequence[torch.Tensor]
) -> torch.Tensor:
    """(M, n) logits of each member, as :class:`~dollygrip.classifiers.network.Network` has them.

    Args:
        inputs: (n, K) standardised features.
        weights: For each layer (M, in, out).
        biases: For each layer (M, out).
    """
    values = inputs.expand(len(weights[0]), *inputs.shape)
    for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
        values = torch.relu(torch.baddbmm(bias[:, None, :], values, weight))
    return torch.baddbmm(biases[-1][:, None, :], values, weights[-1])[..., 0]


@dataclass(frozen=True, eq=False)
class Calibration:
    """What makes chances right on average: ``slope * logit + offset + inputs @ shift``.

    Attributes:
        slope: Inverse temperature.
        offset: Log odds.
        shift: (K,) log odds for each unit of a standardised feature.
    """

    slope: float
    offset: float
    shift: FloatArray

    def logits(self, said: FloatArray, inputs: FloatArray) -> FloatArray:
        """(n,) calibrated, from (n,) logits and (n, K) standardised features."""
        return np.asarray(self.slope * said + self.offset + inputs @ self.shift)

    def network(self, network: Network) -> Network:
        """A network with calibrated logits."""
        return network.recalibrated(self.slope, self.offset, self.shift)


def calibration(
    said: FloatArray,
    inputs: FloatArray,
    targets: BoolArray,
    weights: FloatArray | None = None,
    kinds: Sequence[int] = (),
) -> Calibration:
    """Fit slope and offset, and an offset of its own for each kind of rows.

    After Platt (1999) and Guo et al. (2017), with priors that leave things as they are where there
    are few rows.

    Args:
        said: (n,) logits by networks that were not trained on the rows.
        inputs: (n, K) standardised features.
        targets: (n,) the answers.
        weights: (n,) how much each row counts; 1 when not given.
        kinds: Columns of ``inputs`` that tell kinds of rows apart.
    """
    yes = np.asarray(targets, np.float64)
    counted = np.ones(len(yes)) if weights is None else weights
    told_apart = inputs[:, list(kinds)]
    spreads = np.array([_SLOPE_SPREAD, _OFFSET_SPREAD, *[_KIND_SPREAD] * len(kinds)])

    def cost(parameters: FloatArray) -> tuple[float, FloatArray]:
        slope = np.exp(parameters[0])
        found = slope * said + parameters[1] + told_apart @ parameters[2:]
        surprise = np.logaddexp(0.0, found) - yes * found
        excess = counted * (probability(found) - yes)
        gradient = np.array([slope * (excess @ said), excess.sum(), *(excess @ told_apart)])
        prior = parameters / spreads
        return float(counted @ surprise + 0.5 * prior @ prior), gradient + prior / spreads

    best = minimize(cost, np.zeros(len(spreads)), jac=True, method="L-BFGS-B").x
    shift = np.zeros(inputs.shape[1])
    shift[list(kinds)] = best[2:]
    return Calibration(float(np.exp(best[0])), float(best[1]), shift)


def calibrated(
    network: Network,
    rows: npt.ArrayLike,
    targets: BoolArray,
    weights: FloatArray | None = None,
    kinds: Sequence[int] = (),
) -> Network:
    """A network calibrated on rows (n, K) that it was not trained on; see :func:`calibration`."""
    inputs = network.standardised(rows)
    return calibration(network.logits(rows), inputs, targets, weights, kinds).network(network)


@dataclass(frozen=True, eq=False)
class Examples:
    """Rows of one question with their answers.

    Attributes:
        features: Names of the K features.
        rows: (n, K) features.
        targets: (n,) the answers.
        weights: (n,) how much each row counts.
        groups: (n,) number of the shot or clip that a row is from.
        kinds: Features that tell kinds of rows apart, for calibration.
        baseline: The feature that holds log odds by other means, to be averaged with what is
            learned; empty for none.
    """

    features: tuple[str, ...]
    rows: FloatArray
    targets: BoolArray
    weights: FloatArray
    groups: IntArray
    kinds: tuple[str, ...] = ()
    baseline: str = ""

    def __post_init__(self) -> None:
        """Check shapes.

        Raises:
            ValueError: Shapes do not fit each other, or a kind or the baseline is no feature.
        """
        count = len(self.targets)
        shapes: dict[str, tuple[tuple[int, ...], Any]] = {
            "rows": ((count, len(self.features)), np.float64),
            "targets": ((count,), np.bool_),
            "weights": ((count,), np.float64),
            "groups": ((count,), np.intp),
        }
        for name, (shape, dtype) in shapes.items():
            object.__setattr__(self, name, read_only(name, getattr(self, name), shape, dtype))
        strange = {*self.kinds, self.baseline} - {*self.features, ""}
        if strange:
            raise ValueError(f"{min(strange)!r} is no feature")


@dataclass(frozen=True, eq=False)
class TrainingTable:
    """All that the shipped weights are made from.

    Attributes:
        labels: One row a shot and label: does the shot have it?
        moments: One row a moment and label: does it happen now?
        recipe: How the table was made, JSON-ready.
    """

    labels: Examples
    moments: Examples
    recipe: dict[str, Any] = field(default_factory=dict)


def fit_all(
    table: TrainingTable,
    judged: Mapping[str, Callable[[FloatArray], Examples]],
    seed: int,
    *,
    folds: int = 4,
    model: NetworkClassifier | None = None,
    judge: NetworkClassifier | None = None,
) -> tuple[dict[str, Network], dict[str, Any]]:
    """Fit, calibrate and score all networks of a weights file.

    Args:
        table: What to learn from.
        judged: Further networks by name, whose question rests on answers to the first: from (n,)
            chances of the rows of ``table.labels``, made by networks that had not seen their
            group, to examples such as one row a shot, "is its answer right?".
        seed: Of all that is random.
        folds: Parts of the cross-validation that scores, calibration and trust rest on.
        model: Untrained; its settings are those of "labels" and "moments".
        judge: Untrained; its settings are those of ``judged``, as ``model`` when not given.

    Returns:
        The networks "labels", "moments" and those of ``judged``; and the recipe, JSON-ready.

    Raises:
        ValueError: A question has rows of fewer groups than ``folds``, or only one answer.
    """
    model = clone(model or NetworkClassifier()).set_params(random_state=seed)
    judge = clone(judge or model).set_params(random_state=seed)
    labels = fit_one(table.labels, model, folds)
    made = {
        "labels": labels,
        "moments": fit_one(table.moments, model, folds),
        **{name: fit_one(ask(labels.chances), judge, folds) for name, ask in judged.items()},
    }
    recipe = {
        "data": table.recipe,
        "seed": seed,
        "folds": folds,
        "model": {name: getattr(model, name) for name in _TOLD},
        "judge": {name: getattr(judge, name) for name in _TOLD},
        "versions": {name: version(name) for name in _VERSIONS},
        "questions": {name: fitted.recipe for name, fitted in made.items()},
    }
    return {name: fitted.network for name, fitted in made.items()}, recipe


@dataclass(frozen=True, eq=False)
class Fitted:
    """A network, and what it says of rows that it has not seen.

    Attributes:
        network: Trained on all rows, calibrated on groups that were held out.
        chances: (n,) of a yes, by networks that had not seen the group of the row.
        recipe: Features, counts and scores, JSON-ready.
    """

    network: Network
    chances: FloatArray
    recipe: dict[str, Any]


def fit_one(examples: Examples, model: NetworkClassifier, folds: int) -> Fitted:
    """Fit one network on all rows, calibrated by networks that were fitted on most of them.

    Args:
        examples: What to learn from.
        model: Untrained.
        folds: Parts of the cross-validation.

    Raises:
        ValueError: There are fewer groups than ``folds``, or only one answer.
    """
    rows, targets, weights = examples.rows, examples.targets, examples.weights

    def learned(seen: IntArray | slice) -> Network:
        network: Network = clone(model).fit(rows[seen], targets[seen], weights[seen]).network_
        if not examples.baseline:
            return network
        return network.averaged_with(examples.features.index(examples.baseline))

    parts = list(grouped_folds(examples.groups, folds))
    said = np.zeros(len(targets))
    for seen, held in parts:
        said[held] = learned(seen).logits(rows[held])
    network = learned(slice(None))
    inputs = network.standardised(rows)
    kinds = [examples.features.index(kind) for kind in examples.kinds]
    # The chances that are handed out and scored are calibrated on other groups, too.
    chances = np.zeros(len(targets))
    for seen, held in parts:
        found = calibration(said[seen], inputs[seen], targets[seen], weights[seen], kinds)
        chances[held] = probability(found.logits(said[held], inputs[held]))
    found = calibration(said, inputs, targets, weights, kinds)
    recipe = {
        "features": list(examples.features),
        "baseline": examples.baseline,
        "rows": len(targets),
        "yes": int(targets.sum()),
        "groups": len(np.unique(examples.groups)),
        "scores": scores(targets, chances, weights),
        "slope": round(found.slope, 4),
        "offset": round(found.offset, 4),
    }
    return Fitted(found.network(network), chances, recipe)


def grouped_folds(groups: npt.ArrayLike, folds: int) -> Iterator[tuple[IntArray, IntArray]]:
    """Indices to learn from and to be asked of, ``folds`` times; no group is on both sides.

    Args:
        groups: (n,) what each row is from.
        folds: Number of parts.

    Raises:
        ValueError: There are fewer groups than parts.
    """
    splitter = GroupKFold(folds, shuffle=True, random_state=0)
    yield from splitter.split(np.zeros(np.size(groups)), groups=groups)


def scores(targets: BoolArray, chances: FloatArray, weights: FloatArray) -> dict[str, float]:
    """How good chances are: log loss, average precision, area under the ROC, calibration error.

    Args:
        targets: (n,) the answers, both yes and no.
        chances: (n,) of a yes.
        weights: (n,) how much each row counts, in all but the calibration error.
    """
    found = {
        "log_loss": log_loss(targets, chances, sample_weight=weights),
        "average_precision": average_precision_score(targets, chances, sample_weight=weights),
        "roc_auc": roc_auc_score(targets, chances, sample_weight=weights),
        "calibration_error": calibration_error(targets, chances),
    }
    return {name: round(float(score), 5) for name, score in found.items()}


def _untrained(
    rows: FloatArray,
    weights: FloatArray,
    hidden: Sequence[int],
    members: int,
    rng: np.random.RandomState,
) -> Network:
    """Standardised to rows (n, K), with weights as He et al. (2015) draw them."""
    low, high = np.quantile(rows, _CORE, axis=0)
    core = np.clip(rows, low, high)
    mean = np.average(core, axis=0, weights=weights)
    scale = np.sqrt(np.average((core - mean) ** 2, axis=0, weights=weights))
    # What is the same but for a few rows tells by whether it differs.
    scale = np.where(scale > _SMALLEST * (1.0 + np.abs(mean)), scale, 1.0 + np.abs(mean))
    sizes = (rows.shape[1], *hidden, 1)
    return Network(
        mean=mean.astype(np.float32),
        scale=scale.astype(np.float32),
        shift=np.zeros(len(mean), np.float32),
        weights=tuple(
            rng.normal(0.0, np.sqrt(2.0 / a), (members, a, b)).astype(np.float32)
            for a, b in pairwise(sizes)
        ),
        biases=tuple(np.zeros((members, b), np.float32) for b in sizes[1:]),
    )


def _batches(
    count: int, size: int, steps: int, rng: np.random.RandomState
) -> Iterator[torch.Tensor]:
    """Indices of ``steps`` batches; every row comes once before any comes again."""
    order = np.zeros(0, np.intp)
    for _ in range(steps):
        if len(order) < min(size, count):
            order = np.concatenate([order, rng.permutation(count)])
        batch, order = order[:size], order[size:]
        yield torch.from_numpy(batch)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Sums are made in one order, and small ones are quicker so."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
