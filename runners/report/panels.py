"""One clip of the report: its pictures, its motion, and what each system says beside the truth."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dollygrip.classifiers.labels import BY_NAME
from dollygrip.runners.comparison import unanswered
from dollygrip.runners.content import Content
from dollygrip.runners.formats.jsonl import plain
from dollygrip.runners.formats.trajectories import read_trajectories
from dollygrip.runners.report.charts import run_names
from dollygrip.runners.report.filmstrip import filmstrip
from dollygrip.runners.report.paths import drawn_motion
from dollygrip.runners.store import TRAJECTORIES
from dollygrip.runners.systems import Answer, System
from dollygrip.runners.video import printable

Truth = Mapping[str, bool | None]
_IN_WORDS = {True: "yes", False: "no", None: "unsure"}


def panel(
    name: str,
    systems: Sequence[System],
    answers: Sequence[Answer | None],
    truth: Truth | None = None,
) -> dict[str, Any]:
    """All that the report shows of one clip.

    A clip that is gone, a damaged motion file, a system without an answer: each becomes a sentence.

    Args:
        name: What the clip is called.
        systems: All that are compared, in the same order for each clip: a run's color is its place.
        answers: One a system; None where it does not have the clip.
        truth: What people say, by label; None where there are no labels.

    Returns:
        JSON-ready: at most 40 kB of pictures and about 6 kB a run of motion, and the words:

        - ``name``, and ``path`` of the file;
        - ``truth``: lists of labels, ``yes``, ``unsure`` and ``no``; None without labels;
        - ``film``: see :func:`~dollygrip.runners.report.filmstrip.filmstrip`;
        - ``columns``: labels of the table; ``said``: a row a system, see :func:`_said`;
        - ``sentences``: each with its ``kind`` (``failure``, ``caption``, ``doubt``), its ``text``
          and the ``systems`` that say so;
        - ``drawing``, for the script: ``end`` in seconds; ``motions``, one a run, as
          :func:`~dollygrip.runners.report.paths.drawn_motion` has them, with the ``name`` of the
          run; ``systems``, each with ``name``, the place of its ``motion`` (None without) and its
          ``segments``.
    """
    there = [answer for answer in answers if answer is not None]
    runs = _runs(systems)
    columns = _columns(there, truth or {})
    motions = [{"name": run, **_motion(source, systems, answers)} for source, run in runs.items()]
    data = {
        "name": name,
        "path": _path(there),
        "truth": None if truth is None else _sorted_truth(truth),
        "film": _film(there),
        "columns": columns,
        "said": [
            _said(system, answer, columns, truth or {})
            for system, answer in zip(systems, answers, strict=True)
        ],
        "sentences": _sentences(systems, answers, runs),
        "drawing": {
            "end": max((a.record.whole.end for a in there if a.record), default=0.0),
            "motions": motions,
            "systems": [
                _drawn_system(system, answer, list(runs))
                for system, answer in zip(systems, answers, strict=True)
            ],
        },
    }
    encodable: dict[str, Any] = _encodable(plain(data))
    return encodable


def _runs(systems: Sequence[System]) -> dict[Path, str]:
    """The runs, which classifiers share, and what the motion of each is called."""
    firsts: dict[Path, System] = {}
    for system in systems:
        if system.estimator:
            firsts.setdefault(system.source, system)
    return dict(zip(firsts, run_names(list(firsts.values())), strict=True))


def _motion(
    source: Path, systems: Sequence[System], answers: Sequence[Answer | None]
) -> dict[str, Any]:
    """The motion that a run has of the clip, if any; a sentence where it cannot be read."""
    for system, answer in zip(systems, answers, strict=True):
        if system.source == source and answer is not None and answer.record is not None:
            if not answer.record.shots:  # the clip could not be read
                break
            try:
                file = source / TRAJECTORIES / f"{answer.record.clip_id}.npz"
                return drawn_motion(read_trajectories(file))
            except ValueError as error:
                return {"note": f"The motion cannot be drawn: {error}.", "shots": []}
    return {"note": "", "shots": []}


def _path(answers: Sequence[Answer]) -> str:
    """The clip's file, as a run knows it, else as score files do."""
    known = sorted(answers, key=lambda answer: answer.record is None)
    return printable(Path(known[0].path)) if known else ""


def _film(answers: Sequence[Answer]) -> dict[str, Any]:
    """Pictures from the first file that has any."""
    files: dict[str, Content | None] = {}
    for answer in sorted(answers, key=lambda answer: answer.record is None):
        files.setdefault(answer.path, _content(answer))
    film: dict[str, Any] = {"pictures": [], "note": "No system has this clip."}
    notes = []
    for path, content in files.items():
        film = filmstrip(Path(path), content)
        if film["pictures"]:
            return film
        notes.append(film["note"])
    return film | {"note": notes[0]} if notes else film


def _content(answer: Answer) -> Content | None:
    held = answer.record.provenance.get("content") if answer.record else None
    try:
        return Content(**held) if held else None
    except TypeError:
        return None


def _columns(answers: Sequence[Answer], truth: Truth) -> list[str]:
    """Labels that matter: what is there, what anybody names, and what cannot be told apart."""
    wanted = {label for label, there in truth.items() if there}
    for answer in answers:
        if answer.labels is not None:
            wanted |= answer.labels
        elif answer.scores:
            wanted.add(max(answer.scores, key=lambda label: answer.scores[label]))
        if answer.record is not None:
            wanted.update(label for pair in answer.record.whole.ambiguous for label in pair)
    return _in_order(wanted)


def _in_order(labels: Sequence[str] | set[str]) -> list[str]:
    """As in the vocabulary; others follow."""
    place = {label: number for number, label in enumerate(BY_NAME)}
    return sorted(labels, key=lambda label: (place.get(label, len(place)), label))


def _sorted_truth(truth: Truth) -> dict[str, list[str]]:
    return {
        word: _in_order([label for label, there in truth.items() if there is value])
        for value, word in _IN_WORDS.items()
    }


def _said(
    system: System, answer: Answer | None, columns: Sequence[str], truth: Truth
) -> dict[str, Any]:
    """A row of the table.

    ``mark`` of a cell is ``named``, ``too_much`` (named, but not there), ``left_out`` (there, but
    not named), ``unsure`` (named, and nobody can tell), else empty. A cell without a score has
    None and ``why``.
    """
    row: dict[str, Any] = {
        "system": system.name,
        "absent": answer is None,
        "failed": answer is not None and unanswered(answer),
        "ranks_only": False,
        "cells": [],
        "trust": None,
    }
    if answer is None or unanswered(answer):
        return row
    cells = [
        {
            "label": label,
            "score": answer.scores.get(label),
            "why": answer.errors.get(label, ""),
            "mark": _mark(label, answer.labels, truth),
        }
        for label in columns
    ]
    trust = answer.record.whole.trust if answer.record is not None else None
    return row | {"ranks_only": answer.labels is None, "cells": cells, "trust": trust}


def _sentences(
    systems: Sequence[System], answers: Sequence[Answer | None], runs: Mapping[Path, str]
) -> list[dict[str, Any]]:
    """What systems say in words, and who says it: failures, captions, doubts.

    Doubts come with the motion, so all classifiers of a run mostly say the same.
    """
    said: dict[tuple[str, str], list[System]] = {}
    for system, answer in zip(systems, answers, strict=True):
        for sentence in _words(answer) if answer is not None else ():
            said.setdefault(sentence, []).append(system)
    return [
        {"systems": _who(who, systems, runs), "kind": kind, "text": text}
        for (kind, text), who in said.items()
    ]


def _words(answer: Answer) -> list[tuple[str, str]]:
    """The kind and the text of each sentence, each once."""
    if unanswered(answer):
        return [("failure", next(iter(answer.errors.values())))]
    if answer.record is None:
        return []
    whole = answer.record.whole
    pairs = [
        f"Cannot tell {one.replace('_', ' ')} from {other.replace('_', ' ')}."
        for one, other in whole.ambiguous
    ]
    doubts = dict.fromkeys([*pairs, *(doubt.message for doubt in whole.doubts)])
    captions = [("caption", whole.caption)] if whole.caption else []
    return captions + [("doubt", doubt) for doubt in doubts]


def _who(who: Sequence[System], systems: Sequence[System], runs: Mapping[Path, str]) -> list[str]:
    """Names of systems; that of a run for all its systems."""
    whole = {
        source
        for source in runs
        if all(system in who for system in systems if system.source == source)
    }
    names = (runs[system.source] if system.source in whole else system.name for system in who)
    return list(dict.fromkeys(names))


def _mark(label: str, named: frozenset[str] | None, truth: Truth) -> str:
    if named is None:
        return ""
    there = truth.get(label)
    if label not in named:
        return "left_out" if there else ""
    if there is None:
        return "unsure" if truth else "named"
    return "named" if there else "too_much"


def _drawn_system(system: System, answer: Answer | None, runs: Sequence[Path]) -> dict[str, Any]:
    record = answer.record if answer is not None else None
    return {
        "name": system.name,
        "motion": runs.index(system.source) if system.estimator else None,
        "segments": []
        if record is None
        else [
            {
                "motion": segment.motion,
                "axis": BY_NAME[segment.motion].axis if segment.motion in BY_NAME else "",
                "start": round(segment.start, 3),
                "end": round(segment.end, 3),
            }
            for segment in record.whole.segments
        ],
    }


def _encodable(data: Any) -> Any:
    """The same data without the lone surrogates of names that are not UTF-8."""
    if isinstance(data, str):
        return data.encode("utf-8", "replace").decode("utf-8")
    if isinstance(data, dict):
        return {key: _encodable(item) for key, item in data.items()}
    if isinstance(data, list):
        return [_encodable(item) for item in data]
    return data
