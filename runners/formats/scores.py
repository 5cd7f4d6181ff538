"""CameraBench's official score files: what its public evaluator reads, written and read.

Fields have the names of the keys in the files. The evaluator leaves out every entry whose error is
not null, and looks at scores of the others alone; so an entry has either an error or scores.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from dollygrip.runners.formats.files import write_atomically
from dollygrip.runners.formats.json_data import read_data

BINARY, VQA, CAPTIONS = "classification_scores", "vqa_retrieval_scores", "caption_results"
"""How the names of the three kinds of files begin."""

NO_SCORE = "no score"
"""The error of an entry that was read with neither a score nor an error."""

_LONGEST = 20_000
_MOST_FILES = 10_000


class ScoreError(ValueError):
    """Score files that cannot be read or used; one plain line that names the file and entry."""


@dataclass(frozen=True)
class Metadata:
    """Who made a score file, and of what.

    Attributes:
        model_name: What the evaluator's tables call the system.
        split_name: What the file is about; with the model and the checkpoint it tells files apart.
        method_type: The kind of system.
        checkpoint: Which weights; empty for none.
        generation_timestamp: When, as ISO 8601.
        skill_name: Of pairs: the skill.
        task_name: Of pairs: the task; empty where the file has all tasks of a skill.
    """

    model_name: str
    split_name: str = ""
    method_type: str = ""
    checkpoint: str = ""
    generation_timestamp: str = ""
    skill_name: str = ""
    task_name: str = ""

    @property
    def system(self) -> str:
        """The model, and its checkpoint where there is one."""
        checkpoint = self.checkpoint.rstrip("/").rpartition("/")[2]
        return f"{self.model_name} {checkpoint}" if checkpoint else self.model_name


@dataclass(frozen=True)
class ClassificationSample:
    """One question about one clip, and how surely the answer is yes.

    Attributes:
        sample_id: Number of the sample.
        video_path: The clip.
        question: What was asked.
        ground_truth_label: "yes" or "no"; empty where nobody has said.
        method: Who answered.
        score: Higher is surer; None with an error.
        error: Why there is no score; None with a score.
    """

    sample_id: str
    video_path: str
    question: str
    ground_truth_label: str
    method: str
    score: float | None
    error: str | None = None


@dataclass(frozen=True)
class Cells:
    """A number for each question (text) about each clip (image) of a pair."""

    pos_text_pos_image: float
    pos_text_neg_image: float
    neg_text_pos_image: float
    neg_text_neg_image: float


@dataclass(frozen=True)
class VqaSample:
    """Two questions about two clips, each question true of one.

    Attributes:
        sample_id: Number of the sample.
        pos_video: The clip of which the first question is true.
        neg_video: The clip of which the second question is true.
        pos_question: The first question.
        neg_question: The second question.
        method: Who answered.
        yes_scores: How surely the answers are yes; None with an error.
        no_scores: How surely the answers are no; None with an error.
        error: Why there are no scores; None with scores.
    """

    sample_id: str
    pos_video: str
    neg_video: str
    pos_question: str
    neg_question: str
    method: str
    yes_scores: Cells | None
    no_scores: Cells | None
    error: str | None = None


@dataclass(frozen=True)
class CaptionSample:
    """What was said of one clip, beside what people say.

    Attributes:
        sample_id: Number of the sample.
        video_path: The clip.
        question: What was asked.
        reference_answer: What people say.
        method: Who answered.
        generated_caption: The answer; empty with an error.
        error: Why there is no answer; None with one.
    """

    sample_id: str
    video_path: str
    question: str
    reference_answer: str
    method: str
    generated_caption: str
    error: str | None = None


@dataclass(frozen=True)
class ClassificationScores:
    """A file of the binary task: one primitive."""

    metadata: Metadata
    scores: tuple[ClassificationSample, ...]
    where: str = ""


@dataclass(frozen=True)
class VqaScores:
    """A file of the task with pairs: one task, or all of a skill."""

    metadata: Metadata
    scores: tuple[VqaSample, ...]
    where: str = ""


@dataclass(frozen=True)
class Captions:
    """A file of captions."""

    metadata: Metadata
    captions: tuple[CaptionSample, ...]
    where: str = ""


Scores = ClassificationScores | VqaScores | Captions


def write_scores(folder: Path, scores: Scores) -> Path:
    """Write a score file under a name by which the public evaluator finds it.

    Args:
        folder: Where; it is there already. A file of the same system and split is replaced.
        scores: What to write.

    Returns:
        The file.
    """
    about = scores.metadata
    name = "_".join(map(_plain, filter(None, (about.system, about.split_name))))
    path = folder / f"{_kind(scores)}_{name}.json"
    data = asdict(scores)
    del data["where"]
    # Only files of pairs have a skill and a task, and captions no split.
    data["metadata"] = {k: v for k, v in data["metadata"].items() if v or k == "checkpoint"}
    write_atomically(path, (json.dumps(data, indent=1, allow_nan=False) + "\n").encode())
    return path


def read_scores(source: Path) -> tuple[Scores, ...]:
    """Read a score file, or all of a folder.

    Keys that are not known are passed over. An entry without a score, or with one that is no
    number, has the error :data:`NO_SCORE`.

    Args:
        source: A file of any name, or a folder with files as :func:`write_scores` names them.

    Returns:
        One entry a file, by name.

    Raises:
        ScoreError: One cannot be read, or two are of the same system and split.
    """
    try:
        files = _files(source) if source.is_dir() else [source]
        found = [_scores(read_data(file), file) for file in files]
    except OSError as error:
        raise ScoreError(f"{source}: {error.strerror or error}") from error
    except ValueError as error:
        raise ScoreError(str(error)) from error
    seen: dict[tuple[type, Metadata], str] = {}
    for scores in found:
        # Other times and methods do not make another system.
        about = replace(scores.metadata, generation_timestamp="", method_type="")
        other = seen.setdefault((type(scores), about), scores.where)
        if other != scores.where:
            raise ScoreError(f"{scores.where}: the same system and split as {other}")
    return tuple(found)


def _kind(scores: Scores) -> str:
    if isinstance(scores, ClassificationScores):
        return BINARY
    return VQA if isinstance(scores, VqaScores) else CAPTIONS


def _plain(name: str) -> str:
    """A name as part of a file's name, on any system."""
    return re.sub(r"[^\w.]+", "-", name).strip("-.")[:80]


def _files(folder: Path) -> list[Path]:
    kinds = (BINARY, VQA, CAPTIONS)
    files = sorted(file for kind in kinds for file in folder.glob(f"{kind}_*.json"))
    if not files:
        raise ScoreError(f"{folder}: holds no {', '.join(f'{kind}_*.json' for kind in kinds)}")
    if len(files) > _MOST_FILES:
        raise ScoreError(f"{folder}: more than {_MOST_FILES} score files")
    return files


# --- reading --------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Entry:
    """A part of a file, and where it is."""

    data: Mapping[str, Any]
    where: str

    def text(self, key: str, default: str | None = None) -> str:
        """A text; the default where there is none, or null."""
        value = self.data.get(key)
        if value is None and default is not None:
            return default
        # Some programs number their samples.
        if isinstance(value, int) and key == "sample_id":
            value = str(value)
        if not isinstance(value, str):
            raise ScoreError(f"{self.where}: {key} is {_short(value)}, no text")
        if len(value) > _LONGEST:
            raise ScoreError(f"{self.where}: {key} has more than {_LONGEST} characters")
        return value

    def number(self, key: str) -> float | None:
        """A number; None where there is none, or one that is not finite."""
        value = self.data.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ScoreError(f"{self.where}: {key} is {_short(value)}, no number")
        try:
            number = float(value)
        except OverflowError as error:
            raise ScoreError(f"{self.where}: {key} is too large") from error
        return number if math.isfinite(number) else None

    def cells(self, key: str) -> Cells | None:
        """The four numbers of a pair; None where one of them is not there."""
        value = self.data.get(key)
        if value is None:
            return None
        entry = _entry(value, f"{self.where}: {key}")
        numbers = [entry.number(field.name) for field in fields(Cells)]
        known = [number for number in numbers if number is not None]
        return Cells(*known) if len(known) == len(numbers) else None

    def error(self) -> str | None:
        """The error; null, a missing one and an empty text are none."""
        return self.text("error", "") or None


def _entry(value: Any, where: str) -> _Entry:
    if not isinstance(value, dict):
        raise ScoreError(f"{where}: {_short(value)} is no object")
    return _Entry(value, where)


def _scores(data: Any, file: Path) -> Scores:
    """A file of whichever kind its entries are."""
    whole = _entry(data, str(file))
    about = _metadata(_entry(whole.data.get("metadata"), f"{file}: metadata"), file)
    if "captions" in whole.data:
        captions = map(_caption, _entries(whole, "captions"))
        return Captions(about, tuple(captions), str(file))
    entries = list(_entries(whole, "scores"))
    if "pos_question" in entries[0].data:
        return VqaScores(about, tuple(map(_pair, entries)), str(file))
    return ClassificationScores(about, tuple(map(_sample, entries)), str(file))


def _entries(whole: _Entry, key: str) -> list[_Entry]:
    found = whole.data.get(key)
    if not isinstance(found, list) or not found:
        raise ScoreError(f"{whole.where}: no score file; it has no list of {key}")
    return [_entry(value, f"{whole.where}: {key}[{i}]") for i, value in enumerate(found)]


def _metadata(entry: _Entry, file: Path) -> Metadata:
    texts = {field.name: entry.text(field.name, "") for field in fields(Metadata)}
    if not texts["model_name"].strip():
        raise ScoreError(f"{file}: metadata: lacks model_name")
    return Metadata(**texts)


def _sample(entry: _Entry) -> ClassificationSample:
    truth = entry.text("ground_truth_label").strip().lower()
    if truth not in ("yes", "no", ""):
        raise ScoreError(f"{entry.where}: ground_truth_label is {_short(truth)}, not yes or no")
    score, error = entry.number("score"), entry.error()
    if score is None and error is None:
        error = NO_SCORE
    return ClassificationSample(
        sample_id=entry.text("sample_id", ""),
        video_path=entry.text("video_path"),
        question=entry.text("question", ""),
        ground_truth_label=truth,
        method=entry.text("method", ""),
        score=score if error is None else None,
        error=error,
    )


def _pair(entry: _Entry) -> VqaSample:
    yes, no, error = entry.cells("yes_scores"), entry.cells("no_scores"), entry.error()
    if error is None and (yes is None or no is None):
        error = NO_SCORE
    return VqaSample(
        sample_id=entry.text("sample_id", ""),
        pos_video=entry.text("pos_video"),
        neg_video=entry.text("neg_video"),
        pos_question=entry.text("pos_question"),
        neg_question=entry.text("neg_question"),
        method=entry.text("method", ""),
        yes_scores=yes if error is None else None,
        no_scores=no if error is None else None,
        error=error,
    )


def _caption(entry: _Entry) -> CaptionSample:
    caption, error = entry.text("generated_caption", ""), entry.error()
    return CaptionSample(
        sample_id=entry.text("sample_id", ""),
        video_path=entry.text("video_path"),
        question=entry.text("question", ""),
        reference_answer=entry.text("reference_answer", ""),
        method=entry.text("method", ""),
        generated_caption=caption,
        error=error or (None if caption else "no caption"),
    )


def _short(value: Any) -> str:
    """A value for a message: one short line, whatever was in the file."""
    said = f"a {type(value).__name__}" if isinstance(value, dict | list) else repr(value)
    return said if len(said) <= 60 else f"{said[:57]}..."
