"""The folder of a report: the page, the same as Markdown, and tables for other programs."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dollygrip.classifiers.labels import PRIMITIVES
from dollygrip.runners.comparison import Comparison, unanswered
from dollygrip.runners.formats.files import write_atomically
from dollygrip.runners.formats.markdown import escaped
from dollygrip.runners.formats.sheets import write_csv
from dollygrip.runners.report.html import Watch, page
from dollygrip.runners.report.origins import Made, origins
from dollygrip.runners.report.tables import (
    Table,
    agreements,
    by_group,
    by_label,
    confusions,
    footnotes,
    settings,
    summary,
    to_markdown,
)
from dollygrip.runners.report.words import headline, warnings
from dollygrip.runners.systems import Answer

PAGE, MARKDOWN = "report.html", "report.md"
SYSTEMS, LABELS, CLIPS = "systems.csv", "labels.csv", "clips.csv"

_SCORES = ("mean_ap", "mean_ap_dropped", "macro_f1", "exact")
_PLAIN = ("mean_roc_auc", "mean_roc_auc_dropped", "failure_rate", "seconds", "peak_memory_mb")
_COUNTS = ("clips", "missing", "failed")
_OF_LABEL = ("precision", "recall", "f1", "roc_auc", "roc_auc_dropped")
_FAILED, _MISSING, _NO_NAMES = "failed", "missing", "none"


def write_report(
    folder: Path,
    comparison: Comparison,
    made: Made,
    clips: int,
    watch: Watch = lambda items, total: items,
) -> Path:
    """Write all files of a report; each is whole or not there.

    Args:
        folder: Made where it is not there; files of an earlier report are replaced.
        comparison: What is reported.
        made: How it was made.
        clips: How many clips have a panel on the page.
        watch: Passes the clips on as their panels are made, given how many there are.

    Returns:
        The page.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # A file name that is not UTF-8 has bytes that no page can hold.
    text = page(comparison, made, clips, watch).encode("utf-8", "replace")
    write_atomically(folder / PAGE, text)
    write_atomically(folder / MARKDOWN, to_text(comparison, made).encode("utf-8", "replace"))
    write_csv(folder / SYSTEMS, *_split(_system_rows(comparison)))
    write_csv(folder / LABELS, *_split(_label_rows(comparison)))
    write_csv(folder / CLIPS, *_split(_clip_rows(comparison)))
    return folder / PAGE


def to_text(comparison: Comparison, made: Made) -> str:
    """The report as Markdown, without clips."""
    marks = footnotes(comparison.published)
    lines = [
        "# Camera motion: systems compared",
        "",
        f"{made.when.isoformat(sep=' ', timespec='minutes')}, {len(comparison.clips)} clips, "
        f"labels: {escaped(made.labels or 'none')}.",
        "",
        escaped(headline(comparison)),
        "",
    ]
    for warning in warnings(comparison):
        lines += [f"> {escaped(warning)}", ""]
    lines += [to_markdown(table, marks) for table in _tables(comparison)]
    if marks:
        lines += ["### Notes on published rows", ""]
        lines += [f"- {note.mark}: {escaped(note.text)}" for note in marks.values()]
        lines.append("")
    lines += ["### How it was made", "", f"- {escaped(made.command)}"]
    lines += [f"- {name} {version}" for name, version in made.versions.items()]
    if comparison.labelled:
        lines.append(f"- {made.resamples} resamples of source videos, seed {made.seed}")
    for origin in origins(comparison.systems):
        said = "; ".join(filter(None, (origin.command, origin.started, origin.versions)))
        lines.append(f"- {escaped(str(origin.source))}: {escaped(said or 'score files')}")
    return "\n".join(lines) + "\n"


def _tables(comparison: Comparison) -> Iterator[Table]:
    yield summary(comparison)
    if comparison.ranked:
        yield from by_label(comparison)
    if comparison.labelled:
        yield from by_group(comparison)
        yield from confusions(comparison)
    yield from agreements(comparison)
    yield settings(comparison)


def _split(rows: Iterator[dict[str, Any]]) -> tuple[list[str], list[list[Any]]]:
    """A head and rows; what a row does not have is empty."""
    listed = list(rows)
    head = list(dict.fromkeys(name for row in listed for name in row))
    return head, [[_cell(row.get(name)) for name in head] for row in listed]


def _cell(value: Any) -> Any:
    if isinstance(value, float):
        return None if math.isnan(value) else round(value, 6)
    return value


def _system_rows(comparison: Comparison) -> Iterator[dict[str, Any]]:
    """Shares of 1, as everywhere but on the page."""
    columns = (comparison.systems, comparison.evaluations, comparison.tests)
    for system, evaluation, test in zip(*columns, strict=True):
        row: dict[str, Any] = {"system": system.name, "version": None}
        row |= {name: getattr(system, name) for name in ("estimator", "classifier")}
        row |= {"source": str(system.source)}
        row |= {name: getattr(evaluation, name) for name in _COUNTS}
        for name in _SCORES:
            row |= _with_ends(name, asdict(getattr(evaluation, name)))
        row |= {name: getattr(evaluation, name) for name in _PLAIN}
        yield row | {"p_against_best": test.mean_ap.p if test else math.nan}
    for published in comparison.published:
        average = published.average / 100.0
        yield {"system": published.model, "version": published.version, "mean_ap": average}


def _label_rows(comparison: Comparison) -> Iterator[dict[str, Any]]:
    for system, evaluation in zip(comparison.systems, comparison.evaluations, strict=True):
        for label in evaluation.labels if comparison.labelled else ():
            row: dict[str, Any] = {"system": system.name, "version": None, "label": label.label}
            row |= {name: getattr(label, name) for name in ("positives", "negatives", "failed")}
            for name in ("ap", "ap_dropped"):
                row |= _with_ends(name, asdict(getattr(label, name)))
            yield row | {name: getattr(label, name) for name in _OF_LABEL}
    for published in comparison.published:
        for name, ap in published.ap.items():
            share = ap / 100.0
            yield {
                "system": published.model,
                "version": published.version,
                "label": name,
                "ap": share,
            }


def _with_ends(name: str, score: dict[str, float]) -> dict[str, float]:
    return {name: score["value"], f"{name}_low": score["low"], f"{name}_high": score["high"]}


def _clip_rows(comparison: Comparison) -> Iterator[dict[str, Any]]:
    """Worst first; what each system names of the primitives."""
    for clip in comparison.clips:
        row: dict[str, Any] = {"clip": clip.name, "disagreement": clip.disagreement}
        if clip.truth:
            answers = clip.truth.answers
            row["truth"] = _listed(n for n in PRIMITIVES if answers.get(n))
            row["unsure"] = " ".join(n for n in PRIMITIVES if answers.get(n) is None)
        for system, answer in zip(comparison.systems, clip.answers, strict=True):
            row[system.name] = _told(answer)
        yield row


def _told(answer: Answer | None) -> str | None:
    """Labels; nothing for a system that only ranks, since it names none."""
    if answer is None:
        return _MISSING
    if unanswered(answer):
        return f"{_FAILED}: {next(iter(answer.errors.values()))}"
    return None if answer.labels is None else _listed(n for n in PRIMITIVES if n in answer.labels)


def _listed(names: Iterable[str]) -> str:
    return " ".join(names) or _NO_NAMES
