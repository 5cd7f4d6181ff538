"""Paths that a pattern such as ``clips/**/*.mp4`` means.

Python's own ``glob`` recurses (folders may be nested more deeply than its stack), follows links in
circles, and gives its matches in no order.
"""

import os
from collections.abc import Iterator
from fnmatch import fnmatchcase
from glob import has_magic
from pathlib import Path

from dollygrip.runners.video import in_natural_order, is_folder

_ANY_DEPTH = "**"


def is_pattern(path: Path) -> bool:
    """Whether a path means others: it has ``*``, ``?`` or ``[``, and is not itself there."""
    return has_magic(os.fspath(path)) and not os.path.lexists(path)


def root_of(pattern: Path) -> Path:
    """The folder before the first part that has ``*``, ``?`` or ``[``."""
    plain = next(i for i, part in enumerate(pattern.parts) if has_magic(part))
    return Path(*pattern.parts[:plain])


def matches(pattern: Path) -> Iterator[Path]:
    """What matches, folder by folder, in natural order, each once.

    As in a shell: ``**`` means folders of any depth but follows no links to them, and what begins
    with a dot is matched only by what does. What is below a folder that matches is not looked at.
    A folder that cannot be read is itself given, so that it shows.
    """
    root = root_of(pattern)
    parts = pattern.parts[len(root.parts) :]
    waiting = [(root, _skipping({0}, parts))]
    if len(parts) in waiting[0][1]:
        yield root
        return
    while waiting:
        folder, states = waiting.pop()
        hits: list[str] = []
        inside: list[tuple[str, frozenset[int]]] = []
        try:
            with os.scandir(folder) as found:
                for entry in found:
                    then = _after(states, parts, entry)
                    if len(parts) in then:
                        hits.append(entry.name)
                    elif then and is_folder(entry):
                        inside.append((entry.name, then))
        except (FileNotFoundError, NotADirectoryError, ValueError):
            pass
        except OSError:
            hits.append("")
        yield from (folder / name for name in in_natural_order(hits))
        after = dict(inside)
        waiting += [(folder / name, after[name]) for name in reversed(in_natural_order(after))]


def _after(
    states: frozenset[int], parts: tuple[str, ...], entry: "os.DirEntry[str]"
) -> frozenset[int]:
    """How many parts may be matched once this entry is, for each number that was before it."""
    hidden = entry.name.startswith(".")
    then = set()
    for state in states:
        part = parts[state]
        if part == _ANY_DEPTH:
            if not hidden and not entry.is_symlink() and is_folder(entry):
                then.add(state)
        elif fnmatchcase(entry.name, part) and (not hidden or part.startswith(".")):
            then.add(state + 1)
    return _skipping(then, parts)


def _skipping(states: set[int], parts: tuple[str, ...]) -> frozenset[int]:
    """The same, where ``**`` may also mean no folder."""
    for state, part in enumerate(parts):
        if state in states and part == _ANY_DEPTH:
            states.add(state + 1)
    return frozenset(states)
