"""What the inputs of a command mean: files, folders, patterns, lists."""

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO, Self

from dollygrip.runners.lists import (
    LIST_SUFFIXES,
    PARQUET,
    InputError,
    read_list,
    read_standard_input,
)
from dollygrip.runners.patterns import is_pattern, matches, root_of
from dollygrip.runners.video import find_clips, is_folder, printable

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
        if not found.alone:
            with suppress(ValueError):  # a list may lead out of its folder
                place = place.relative_to(found.root)
        digest = hashlib.blake2b(os.fsencode(place), digest_size=8).digest()
        return int.from_bytes(digest) % self.count == self.index - 1


def pose_finder(name: str | None) -> Finder:
    """What finds pose files, of one format when it is named, instead of clips."""
    # Loads numpy, and workers wait to be started until clips have been looked for.
    from dollygrip.runners.formats.catalog import find_poses

    return partial(find_poses, name=name)


def find_inputs(
    inputs: Iterable[str | os.PathLike[str]],
    find: Finder = find_clips,
    *,
    column: str | None = None,
    stdin: BinaryIO | None = None,
) -> Iterator[Found]:
    """The clips that inputs mean, in a stable order; one that is meant twice comes twice.

    An input is

    - a file or a folder, see ``find``;
    - a pattern such as ``clips/**/*.mp4``, where no file is called so: the files that match, and
      what is in the folders that match. One that nothing matches is taken for a file, so that it
      gets its failed record;
    - a list of files and folders, see :func:`dollygrip.runners.lists.read_list`, or ``-`` for one
      on standard input. Its entries are no patterns and no lists. Relative ones are below the
      working folder or else, as data sets are shipped, below the folder of the list. Texts and
      tables are lists only where clips are looked for: they may be poses. A file of which no entry
      is there is refused: it is a text that lay beside the clips, or the disk is not mounted.

    Inputs are read as they come to their turn, and never held.

    Args:
        inputs: What is to be found.
        find: What finds the clips of files and folders.
        column: The column of tables that holds the paths; one of the usual when not given.
        stdin: What ``-`` reads; standard input when not given.

    Raises:
        InputError: An input is empty, a list cannot be read, or nothing that it lists is there.
    """
    for name in inputs:
        if not os.fspath(name):  # a variable of a script that is not set; to Path, all files here
            raise InputError("an input is empty; for the working folder give .")
        given = Path(name)
        if os.fspath(name) == "-":  # and not ./-
            yield from _listed(read_standard_input(stdin, column), Path(), find)
        elif is_pattern(given):
            yield from _matching(given, find)
        elif _is_list(given, find):
            _refuse_if_all_missing(given, column)
            yield from _listed(read_list(given, column), given.parent, find)
        else:
            yield from _given(given, find)


def _given(given: Path, find: Finder) -> Iterator[Found]:
    for path in find([given]):
        alone = path == given
        yield Found(path, given.parent if alone else given, alone)


def _matching(pattern: Path, find: Finder) -> Iterator[Found]:
    root, none = root_of(pattern), True
    for path in find(matches(pattern)):
        none = False
        yield Found(path, root)
    if none:
        yield Found(pattern, pattern.parent, alone=True)


def _is_list(path: Path, find: Finder) -> bool:
    suffix = path.suffix.lower()
    listed = suffix in LIST_SUFFIXES if find is find_clips else suffix == PARQUET
    return listed and not is_folder(path)


def _listed(entries: Iterable[str], home: Path, find: Finder) -> Iterator[Found]:
    """What entries mean: each named by its place as it stands in the list."""
    for entry in map(Path, entries):
        root = Path(entry.anchor)
        path = entry
        if not entry.is_absolute() and not os.path.lexists(entry) and os.path.lexists(home / entry):
            root, path = home, home / entry
        for clip in find([path]):
            yield Found(clip, root)


def _refuse_if_all_missing(path: Path, column: str | None) -> None:
    """Thousands of records of missing clips would hide what is wrong, and replace better ones."""
    missing = 0
    for entry in read_list(path, column):
        if os.path.lexists(entry) or os.path.lexists(path.parent / entry):
            return
        missing += 1
    if missing:
        raise InputError(
            f"{printable(path)}: none of its {missing:,} paths is there; if it lists clips, start"
            " in the folder that they are below, else leave it out"
        )
