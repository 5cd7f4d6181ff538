"""Labels against the truth: several estimators on the same clips in the same run."""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.labelling import Verdict, in_workers, verdict
from benchmarks.scoring import (
    CONFUSABLE,
    SURE_SCORE,
    SURE_TRUST,
    Confidence,
    PairScores,
    Scores,
    by_group,
    confidence,
    measure,
    mistakes,
    pair_scores,
)
from benchmarks.tables import Cells, comparison, listing, number, write_csv, write_json
from benchmarks.truth import Truth, add_choice_of_clips, read_truth
from dollygrip.classifiers.labels import PRIMITIVES
from dollygrip.runners import registry


@dataclass(frozen=True)
class Result:
    """One estimator's run.

    Attributes:
        estimator: Its name.
        overall: Over all clips.
        groups: The same for each group of clips.
        pairs: Of each of ``scoring.CONFUSABLE``.
        confidence: Whether its trust says who is right.
        wrong: One entry for each clip that is not exactly right.
    """

    estimator: str
    overall: Scores
    groups: dict[str, Scores]
    pairs: dict[str, PairScores]
    confidence: Confidence
    wrong: list[dict[str, Any]]


def result(estimator: str, truths: Sequence[Truth], verdicts: Sequence[Verdict]) -> Result:
    """Everything there is to say of one estimator's run; the sequences run in parallel."""
    wrong = [
        {
            "clip": truth.clip,
            "expected": list(truth.present),
            "unsure": list(truth.unsure),
            "got": [name for name in PRIMITIVES if name in said.labels],
            "mistakes": list(mistakes(truth, said)),
            "trust": said.trust,
        }
        for truth, said in zip(truths, verdicts, strict=True)
        if mistakes(truth, said)
    ]
    pairs = {name: pair_scores(truths, verdicts, pairs) for name, pairs in CONFUSABLE.items()}
    return Result(
        estimator=estimator,
        overall=measure(truths, verdicts),
        groups=by_group(truths, verdicts),
        pairs=pairs,
        confidence=confidence(truths, verdicts),
        wrong=wrong,
    )


_OVERALL: Cells[Result] = (
    ("mean AP", lambda r: number(r.overall.mean_ap)),
    ("exact label set", lambda r: number(r.overall.exact)),
    ("macro F1", lambda r: number(r.overall.macro_f1)),
    ("still cameras called static", lambda r: number(r.overall.static_recall)),
    ("moving cameras called static", lambda r: number(r.overall.static_alarms)),
    ("confidently wrong", lambda r: number(r.confidence.share)),
    ("mean trust of right clips", lambda r: number(r.confidence.trust_right)),
    ("mean trust of wrong clips", lambda r: number(r.confidence.trust_wrong)),
    ("failed", lambda r: number(r.overall.failed)),
    ("seconds a clip", lambda r: number(r.overall.seconds, 2)),
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
_GROUPS: Cells[tuple[str, Scores]] = (
    ("group", lambda g: g[0]),
    ("clips", lambda g: str(g[1].clips)),
    ("exact", lambda g: number(g[1].exact)),
    ("mean AP", lambda g: number(g[1].mean_ap)),
    ("still called static", lambda g: number(g[1].static_recall)),
    ("moving called static", lambda g: number(g[1].static_alarms)),
    ("failed", lambda g: number(g[1].failed)),
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
    first = results[0].overall
    by_name = {r.estimator: r for r in results}

    def precision(name: str) -> Callable[[Result], str]:
        return lambda r: number(r.overall.average_precision[name])

    precisions = [(name, precision(name)) for name in first.average_precision]
    parts = [
        f"## {first.clips} clips",
        comparison("", _OVERALL, by_name),
        "### Average precision",
        comparison("primitive", precisions, by_name),
    ]
    for r in results:
        parts += [f"### Moves that look alike: {r.estimator}", listing(_PAIRS, r.pairs.items())]
    for r in results:
        parts += [f"### Groups of clips: {r.estimator}", listing(_GROUPS, r.groups.items())]
    return "\n\n".join(parts) + "\n"


def clip_lists(results: Sequence[Result]) -> str:
    """The clips that are wrong, as Markdown."""
    parts = []
    for r in results:
        sure = r.confidence.wrong
        parts += [
            f"## Wrong clips of {r.estimator}: {len(r.wrong)} of {r.overall.clips}",
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
