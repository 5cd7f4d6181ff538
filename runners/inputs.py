"""What the inputs of a command mean: files, folders, patterns, lists."""

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO, Self

from dollygrip.runners.formats.catalog import find_poses
from dollygrip.runners.lists import InputError
from dollygrip.runners.video import find_clips

__all__ = ["Finder", "Found", "InputError", "Shard", "find_inputs", "pose_finder"]

Finder = Callable[[Iterable[Path]], Iterator[Path]]
"""What finds the clips of files and folders, in a stable order."""


@dataclass(frozen=True, slots=True)
class Found:
    """A clip that an input means.

    Attributes:
        path: The file, as given or below what was given.
        root: The folder below which its place names it, so that names in a run do not change when
            the whole folder moves.
        alone: Whether it was given by itself, and not by a folder, a pattern or a list.
    """

    path: Path
    root: Path
    alone: bool = False


@dataclass(frozen=True, slots=True)
class Shard:
    """One of several parts into which machines split the clips of the same inputs.

    Which part a clip is in depends on nothing but its place below its root, or on its path when it
    was given alone: not on the machine, the order, or what else there is.

    Attributes:
        index: From 1 to ``count``.
        count: How many parts there are.
    """

    index: int
    count: int

    def __post_init__(self) -> None:
        """Checks the numbers.

        Raises:
            InputError: There is no such part.
        """
        if not 1 <= self.index <= self.count:
            raise InputError(f"there is no shard {self.index} of {self.count}; count from 1")

    @classmethod
    def parse(cls, text: str) -> Self:
        """The shard that a text such as ``2/8`` names.

        Raises:
            InputError: It names none.
        """
        match = re.fullmatch("([0-9]{1,9})/([0-9]{1,9})", text)
        if match is None:
            raise InputError(f"{text!r} is no shard; write it as 2/8, the second of eight")
        return cls(int(match[1]), int(match[2]))

    def has(self, found: Found) -> bool:
        """Whether a clip is in this part."""
        place = found.path
        if not found.alone and place.is_relative_to(found.root):
            place = place.relative_to(found.root)
        digest = hashlib.blake2b(os.fsencode(place), digest_size=8).digest()
        return int.from_bytes(digest) % self.count == self.index - 1


def pose_finder(name: str | None) -> Finder:
    """What finds pose files, of one format when it is named, instead of clips."""
    return partial(find_poses, name=name)


def find_inputs(
    inputs: Iterable[str | os.PathLike[str]],
    find: Finder = find_clips,
    *,
    column: str | None = None,
    stdin: BinaryIO | None = None,
) -> Iterator[Found]:
    """The clips that inputs mean, in a stable order; one that is meant twice comes twice.

    Args:
        inputs: Files and folders.
        find: What finds the clips below a folder.
        column: The column of tables that holds the paths.
        stdin: What ``-`` reads; standard input when not given.
    """
    for given in map(Path, inputs):
        for path in find([given]):
            alone = path == given
            yield Found(path, given.parent if alone else given, alone)
