"""Fits the learned classifier to somebody's own labels, from the stored motion of a run."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from dollygrip.classifiers.evidence import present, read
from dollygrip.classifiers.features import CRITERIA, LABEL_FEATURES, label_rows
from dollygrip.classifiers.labels import DEFINITIONS, PRIMITIVES
from dollygrip.classifiers.learned import LearnedSettings, scores_of
from dollygrip.classifiers.metrics import average_precision, calibration_error
from dollygrip.classifiers.network import Network, to_bytes
from dollygrip.classifiers.records import ClipLabels
from dollygrip.classifiers.reliability import Failure, ambiguous_pairs, likelier_named
from dollygrip.classifiers.shipped import shipped
from dollygrip.geometry.arrays import BoolArray, FloatArray, IntArray
from dollygrip.runners.formats.files import write_atomically
from dollygrip.runners.formats.sources import source_video
from dollygrip.runners.formats.trajectories import read_trajectories
from dollygrip.runners.formats.truth import LabelledClip, match, read_labels
from dollygrip.runners.ledger import read_records
from dollygrip.runners.needs import missing, package
from dollygrip.runners.store import TRAJECTORIES

SUFFIX = ".safetensors"
FEWEST_CLIPS = 10
"""With fewer clips nothing can be learned, nor be told of what was."""

SHIPPED, CALIBRATED, REFITTED = "as shipped", "calibrated", "refitted"
"""What is tried: the networks as they are, with other chances, with other weights too."""

_FOLDS = 5
# A refit starts from the shipped network and is pulled back to it: with ten clips nearly all the
# way, with a hundred about half, with a thousand hardly.
_STEPS, _RATE, _PULL = 200, 0.001, 1000.0
# Chances that count as 0 and 1 in a log loss would make one mistake outweigh all else.
_SURE = 1e-6
_KINDS = tuple(i for i, name in enumerate(LABEL_FEATURES) if name.startswith("family "))
_REMEDY = "pip install 'dollygrip[train]'"


class TrainingError(Exception):
    """Nothing can be learned from what was given; the message says why."""


@dataclass(frozen=True, eq=False)
class Lessons:
    """Clips of a run with what people say of them.

    Attributes:
        rows: (clips, labels, features) of :func:`dollygrip.classifiers.features.label_rows`.
        known: (clips, labels) whether somebody said yes or no.
        answers: (clips, labels) whether they said yes.
        ambiguous: For each clip the pairs of labels that its motion cannot tell apart.
        groups: (clips,) number of the video that a clip is from.
        left_out: Why clips with labels are not among them, and how many.
    """

    rows: FloatArray
    known: BoolArray
    answers: BoolArray
    ambiguous: tuple[tuple[tuple[str, str], ...], ...]
    groups: IntArray
    left_out: Mapping[str, int]

    @property
    def counts(self) -> dict[str, tuple[int, int]]:
        """How often people said yes and no, for each label that they spoke of."""
        said = zip(DEFINITIONS, self.known.T, self.answers.T, strict=True)
        return {
            definition.name: (int((known & answers).sum()), int((known & ~answers).sum()))
            for definition, known, answers in said
            if known.any()
        }


@dataclass(frozen=True)
class Scores:
    """How good chances are for clips that they were not fitted to.

    Attributes:
        log_loss: Mean over all answers.
        mean_ap: Mean of ``average_precision``.
        exact: Share of the clips whose every answered primitive is right.
        calibration_error: Expected difference between chance and share of yes.
        average_precision: For each label with both a yes and a no.
    """

    log_loss: float
    mean_ap: float
    exact: float
    calibration_error: float
    average_precision: Mapping[str, float]


@dataclass(frozen=True, eq=False)
class Trained:
    """What was learned.

    Attributes:
        chosen: Which of what was tried is best: that with the lowest log loss.
        scores: Of all that was tried, by cross-validation.
        networks: All networks of a weights file.
        recipe: How they were made, JSON-ready.
    """

    chosen: str
    scores: Mapping[str, Scores]
    networks: Mapping[str, Network]
    recipe: Mapping[str, Any]


Watch = Callable[[Iterator[Any], int], Iterable[Any]]


def collect(run: Path, labels: Path, watch: Watch = lambda items, total: items) -> Lessons:
    """Find the motion of labelled clips; no video is read.

    Args:
        run: The run folder.
        labels: A label file, or CameraBench's folder.
        watch: Passes the clips on, given how many there are; to show progress.

    Raises:
        LabelError: The labels cannot be read, or do not go with the run.
        StoreError: The folder holds no run.
        TrainingError: There are too few labelled clips with motion, or there is nothing to tell
            apart in what is said of them.
    """
    pairs = match(read_labels(labels), read_records(run))
    left_out: Counter[str] = Counter()
    found: list[tuple[LabelledClip, FloatArray, tuple[tuple[str, str], ...]]] = []
    for clip, record in watch(iter(pairs), len(pairs)):
        evidence = _evidence(run, record)
        if isinstance(evidence, str):
            left_out[evidence] += 1
        else:
            found.append((clip, *evidence))
    names = [d.name for d in DEFINITIONS]
    said = [[clip.answers.get(name) for name in names] for clip, _, _ in found]
    if len(found) < FEWEST_CLIPS:
        raise TrainingError(
            f"{run} has the motion of {len(found)} of the {len(pairs)} clips in {labels}, "
            f"{FEWEST_CLIPS} are needed{_reasons(left_out)}"
        )
    answers = np.array([[answer is True for answer in row] for row in said])
    known = np.array([[answer is not None for answer in row] for row in said])
    if not ((answers & known).any(axis=0) & (~answers & known).any(axis=0)).any():
        raise TrainingError(f"{labels}: no label has both a yes and a no")
    sources = [source_video(clip) for clip, _, _ in found]
    groups = np.unique(sources, return_inverse=True)[1]
    if groups.max() + 1 < _FOLDS:
        raise TrainingError(
            f"{labels}: all clips are of {groups.max() + 1} groups, {_FOLDS} are needed"
        )
    return Lessons(
        rows=np.array([rows for _, rows, _ in found]),
        known=known,
        answers=answers,
        ambiguous=tuple(pairs for _, _, pairs in found),
        groups=groups,
        left_out=left_out,
    )


def train(lessons: Lessons, seed: int = 0, watch: Watch = lambda items, total: items) -> Trained:
    """Calibrate and refit the shipped networks, and keep what does best on clips held out.

    Args:
        lessons: What to learn from.
        seed: Of all that is random.
        watch: Passes the parts of the cross-validation on, given how many there are.

    Raises:
        TrainingError: A package is not installed.
    """
    lacking = missing([package(name, _REMEDY) for name in ("torch", "sklearn")], "training")
    if lacking is not None:
        raise TrainingError(lacking.message)
    from dollygrip.classifiers.fitting import NetworkClassifier, calibrated, grouped_folds

    networks, origin = shipped()
    start = networks["labels"]
    refit = NetworkClassifier(
        start=start,
        steps=_STEPS,
        learning_rate=_RATE,
        weight_decay=_PULL / len(lessons.rows),
        random_state=seed,
    )

    def made(name: str, seen: IntArray) -> Network:
        """What is learned from some clips."""
        known = lessons.known[seen]
        rows, answers = lessons.rows[seen][known], lessons.answers[seen][known]
        if name == SHIPPED or not 0 < answers.sum() < len(answers):
            return start
        if name == CALIBRATED:
            return calibrated(start, rows, answers, kinds=_KINDS)
        return refit.fit(rows, answers).network_

    chances = {name: np.zeros(lessons.known.shape) for name in (SHIPPED, CALIBRATED, REFITTED)}
    for seen, held in watch(grouped_folds(lessons.groups, _FOLDS), _FOLDS):
        for name, told in chances.items():
            network = made(name, seen)
            told[held] = [network.probabilities(rows) for rows in lessons.rows[held]]
    scores = {name: _scores(lessons, told) for name, told in chances.items()}
    chosen = min(scores, key=lambda name: scores[name].log_loss)
    labels = made(chosen, np.arange(len(lessons.rows)))
    return Trained(
        chosen=chosen,
        scores=scores,
        networks={**networks, "labels": labels},
        recipe={
            "started from": dict(origin),
            "labels": chosen,
            "seed": seed,
            "clips": len(lessons.rows),
            "groups": int(lessons.groups.max()) + 1,
            "answers": int(lessons.known.sum()),
            "yes": int(lessons.answers.sum()),
            "scores": {name: _rounded(found) for name, found in scores.items()},
            "versions": {name: version(name) for name in ("numpy", "scikit-learn", "torch")},
        },
    )


def write_weights(path: Path, trained: Trained) -> str:
    """Write a weights file; it appears whole or not at all.

    Args:
        path: The file, which ends in ``.safetensors``.
        trained: What it is to hold.

    Returns:
        Two lines of TOML that make the learned classifier use it.

    Raises:
        TrainingError: The name ends in something else: it may be that of the labels.
        OSError: It cannot be written.
    """
    check_name(path)
    write_atomically(path, to_bytes(trained.networks, trained.recipe))
    escaped = str(path.absolute()).replace("\\", "\\\\").replace('"', '\\"')
    return f'[classifier.learned]\nweights = "{escaped}"'


def check_name(path: Path) -> None:
    """Whether a weights file may be called so.

    Raises:
        TrainingError: It ends in something else than ``.safetensors``.
    """
    if path.suffix != SUFFIX:
        raise TrainingError(f"{path}: a weights file is named something{SUFFIX}")


def _evidence(
    run: Path, record: ClipLabels | None
) -> tuple[FloatArray, tuple[tuple[str, str], ...]] | str:
    """Rows and ambiguous pairs of a clip, or why there are none."""
    if record is None:
        return "not in the run"
    if record.failure is not None:
        return "failed"
    if len(record.shots) != 1:
        return "with cuts"  # which of the shots a label is about is not known
    try:
        (shot,) = read_trajectories(run / TRAJECTORIES / f"{record.clip_id}.npz")
    except ValueError:
        return "without motion"
    readings = read(shot.hypotheses, CRITERIA)
    if isinstance(readings, Failure):
        return "failed"
    weighed = [(reading.probability, reading.scores) for reading in readings]
    rows = label_rows(readings, doubts=shot.doubts, diagnostics=shot.diagnostics)
    return rows, ambiguous_pairs(weighed, LearnedSettings().comparable)


def _scores(lessons: Lessons, chances: FloatArray) -> Scores:
    """Of (clips, labels) chances."""
    known, answers = lessons.known, lessons.answers
    likely = np.clip(np.where(answers, chances, 1.0 - chances)[known], _SURE, 1.0)
    columns = {d.name: i for i, d in enumerate(DEFINITIONS)}
    precision = {}
    for name, i in columns.items():
        truth = answers[known[:, i], i]
        if truth.any() and not truth.all():
            precision[name] = average_precision(truth, chances[known[:, i], i])
    right = []
    for clip, pairs in enumerate(lessons.ambiguous):
        said = present(likelier_named(scores_of(chances[clip]), pairs))
        asked = [name for name in PRIMITIVES if known[clip, columns[name]]]
        right.append(all((name in said) == answers[clip, columns[name]] for name in asked))
    return Scores(
        log_loss=float(-np.log(likely).mean()),
        mean_ap=float(np.mean(list(precision.values()))) if precision else float("nan"),
        exact=float(np.mean(right)),
        calibration_error=calibration_error(answers[known], chances[known]),
        average_precision=precision,
    )


def _rounded(scores: Scores) -> dict[str, float]:
    return {
        "log_loss": round(scores.log_loss, 5),
        "mean_ap": round(scores.mean_ap, 5),
        "exact": round(scores.exact, 5),
        "calibration_error": round(scores.calibration_error, 5),
    }


def _reasons(left_out: Mapping[str, int]) -> str:
    return "".join(f"; {count} {reason}" for reason, count in sorted(left_out.items()))
