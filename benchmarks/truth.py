"""What is known of the clips of a folder, from its ``labels.csv``.

The table has a column ``clip``, one column a primitive with yes, no or unsure, and optionally
``kind``, ``derived``, ``tags``, ``confidence``, ``steadiness`` and ``dynamic_subject``.
"""

import argparse
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path

from dollygrip.classifiers.labels import PRIMITIVES
from dollygrip.runners.evaluation import groups_of
from dollygrip.runners.formats.truth import LabelledClip, read_labels

# Tags of the shared clips are run together ("fastlowlighthandheld"), so known words are cut out.
TAG = re.compile(
    r"(?:lead|tail|side)-tracking|tracking|low(?:light|texture|contrast)|fast|handheld|overlay"
    r"|watermark|portrait|dashcam|gtpose|[^\s;,|]+"
)
GROUPED = ("confidence", "steadiness", "subject")
"""Columns whose values are groups, besides kinds and tags."""


@dataclass(frozen=True)
class Truth:
    """What is known of one clip.

    Attributes:
        labelled: What people say of its primitives, with tags cut apart.
        path: Where it is.
    """

    labelled: LabelledClip
    path: Path

    @property
    def clip(self) -> str:
        """File name."""
        return self.labelled.clip

    @property
    def answers(self) -> Mapping[str, bool | None]:
        """For each primitive True, False, or None where nobody can tell."""
        return self.labelled.answers

    @property
    def groups(self) -> tuple[str, ...]:
        """Names of the groups it counts in, as "kind: real" or "tag: fast"."""
        return groups_of(self.labelled, GROUPED)

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
        ValueError: A column or value is not as expected, the file cannot be read, or no clip
            matches.
    """
    table = folder / "labels.csv"
    labelled = read_labels(table)
    missing = set(PRIMITIVES) - labelled[0].answers.keys()
    if missing:
        raise ValueError(f"{table} lacks the columns {', '.join(sorted(missing))}")
    chosen = [clip for clip in labelled if fnmatch(clip.clip, only)]
    if not chosen:
        raise ValueError(f"{table} has no clip that matches {only!r}")
    return [_truth(folder, clip) for clip in chosen[:limit]]


def add_choice_of_clips(parser: argparse.ArgumentParser, several: bool = False) -> None:
    """Add the folder, or several, and the options that choose clips of it."""
    told = "holds labels.csv and the clips it names"
    parser.add_argument("folder", type=Path, nargs="+" if several else None, help=told)
    parser.add_argument("--only", default="*", metavar="PATTERN", help="clips to take: 'oh_*'")
    parser.add_argument("--limit", type=int, help="take the first so many clips")


def _truth(folder: Path, labelled: LabelledClip) -> Truth:
    answers = {name: labelled.answers[name] for name in PRIMITIVES}
    tags = " ".join(TAG.findall(labelled.extra.get("tags", "")))
    subject = labelled.extra.get("dynamic_subject", "")
    extra = {**labelled.extra, "tags": tags, "subject": subject}
    return Truth(replace(labelled, answers=answers, extra=extra), folder / labelled.clip)
