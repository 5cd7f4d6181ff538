"""What an evaluation found, as tables to read and files to keep."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from dollygrip import __version__
from dollygrip.classifiers.bootstrap import Difference
from dollygrip.classifiers.labels import PRIMITIVES
from dollygrip.runners.evaluation import (
    RESAMPLES,
    Differences,
    Evaluation,
    LabelScores,
    Score,
    compare,
    evaluate,
    read_system,
)
from dollygrip.runners.formats import markdown
from dollygrip.runners.formats.files import write_atomically
from dollygrip.runners.formats.jsonl import plain
from dollygrip.runners.formats.pairs import read_pairs
from dollygrip.runners.formats.published import PublishedVqaRow, published_vqa
from dollygrip.runners.formats.scores import VqaScores, read_scores
from dollygrip.runners.formats.sheets import write_csv
from dollygrip.runners.formats.truth import LabelledClip, read_labels
from dollygrip.runners.official import write_official
from dollygrip.runners.systems import System
from dollygrip.runners.vqa import Accuracy, VqaEvaluation, answer_pairs, evaluate_vqa

DASH = "-"
"""What is not known; never a zero."""

OFFICIAL = "official"
"""Folder of the official score files, inside the one that an evaluation is written to."""


@dataclass(frozen=True)
class Scorecard:
    """All that is found of one system on labelled clips.

    Attributes:
        run: The run, or the score files.
        labels: Where the labels are from.
        clips: What people say.
        system: What was evaluated.
        evaluation: Its numbers.
        other: What it is compared with; None where there is nothing.
        against: The numbers of that.
        differences: The first minus the other.
        vqa: Answers to pairs; None where the labels have no pairs, or the system answers none.
        resamples: Of the bootstrap.
        seed: Of the bootstrap.
    """

    run: Path
    labels: Path
    clips: tuple[LabelledClip, ...]
    system: System
    evaluation: Evaluation
    other: System | None
    against: Evaluation | None
    differences: Differences | None
    vqa: VqaEvaluation | None
    resamples: int
    seed: int


@dataclass(frozen=True)
class Table:
    """Rows of text under a head; the first column says what a row is about."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def make_scorecard(
    run: Path,
    labels: Path,
    against: Path | None = None,
    *,
    by: Sequence[str] = (),
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Scorecard:
    """Evaluate a system; see :func:`dollygrip.runners.evaluation.evaluate`.

    Args:
        run: The run folder, or official score files.
        labels: The label file, or CameraBench's folder, whose pairs are answered, too.
        against: Another run folder, or score files, to compare with.
        by: Columns of the label file whose values are groups.
        resamples: Of the bootstrap.
        seed: Of the bootstrap.

    Raises:
        LabelError: Labels or pairs cannot be read, or do not go with a system.
        ScoreError: Score files cannot be read, or have several systems.
        StoreError: A folder holds neither a run nor score files.
    """
    clips = read_labels(labels)
    system, other = read_system(run), read_system(against) if against else None
    found = compared = None
    if other is not None:
        if other.name == system.name:
            other = replace(other, name=f"{other.name} ({other.source.name})")
        found = evaluate(clips, other, by=by, resamples=resamples, seed=seed)
        compared = compare(clips, system, other, resamples=resamples, seed=seed)
    return Scorecard(
        run=run,
        labels=labels,
        clips=clips,
        system=system,
        evaluation=evaluate(clips, system, by=by, resamples=resamples, seed=seed),
        other=other,
        against=found,
        differences=compared,
        vqa=_answered(run, labels, system),
        resamples=resamples,
        seed=seed,
    )


def _answered(run: Path, labels: Path, system: System) -> VqaEvaluation | None:
    """How pairs are answered: by records, or in score files."""
    pairs = read_pairs(labels) if labels.is_dir() else ()
    if not pairs:
        return None
    if any(answer.record for answer in system.answers):
        answers = answer_pairs(system, pairs)
    else:
        files = (scores for scores in read_scores(run) if isinstance(scores, VqaScores))
        answers = tuple(scores for scores in files if scores.metadata.system == system.name)
    return next(iter(evaluate_vqa(pairs, answers)), None)


def tables(card: Scorecard) -> tuple[Table, ...]:
    """Everything to read, the summary first; tables without rows are left out."""
    found = [_summary(card), _labels(card), _labels_of_both(card), _groups(card), _pairs(card)]
    if card.vqa is not None:
        found.append(_vqa(card.vqa, published_vqa()))
    return tuple(table for table in found if table.rows)


def to_dict(card: Scorecard) -> dict[str, Any]:
    """As JSON-ready data: the evaluation, what it is of, and what was compared with it."""
    about = {
        "run": str(card.run),
        "labels_from": str(card.labels),
        "resamples": card.resamples,
        "seed": card.seed,
        "version": __version__,
    }
    rest = {name: getattr(card, name) for name in ("against", "differences", "vqa")}
    more = {name: asdict(part) for name, part in rest.items() if part is not None}
    data: dict[str, Any] = plain(about | asdict(card.evaluation) | more)
    return data


def write_scorecard(folder: Path, card: Scorecard) -> tuple[Path, ...]:
    """Write evaluation.json, .csv and .md, and the official score files.

    Args:
        folder: Made if it is not there; files of these names are replaced.
        card: What to write.

    Returns:
        The three files, then the official ones.

    Raises:
        OSError: The folder cannot be written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    as_json, as_csv, as_md = (folder / f"evaluation.{kind}" for kind in ("json", "csv", "md"))
    write_atomically(as_json, (json.dumps(to_dict(card), indent=1) + "\n").encode())
    write_csv(as_csv, _CSV_HEAD, (_csv_row(label) for label in card.evaluation.labels))
    write_atomically(as_md, to_markdown(card).encode("utf-8", "replace"))
    official = write_official(folder / OFFICIAL, card.labels, card.clips, card.system)
    return (as_json, as_csv, as_md, *official)


def to_markdown(card: Scorecard) -> str:
    """All tables as Markdown."""
    name, clips = map(markdown.escaped, (card.evaluation.system, card.labels.name))
    parts = [f"# {name} on {clips}\n"]
    parts += [f"## {t.title}\n\n{markdown.table(t.head, t.rows)}" for t in tables(card)]
    return "\n".join(parts)


# --- tables ---------------------------------------------------------------------------------


def _summary(card: Scorecard) -> Table:
    title = f"{card.evaluation.clips} clips"
    columns = [_summary_column(card.evaluation)]
    head = ["", card.evaluation.system]
    if card.against is not None and card.differences is not None:
        tests = card.differences
        compared = {_LAST: tests.mean_ap, _LEFT_OUT: tests.mean_ap_dropped, _EXACT: tests.exact}
        columns.append(_summary_column(card.against))
        columns.append({name: _difference(test) for name, test in compared.items()})
        columns.append({name: _number(test.p) for name, test in compared.items()})
        head += [card.against.system, "difference", "p"]
    names = [name for name in columns[0] if any(c.get(name, DASH) != DASH for c in columns)]
    rows = tuple((name, *(column.get(name, "") for column in columns)) for name in names)
    return Table(title, tuple(head), rows)


_LAST, _LEFT_OUT = "mean AP, failed last", "mean AP, failed left out"
_EXACT = "exact label set"


def _summary_column(found: Evaluation) -> dict[str, str]:
    told = sum(not math.isnan(label.ap.value) for label in found.labels[: len(PRIMITIVES)])
    return {
        _LAST: _score(found.mean_ap),
        _LEFT_OUT: _score(found.mean_ap_dropped),
        "mean ROC AUC, failed last": _number(found.mean_roc_auc),
        "mean ROC AUC, failed left out": _number(found.mean_roc_auc_dropped),
        "primitives in these means": f"{told} of {len(PRIMITIVES)}",
        "macro F1": _score(found.macro_f1),
        _EXACT: _score(found.exact),
        "clips without an answer": _number(found.failure_rate),
        "of these failed": str(found.failed),
        "of these missing": str(found.missing),
        "seconds a clip, median": _number(found.seconds, 2),
        "MB a clip, largest": _number(found.peak_memory_mb, 0),
    }


def _labels(card: Scorecard) -> Table:
    """Of the labels that people spoke of."""
    head = (
        *("label", "yes", "no", "chance", "AP", "95% interval", "failed left out", "ROC AUC"),
        *("precision", "recall", "F1"),
    )
    return Table("Labels", head, tuple(map(_label_row, _spoken_of(card.evaluation))))


def _labels_of_both(card: Scorecard) -> Table:
    """The average precision of each label beside that of the other system."""
    against = card.against or card.evaluation
    head = ("AP, failed last", card.evaluation.system, against.system)
    both = zip(_spoken_of(card.evaluation), _spoken_of(against), strict=True)
    rows = ((one.label, _score(one.ap), _score(other.ap)) for one, other in both)
    return Table("Labels of both", head, tuple(rows) if card.against else ())


def _spoken_of(found: Evaluation) -> tuple[LabelScores, ...]:
    return tuple(label for label in found.labels if label.positives or label.negatives)


def _label_row(label: LabelScores) -> tuple[str, ...]:
    ap, ends = label.ap, (_number(label.ap.low, 2), _number(label.ap.high, 2))
    more = (label.ap_dropped.value, label.roc_auc, label.precision, label.recall, label.f1)
    return (
        label.label,
        str(label.positives),
        str(label.negatives),
        _number(_chance(label)),
        _number(ap.value),
        DASH if math.isnan(ap.low) else "-".join(ends),
        *map(_number, more),
    )


def _chance(label: LabelScores) -> float:
    """The average precision of a system that guesses: the share of positives."""
    if not (label.positives and label.negatives):
        return math.nan
    return label.positives / (label.positives + label.negatives)


def _groups(card: Scorecard) -> Table:
    head = ("group", "clips", "mean AP", "exact label set", "without an answer")
    rows = tuple(
        (
            name,
            str(group.clips),
            *map(_number, (group.mean_ap, group.exact, group.failure_rate)),
        )
        for name, group in card.evaluation.groups.items()
    )
    return Table("Groups of clips", head, rows)


def _pairs(card: Scorecard) -> Table:
    head = (
        *("look-alikes", "clips that tell", "right one higher", "called ambiguous"),
        *("clips that do not tell", "called ambiguous", "guessed with confidence"),
    )
    rows = tuple(
        (
            name,
            str(pair.told),
            *map(_number, (pair.right, pair.needless)),
            str(pair.unsure),
            *map(_number, (pair.admitted, pair.guessed)),
        )
        for name, pair in card.evaluation.pairs.items()
        if pair.told or pair.unsure
    )
    return Table("Moves that look alike", head, rows)


def _vqa(found: VqaEvaluation, published: Sequence[PublishedVqaRow]) -> Table:
    """Accuracy and Q-accuracy of each skill, beside what others have published."""
    skills = list(found.skills)
    results = [*found.skills.values(), found.total]
    answered = (f"{result.answered} of {result.pairs}" for result in results)
    rows = [
        ("pairs answered", *answered),
        (f"{found.system}, of these", *(_accuracy(result.told) for result in results)),
        (f"{found.system}, others at chance", *(_accuracy(result.overall) for result in results)),
    ]
    for row in published:
        shares = [row.skills.get(skill, (math.nan, math.nan)) for skill in skills] + [row.overall]
        told = (_accuracy(Accuracy(a / 100.0, q / 100.0)) for a, q in shares)
        rows.append((f"{row.model} ({row.version})", *told))
    title = "Pairs of clips: accuracy and Q-accuracy"
    heads = (skill.replace("_", " ") for skill in skills)
    return Table(title, ("", *heads, "all"), tuple(rows))


def _accuracy(found: Accuracy) -> str:
    return f"{_number(found.accuracy)} {_number(found.q_accuracy)}"


def _number(value: float, digits: int = 3) -> str:
    return DASH if math.isnan(value) else f"{value:.{digits}f}"


def _score(score: Score | Difference) -> str:
    """A number with its interval, where it has one."""
    known = not math.isnan(score.low)
    return _number(score.value) + f" ({score.low:.3f} to {score.high:.3f})" * known


def _difference(test: Difference) -> str:
    told = _score(test)
    return f"+{told}" if test.value > 0 else told


# --- files ----------------------------------------------------------------------------------

_CSV_HEAD = (
    *("label", "positives", "negatives", "failed", "chance", "ap", "ap_low", "ap_high"),
    *("ap_dropped", "ap_dropped_low", "ap_dropped_high", "roc_auc", "roc_auc_dropped"),
    *("precision", "recall", "f1"),
)


def _csv_row(label: LabelScores) -> tuple[Any, ...]:
    scores = (
        *(_chance(label), label.ap.value, label.ap.low, label.ap.high),
        *(label.ap_dropped.value, label.ap_dropped.low, label.ap_dropped.high),
        *(label.roc_auc, label.roc_auc_dropped, label.precision, label.recall, label.f1),
    )
    return (label.label, label.positives, label.negatives, label.failed, *map(plain, scores))
