"""Labels against the truth: several estimators on the same clips in the same run.

A folder holds ``labels.csv`` (column ``clip``, one column a primitive with yes, no or unsure, and
optionally ``kind``, ``derived``, ``tags``, ``confidence``) and the clips it names.
"""

import argparse
import csv
import json
import math
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatch
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from pebble import ProcessPool

from benchmarks.labelling import Verdict, verdict
from dollygrip.classifiers.labels import PRIMITIVES
from dollygrip.classifiers.metrics import average_precision, f1
from dollygrip.runners import registry

# A clip without an answer ranks below every clip with one.
FAILED_SCORE = -1.0
TIMEOUT_SECONDS = 600.0
# Tags of the shared clips are run together ("fastlowlighthandheld"), so known words are cut out.
TAG = re.compile(
    r"lead-tracking|side-tracking|tracking|low(?:light|texture|contrast)|fast|handheld|overlay"
    r"|watermark|portrait|dashcam|gtpose|[^\s;,|]+"
)


@dataclass(frozen=True)
class Truth:
    """What is known of one clip.

    Attributes:
        clip: File name.
        path: Where it is.
        answers: For each primitive True, False, or None where nobody can tell.
        groups: Names of the groups it counts in.
    """

    clip: str
    path: Path
    answers: dict[str, bool | None]
    groups: tuple[str, ...]


@dataclass(frozen=True)
class Scores:
    """How well one estimator did on a set of clips.

    Attributes:
        clips: Number of clips.
        average_precision: For each primitive with a positive and a negative clip.
        mean_ap: Their mean.
        exact: Share of clips whose every known primitive is right.
        macro_f1: Mean F1 over the same primitives as ``mean_ap``.
        failed: Share of clips without an answer.
        seconds: Mean wall time of a clip; NaN where none was estimated.
    """

    clips: int
    average_precision: dict[str, float]
    mean_ap: float
    exact: float
    macro_f1: float
    failed: float
    seconds: float


@dataclass(frozen=True)
class Result:
    """One estimator's run.

    Attributes:
        estimator: Its name.
        overall: Over all clips.
        groups: The same for each group of clips.
        wrong: One entry for each clip that is not exactly right.
    """

    estimator: str
    overall: Scores
    groups: dict[str, Scores]
    wrong: list[dict[str, Any]] = field(default_factory=list)


def read_truth(folder: Path, only: str = "*", limit: int | None = None) -> list[Truth]:
    """Read ``labels.csv`` of a folder.

    Args:
        folder: Holds labels.csv and the clips.
        only: Shell pattern a clip's name must match.
        limit: At most this many clips.

    Returns:
        One entry a clip, in the order of the file.

    Raises:
        ValueError: A column or value is not as expected, or no clip matches.
        OSError: The file cannot be read.
    """
    table = folder / "labels.csv"
    with table.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        missing = {"clip", *PRIMITIVES} - set(reader.fieldnames or ())
        if missing:
            raise ValueError(f"{table} lacks the columns {', '.join(sorted(missing))}")
        rows = [row for row in reader if fnmatch(row["clip"], only)]
    if not rows:
        raise ValueError(f"{table} has no clip that matches {only!r}")
    return [_truth(folder, row) for row in rows[:limit]]


def _truth(folder: Path, row: dict[str, str]) -> Truth:
    meaning = {"yes": True, "no": False, "unsure": None}
    answers: dict[str, bool | None] = {}
    for name in PRIMITIVES:
        if row[name] not in meaning:
            raise ValueError(f"{row['clip']}: {name} is {row[name]!r}, not yes, no or unsure")
        answers[name] = meaning[row[name]]
    return Truth(row["clip"], folder / row["clip"], answers, tuple(_groups(row)))


def _groups(row: dict[str, str]) -> Iterable[str]:
    # Derived copies repeat their base clip, so they do not count with their kind.
    if row.get("derived"):
        yield "derived copies"
    elif row.get("kind"):
        yield f"kind: {row['kind']}"
    for column in ("confidence", "steadiness", "dynamic_subject"):
        if row.get(column):
            yield f"{column}: {row[column]}"
    for tag in TAG.findall(row.get("tags") or ""):
        yield f"tag: {tag}"


def measure(truths: Sequence[Truth], verdicts: Sequence[Verdict]) -> Scores:
    """Score one estimator's verdicts; both sequences run in parallel."""
    precisions, f1s = {}, []
    for name in PRIMITIVES:
        pairs = [(t.answers[name], v) for t, v in zip(truths, verdicts, strict=True)]
        known = [(answer, v) for answer, v in pairs if answer is not None]
        wanted = np.array([answer for answer, _ in known], dtype=np.bool_)
        if not wanted.any() or wanted.all():
            continue
        ranked = np.array([FAILED_SCORE if v.failure else v.scores[name] for _, v in known])
        said = np.array([name in v.labels for _, v in known])
        precisions[name] = average_precision(wanted, ranked)
        f1s.append(f1(wanted, said))
    return Scores(
        clips=len(truths),
        average_precision=precisions,
        mean_ap=_mean(precisions.values()),
        exact=_mean(not mistakes(t, v) for t, v in zip(truths, verdicts, strict=True)),
        macro_f1=_mean(f1s),
        failed=_mean(bool(v.failure) for v in verdicts),
        seconds=_mean(v.seconds for v in verdicts if not math.isnan(v.seconds)),
    )


def mistakes(truth: Truth, said: Verdict) -> tuple[str, ...]:
    """Primitives that are wrong, "+name" for too much and "-name" for missing."""
    if said.failure:
        return (f"failed: {said.failure}",)
    wrong = []
    for name, answer in truth.answers.items():
        if answer is not None and answer != (name in said.labels):
            wrong.append(("-" if answer else "+") + name)
    return tuple(wrong)


def result(estimator: str, truths: Sequence[Truth], verdicts: Sequence[Verdict]) -> Result:
    """Everything there is to say of one estimator's run."""
    names = sorted({group for truth in truths for group in truth.groups})
    groups = {}
    for name in names:
        inside = [i for i, truth in enumerate(truths) if name in truth.groups]
        groups[name] = measure([truths[i] for i in inside], [verdicts[i] for i in inside])
    wrong = [
        {
            "clip": truth.clip,
            "expected": [name for name, answer in truth.answers.items() if answer],
            "unsure": [name for name, answer in truth.answers.items() if answer is None],
            "got": [name for name in PRIMITIVES if name in said.labels],
            "mistakes": list(mistakes(truth, said)),
        }
        for truth, said in zip(truths, verdicts, strict=True)
        if mistakes(truth, said)
    ]
    return Result(estimator, measure(truths, verdicts), groups, wrong)


def label_all(
    truths: Sequence[Truth], estimator: str, classifier: str, jobs: int, kept: Path | None = None
) -> list[Verdict]:
    """Label every clip in worker processes; a crash or a hang costs one clip."""
    tasks = [(truth.path, estimator, classifier, kept) for truth in truths]
    # Spawned, for a forked copy of a process in which a video library has threads may hang.
    with ProcessPool(max_workers=jobs, context=get_context("spawn")) as pool:
        futures = [pool.schedule(verdict, args=task, timeout=TIMEOUT_SECONDS) for task in tasks]
        verdicts = []
        for future in futures:
            try:
                verdicts.append(future.result())
            # Whatever happens in a worker is that clip's failure, and is printed with its name.
            except Exception as error:
                verdicts.append(Verdict(failure=f"{type(error).__name__}: {error}"))
            if sys.stderr.isatty():
                done = f"\r{estimator}: {len(verdicts)} of {len(truths)} clips "
                print(done, end="", file=sys.stderr, flush=True)
    return verdicts


def render(results: Sequence[Result]) -> str:
    """The whole comparison as Markdown that also reads well as plain text."""
    names = [r.estimator for r in results]
    overall = [
        ("mean AP", [_number(r.overall.mean_ap) for r in results]),
        ("exact label set", [_number(r.overall.exact) for r in results]),
        ("macro F1", [_number(r.overall.macro_f1) for r in results]),
        ("failed", [_number(r.overall.failed) for r in results]),
        ("seconds a clip", [_number(r.overall.seconds, 2) for r in results]),
    ]
    precisions = [
        (name, [_number(r.overall.average_precision[name]) for r in results])
        for name in results[0].overall.average_precision
    ]
    groups = [
        (f"{name} ({scores.clips})", [_both(r.groups[name]) for r in results])
        for name, scores in results[0].groups.items()
    ]
    parts = [
        f"# Accuracy on {results[0].overall.clips} clips",
        _table(["", *names], overall),
        "## Average precision",
        _table(["primitive", *names], precisions),
        "## Groups: mean AP / exact label set",
        _table(["group (clips)", *names], groups),
    ]
    for r in results:
        parts.append(f"## Wrong clips of {r.estimator}: {len(r.wrong)} of {r.overall.clips}")
        rows = [
            (w["clip"], [" ".join(w[key]) or "-" for key in ("expected", "got", "mistakes")])
            for w in r.wrong
        ]
        parts.append(_table(["clip", "expected", "got", "mistakes"], rows))
    return "\n\n".join(parts) + "\n"


def _both(scores: Scores) -> str:
    return f"{_number(scores.mean_ap)} / {_number(scores.exact)}"


def _number(value: float, digits: int = 3) -> str:
    return "-" if math.isnan(value) else f"{value:.{digits}f}"


def _table(header: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]]) -> str:
    lines = [list(header), *([first, *rest] for first, rest in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(
        "| " + " | ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)) + " |"
        for line in lines
    )


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return float(np.mean(listed)) if listed else float("nan")


def write_scores(path: Path, truths: Sequence[Truth], verdicts: dict[str, list[Verdict]]) -> None:
    """Write every clip's scores and amounts as CSV, one row a clip and estimator."""
    rows: list[dict[str, Any]] = []
    for estimator, said in verdicts.items():
        for truth, v in zip(truths, said, strict=True):
            row: dict[str, Any] = {"clip": truth.clip, "estimator": estimator}
            row["failure"] = v.failure or ""
            for name, answer in truth.answers.items():
                row[f"truth {name}"] = {True: "yes", False: "no", None: "unsure"}[answer]
                row[f"label {name}"] = int(name in v.labels)
                row[f"score {name}"] = v.scores.get(name, "")
            rows.append(row | v.amounts)
    columns = list(dict.fromkeys(column for row in rows for column in row))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)


def to_json(value: Any) -> Any:
    """The same data with null where there is no number: JSON knows no NaN."""
    if isinstance(value, dict):
        return {key: to_json(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(inner) for inner in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def add_command(commands: Any) -> None:
    """Add ``accuracy`` to the argument parser's commands."""
    parser = commands.add_parser("accuracy", help="labels of clips against the truth")
    parser.add_argument("folder", type=Path, help="holds labels.csv and the clips it names")
    parser.add_argument("--estimators", nargs="+", default=["flow", "global2d"], metavar="NAME")
    parser.add_argument("--classifier", choices=registry.names("classifier"), default="threshold")
    parser.add_argument("--jobs", type=int, default=2, help="worker processes")
    parser.add_argument("--only", default="*", metavar="PATTERN", help="clips to take: 'oh_*'")
    parser.add_argument("--limit", type=int, help="take the first so many clips")
    parser.add_argument("--out", type=Path, help="folder for accuracy.json and accuracy.md")
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
    text = render(results)
    print(text)
    if options.scores:
        write_scores(options.scores, truths, verdicts)
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "accuracy.md").write_text(text, encoding="utf-8")
        data = json.dumps([to_json(asdict(r)) for r in results], indent=1, allow_nan=False)
        (options.out / "accuracy.json").write_text(data + "\n", encoding="utf-8")
    return 0
