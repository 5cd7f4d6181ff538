"""Labels against the truth: several estimators on the same clips in the same run."""

import argparse
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.labelling import Verdict, in_workers, verdict
from benchmarks.scoring import (
    Confidence,
    Stillness,
    confidence,
    evaluation,
    mistakes,
    stillness,
)
from benchmarks.tables import Cells, comparison, listing, mean, number, write_csv, write_json
from benchmarks.truth import Truth, add_choice_of_clips, read_truth
from dollygrip.classifiers.labels import PRIMITIVES
from dollygrip.runners import registry
from dollygrip.runners.evaluation import (
    SURE_SCORE,
    SURE_TRUST,
    Evaluation,
    GroupScores,
    PairScores,
)


@dataclass(frozen=True)
class Result:
    """One estimator's run.

    Attributes:
        estimator: Its name.
        evaluation: Of all clips, groups and look-alikes.
        stillness: Whether still cameras are told from moving ones, in all clips.
        groups: The same for each group of clips.
        seconds: Mean wall time of a clip; NaN where none was estimated.
        confidence: Whether its trust says who is right.
        wrong: One entry for each clip that is not exactly right.
    """

    estimator: str
    evaluation: Evaluation
    stillness: Stillness
    groups: dict[str, Stillness]
    seconds: float
    confidence: Confidence
    wrong: list[dict[str, Any]]


def result(estimator: str, truths: Sequence[Truth], verdicts: Sequence[Verdict]) -> Result:
    """Everything there is to say of one estimator's run; the sequences run in parallel."""
    both = list(zip(truths, verdicts, strict=True))
    wrong = [
        {
            "clip": truth.clip,
            "expected": list(truth.present),
            "unsure": list(truth.unsure),
            "got": [name for name in PRIMITIVES if name in said.labels],
            "mistakes": list(mistakes(truth, said)),
            "trust": said.trust,
        }
        for truth, said in both
        if mistakes(truth, said)
    ]
    found = evaluation(estimator, truths, verdicts)
    groups = {
        name: stillness(*zip(*((t, v) for t, v in both if name in t.groups), strict=True))
        for name in found.groups
    }
    return Result(
        estimator=estimator,
        evaluation=found,
        stillness=stillness(truths, verdicts),
        groups=groups,
        seconds=mean(v.seconds for v in verdicts if not math.isnan(v.seconds)),
        confidence=confidence(truths, verdicts),
        wrong=wrong,
    )


_OVERALL: Cells[Result] = (
    ("mean AP", lambda r: number(r.evaluation.mean_ap.value)),
    ("exact label set", lambda r: number(r.evaluation.exact.value)),
    ("macro F1", lambda r: number(r.evaluation.macro_f1.value)),
    ("still cameras called static", lambda r: number(r.stillness.recall)),
    ("moving cameras called static", lambda r: number(r.stillness.alarms)),
    ("confidently wrong", lambda r: number(r.confidence.share)),
    ("mean trust of right clips", lambda r: number(r.confidence.trust_right)),
    ("mean trust of wrong clips", lambda r: number(r.confidence.trust_wrong)),
    ("failed", lambda r: number(r.evaluation.failure_rate)),
    ("seconds a clip", lambda r: number(r.seconds, 2)),
)
_PAIRS: Cells[tuple[str, PairScores]] = (
    ("pair", lambda p: p[0]),
    ("clips that tell", lambda p: str(p[1].told)),
    ("right one higher", lambda p: number(p[1].right)),
    ("called ambiguous", lambda p: number(p[1].needless)),
    ("clips that do not tell", lambda p: str(p[1].unsure)),
    ("called ambiguous", lambda p: number(p[1].admitted)),
    ("guessed with confidence", lambda p: number(p[1].guessed)),
)
_GROUPS: Cells[tuple[str, GroupScores, Stillness]] = (
    ("group", lambda g: g[0]),
    ("clips", lambda g: str(g[1].clips)),
    ("exact", lambda g: number(g[1].exact)),
    ("mean AP", lambda g: number(g[1].mean_ap)),
    ("still called static", lambda g: number(g[2].recall)),
    ("moving called static", lambda g: number(g[2].alarms)),
    ("failed", lambda g: number(g[1].failure_rate)),
)
_WRONG: Cells[dict[str, Any]] = (
    ("clip", lambda w: w["clip"]),
    ("expected", lambda w: " ".join(w["expected"]) or "-"),
    ("got", lambda w: " ".join(w["got"]) or "-"),
    ("mistakes", lambda w: " ".join(w["mistakes"])),
    ("trust", lambda w: number(w["trust"], 2)),
)


def tables(results: Sequence[Result]) -> str:
    """The comparison as Markdown that also reads well as plain text, without single clips."""
    first = results[0].evaluation
    by_name = {r.estimator: r for r in results}

    def precision(index: int) -> Callable[[Result], str]:
        return lambda r: number(r.evaluation.labels[index].ap.value)

    precisions = [
        (label.label, precision(i))
        for i, label in enumerate(first.labels)
        if not math.isnan(label.ap.value)
    ]
    parts = [
        f"## {first.clips} clips",
        comparison("", _OVERALL, by_name),
        "### Average precision",
        comparison("primitive", precisions, by_name),
    ]
    for r in results:
        pairs = r.evaluation.pairs.items()
        parts += [f"### Moves that look alike: {r.estimator}", listing(_PAIRS, pairs)]
    for r in results:
        groups = [(name, g, r.groups[name]) for name, g in r.evaluation.groups.items()]
        parts += [f"### Groups of clips: {r.estimator}", listing(_GROUPS, groups)]
    return "\n\n".join(parts) + "\n"


def clip_lists(results: Sequence[Result]) -> str:
    """The clips that are wrong, as Markdown."""
    parts = []
    for r in results:
        sure = r.confidence.wrong
        parts += [
            f"## Wrong clips of {r.estimator}: {len(r.wrong)} of {r.evaluation.clips}",
            listing(_WRONG, r.wrong),
            f"Wrong with confidence (score {SURE_SCORE} and trust {SURE_TRUST} or more): "
            f"{len(sure)}. {' '.join(sure)}",
        ]
    return "\n\n".join(parts) + "\n"


def label_all(
    truths: Sequence[Truth], estimator: str, classifier: str, jobs: int, kept: Path | None = None
) -> list[Verdict]:
    """Label every clip in worker processes; a crash or a hang costs one clip."""
    tasks = [(truth.path, estimator, classifier, kept) for truth in truths]
    return in_workers(verdict, tasks, jobs, estimator, lambda why: Verdict(failure=why))


def write_scores(path: Path, truths: Sequence[Truth], verdicts: dict[str, list[Verdict]]) -> None:
    """Write every clip's scores and amounts as CSV, one row a clip and estimator."""
    rows: list[dict[str, Any]] = []
    for estimator, said in verdicts.items():
        for truth, v in zip(truths, said, strict=True):
            row: dict[str, Any] = {"clip": truth.clip, "estimator": estimator}
            row["failure"] = v.failure or ""
            row["trust"] = v.trust
            row["ambiguous"] = " ".join("/".join(pair) for pair in v.ambiguous)
            for name, answer in truth.answers.items():
                row[f"truth {name}"] = {True: "yes", False: "no", None: "unsure"}[answer]
                row[f"label {name}"] = int(name in v.labels)
                row[f"score {name}"] = v.scores.get(name, "")
            rows.append(row | v.amounts)
    write_csv(path, rows)


def add_choice_of_systems(parser: argparse.ArgumentParser) -> None:
    """Add the options that choose estimators and classifiers, and how they run."""
    parser.add_argument("--estimators", nargs="+", default=["flow"], metavar="NAME")
    parser.add_argument(
        "--classifiers", nargs="+", default=["threshold", "learned"], metavar="NAME"
    )
    parser.add_argument("--jobs", type=int, default=2, help="worker processes")
    parser.add_argument("--cache", type=Path, metavar="FOLDER", help="keep motion between runs")


def check_systems(options: argparse.Namespace) -> None:
    """Tell an unknown name before the work starts.

    Raises:
        SettingsError: There is no such estimator or classifier.
    """
    for name in options.estimators:
        registry.choose("estimator", name)
    for name in options.classifiers:
        registry.choose("classifier", name)


def add_command(commands: Any) -> None:
    """Add ``accuracy`` to the argument parser's commands."""
    parser = commands.add_parser("accuracy", help="labels of clips against the truth")
    add_choice_of_clips(parser)
    parser.add_argument("--estimators", nargs="+", default=["flow", "global2d"], metavar="NAME")
    parser.add_argument("--classifier", default="learned")
    parser.add_argument("--jobs", type=int, default=2, help="worker processes")
    parser.add_argument("--out", type=Path, help="folder for accuracy.md, clips.md, accuracy.json")
    parser.add_argument("--cache", type=Path, metavar="FOLDER", help="keep motion between runs")
    parser.add_argument("--scores", type=Path, metavar="CSV", help="scores and amounts by clip")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Label, score, print and write."""
    truths = read_truth(options.folder, options.only, options.limit)
    for name in options.estimators:
        registry.choose("estimator", name)  # An unknown name is told before the work starts.
    verdicts = {
        name: label_all(truths, name, options.classifier, options.jobs, options.cache)
        for name in options.estimators
    }
    results = [result(name, truths, said) for name, said in verdicts.items()]
    told, lists = tables(results), clip_lists(results)
    if options.scores:
        write_scores(options.scores, truths, verdicts)
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "accuracy.md").write_text(told, encoding="utf-8")
        (options.out / "clips.md").write_text(lists, encoding="utf-8")
        write_json(options.out / "accuracy.json", [asdict(r) for r in results])
    print(f"{told}\n{lists}")
    return 0
