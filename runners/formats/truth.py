"""Label files: what people say of clips, to learn from and to be measured against.

Read are tables (CSV with a column ``clip`` and one for each label), JSON lines (an object a clip)
and CameraBench's binary task (an object an item). What a file does not say of a clip is unsure,
never "no".
"""

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import lru_cache
from itertools import chain
from pathlib import Path, PurePath
from typing import Any, Protocol, TypeVar

from dollygrip.classifiers.labels import BY_NAME, DEFINITIONS, PRIMITIVES
from dollygrip.runners.formats.json_data import unrepeated
from dollygrip.runners.formats.path import PoseError
from dollygrip.runners.formats.text import read_lines

_MOST_BYTES = 64 * 2**20
_MOST_CLIPS = 1_000_000
_ANSWERS = {
    **dict.fromkeys(("yes", "true", "1"), True),
    **dict.fromkeys(("no", "false", "0"), False),
    **dict.fromkeys(("unsure", ""), None),
}
_BY_TASK = {d.camerabench.replace("_", " "): d.name for d in DEFINITIONS if d.camerabench}
# A label that is misspelt would be passed over like any other column.
_NEARLY = 0.85
# "a.1.4" is a name without a suffix, "a.1.4.mp4" has one.
_SUFFIX = re.compile(r"\.[A-Za-z][A-Za-z0-9]{1,4}$")


class LabelError(ValueError):
    """Labels that cannot be read or used; one plain line that names the file and its line."""


class Found(Protocol):
    """What is known of a clip elsewhere: a record, or an answer."""

    @property
    def clip_id(self) -> str:
        """The clip's name in its run."""

    @property
    def path(self) -> str:
        """The file as it was given."""


_Found = TypeVar("_Found", bound=Found)


@dataclass(frozen=True)
class Question:
    """An item of CameraBench's binary task.

    Attributes:
        line: Where it stands in its file, from 1.
        text: What is asked.
    """

    line: int
    text: str


@dataclass(frozen=True)
class LabelledClip:
    """What people say of one clip.

    Attributes:
        clip: The clip as it was written: a file name, a path, or a clip's id in a run.
        answers: For labels True, False, or None where nobody can tell; a label that is not in it
            is unsure, too.
        extra: What else the file says, by its own names.
        where: The file, and the line where the clip is first named.
        questions: By label, the item that was answered; none of files that ask no questions.
    """

    clip: str
    answers: Mapping[str, bool | None]
    extra: Mapping[str, str] = field(default_factory=dict)
    where: str = ""
    questions: Mapping[str, Question] = field(default_factory=dict)


def read_labels(source: Path) -> tuple[LabelledClip, ...]:
    """Read a label file, or CameraBench's folder.

    Tables and objects with a key a label have answers yes, no, unsure, true, false, 1, 0; nothing
    is unsure. Objects of the form ``{"clip": ..., "labels": [...], "unsure": [...]}`` list what is
    there: what they leave out is no, of the primitives and of all other labels that some line of
    the file names.

    Args:
        source: A file of CSV or JSON lines, or a folder with ``binary_classification/*.jsonl``.

    Returns:
        One entry a clip, in the order of the file.

    Raises:
        LabelError: It cannot be read, or something in it is not as expected.
    """
    files = _splits(source) if source.is_dir() else [source]
    try:
        _check_size(files)
        rows = chain.from_iterable(_rows(file) for file in files)
        clips = _joined(rows)
    except OSError as error:
        raise LabelError(f"{source}: {error.strerror or error}") from error
    except PoseError as error:
        # From the reader of text that pose files have, too.
        raise LabelError(str(error)) from error
    if not clips:
        raise LabelError(f"{source}: names no clip")
    return clips


def match(
    clips: Sequence[LabelledClip], records: Iterable[_Found]
) -> tuple[tuple[LabelledClip, _Found | None], ...]:
    """The record of each labelled clip.

    A clip is found by its id, else by its path, else by its file name, else by that without the
    suffix. Of several with the same name the one counts whose folders agree furthest.

    Args:
        clips: What people say.
        records: What a run or a system says.

    Returns:
        Each clip with its record, in order; None where the run has none.

    Raises:
        LabelError: A clip may be either of two records, or two clips are the same one.
    """
    index = _index(records)
    pairs, taken = [], dict[str, LabelledClip]()
    for clip in clips:
        found = _record_of(clip, index)
        if found is not None:
            other = taken.setdefault(found.clip_id, clip)
            if other is not clip:
                raise LabelError(f"{clip.where}: {clip.clip!r} is {found.path}, as {other.clip!r}")
        pairs.append((clip, found))
    return tuple(pairs)


def stem(name: str) -> str:
    """A file name without its suffix, where it has one: "a.1.4" has none."""
    return _SUFFIX.sub("", name)


def _index(records: Iterable[_Found]) -> dict[str, list[_Found]]:
    """Records by all that they may be called; those of one name also by their folders."""
    index: dict[str, list[_Found]] = {}
    for record in records:
        for key in (f"id {record.clip_id}", *_names(PurePath(record.path))):
            index.setdefault(key, []).append(record)
    shared = [(key, group) for key, group in index.items() if len(group) > 1]
    for key, group in shared:
        for record in group:
            for folders in _folders(PurePath(record.path)):
                index.setdefault(f"{key} in {folders}", []).append(record)
    return index


def _record_of(clip: LabelledClip, index: Mapping[str, list[_Found]]) -> _Found | None:
    path = PurePath(clip.clip)
    key = next((key for key in (f"id {clip.clip}", *_names(path)) if key in index), None)
    if key is None:
        return None
    nearest = (index[inside] for f in _folders(path) if (inside := f"{key} in {f}") in index)
    group = next(nearest, index[key])
    if len(group) > 1:
        raise LabelError(f"{clip.where}: {clip.clip!r} may be {group[0].path} or {group[1].path}")
    return group[0]


def _names(path: PurePath) -> tuple[str, str, str]:
    """What a clip may be called, the surest first."""
    return f"path {path}", f"name {path.name}", f"stem {stem(path.name)}"


def _folders(path: PurePath) -> list[str]:
    """The folders that a clip is in, from all of them to the innermost alone."""
    folders = path.parts[:-1]
    return ["/".join(folders[k:]) for k in range(len(folders))]


# --- reading --------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Row:
    """What one line says of one clip."""

    where: str
    clip: str
    answers: dict[str, bool | None]
    extra: dict[str, str] = field(default_factory=dict)
    # Whether the labels that it leaves out are not there.
    complete: bool = False
    questions: dict[str, Question] = field(default_factory=dict)
    # Whether other lines may say more of the same clip.
    partial: bool = False


def _splits(folder: Path) -> list[Path]:
    inside = folder / "binary_classification"
    files = sorted((inside if inside.is_dir() else folder).glob("*.jsonl"))
    if not files:
        raise LabelError(f"{folder}: a folder of labels has binary_classification/*.jsonl")
    return files


def _check_size(files: Sequence[Path]) -> None:
    size = sum(file.stat().st_size for file in files)
    if size > _MOST_BYTES:
        raise LabelError(f"{files[0]}: {size / 2**20:.0f} MB are too large for labels")


def _rows(file: Path) -> Iterator[_Row]:
    lines = ((number, line) for number, line in read_lines(file) if line.strip())
    first = next(lines, None)
    if first is None:
        raise LabelError(f"{file}: empty")
    is_json = first[1].lstrip().startswith("{")
    return (_json_rows if is_json else _table_rows)(file, chain([first], lines))


def _joined(rows: Iterable[_Row]) -> tuple[LabelledClip, ...]:
    """One entry a clip, of lines that say all of it or a part."""
    clips: dict[str, _Row] = {}
    for row in rows:
        known = clips.setdefault(row.clip, row)
        if len(clips) > _MOST_CLIPS:
            raise LabelError(f"{row.where}: more than {_MOST_CLIPS} clips")
        if known is row:
            continue
        again = row.answers.keys() & known.answers.keys()
        if again or not (row.partial and known.partial):
            said = f"{', '.join(sorted(again))} of " if row.partial and known.partial else ""
            raise LabelError(f"{row.where}: {said}{row.clip!r} is at {known.where} already")
        known.answers.update(row.answers)
        known.questions.update(row.questions)
    listed = {label for row in clips.values() if row.complete for label in row.answers}
    absent = dict.fromkeys([*PRIMITIVES, *sorted(listed - set(PRIMITIVES))], False)
    return tuple(
        LabelledClip(
            row.clip,
            absent | row.answers if row.complete else row.answers,
            row.extra,
            row.where,
            row.questions,
        )
        for row in clips.values()
    )


def _table_rows(file: Path, lines: Iterable[tuple[int, str]]) -> Iterator[_Row]:
    number = 0

    def texts() -> Iterator[str]:
        nonlocal number
        for number, line in lines:  # noqa: B007 - the reader may take several lines for a row
            yield line

    reader = csv.reader(texts(), strict=True)
    try:
        header = [name.strip() for name in next(reader)]
        _check_names(header, f"{file}:{number}")
        for cells in reader:
            where = f"{file}:{number}"
            if len(cells) != len(header):
                raise LabelError(f"{where}: {len(cells)} columns, the first line has {len(header)}")
            yield _row(dict(zip(header, cells, strict=True)), where)
    except csv.Error as error:
        raise LabelError(f"{file}:{number}: no CSV: {error}") from error


def _json_rows(file: Path, lines: Iterable[tuple[int, str]]) -> Iterator[_Row]:
    for number, line in lines:
        where = f"{file}:{number}"
        try:
            yield _json_row(line, number, where)
        except LabelError:
            raise
        except RecursionError as error:
            raise LabelError(f"{where}: nested too deeply") from error
        except ValueError as error:
            raise LabelError(f"{where}: no JSON: {error}") from error


def _json_row(line: str, number: int, where: str) -> _Row:
    data = json.loads(line, object_pairs_hook=unrepeated)
    if not isinstance(data, dict):
        raise LabelError(f"{where}: no object, but {_short(data)}")
    if "image" in data and "clip" not in data:
        return _item(data, number, where)
    if "labels" in data:
        return _listed(data, where)
    _check_names(list(data), where)
    return _row(data, where)


def _item(data: dict[str, Any], number: int, where: str) -> _Row:
    """A question of CameraBench's binary task."""
    label = _BY_TASK.get(str(data.get("task")))
    if label is None:
        raise LabelError(f"{where}: task is {_short(data.get('task'))}, no primitive")
    if data.get("label") not in ("Yes", "No"):
        raise LabelError(f"{where}: label is {_short(data.get('label'))}, not Yes or No")
    answers: dict[str, bool | None] = {label: data["label"] == "Yes"}
    asked = {label: Question(number, str(data.get("question", "")))}
    clip = _clip(data["image"], where)
    return _Row(where, clip, answers, partial=True, questions=asked)


def _listed(data: dict[str, Any], where: str) -> _Row:
    """A clip with a list of what is there."""
    answers: dict[str, bool | None] = {}
    for key, answer in (("labels", True), ("unsure", None)):
        names = data.get(key, [])
        if not isinstance(names, list):
            raise LabelError(f"{where}: {key} is {_short(names)}, no list")
        for name in names:
            if not isinstance(name, str) or name not in BY_NAME:
                raise LabelError(f"{where}: {_short(name)} is no label")
            if name in answers:
                raise LabelError(f"{where}: {name} is listed twice")
            answers[name] = answer
    rest = {key: value for key, value in data.items() if key not in ("clip", "labels", "unsure")}
    if mixed := sorted(rest.keys() & BY_NAME.keys()):
        raise LabelError(f"{where}: has both a list of labels and the key {mixed[0]!r}")
    clip = _clip(data.get("clip"), where)
    return _Row(where, clip, answers, _texts(rest), complete=True)


def _row(data: Mapping[str, Any], where: str) -> _Row:
    """A clip with an answer for each label."""
    answers = {name: _answer(data[name], name, where) for name in BY_NAME if name in data}
    rest = {key: value for key, value in data.items() if key != "clip" and key not in BY_NAME}
    return _Row(where, _clip(data["clip"], where), answers, _texts(rest))


def _answer(value: Any, name: str, where: str) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    said = str(value).strip().lower()
    if said not in _ANSWERS or not isinstance(value, str | int):
        raise LabelError(f"{where}: {name} is {_short(value)}, not yes, no or unsure")
    return _ANSWERS[said]


def _check_names(names: Sequence[str], where: str) -> None:
    """Whether there is a clip and a label, and nothing that is nearly one."""
    if "clip" not in names:
        raise LabelError(f"{where}: lacks 'clip'")
    seen = set[str]()
    for name in names:
        if name in seen:
            raise LabelError(f"{where}: has {_short(name)} twice")
        seen.add(name)
        meant = _meant(name)
        if meant not in (name, ""):
            raise LabelError(f"{where}: {_short(name)} is no label; perhaps {meant} is meant")
    if not seen & BY_NAME.keys():
        raise LabelError(f"{where}: names none of the labels {', '.join(PRIMITIVES)}")


@lru_cache(maxsize=1000)
def _meant(name: str) -> str:
    """The label that is written so, or nearly so; nothing for another word."""
    if name in BY_NAME:
        return name
    near = get_close_matches(name.lower().replace(" ", "_"), BY_NAME, 1, _NEARLY)
    return near[0] if near else ""


def _clip(value: Any, where: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise LabelError(f"{where}: the clip is {_short(value)}, no file name")
    return value.strip()


def _texts(data: Mapping[str, Any]) -> dict[str, str]:
    return {k: v if isinstance(v, str) else json.dumps(v) for k, v in data.items()}


def _short(value: Any) -> str:
    """A value for a message: one short line, whatever was in the file."""
    said = repr(value)
    return said if len(said) <= 60 else f"{said[:57]}..."
