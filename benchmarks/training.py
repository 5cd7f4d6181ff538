"""The training set and the shipped weights: ``python -m benchmarks training FOLDER``.

One seeded command remakes both: it renders the splits that are for fitting, has their motion
estimated, adds simulated paths with simulated errors, fits the networks and writes them to where
the package ships them. What is in the folder already is not made again.
"""

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks import rendered, sequences
from benchmarks.filmed import SEGMENTS
from benchmarks.labelling import in_workers, look
from dollygrip.classifiers.evidence import Reading, mixed, present, read
from dollygrip.classifiers.features import (
    CRITERIA,
    LABEL_FEATURES,
    MOMENT_FEATURES,
    TRUST_FEATURES,
    label_rows,
    moment_rows,
    trust_row,
)
from dollygrip.classifiers.labels import DEFINITIONS, DIRECTIONS, PRIMITIVES
from dollygrip.classifiers.learned import scores_of
from dollygrip.classifiers.network import to_bytes
from dollygrip.classifiers.reliability import Failure, ambiguous_pairs, likelier_named
from dollygrip.classifiers.segments import Span
from dollygrip.classifiers.shipped import WEIGHTS
from dollygrip.classifiers.targets import marks, spans
from dollygrip.geometry.arrays import BoolArray, FloatArray
from dollygrip.geometry.faults import seen_through
from dollygrip.geometry.filming import film
from dollygrip.runners.formats.files import write_atomically
from dollygrip.runners.formats.trajectories import ShotMotion
from dollygrip.runners.formats.truth import read_labels

if TYPE_CHECKING:
    from dollygrip.classifiers.fitting import Examples, TrainingTable

SPLITS = ("filmed-train", "sequences-tune", "tune", "stress-tune")
"""What is rendered to be learned from; the other splits only say how it went."""
SEED = 20261123

# Moments of a shot that are asked about a second, and seconds from a border that are left out:
# nobody can say to a picture when a move begins.
_MOMENTS, _BORDER = 8.0, 0.06
# A shot seen by an estimator that tells nothing about itself counts this much beside the same one
# seen by one that does.
_UNTOLD = 0.5
# So does a simulated shot: its faults are only like those of real estimators.
_SIMULATED = 0.2
# Rendered worlds hold few still shots that are hard to tell from moving ones (water, crowds), so
# still shots count more. Set on real clips, in aggregate.
_STILL = 5.0
# What rendered clips teach is not all true of real ones: harder pull to the simple, and the rules
# count as much as the network. Set on real clips, in aggregate.
_MODEL: dict[str, Any] = {"steps": 1200, "weight_decay": 2.0}
_BASELINE = "score"
# Few answers are wrong, so little can be learned of which.
_JUDGE: dict[str, Any] = {"hidden": (8,), "members": 8, "steps": 400, "weight_decay": 1.0}
_MARKS = {"yes": True, "no": False}


@dataclass(frozen=True, eq=False)
class Example:
    """One shot as an estimator saw it, and what is true of it.

    Attributes:
        readings: The explanations of the shot under ``CRITERIA``.
        duration: Seconds.
        doubts: Of the estimator.
        diagnostics: Of the estimator.
        marks: True, False or None (nobody can tell) by label.
        spans: When each move that is there happens; None where that is not known.
        group: Number of the shot; the same shot seen twice has one.
        weight: How much it counts.
    """

    readings: tuple[Reading, ...]
    duration: float
    doubts: tuple[Failure, ...]
    diagnostics: Mapping[str, Any]
    marks: Mapping[str, bool | None]
    spans: Mapping[str, Sequence[Span]] | None
    group: int
    weight: float = 1.0


def rendered_examples(folder: Path, splits: Sequence[str], jobs: int) -> Iterator[Example]:
    """Rendered clips through the default estimator; rendered first where they are missing."""
    missing = [(folder / s, s) for s in splits if not (folder / s / "labels.csv").exists()]
    in_workers(_render, missing, jobs, "rendering", _refuse, timeout=7200.0)
    group = 0
    for split in splits:
        clips = read_labels(folder / split / "labels.csv")
        told = _segments(folder / split / SEGMENTS)
        kept = folder / "motion"
        tasks = [(folder / split / clip.clip, "flow", "threshold", kept) for clip in clips]
        for clip, (_, shots) in zip(
            clips, in_workers(look, tasks, jobs, split, _refuse), strict=True
        ):
            group += 1
            example = _example(shots, clip.answers, told.get(clip.clip), group)
            if example is not None:
                yield example
                yield replace(example, doubts=(), diagnostics={}, spans=None, weight=_UNTOLD)


def simulated_examples(count: int, first_group: int, seed: int) -> Iterator[Example]:
    """Paths as people shoot them, as estimators that fail in known ways would see them."""
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        shot = film(rng)
        readings = read(seen_through(shot.path(), rng), CRITERIA)
        if isinstance(readings, Failure):
            continue
        yield Example(
            readings=tuple(readings),
            duration=shot.duration,
            doubts=(),
            diagnostics={},
            marks=marks(shot.moves, shot.duration, focal=shot.focal),
            spans=spans(shot.moves, shot.duration),
            group=first_group + number,
            weight=_SIMULATED,
        )


def training_table(examples: Sequence[Example], recipe: Mapping[str, Any]) -> "TrainingTable":
    """Questions and answers for the networks, made of shots of which the truth is known."""
    from dollygrip.classifiers.fitting import Examples, TrainingTable

    labels, marks_of = [], []
    moments, happens, moment_groups, moment_weights = [], [], [], []
    for example in examples:
        labels.append(
            label_rows(example.readings, doubts=example.doubts, diagnostics=example.diagnostics)
        )
        marks_of.append([example.marks.get(d.name) for d in DEFINITIONS])
        if example.spans is None:
            continue
        for name in DIRECTIONS:
            if example.marks[name] and example.spans.get(name):
                rows, now = _moments(example.readings, name, example.spans[name])
                moments.append(rows)
                happens.append(now)
                moment_groups.append(np.full(len(now), example.group))
                # A long shot says no more than a short one.
                moment_weights.append(np.full(len(now), example.weight / max(len(now), 1)))
    known = np.array([[mark is not None for mark in marks] for marks in marks_of])
    weights = np.array([_weight(example) for example in examples])[:, None] * known
    groups = np.array([example.group for example in examples])
    share = np.concatenate(moment_weights)
    return TrainingTable(
        labels=Examples(
            features=LABEL_FEATURES,
            rows=np.concatenate(labels),
            targets=np.array([[bool(m) for m in marks] for marks in marks_of]).ravel(),
            weights=weights.ravel(),
            groups=np.repeat(groups, len(DEFINITIONS)),
            baseline=_BASELINE,
        ),
        moments=Examples(
            features=MOMENT_FEATURES,
            rows=np.concatenate(moments),
            targets=np.concatenate(happens),
            weights=share / share.mean(),
            groups=np.concatenate(moment_groups),
        ),
        recipe=dict(recipe),
    )


def trust_examples(examples: Sequence[Example], chances: FloatArray | None) -> "Examples":
    """One row a shot: is its answer right?

    Args:
        examples: The shots.
        chances: (shots * labels,) of each label, by networks that had not seen the shot; None for
            the answers of the threshold classifier.
    """
    from dollygrip.classifiers.fitting import Examples

    rows, right = [], []
    for number, example in enumerate(examples):
        weighed = [(reading.probability, reading.scores) for reading in example.readings]
        ambiguous = ambiguous_pairs(weighed, CRITERIA.comparable)
        count = len(DEFINITIONS)
        scores = mixed(example.readings)
        if chances is not None:
            learned = chances[number * count : (number + 1) * count]
            scores = scores_of(learned)
        scores = likelier_named(scores, ambiguous)
        said = present(scores)
        known = [name for name in PRIMITIVES if example.marks.get(name) is not None]
        right.append(all((name in said) == example.marks[name] for name in known))
        rows.append(
            trust_row(
                example.readings,
                scores,
                duration=example.duration,
                ambiguous=ambiguous,
                doubts=example.doubts,
                diagnostics=example.diagnostics,
            )
        )
    return Examples(
        features=TRUST_FEATURES,
        rows=np.array(rows),
        targets=np.array(right),
        weights=np.array([example.weight for example in examples]),
        groups=np.array([example.group for example in examples]),
    )


def add_command(commands: Any) -> None:
    """Add ``training`` to the argument parser's commands."""
    parser = commands.add_parser("training", help="remake the training set and the weights")
    parser.add_argument("folder", type=Path, help="for the training set; goes on where it stopped")
    parser.add_argument("--jobs", type=int, default=2, help="worker processes")
    parser.add_argument("--simulated", type=int, default=1500, metavar="N", help="simulated shots")
    parser.add_argument("--seed", type=int, default=SEED)
    shipped = Path(__file__).parents[1] / "classifiers" / "data" / WEIGHTS
    parser.add_argument("--out", type=Path, default=shipped, metavar="FILE", help="the weights")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Make, fit, score, write."""
    from dollygrip.classifiers.fitting import NetworkClassifier, fit_all

    rendered = list(rendered_examples(options.folder, SPLITS, options.jobs))
    first = 1 + max(example.group for example in rendered)
    simulated = list(simulated_examples(options.simulated, first, options.seed))
    examples = rendered + simulated
    recipe = {
        "splits": list(SPLITS),
        "rendered": len({example.group for example in rendered}),
        "simulated": len(simulated),
        "estimator": "flow",
    }
    table = training_table(examples, recipe)
    judged = {
        "trust": lambda chances: trust_examples(examples, chances),
        "trust_threshold": lambda chances: trust_examples(examples, None),
    }
    networks, made = fit_all(
        table,
        judged,
        options.seed,
        model=NetworkClassifier(**_MODEL),
        judge=NetworkClassifier(**_JUDGE),
    )
    write_atomically(options.out, to_bytes(networks, made))
    print(json.dumps(made["questions"], indent=1))
    return 0


def _example(
    shots: Sequence[ShotMotion],
    marks_of: Mapping[str, bool | None],
    told: Mapping[str, Sequence[Span]] | None,
    group: int,
) -> Example | None:
    """The longest shot of a clip; None where the estimator has no answer."""
    shot = max(shots, key=lambda shot: shot.end - shot.start, default=None)
    if shot is None or shot.failure is not None:
        return None
    readings = read(shot.hypotheses, CRITERIA)
    if isinstance(readings, Failure):
        return None
    return Example(
        readings=tuple(readings),
        duration=shot.end - shot.start,
        doubts=shot.doubts,
        diagnostics=shot.diagnostics,
        marks={d.name: marks_of.get(d.name) for d in DEFINITIONS},
        spans=told,
        group=group,
    )


def _weight(example: Example) -> float:
    return example.weight * (_STILL if example.marks.get("static") else 1.0)


def _moments(
    readings: Sequence[Reading], name: str, told: Sequence[Span]
) -> tuple[FloatArray, BoolArray]:
    motion = readings[0].motion
    count = max(round(motion.duration * _MOMENTS), 2)
    times = np.linspace(motion.times[0], motion.times[-1], count)
    now = np.any([(times >= s.start) & (times <= s.end) for s in told], axis=0)
    borders = np.array([border for s in told for border in (s.start, s.end)])
    clear = np.abs(times[:, None] - borders).min(axis=1) > _BORDER
    return moment_rows(readings, name, times[clear]), now[clear]


def _segments(path: Path) -> dict[str, dict[str, list[Span]]]:
    """The spans of each clip's moves, where there is a file that tells."""
    if not path.exists():
        return {}
    told: dict[str, dict[str, list[Span]]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        clip = json.loads(line)
        spans_of = told.setdefault(clip["clip"], {})
        for segment in clip["segments"]:
            span = Span(segment["start"], segment["end"])
            spans_of.setdefault(segment["motion"], []).append(span)
    return told


def _render(folder: Path, split: str) -> None:
    if split in sequences.SPLITS:
        sequences.rendered_sequences(folder, split)
    else:
        rendered.rendered_clips(folder, split)


def _refuse(why: str) -> Any:
    raise RuntimeError(why)
