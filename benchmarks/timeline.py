"""Timelines against the truth: what happens when, on clips that have ``segments.jsonl``."""

import argparse
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.accuracy import add_choice_of_systems, check_systems, label_all
from benchmarks.stories import FILE, Story, Stretch, read_stories
from benchmarks.tables import Cells, comparison, listing, number, table, write_json
from benchmarks.truth import add_choice_of_clips, read_truth
from dollygrip.classifiers.labels import COMBINED, PRIMITIVES
from dollygrip.classifiers.metrics import matched_segments
from dollygrip.classifiers.records import Segment

LEAST_OVERLAP = 0.5
# A border this close to the first or last is where the clip begins or ends: no feat to find.
_EDGE_SECONDS = 0.2


@dataclass(frozen=True)
class Comparison:
    """One clip's timeline against the truth; what a viewer need not name is left out.

    Attributes:
        story: The truth.
        found: What happens, with the segment that tells it.
        missed: What happens and is not told.
        invented: What is told and does not happen.
    """

    story: Story
    found: tuple[tuple[Stretch, Segment], ...]
    missed: tuple[Stretch, ...]
    invented: tuple[Segment, ...]

    def of(self, motions: Collection[str]) -> "Comparison":
        """The part that is about some labels."""
        return replace(
            self,
            found=tuple(pair for pair in self.found if pair[0].motion in motions),
            missed=tuple(stretch for stretch in self.missed if stretch.motion in motions),
            invented=tuple(segment for segment in self.invented if segment.motion in motions),
        )

    @property
    def errors(self) -> tuple[float, ...]:
        """Seconds that the borders of what was found are off; those of the story itself apart."""
        near, far = _EDGE_SECONDS, self.story.end - _EDGE_SECONDS
        return tuple(
            abs(real - said)
            for stretch, segment in self.found
            for real, said in ((stretch.start, segment.start), (stretch.end, segment.end))
            if near < real < far
        )


@dataclass(frozen=True)
class Timing:
    """How well the segments of some clips were found.

    Attributes:
        clips: Number of clips.
        found: Segments that happen and are told, the two overlapping by ``LEAST_OVERLAP``.
        missed: Segments that happen and are not told.
        invented: Segments that are told and do not happen.
        f1: Over these; NaN where there are none.
        error: Median distance of the borders of what was found from the truth in seconds, the
            borders of the clip apart; NaN where there are none.
        worst: The distance that 95% of them keep.
    """

    clips: int
    found: int
    missed: int
    invented: int
    f1: float
    error: float
    worst: float


@dataclass(frozen=True)
class Result:
    """One run.

    Attributes:
        primitives: Over the primitives, standing still among them.
        combined: Over the moves made of two.
        groups: Over the primitives, for each group of clips.
        motions: For each label that happens or is told.
        wrong: The clips whose primitives are not all found, or not alone.
    """

    primitives: Timing
    combined: Timing
    groups: dict[str, Timing]
    motions: dict[str, Timing]
    wrong: list[dict[str, Any]]


def compare(story: Story, told: Sequence[Segment]) -> Comparison:
    """Match a clip's segments with the truth."""
    pairs = matched_segments(story.stretches, told, LEAST_OVERLAP)
    matched, used = {i for i, _ in pairs}, {j for _, j in pairs}
    return Comparison(
        story,
        found=tuple((story.stretches[i], told[j]) for i, j in pairs if story.stretches[i].sure),
        missed=tuple(s for i, s in enumerate(story.stretches) if s.sure and i not in matched),
        invented=tuple(segment for j, segment in enumerate(told) if j not in used),
    )


def timing(comparisons: Iterable[Comparison], motions: Collection[str] = PRIMITIVES) -> Timing:
    """How well the segments of some labels were found."""
    parts = [comparison.of(motions) for comparison in comparisons]
    found = sum(len(part.found) for part in parts)
    missed = sum(len(part.missed) for part in parts)
    invented = sum(len(part.invented) for part in parts)
    mentions = 2 * found + missed + invented
    errors = [error for part in parts for error in part.errors]
    nothing = float("nan")
    return Timing(
        clips=len(parts),
        found=found,
        missed=missed,
        invented=invented,
        f1=2 * found / mentions if mentions else nothing,
        error=float(np.median(errors)) if errors else nothing,
        worst=float(np.quantile(errors, 0.95)) if errors else nothing,
    )


def result(comparisons: Sequence[Comparison], groups: Sequence[Collection[str]]) -> Result:
    """Everything there is to say of one run.

    Args:
        comparisons: One a clip.
        groups: The names of the groups that each clip counts in.
    """
    by_group = {
        name: timing(c for c, of_clip in zip(comparisons, groups, strict=True) if name in of_clip)
        for name in sorted({name for of_clip in groups for name in of_clip})
    }
    by_motion = {name: timing(comparisons, (name,)) for name in (*PRIMITIVES, *COMBINED)}
    told = [comparison.of(PRIMITIVES) for comparison in comparisons]
    return Result(
        primitives=timing(comparisons),
        combined=timing(comparisons, COMBINED),
        groups=by_group,
        motions={name: t for name, t in by_motion.items() if t.found + t.missed + t.invented > 0},
        wrong=[
            {
                "clip": part.story.clip,
                "missed": [_text(stretch) for stretch in part.missed],
                "invented": [_text(segment) for segment in part.invented],
            }
            for part in told
            if part.missed or part.invented
        ],
    )


def _text(part: Stretch | Segment) -> str:
    return f"{part.motion} {part.start:.2f}-{part.end:.2f}"


_TIMING: Cells[Timing] = (
    ("clips", lambda t: str(t.clips)),
    ("found", lambda t: str(t.found)),
    ("missed", lambda t: str(t.missed)),
    ("invented", lambda t: str(t.invented)),
    (f"F1 at IoU {LEAST_OVERLAP}", lambda t: number(t.f1)),
    ("border off by, s", lambda t: number(t.error)),
    ("95% within, s", lambda t: number(t.worst)),
)
_WRONG: Cells[dict[str, Any]] = (
    ("clip", lambda w: w["clip"]),
    ("missed", lambda w: ", ".join(w["missed"])),
    ("invented", lambda w: ", ".join(w["invented"])),
)


def _listed(corner: str, timings: dict[str, Timing]) -> str:
    rows = [[name, *(cell(t) for _, cell in _TIMING)] for name, t in timings.items()]
    return table([corner, *(title for title, _ in _TIMING)], rows)


def tables(results: dict[str, Result]) -> str:
    """Markdown that also reads well as plain text, without single clips.

    Args:
        results: For each estimator and classifier.
    """
    parts = ["## Segments", comparison("", _TIMING, {w: r.primitives for w, r in results.items()})]
    for who, r in results.items():
        parts += [
            f"### Labels: {who}",
            _listed("label", {**r.motions, "moves made of two": r.combined}),
            f"### Groups of clips: {who}",
            _listed("group", r.groups),
        ]
    return "\n\n".join(parts) + "\n"


def clip_lists(results: dict[str, Result]) -> str:
    """The clips whose timeline is not right, as Markdown."""
    parts = []
    for who, r in results.items():
        heading = f"## Clips of {who} with segments missed or invented: {len(r.wrong)}"
        parts += [heading, listing(_WRONG, r.wrong)]
    return "\n\n".join(parts) + "\n"


def add_command(commands: Any) -> None:
    """Add ``timeline`` to the argument parser's commands."""
    parser = commands.add_parser("timeline", help=f"segments against the truth in {FILE}")
    add_choice_of_clips(parser)
    add_choice_of_systems(parser)
    parser.add_argument("--out", type=Path, help="folder for timeline.md, clips.md, timeline.json")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Label, match, print and write."""
    check_systems(options)
    stories = read_stories(options.folder)
    truths = read_truth(options.folder, options.only, options.limit)
    untold = [truth.clip for truth in truths if truth.clip not in stories]
    if untold:
        raise ValueError(f"{options.folder / FILE} says nothing of {', '.join(untold)}")
    results = {}
    for estimator in options.estimators:
        for classifier in options.classifiers:
            said = label_all(truths, estimator, classifier, options.jobs, options.cache)
            results[f"{estimator}, {classifier}"] = result(
                [compare(stories[t.clip], v.segments) for t, v in zip(truths, said, strict=True)],
                [truth.groups for truth in truths],
            )
    told, lists = tables(results), clip_lists(results)
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "timeline.md").write_text(told, encoding="utf-8")
        (options.out / "clips.md").write_text(lists, encoding="utf-8")
        write_json(options.out / "timeline.json", {w: asdict(r) for w, r in results.items()})
    print(f"{told}\n{lists}")
    return 0
