"""What the charts of the page draw, JSON-ready, and how systems are told apart in them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dollygrip.geometry.arrays import FloatArray
from dollygrip.runners.comparison import Comparison
from dollygrip.runners.evaluation import LabelScores, Score, curves
from dollygrip.runners.formats.truth import LabelledClip
from dollygrip.runners.report.tables import (
    in_words,
    newest,
    number,
    percent,
    published_name,
    ranking,
)
from dollygrip.runners.systems import System

COLORS = 8
"""Colors of the page, ``--series-0`` and so on: one a source, taken again where these run out."""

SYMBOLS = ("circle", "diamond", "square", "triangle-up", "triangle-down", "star", "pentagon")
"""Plotly's names of marks: one a classifier."""

_DASHES = ("solid", "dot", "dash", "dashdot", "longdash", "longdashdot", "5px 2px 1px 2px")
# More than these are hard to see apart at once; a reader may switch on what he likes.
_MOST_SHOWN = 6
_DIGITS = 4


@dataclass(frozen=True)
class Mark:
    """How a system looks in every chart.

    Attributes:
        name: What it is called.
        number: Its number on the page; 0 for published ones.
        color: Which of the page's colors; -1 for the quiet one of published systems.
        symbol: One of :data:`SYMBOLS`.
        dash: Plotly's name of a line.
        shown: Whether charts begin with it.
    """

    name: str
    number: int
    color: int
    symbol: str
    dash: str
    shown: bool


@dataclass(frozen=True)
class Bar:
    """A number of one run.

    Attributes:
        name: What made the run.
        color: Which of the page's colors.
        share: Length, 0 to 1 of the longest; 0 where it is not known.
        text: The number, or a dash.
    """

    name: str
    color: int
    share: float
    text: str


@dataclass(frozen=True)
class Bars:
    """A small chart of bars."""

    title: str
    bars: tuple[Bar, ...]


def marks(comparison: Comparison) -> tuple[Mark, ...]:
    """Of every system in the order of the ranking, then of the newest published ones.

    Systems of one run have one color and those of one classifier one symbol. Of each run the
    system that it was made with is shown, and so is the best of all.
    """
    systems = comparison.systems
    firsts = _firsts(systems)
    classifiers = list(dict.fromkeys(system.classifier for system in systems))
    order = ranking(comparison)
    own = [i for i in firsts if i != order[0]]
    shown = {order[0], *own[: _MOST_SHOWN - 1]}
    colors = {_origin(systems[i]): color % COLORS for color, i in enumerate(firsts)}
    found = []
    for i in order:
        kind = classifiers.index(systems[i].classifier)
        look = (SYMBOLS[kind % len(SYMBOLS)], _DASHES[kind % len(_DASHES)])
        color = colors[_origin(systems[i])]
        found.append(Mark(systems[i].name, i + 1, color, *look, shown=i in shown))
    for i, row in enumerate(newest(comparison)):
        symbol = f"{SYMBOLS[i % len(SYMBOLS)]}-open"
        # Of other clips they would only mislead.
        seen = comparison.on_camerabench and i == 0
        found.append(Mark(published_name(row), 0, -1, symbol, "dot", seen))
    return tuple(found)


def chart_data(comparison: Comparison) -> dict[str, Any]:
    """What the script draws: for every mark its average precisions and curves.

    Returns:
        JSON-ready: ``labels`` (``words``, ``share``: percent of the clips that have it), ``marks``
        (fields of :class:`Mark`, with ``ap``: percent and both ends of its interval or null, one a
        label, and ``curves``: recall and precision in percent or null, one a label).
    """
    order = ranking(comparison)
    clips = [clip.truth for clip in comparison.clips if clip.truth is not None]
    labels = comparison.evaluations[0].labels
    ours = [
        {
            "ap": [_ends(label.ap) for label in comparison.evaluations[i].labels],
            "curves": _curves(clips, comparison.systems[i], labels),
        }
        for i in order
    ]
    published = [
        {
            "ap": [[row.ap[name]] if (name := label.label) in row.ap else None for label in labels],
            "curves": [None] * len(labels),
        }
        for row in newest(comparison)
    ]
    looks = [vars(mark) for mark in marks(comparison)]
    return {
        "labels": [
            {
                "words": in_words(label.label),
                "share": _percent(_share(label.positives, label.negatives)),
            }
            for label in labels
        ],
        "marks": [
            {**look, **drawn} for look, drawn in zip(looks, [*ours, *published], strict=True)
        ],
    }


def costs(comparison: Comparison) -> tuple[Bars, ...]:
    """What each run costs: failures, seconds, memory."""
    firsts = _firsts(comparison.systems)
    names = run_names([comparison.systems[i] for i in firsts])
    found = [comparison.evaluations[i] for i in firsts]
    return (
        _bars("No answer, percent", names, [e.failure_rate for e in found], most=1.0),
        _bars("Seconds a clip, median", names, [e.seconds for e in found], digits=2),
        _bars("Memory, MB, largest clip", names, [e.peak_memory_mb for e in found], digits=0),
    )


def run_names(systems: Sequence[System]) -> list[str]:
    """What makes the motion, without the classifier; with the folder where that is not enough."""
    names = [system.estimator or system.name for system in systems]
    return [
        f"{name} ({system.source.name})" if names.count(name) > 1 else name
        for name, system in zip(names, systems, strict=True)
    ]


def _firsts(systems: Sequence[System]) -> list[int]:
    """Of each origin the first system, runs first: for a run, that with its own classifier."""
    places = dict[tuple[Path, str], int]()
    for i, system in enumerate(systems):
        places.setdefault(_origin(system), i)
    return sorted(places.values(), key=lambda i: not systems[i].estimator)


def _origin(system: System) -> tuple[Path, str]:
    """What systems have in common that have one motion: the run. Score files have none."""
    return system.source, "" if system.estimator else system.name


def _bars(
    title: str, names: Sequence[str], values: Sequence[float], most: float = 0.0, digits: int = -1
) -> Bars:
    longest = most or max((v for v in values if not math.isnan(v)), default=0.0)
    return Bars(
        title,
        tuple(
            Bar(
                name,
                i % COLORS,
                0.0 if math.isnan(value) or not longest else value / longest,
                percent(value) if digits < 0 else number(value, digits),
            )
            for i, (name, value) in enumerate(zip(names, values, strict=True))
        ),
    )


def _ends(score: Score) -> list[float | None] | None:
    if math.isnan(score.value):
        return None
    return [_percent(score.value), _percent(score.low), _percent(score.high)]


def _curves(
    clips: Sequence[LabelledClip], system: System, labels: Sequence[LabelScores]
) -> list[list[list[float | None]] | None]:
    """Recall and precision at the right ends of the steps; those of no width are left out."""
    found = {}
    for name, (recall, precision) in curves(clips, system).items():
        wide = np.diff(recall, prepend=0.0) > 0.0
        found[name] = [_rounded(recall[wide]), _rounded(precision[wide])]
    return [found.get(label.label) for label in labels]


def _rounded(shares: FloatArray) -> list[float | None]:
    return [_percent(share) for share in shares.tolist()]


def _percent(share: float) -> float | None:
    return None if math.isnan(share) else round(100.0 * share, _DIGITS - 2)


def _share(some: int, others: int) -> float:
    return some / (some + others) if some + others else math.nan
