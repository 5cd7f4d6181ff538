"""What the inputs of a command mean: files, folders, patterns, lists."""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from dollygrip.runners.formats.catalog import find_poses
from dollygrip.runners.video import find_clips

Finder = Callable[[Iterable[Path]], Iterator[Path]]
"""What finds the clips of files and folders, in a stable order."""


@dataclass(frozen=True, slots=True)
class Found:
    """A clip that an input means.

    Attributes:
        path: The file, as given or below what was given.
        root: The folder below which its place names it, so that names in a run do not change when
            the whole folder moves.
    """

    path: Path
    root: Path


def pose_finder(name: str | None) -> Finder:
    """What finds pose files, of one format when it is named, instead of clips."""
    return partial(find_poses, name=name)


def find_inputs(
    inputs: Iterable[str | os.PathLike[str]], find: Finder = find_clips
) -> Iterator[Found]:
    """The clips that inputs mean, in a stable order; one that is meant twice comes twice.

    Args:
        inputs: Files and folders.
        find: What finds the clips below a folder.
    """
    for given in map(Path, inputs):
        for path in find([given]):
            yield Found(path, given.parent if path == given else given)
