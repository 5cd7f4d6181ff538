"""Camera paths with named moves: are the names right, and do they survive what must not matter?

FOLDER has pose files and a ``manifest.csv`` with the columns ``file``, ``intended`` (the named
move, in this project's words; other texts are not scored) and ``roll_cw``, ``right``, ``pan_right``
(integrated motion, which gives rolls and arcs their direction). Files that hold no rotations are to
be refused; the column ``notes`` says which.
"""

import argparse
import csv
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.tables import Cells, listing, number, write_csv
from dollygrip.api import label_trajectory
from dollygrip.classifiers.labels import PRIMITIVES
from dollygrip.geometry.resampling import resample
from dollygrip.geometry.rotations import exp
from dollygrip.geometry.trajectory import Trajectory
from dollygrip.runners.formats.catalog import read_poses
from dollygrip.runners.formats.path import PoseError

RATE = 24.0
Change = Callable[[Trajectory], Trajectory]


@dataclass(frozen=True)
class NamedPath:
    """One file.

    Attributes:
        file: Its name.
        truth: The primitives that are meant; None where the source does not say.
        refused: It holds no rotations.
    """

    file: str
    truth: frozenset[str] | None
    refused: bool


@dataclass(frozen=True)
class Outcome:
    """What was said of one file.

    Attributes:
        path: The file.
        said: The primitives that were named; None where the file was refused.
        kept: For each change, whether the labels stayed.
    """

    path: NamedPath
    said: frozenset[str] | None
    kept: dict[str, bool]

    @property
    def right(self) -> bool:
        """Refused if it had to be, else named as it is meant."""
        return self.said is None if self.path.refused else self.said == self.path.truth


def slower(factor: float) -> Change:
    """The same path with ``factor`` times as many poses a second."""

    def change(path: Trajectory) -> Trajectory:
        count = max(2, round((len(path) - 1) * factor) + 1)
        return resample(path, np.linspace(path.times[0], path.times[-1], count))

    return change


def scaled(factor: float) -> Change:
    """The same path in another unit."""
    return lambda path: replace(path, centers=path.centers * factor)


def _elsewhere(path: Trajectory) -> Trajectory:
    """The same path in another world."""
    turn, shift = exp(np.array([0.7, -1.9, 1.1])), np.array([30.0, -7.0, 120.0])
    return replace(path, rotations=turn @ path.rotations, centers=path.centers @ turn.T + shift)


def _hurried(path: Trajectory) -> Trajectory:
    """The same path in half the time."""
    return replace(path, times=path.times[0] + 0.5 * (path.times - path.times[0]))


CHANGES: dict[str, Change] = {
    "rate / 3": slower(1 / 3),
    "rate x 3": slower(3.0),
    "unit x 0.01": scaled(0.01),
    "unit x 100": scaled(100.0),
    "other world": _elsewhere,
    "half the time": _hurried,
}


def read_manifest(folder: Path) -> list[NamedPath]:
    """The files of a folder, with what their makers meant.

    Raises:
        OSError: There is no manifest.
        ValueError: It lacks a column.
    """
    with (folder / "manifest.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    try:
        return [
            NamedPath(row["file"], truth_of(row), "det(R) not +1" in row["notes"]) for row in rows
        ]
    except KeyError as error:
        raise ValueError(f"{folder / 'manifest.csv'} lacks the column {error}") from error


def truth_of(row: dict[str, str]) -> frozenset[str] | None:
    """The primitives that a row means; None where it names none."""
    words = row["intended"].replace("(", " ").split()
    first = words[0] if words else ""

    def sided(positive: str, negative: str, column: str) -> str:
        return positive if float(row[column]) > 0 else negative

    if first in PRIMITIVES:
        return frozenset([first])
    if first == "stationary":
        return frozenset(["static"])
    if first == "roll":
        return frozenset([sided("roll_cw", "roll_ccw", "roll_cw")])
    if first == "arc" and "up" not in words:
        moves = {sided("truck_right", "truck_left", "right")}
        moves |= {sided("pan_right", "pan_left", "pan_right")}
        return frozenset(moves | ({"dolly_in"} if "in" in words else set()))
    if row["intended"].startswith("car: straight forward"):
        return frozenset(["dolly_in"])
    return None


def judge(folder: Path, path: NamedPath) -> Outcome:
    """Label one file, and the same path changed in every way that must not matter."""
    try:
        trajectory = read_poses(folder / path.file)[0].trajectory(RATE)
    except PoseError:
        return Outcome(path, None, {})
    said = _primitives(trajectory)
    kept = {name: _primitives(change(trajectory)) == said for name, change in CHANGES.items()}
    return Outcome(path, said, kept)


def _primitives(trajectory: Trajectory) -> frozenset[str]:
    return frozenset(label_trajectory(trajectory).labels) & frozenset(PRIMITIVES)


def add_command(commands: Any) -> None:
    """Add ``paths`` to the benchmarks' command line."""
    parser = commands.add_parser("paths", help="named camera paths, and what must not change them")
    parser.add_argument("folder", type=Path, help="pose files with their manifest.csv")
    parser.add_argument("--out", type=Path, help="folder for paths.csv, with a row a file")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    outcomes = [judge(options.folder, path) for path in read_manifest(options.folder)]
    named = [o for o in outcomes if o.path.truth is not None and not o.path.refused]
    to_refuse = [o for o in outcomes if o.path.refused]
    read = [o for o in outcomes if o.said is not None]
    shares = [
        ("named moves right", [o.right for o in named]),
        ("no rotations, refused", [o.right for o in to_refuse]),
        *((f"same labels: {name}", [o.kept[name] for o in read]) for name in CHANGES),
    ]
    cells: Cells[tuple[str, list[bool]]] = (
        ("what", lambda item: item[0]),
        ("files", lambda item: str(len(item[1]))),
        ("share", lambda item: number(float(np.mean(item[1])) if item[1] else float("nan"))),
    )
    print(listing(cells, shares))
    wrong: Cells[Outcome] = (
        ("file", lambda o: o.path.file),
        ("meant", lambda o: " ".join(sorted(o.path.truth or ()))),
        ("said", lambda o: "refused" if o.said is None else " ".join(sorted(o.said))),
    )
    mistaken = [o for o in (*named, *to_refuse) if not o.right]
    if mistaken:
        print("\n" + listing(wrong, mistaken))
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        write_csv(options.out / "paths.csv", [_row(outcome) for outcome in outcomes])
    return 0


def _row(outcome: Outcome) -> dict[str, Any]:
    truth, said = outcome.path.truth, outcome.said
    return {
        "file": outcome.path.file,
        "meant": "" if truth is None else " ".join(sorted(truth)),
        "said": "refused" if said is None else " ".join(sorted(said)),
        **outcome.kept,
    }
