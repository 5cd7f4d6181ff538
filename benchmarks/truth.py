"""What is known of the clips of a folder, from its ``labels.csv``.

The table has a column ``clip``, one column a primitive with yes, no or unsure, and optionally
``kind``, ``derived``, ``tags``, ``confidence``, ``steadiness`` and ``dynamic_subject``.
"""

import argparse
import csv
import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from dollygrip.classifiers.labels import PRIMITIVES

# Tags of the shared clips are run together ("fastlowlighthandheld"), so known words are cut out.
TAG = re.compile(
    r"(?:lead|tail|side)-tracking|tracking|low(?:light|texture|contrast)|fast|handheld|overlay"
    r"|watermark|portrait|dashcam|gtpose|[^\s;,|]+"
)
_GROUPED = {"confidence": "confidence", "steadiness": "steadiness", "dynamic_subject": "subject"}


@dataclass(frozen=True)
class Truth:
    """What is known of one clip.

    Attributes:
        clip: File name.
        path: Where it is.
        answers: For each primitive True, False, or None where nobody can tell.
        groups: Names of the groups it counts in, as "kind: real" or "tag: fast".
    """

    clip: str
    path: Path
    answers: dict[str, bool | None]
    groups: tuple[str, ...]

    @property
    def present(self) -> tuple[str, ...]:
        """The primitives that are surely there."""
        return tuple(name for name, answer in self.answers.items() if answer)

    @property
    def unsure(self) -> tuple[str, ...]:
        """The primitives of which nobody can tell."""
        return tuple(name for name, answer in self.answers.items() if answer is None)


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


def add_choice_of_clips(parser: argparse.ArgumentParser) -> None:
    """Add the folder and the options that choose clips of it."""
    parser.add_argument("folder", type=Path, help="holds labels.csv and the clips it names")
    parser.add_argument("--only", default="*", metavar="PATTERN", help="clips to take: 'oh_*'")
    parser.add_argument("--limit", type=int, help="take the first so many clips")


def _truth(folder: Path, row: dict[str, str]) -> Truth:
    meaning = {"yes": True, "no": False, "unsure": None}
    answers: dict[str, bool | None] = {}
    for name in PRIMITIVES:
        if row[name] not in meaning:
            raise ValueError(f"{row['clip']}: {name} is {row[name]!r}, not yes, no or unsure")
        answers[name] = meaning[row[name]]
    return Truth(row["clip"], folder / row["clip"], answers, tuple(dict.fromkeys(_groups(row))))


def _groups(row: dict[str, str]) -> Iterable[str]:
    # Derived copies repeat their base clip, so they do not count with their kind.
    if row.get("derived"):
        yield "derived copies"
    elif row.get("kind"):
        yield f"kind: {row['kind']}"
    for column, name in _GROUPED.items():
        if row.get(column):
            yield f"{name}: {row[column]}"
    for tag in TAG.findall(row.get("tags") or ""):
        yield f"tag: {tag}"
