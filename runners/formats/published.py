"""What others have published on CameraBench: numbers to stand beside.

The table comes with the package, ``data/published.toml``.
"""

import csv
import math
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from dollygrip.classifiers.labels import BY_NAME
from dollygrip.runners.formats.path import PoseError
from dollygrip.runners.formats.text import read_lines
from dollygrip.runners.formats.truth import LabelError

CAMERABENCH = "camerabench"
"""Name of the table that comes with the package."""

PUBLISHED_FILE = "published_ap.csv"
"""What a table is called in a folder."""

CHANCE = "Chance"
"""The row of what guessing reaches: for average precision the share of clips with the label."""

_MOST_ROWS = 10_000


@dataclass(frozen=True)
class PublishedRow:
    """One system's average precision on the binary task.

    Attributes:
        model: The system.
        version: Year and month of the table, as "2025-04"; empty where a file does not say.
        ap: Average precision by label, in percent.
        average: The average as published, in percent.
        notes: Keys of :data:`FOOTNOTES` that concern the row.
    """

    model: str
    version: str
    ap: Mapping[str, float]
    average: float
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class PublishedVqaRow:
    """One system's answers to pairs of clips.

    Attributes:
        model: The system.
        version: Year and month of the table.
        skills: By skill accuracy and Q-accuracy, in percent.
        overall: The two over all pairs, in percent, as published.
        notes: Keys of :data:`FOOTNOTES` that concern the row.
    """

    model: str
    version: str
    skills: Mapping[str, tuple[float, float]]
    overall: tuple[float, float]
    notes: tuple[str, ...] = ()


FOOTNOTES: Mapping[str, str] = {
    "noise": (
        "With other clips of the same kind the mean would differ by about 1.6, and one primitive "
        "by 3 to 9."
    ),
    "shared": (
        "Fine-tuned on clips of the same videos: by their names, 835 of the 969 test clips come "
        "from videos that also gave training clips."
    ),
    "rerun": (
        "Somebody who ran the published weights with the public scripts reports 50.3 over 11 of "
        "the primitives, where this row has 62.2 (issue 9 of the project)."
    ),
    "offset": (
        "Differs from the next smaller model by nearly the same number in every column, which "
        "separate measurements hardly do."
    ),
    "constant zoom": (
        "Both zoom columns equal chance exactly: the zoom score was the same for every clip."
    ),
    "low static": (
        "Static is below chance: a clip that fails ranks last for every label, and still clips "
        "often fail."
    ),
    "scale": (
        "The columns of travel and of static differ between the two versions, probably by another "
        "scale of travel (MegaSaM's turns changed a little as well); compare within one version."
    ),
    "average": "The average is not the mean of the row's columns; both are as published.",
    "same row": "Published with the same numbers as its namesake of another generation.",
    "later page": (
        "The project's leaderboard page has another overall Q-accuracy: 25.9 for Qwen2.5-VL-7B, "
        "27.1 for 32B, 27.4 for 72B, 45.3 for 7B SFT."
    ),
    "overall": "The overall numbers are not what the skills add up to; both are as published.",
}
"""What to know before comparing with a row, by key."""

_EVERY = ("2025-04", "2025-10")
_SFT = tuple(f"Qwen2.5-VL-{size}B SFT" for size in (7, 32, 72))
_LARGER = tuple(f"Qwen2.5-VL-{size}B" for size in (32, 72))

_Concerns = Sequence[tuple[str, tuple[str, ...], tuple[str, ...]]]

# Whom a footnote concerns, and in which versions; "noise" concerns whoever was measured.
_AP_NOTES: _Concerns = (
    ("shared", _SFT, _EVERY),
    ("rerun", _SFT[:1], ("2025-10",)),
    ("offset", (*_LARGER, *_SFT[1:]), ("2025-10",)),
    ("constant zoom", ("MegaSaM",), _EVERY),
    ("low static", ("COLMAP",), _EVERY),
    ("scale", ("DUSt3R", "MASt3R", "CUT3R", "MegaSaM"), _EVERY),
    ("average", ("CUT3R", "Tarsier-Recap-7B", "InternVL2.5-8B"), ("2025-04",)),
    ("average", ("InternVL3-78B",), ("2025-10",)),
)
_INTERNVL = tuple(f"InternVL{version}-{size}B" for version in ("2.5", "3") for size in (8, 26))
_VQA_NOTES: _Concerns = (
    ("shared", _SFT, _EVERY),
    ("same row", _INTERNVL, _EVERY),
    ("later page", ("Qwen2.5-VL-7B", *_LARGER, *_SFT[:1]), _EVERY),
    ("overall", ("LLaVA-OneVision-7B", *_INTERNVL), _EVERY),
)


def published(source: str = CAMERABENCH) -> tuple[PublishedRow, ...]:
    """Published rows of the binary task.

    Args:
        source: "camerabench" for the table that comes with the package; else a CSV file, or a
            folder with ``published_ap.csv``. It has the columns "model" and labels, and may have
            "version" and "average".

    Returns:
        By version, then in the order of the table.

    Raises:
        LabelError: There is no such file, or it cannot be read.
    """
    if source != CAMERABENCH:
        return tuple(_from_csv(Path(source)))
    table = _table()
    return tuple(
        PublishedRow(
            model=model,
            version=version,
            ap=dict(zip(table["labels"], numbers, strict=False)),
            average=numbers[-1],
            notes=(() if model == CHANCE else ("noise",)) + _notes(_AP_NOTES, model, version),
        )
        for model, version, numbers in _rows(table["ap"])
    )


def published_vqa(source: str = CAMERABENCH) -> tuple[PublishedVqaRow, ...]:
    """Published rows of the task with pairs.

    Args:
        source: As for :func:`published`; only the table that comes with the package has any.

    Returns:
        In the order of the table.
    """
    if source != CAMERABENCH:
        return ()
    table = _table()
    return tuple(
        PublishedVqaRow(
            model=model,
            version=version,
            skills={
                skill: (accuracy, q_accuracy)
                for skill, (accuracy, q_accuracy) in zip(table["skills"], numbers, strict=False)
            },
            overall=(numbers[-1][0], numbers[-1][1]),
            notes=_notes(_VQA_NOTES, model, version),
        )
        for model, version, numbers in _rows(table["vqa"])
    )


def _table() -> dict[str, Any]:
    return tomllib.loads(files(__package__).joinpath("data/published.toml").read_text("utf-8"))


def _rows(models: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, str, Any]]:
    rows = [(m, version, n) for m, versions in models.items() for version, n in versions.items()]
    return sorted(rows, key=lambda row: row[1])


def _notes(notes: _Concerns, model: str, version: str) -> tuple[str, ...]:
    return tuple(key for key, models, versions in notes if model in models and version in versions)


# --- other tables ---------------------------------------------------------------------------


def _from_csv(source: Path) -> Iterator[PublishedRow]:
    file = source / PUBLISHED_FILE if source.is_dir() else source
    try:
        lines = [line for _, line in read_lines(file) if line.strip()]
        rows = list(csv.reader(lines, strict=True))
    except PoseError as error:
        # From the reader of text that pose files have, too.
        raise LabelError(str(error)) from error
    except csv.Error as error:
        raise LabelError(f"{file}: no CSV: {error}") from error
    if len(rows) > _MOST_ROWS:
        raise LabelError(f"{file}: more than {_MOST_ROWS} rows")
    header = [name.strip() for name in rows[0]] if rows else []
    labels = [name for name in header if name in BY_NAME]
    if "model" not in header or not labels or len(set(header)) < len(header):
        raise LabelError(f"{file}: its first line names no model, no label, or one of them twice")
    for number, cells in enumerate(rows[1:], start=2):
        if len(cells) != len(header):
            raise LabelError(f"{file}: row {number} has {len(cells)} columns, not {len(header)}")
        row = dict(zip(header, map(str.strip, cells), strict=True))
        numbers = {
            name: _percent(row[name], f"{file}: row {number}: {name}")
            for name in (*labels, "average")
            if row.get(name)
        }
        ap = {name: numbers[name] for name in labels if name in numbers}
        mean = sum(ap.values()) / len(ap) if ap else math.nan
        yield PublishedRow(row["model"], row.get("version", ""), ap, numbers.get("average", mean))


def _percent(text: str, where: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0.0 <= number <= 100.0:
        raise LabelError(f"{where} is {text[:40]!r}, not 0 to 100")
    return number
