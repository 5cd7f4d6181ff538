"""Rendered clips with exact truth, for measuring: ``python -m benchmarks.rendered OUT --split S``.

``tune`` and ``stress-tune`` may be looked at while building; ``held-out`` and ``stress`` only say
how it went: the same kinds of motion in worlds of other layout and texture, at other speeds. The
first pair is what is usually filmed, the second what is hard to tell. ``filmed-train`` is for
fitting, ``filmed`` for scoring: random shots, of which ``segments.jsonl`` says what happens when.
"""

import argparse
import csv
import sys
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from benchmarks import filmed, stress, usual
from benchmarks.plan import ClipPlan, trajectory_of, truth
from dollygrip.classifiers.labels import DERIVED, PRIMITIVES
from dollygrip.geometry.synthetic import Move, Shake
from dollygrip.runners.rendering import render, write_video
from dollygrip.runners.scenery import Scene, median_depth, scene

SPLITS = ("tune", "held-out", "stress-tune", "stress", "filmed-train", "filmed")
# Random clips of a split, and their seed.
_FILMED = {"filmed-train": (300, 71), "filmed": (150, 76)}
COLUMNS = (
    *("clip", *PRIMITIVES, "arc_cw", "arc_ccw", "steadiness", "dynamic_subject", "tags", "kind"),
    *("derived", "confidence", "evidence", "source", "licence", "notes"),
)


def plans(split: str) -> tuple[ClipPlan, ...]:
    """All clips of a split.

    Raises:
        ValueError: There is no such split.
    """
    if split not in SPLITS:
        raise ValueError(f"unknown split {split!r}, expected one of {', '.join(SPLITS)}")
    if split in _FILMED:
        return filmed.plans(split.replace("-", "_"), *_FILMED[split])
    kind, shift = divmod(SPLITS.index(split), 2)
    return tuple((usual, stress)[kind].plans(shift))


def seed_of(split: str) -> int:
    """Seed of the first layout of a split's worlds; the next layout has the next."""
    return 1000 * (1 + SPLITS.index(split))


@lru_cache(maxsize=2)
def _place(world: str, seed: int) -> Scene:
    return scene(world, seed)


def rendered_clips(folder: Path, split: str) -> Path:
    """Render one split.

    Args:
        folder: Where to put the clips; made if missing. Beside each ``NAME.mp4`` lies the true
            trajectory as ``NAME.npz``: times, rotations (world_from_camera), centers, focals,
            size, scene_depth.
        split: One of :data:`SPLITS`.

    Returns:
        The file with the labels, ``labels.csv`` in the folder.
    """
    clips = plans(split)
    labels = render_plans(folder, clips, seed_of(split))
    if split in _FILMED:
        filmed.write_segments(folder, clips)
    return labels


def render_plans(folder: Path, clips: Iterable[ClipPlan], seed: int) -> Path:
    """Render clips as :func:`rendered_clips` does.

    Args:
        folder: Where to put the clips; made if missing.
        clips: What to render.
        seed: Of the first layout of the worlds; the next layout has the next.

    Returns:
        The file with the labels.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # Worlds are dear to make: those of one place come one after the other.
    todo = sorted(clips, key=lambda plan: (plan.world, plan.layout, plan.name))
    rows = []
    for plan in todo:
        _render(folder, plan, _place(plan.world, seed + plan.layout))
        rows.append(_row(plan))
    labels = folder / "labels.csv"
    with labels.open("w", newline="", encoding="utf-8") as file:
        told = any(plan.told is not None for plan in todo)
        columns = tuple(dict.fromkeys((*COLUMNS, *DERIVED))) if told else COLUMNS
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(sorted(rows, key=lambda row: row["clip"]))
    return labels


def _render(folder: Path, plan: ClipPlan, place: Scene) -> None:
    path = trajectory_of(plan)
    drawn = trajectory_of(_drawn_as(plan))
    frames = render(drawn, place.with_actors(*plan.cast(place)), plan.look)
    if plan.enlarged > 1:
        frames = (np.asarray(cv2.resize(frame, plan.size), np.uint8) for frame in frames)
    write_video(folder / f"{plan.name}.mp4", frames, path.times, plan.crf)
    np.savez(
        folder / f"{plan.name}.npz",
        times=path.times,
        rotations=path.rotations,
        centers=path.centers,
        focals=path.focals,
        size=path.size,
        scene_depth=median_depth(place, path),
    )


def _drawn_as(plan: ClipPlan) -> ClipPlan:
    """The plan at the size at which it is drawn."""
    width, height = plan.size
    return replace(plan, size=(width // plan.enlarged, height // plan.enlarged))


def _row(plan: ClipPlan) -> dict[str, str]:
    return {
        "clip": f"{plan.name}.mp4",
        **truth(plan),
        "steadiness": _steadiness(plan),
        "dynamic_subject": plan.subject,
        "tags": " ".join(dict.fromkeys((*plan.tags, plan.world, f"{plan.rate:g}fps"))),
        "kind": "rendered",
        "derived": "",
        "confidence": "high",
        "evidence": "exact",
        "source": "benchmarks.rendered",
        "licence": "Apache-2.0",
        "notes": " ".join(f"{m.name}:{m.amount:.3g}" for m in plan.moves if isinstance(m, Move)),
    }


def _steadiness(plan: ClipPlan) -> str:
    if plan.told is not None:
        still, shaken = plan.told["static"] is True, plan.told["shaky"] is True
    else:
        still, shaken = not plan.moves, any(isinstance(move, Shake) for move in plan.moves)
    return "static" if still else "shaky" if shaken else "smooth"


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rendered", description=__doc__)
    parser.add_argument("out", type=Path, help="folder for the clips")
    parser.add_argument("--split", choices=SPLITS, default="tune")
    options = parser.parse_args(arguments)
    labels = rendered_clips(options.out, options.split)
    print(labels)
    return 0


if __name__ == "__main__":
    sys.exit(main())
