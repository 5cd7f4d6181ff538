"""CameraBench's questions about pairs of clips, and its captions."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dollygrip.runners.formats.json_data import read_data, unrepeated
from dollygrip.runners.formats.path import PoseError
from dollygrip.runners.formats.text import read_lines
from dollygrip.runners.formats.truth import LabelError

FOLDER = "vqa_and_retrieval"
"""Where pairs are, inside CameraBench's folder: a folder a skill, a file a task."""

CAPTION_FILE = "caption_data.json"
"""Where captions are, inside CameraBench's folder."""

_MOST_FILES = 1000
_MOST_PAIRS = 100_000
_LONGEST = 20_000


@dataclass(frozen=True)
class Pair:
    """Two questions about two clips, each question true of one of them.

    Attributes:
        skill: Name of the folder.
        task: Name of the file.
        pos_video: The clip of which the first question is true.
        neg_video: The clip of which the second question is true.
        pos_question: The first question.
        neg_question: The second question.
        where: The file and line.
    """

    skill: str
    task: str
    pos_video: str
    neg_video: str
    pos_question: str
    neg_question: str
    where: str = ""


@dataclass(frozen=True)
class Description:
    """What people say of one clip.

    Attributes:
        video: The clip.
        question: What was asked.
        answer: What they say.
        where: The file and the number of the entry.
    """

    video: str
    question: str
    answer: str
    where: str = ""


def read_pairs(folder: Path) -> tuple[Pair, ...]:
    """The pairs of CameraBench's folder.

    Args:
        folder: CameraBench's folder, with ``vqa_and_retrieval/SKILL/TASK.jsonl``.

    Returns:
        By skill, task and line; none where the folder has none.

    Raises:
        LabelError: One cannot be read.
    """
    files = sorted((folder / FOLDER).glob("*/*.jsonl"))
    if len(files) > _MOST_FILES:
        raise LabelError(f"{folder / FOLDER}: more than {_MOST_FILES} files")
    pairs: list[Pair] = []
    for file in files:
        pairs += _read(file)
        if len(pairs) > _MOST_PAIRS:
            raise LabelError(f"{folder / FOLDER}: more than {_MOST_PAIRS} pairs")
    return tuple(pairs)


def read_descriptions(folder: Path) -> tuple[Description, ...]:
    """The captions of CameraBench's folder.

    Args:
        folder: CameraBench's folder, with ``caption_data.json``.

    Returns:
        In the order of the file; none where the folder has none.

    Raises:
        LabelError: They cannot be read.
    """
    file = folder / CAPTION_FILE
    if not file.exists():
        return ()
    try:
        data = read_data(file)
    except OSError as error:
        raise LabelError(f"{file}: {error.strerror or error}") from error
    except ValueError as error:
        raise LabelError(str(error)) from error
    if not isinstance(data, list):
        raise LabelError(f"{file}: no list of captions")
    keys = ("video", "question", "answer")
    places = (f"{file}: [{i}]" for i in range(len(data)))
    return tuple(
        Description(where=where, **_texts(entry, keys, where))
        for entry, where in zip(data, places, strict=True)
    )


def _read(file: Path) -> Iterator[Pair]:
    keys = ("pos_video", "neg_video", "pos_question", "neg_question")
    try:
        for number, line in read_lines(file):
            if not line.strip():
                continue
            where = f"{file}:{number}"
            texts = _texts(_object(line, where), keys, where)
            yield Pair(skill=file.parent.name, task=file.stem, where=where, **texts)
    except PoseError as error:
        # From the reader of text that pose files have, too.
        raise LabelError(str(error)) from error


def _object(line: str, where: str) -> Any:
    try:
        return json.loads(line, object_pairs_hook=unrepeated)
    except RecursionError as error:
        raise LabelError(f"{where}: nested too deeply") from error
    except ValueError as error:
        raise LabelError(f"{where}: no JSON: {error}") from error


def _texts(data: Any, keys: tuple[str, ...], where: str) -> dict[str, str]:
    """The texts under some keys of an object; each is there, and says something."""
    if not isinstance(data, dict):
        raise LabelError(f"{where}: no object")
    for key in keys:
        value = data.get(key)
        if not isinstance(value, str) or not value.strip() or len(value) > _LONGEST:
            raise LabelError(f"{where}: {key} is no text of 1 to {_LONGEST} characters")
    return {key: data[key] for key in keys}
