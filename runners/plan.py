"""What there is to do for some inputs, and what a run has done already."""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from dollygrip.runners.content import unchanged
from dollygrip.runners.inputs import Finder, find_inputs, pose_finder
from dollygrip.runners.recipe import Recipe, Task
from dollygrip.runners.store import Finished, clip_id_of, finished
from dollygrip.runners.video import find_clips

AnyPath = str | os.PathLike[str]
POSES = "poses"
"""The estimator whose inputs are pose files, where it is given none beside the clips."""


@dataclass(frozen=True)
class Plan:
    """What there is to do for some inputs.

    Attributes:
        kept: Where the run has records that are still right.
        motion_kept: Where it has records whose motion is still right, but not their classifier.
        tasks: Clips to label.
    """

    kept: tuple[int, ...]
    motion_kept: tuple[int, ...]
    tasks: tuple[Task, ...]

    def __len__(self) -> int:
        """Number of clips."""
        return len(self.kept) + len(self.motion_kept) + len(self.tasks)


def make_plan(
    inputs: Iterable[AnyPath],
    recipe: Recipe,
    run: AnyPath | None = None,
    *,
    retry_failed: bool = False,
) -> Plan:
    """Find the clips of some inputs, and which of them a run has records of.

    Args:
        inputs: Files and folders.
        recipe: How they are to be labelled.
        run: The run folder to go on with.
        retry_failed: Failed records do not count.
    """
    known = {} if run is None else finished(Path(run))
    kept, motion_kept, tasks = [], [], []
    for path, clip_id in _named(inputs, known, finder(recipe)):
        record = known.get(clip_id)
        if (
            record is None
            or not unchanged(path, record.content)
            or record.settings[0] != recipe.hashes[0]
            or (record.failed and retry_failed)
        ):
            tasks.append(Task(os.fspath(path), clip_id))
        elif record.settings[1] != recipe.hashes[1]:
            motion_kept.append(record.offset)
        else:
            kept.append(record.offset)
    return Plan(tuple(kept), tuple(motion_kept), tuple(tasks))


def finder(recipe: Recipe) -> Finder:
    """What finds the clips below an input: pose files where they are read without a video."""
    settings = recipe.estimator.settings
    if recipe.estimator.name == POSES and not settings["poses"]:
        return pose_finder(settings["format"] or None)
    return find_clips


def _named(
    inputs: Iterable[AnyPath],
    known: Mapping[str, Finished],
    find: Finder,
) -> Iterator[tuple[Path, str]]:
    """Each clip once, with its name in the run.

    The name comes from the clip's place below its input, so that a folder may move. Where that
    is taken by another clip (another input with the same file names), it comes from the whole
    path.
    """
    files: set[str] = set()
    taken: set[str] = set()
    for found in find_inputs(inputs, find):
        path, whole = found.path, found.path.absolute()
        if str(whole) in files:
            continue
        files.add(str(whole))
        name = clip_id_of(path, found.root)
        other = known.get(name)
        stranger = other and other.path != str(path) and not unchanged(path, other.content)
        if name in taken or stranger:
            name = clip_id_of(whole, Path(whole.anchor))
        taken.add(name)
        yield path, name
