"""Rendered clips of moves one after another, with exact segments.

``python -m benchmarks.sequences OUT --split sequences-tune`` writes clips, ``labels.csv``, true
trajectories, and ``segments.jsonl`` with what happens when. ``sequences-tune`` may be looked at
while building; ``sequences`` only says how it went: the same kinds of story with the sides swapped,
in worlds of other layout and texture, at other speeds.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.casts import nobody, walkers
from benchmarks.plan import ClipPlan, truth
from benchmarks.rendered import render_plans
from benchmarks.stories import Story, Stretch, write_stories
from dollygrip.classifiers import targets
from dollygrip.geometry.synthetic import SIGNED_AXES, Motion, Move, Shake
from dollygrip.runners.rendering import Look

SPLITS = ("sequences-tune", "sequences")

# Seeds of the worlds, away from those of other splits.
_FIRST_SEED = 50_000
_WORLDS = ("street", "room", "nature", "landscape")
_RATES = (24.0, 12.0, 30.0, 15.0, 25.0, 60.0, 20.0, 50.0)
# A second of a move that nobody overlooks, and as much as the worlds have room for.
_PER_SECOND = {
    "pan": 8.0,
    "tilt": 5.5,
    "roll": 8.0,
    "truck": 0.13,
    "pedestal": 0.1,
    "dolly": 0.15,
    "zoom": 0.17,
    "arc": 12.0,
    "crane": 7.0,
}
_MOST = {
    "pan": 40.0,
    "tilt": 16.0,
    "roll": 35.0,
    "truck": 0.4,
    "pedestal": 0.3,
    "dolly": 0.45,
    "zoom": 0.6,
    "arc": 35.0,
    "crane": 20.0,
}
_WHIP_DEGREES = 50.0
_SHORT_BOOST = 2.0

# Stillness from so many seconds on is surely a hold; below the other limit it is none.
_SURE_HOLD, _LEAST_HOLD = 0.7, 0.25

Part = tuple[str, float, float]
"""A move with its start and end in seconds; nothing, for as long as the camera holds."""

_STORIES: tuple[tuple[str, tuple[Part, ...]], ...] = (
    ("turn", (("pan_right", 0.0, 1.8), ("tilt_up", 1.8, 3.6))),
    ("turn", (("tilt_down", 0.0, 1.5), ("pan_left", 1.5, 3.5))),
    ("turn", (("zoom_in", 0.0, 2.0), ("pan_right", 2.0, 4.0))),
    ("turn", (("dolly_in", 0.0, 2.5), ("truck_right", 2.5, 5.0))),
    ("turn", (("truck_left", 0.0, 2.0), ("tilt_up", 2.0, 4.0))),
    ("turn", (("roll_cw", 0.0, 2.0), ("zoom_out", 2.0, 4.0))),
    ("turn", (("pedestal_up", 0.0, 2.0), ("pan_left", 2.0, 4.0))),
    ("turn", (("dolly_out", 0.0, 2.5), ("pan_right", 2.5, 4.5))),
    ("turn", (("pan_left", 0.0, 2.0), ("zoom_in", 2.0, 4.0))),
    ("turn", (("truck_right", 0.0, 2.2), ("roll_ccw", 2.2, 4.0))),
    ("back", (("pan_right", 0.0, 1.8), ("pan_left", 1.8, 3.6))),
    ("back", (("tilt_up", 0.0, 1.6), ("tilt_down", 1.6, 3.2))),
    ("back", (("zoom_in", 0.0, 2.0), ("zoom_out", 2.0, 4.0))),
    ("back", (("dolly_in", 0.0, 2.0), ("dolly_out", 2.0, 4.0))),
    ("back", (("truck_left", 0.0, 2.0), ("truck_right", 2.0, 4.0))),
    ("back", (("pan_left", 0.0, 1.5), ("pan_right", 3.0, 4.5))),
    ("hold", (("pan_right", 0.0, 1.5), ("pan_right", 2.7, 4.2))),
    ("hold", (("tilt_up", 0.0, 1.5), ("zoom_in", 2.5, 4.5))),
    ("hold", (("dolly_in", 0.0, 2.0), ("pan_left", 3.5, 5.0))),
    ("hold", (("truck_right", 0.0, 1.6), ("truck_right", 3.0, 4.6))),
    ("hold", (("zoom_in", 0.0, 1.5), ("zoom_in", 2.5, 4.0))),
    ("hold", (("pan_left", 1.5, 3.0), ("", 3.0, 4.5))),
    ("hold", (("dolly_in", 1.5, 4.0),)),
    ("long", (("pan_right", 0.0, 1.5), ("tilt_up", 6.0, 7.5))),
    ("long", (("zoom_out", 4.0, 6.0), ("", 6.0, 9.0))),
    ("long", (("truck_left", 0.0, 1.5), ("", 1.5, 6.0))),
    ("long", (("pan_left", 0.5, 4.5), ("dolly_in", 5.5, 9.5))),
    ("three", (("pan_right", 0.0, 1.5), ("tilt_up", 1.5, 3.0), ("zoom_in", 3.0, 4.5))),
    ("three", (("dolly_in", 0.0, 2.0), ("pan_right", 2.0, 3.5), ("tilt_up", 3.5, 5.0))),
    ("three", (("truck_right", 0.0, 1.8), ("pan_left", 2.2, 3.6), ("zoom_in", 4.0, 5.6))),
    ("three", (("tilt_up", 0.0, 1.5), ("pan_right", 1.5, 3.0), ("roll_cw", 3.0, 4.5))),
    ("arc", (("arc_cw", 0.0, 2.5), ("", 2.5, 4.0))),
    ("arc", (("", 0.0, 1.5), ("arc_ccw", 1.5, 4.0))),
    ("arc", (("crane_up", 0.0, 2.5), ("", 2.5, 4.0))),
    ("arc", (("dolly_zoom_in", 0.0, 2.5), ("", 2.5, 4.0))),
    ("arc", (("dolly_zoom_out", 1.0, 3.5),)),
    ("overlap", (("dolly_in", 0.0, 4.0), ("pan_right", 2.0, 4.0))),
    ("overlap", (("truck_left", 0.0, 3.0), ("tilt_up", 1.5, 4.5))),
    ("overlap", (("pan_left", 0.0, 2.5), ("zoom_in", 1.5, 4.0))),
    ("overlap", (("pedestal_up", 0.0, 4.0), ("pan_right", 1.2, 2.8))),
    ("overlap", (("zoom_out", 0.0, 3.0), ("roll_cw", 1.5, 4.5))),
    ("short", (("pan_right", 1.0, 1.5), ("", 1.5, 3.0))),
    ("short", (("tilt_up", 0.5, 1.0), ("pan_left", 2.0, 2.5), ("", 2.5, 3.5))),
    ("short", (("zoom_in", 1.2, 1.7), ("", 1.7, 3.0))),
    ("short", (("pan_right", 0.0, 0.5), ("pan_left", 1.5, 2.0), ("tilt_up", 3.0, 3.5))),
    ("whip", (("pan_right", 1.2, 1.7), ("", 1.7, 3.2))),
    ("whip", (("tilt_up", 0.0, 1.5), ("pan_left", 1.8, 2.3), ("zoom_in", 2.6, 4.6))),
    ("handheld", (("pan_right", 0.0, 2.0), ("tilt_up", 2.0, 4.0))),
    ("handheld", (("dolly_in", 0.0, 2.5), ("pan_left", 4.0, 6.0))),
    ("handheld", (("truck_right", 0.0, 2.2), ("zoom_in", 2.2, 4.4))),
)


def plans(split: str) -> tuple[ClipPlan, ...]:
    """All clips of a split.

    Raises:
        ValueError: There is no such split.
    """
    if split not in SPLITS:
        raise ValueError(f"unknown split {split!r}, expected one of {', '.join(SPLITS)}")
    shift = SPLITS.index(split)
    return tuple(_plan(index, kind, parts, shift) for index, (kind, parts) in enumerate(_STORIES))


def seed_of(split: str) -> int:
    """Seed of the first layout of a split's worlds; the next layout has the next."""
    return _FIRST_SEED + 1000 * SPLITS.index(split)


def story(plan: ClipPlan) -> Story:
    """What happens when in a clip."""
    marks = truth(plan)
    shaken = any(isinstance(move, Shake) for move in plan.moves)
    found = []
    for name, spans in targets.spans(plan.moves, plan.duration).items():
        for span in spans:
            if name == "static":
                sure, told = span.length >= _SURE_HOLD and not shaken, span.length >= _LEAST_HOLD
            else:
                sure, told = marks.get(name) != "unsure", name != "shaky"
            if told:
                found.append(Stretch(name, span.start, span.end, sure))
    found.sort(key=lambda stretch: (stretch.start, stretch.end))
    return Story(f"{plan.name}.mp4", tuple(found))


def rendered_sequences(folder: Path, split: str) -> Path:
    """Render one split.

    Args:
        folder: Where to put the clips and the tables; made if missing.
        split: One of :data:`SPLITS`.

    Returns:
        The file with the segments.
    """
    clips = plans(split)
    render_plans(folder, clips, seed_of(split))
    return write_stories(folder, map(story, clips))


def _plan(index: int, kind: str, parts: Sequence[Part], shift: int) -> ClipPlan:
    rng = np.random.default_rng([shift, index, 12])
    stretched = 1.0 if kind in ("short", "whip") else float(rng.uniform(0.9, 1.25))
    eased = (index + shift) % 2 == 0
    moves: list[Motion] = []
    for name, start, end in parts:
        if name:
            swapped = _mirrored(name) if shift else name
            amount = _amount(name, kind, stretched * (end - start), float(rng.uniform(0.8, 1.3)))
            moves.append(Move(swapped, amount, stretched * start, stretched * end, eased))
    if kind == "handheld":
        moves.append(Shake(0.4, 0.003, 900 + 50 * shift + index))
    peopled = index % 6 == 2
    story = "_then_".join(move.name for move in moves if isinstance(move, Move))
    return ClipPlan(
        f"{index:02d}_{kind}_{story}",
        _WORLDS[(index + index // 4 + shift) % 4],
        tuple(moves),
        walkers(1, 950 + 50 * shift + index, speed=0.1) if peopled else nobody,
        "some" if peopled else "none",
        Look(noise=1.5, seed=index, shutter=0.6 if kind == "whip" else 0.0),
        duration=stretched * max(end for _, _, end in parts),
        rate=_RATES[(3 * index + shift) % len(_RATES)],
        tags=(kind, "eased" if eased else "abrupt"),
        layout=index % 2,
    )


def _amount(name: str, kind: str, seconds: float, pace: float) -> float:
    """Degrees, scene depths or log focal length."""
    axis = SIGNED_AXES[name][0] if name in SIGNED_AXES else name.rsplit("_", 1)[0]
    axis = "dolly" if axis == "dolly_zoom" else axis
    if kind == "whip" and axis == "pan":
        return _WHIP_DEGREES * pace
    boost = _SHORT_BOOST if kind == "short" else 1.0
    return min(boost * pace * seconds * _PER_SECOND[axis], _MOST[axis])


def _mirrored(name: str) -> str:
    """The same move to the other side, where there is one that the worlds have room for."""
    sides = {"left": "right", "cw": "ccw"}
    sides |= {other: side for side, other in sides.items()}
    stem, _, side = name.rpartition("_")
    return f"{stem}_{sides[side]}" if side in sides else name


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sequences", description=__doc__)
    parser.add_argument("out", type=Path, help="folder for the clips")
    parser.add_argument("--split", choices=SPLITS, default=SPLITS[0])
    options = parser.parse_args(arguments)
    print(rendered_sequences(options.out, options.split))
    return 0


if __name__ == "__main__":
    sys.exit(main())
