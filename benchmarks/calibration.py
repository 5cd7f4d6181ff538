"""Whether scores and trust can be believed: of the labels given 0.8, are about 80% right?"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.accuracy import add_choice_of_systems, check_systems, label_all
from benchmarks.labelling import Verdict
from benchmarks.scoring import mistakes
from benchmarks.tables import Cells, comparison, listing, mean, number, write_json
from benchmarks.truth import Truth, add_choice_of_clips, read_truth
from dollygrip.classifiers.labels import PRIMITIVES
from dollygrip.classifiers.metrics import (
    Bin,
    calibration_error,
    reliability_table,
    roc_auc,
    selective_risk,
)

# Most labels of most clips are plainly absent; these scores are those that say "maybe".
UNSURE = (0.05, 0.95)
DROPPED = 0.1


@dataclass(frozen=True)
class Calibration:
    """How far one estimator and classifier can be believed on a set of clips.

    A clip without an answer has neither scores nor trust: it is counted, and that is all.

    Attributes:
        clips: Number of clips.
        failed: Number of them without an answer.
        items: Number of known primitives of the answered clips.
        label_error: Expected calibration error of the scores of these.
        unsure_items: Number of these with a score inside ``UNSURE``.
        unsure_error: Expected calibration error of these alone.
        by_label: Expected calibration error of each primitive.
        labels: What became of the scores.
        wrong: Share of the answered clips with a wrong primitive.
        trust_error: Expected calibration error of trust as the probability that a clip has none.
        trust_auc: Chance that a wrong clip is trusted less than a right one.
        risk_left: Share of wrong clips without the ``DROPPED`` least trusted.
        errors_left: Wrong clips that are left then, as a share of all wrong clips.
        trust: What became of the trust.
    """

    clips: int
    failed: int
    items: int
    label_error: float
    unsure_items: int
    unsure_error: float
    by_label: dict[str, float]
    labels: tuple[Bin, ...]
    wrong: float
    trust_error: float
    trust_auc: float
    risk_left: float
    errors_left: float
    trust: tuple[Bin, ...]


def calibration(truths: Sequence[Truth], verdicts: Sequence[Verdict]) -> Calibration:
    """How far verdicts can be believed; both sequences run in parallel."""
    both = list(zip(truths, verdicts, strict=True))
    answered = [(truth, said) for truth, said in both if not said.failure]
    known = {
        name: np.array(
            [
                (answer, said.scores[name])
                for truth, said in answered
                if (answer := truth.answers[name]) is not None
            ],
            np.float64,
        ).reshape(-1, 2)
        for name in PRIMITIVES
    }
    items = np.concatenate(list(known.values()))
    unsure = items[(items[:, 1] >= UNSURE[0]) & (items[:, 1] <= UNSURE[1])]
    wrong = np.array([bool(mistakes(truth, said)) for truth, said in answered], np.bool_)
    trust = np.array([said.trust for _, said in answered])
    risk_left = selective_risk(wrong, trust, DROPPED)
    return Calibration(
        clips=len(both),
        failed=len(both) - len(answered),
        items=len(items),
        label_error=calibration_error(*items.T),
        unsure_items=len(unsure),
        unsure_error=calibration_error(*unsure.T),
        by_label={name: calibration_error(*of_label.T) for name, of_label in known.items()},
        labels=reliability_table(*items.T),
        wrong=mean(wrong.tolist()),
        trust_error=calibration_error(~wrong, trust),
        trust_auc=roc_auc(wrong, -trust),
        risk_left=risk_left,
        errors_left=(1.0 - DROPPED) * risk_left / wrong.mean() if wrong.any() else float("nan"),
        trust=reliability_table(~wrong, trust),
    )


_SUMMARY: Cells[Calibration] = (
    ("clips", lambda c: str(c.clips)),
    ("failed", lambda c: str(c.failed)),
    ("known labels", lambda c: str(c.items)),
    ("calibration error of their scores", lambda c: number(c.label_error)),
    (f"those scored {UNSURE[0]} to {UNSURE[1]}", lambda c: str(c.unsure_items)),
    ("calibration error of these", lambda c: number(c.unsure_error)),
    ("clips with a wrong label", lambda c: number(c.wrong)),
    ("calibration error of trust", lambda c: number(c.trust_error)),
    ("AUROC of trust against being wrong", lambda c: number(c.trust_auc)),
    (f"wrong clips without the {DROPPED:.0%} least trusted", lambda c: number(c.risk_left)),
    ("share of the wrong clips that is left then", lambda c: number(c.errors_left)),
)
_BINS: Cells[tuple[Bin, Bin]] = (
    ("from", lambda b: number(b[0].low, 1)),
    ("to", lambda b: number(b[0].high, 1)),
    ("labels", lambda b: str(b[0].count)),
    ("mean score", lambda b: number(b[0].score)),
    ("present", lambda b: number(b[0].share)),
    ("clips", lambda b: str(b[1].count)),
    ("mean trust", lambda b: number(b[1].score)),
    ("right", lambda b: number(b[1].share)),
)


def tables(found: dict[str, dict[str, Calibration]]) -> str:
    """Markdown that also reads well as plain text.

    Args:
        found: For each estimator and classifier, what holds for each folder.
    """
    parts = []
    by_label = [(name, _error_of(name)) for name in PRIMITIVES]
    for who, by_folder in found.items():
        parts += [
            f"## {who}",
            comparison("", _SUMMARY, by_folder),
            "### Calibration error of each label",
            comparison("label", by_label, by_folder),
        ]
        for folder, c in by_folder.items():
            parts += [
                f"### Reliability: {folder}",
                listing(_BINS, zip(c.labels, c.trust, strict=True)),
            ]
    return "\n\n".join(parts) + "\n"


def _error_of(name: str) -> Callable[[Calibration], str]:
    return lambda c: number(c.by_label[name])


def add_command(commands: Any) -> None:
    """Add ``calibration`` to the argument parser's commands."""
    parser = commands.add_parser("calibration", help="whether scores and trust can be believed")
    add_choice_of_clips(parser, several=True)
    add_choice_of_systems(parser)
    parser.add_argument("--out", type=Path, help="folder for calibration.md, calibration.json")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Label, measure, print and write."""
    check_systems(options)
    folders = {
        str(folder): read_truth(folder, options.only, options.limit) for folder in options.folder
    }
    found: dict[str, dict[str, Calibration]] = {}
    for estimator in options.estimators:
        for classifier in options.classifiers:
            said = {
                folder: label_all(truths, estimator, classifier, options.jobs, options.cache)
                for folder, truths in folders.items()
            }
            results = {name: calibration(truths, said[name]) for name, truths in folders.items()}
            if len(folders) > 1:
                pooled = list(chain(*folders.values())), list(chain(*said.values()))
                results["all"] = calibration(*pooled)
            found[f"{estimator}, {classifier}"] = results
    told = tables(found)
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "calibration.md").write_text(told, encoding="utf-8")
        plain = {who: {name: asdict(c) for name, c in by.items()} for who, by in found.items()}
        write_json(options.out / "calibration.json", plain)
    print(told)
    return 0
