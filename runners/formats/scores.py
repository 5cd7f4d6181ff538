"""CameraBench's official score files: what its public evaluator reads, written and read.

Fields have the names of the keys in the files. The evaluator leaves out every entry whose error is
not null, and looks at scores of the others alone; so an entry has either an error or scores.
"""

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
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
        return " ".join(filter(None, (self.model_name, self.checkpoint.rpartition("/")[2])))


@dataclass(frozen=True)
class ClassificationSample:
    """One question about one clip, and how surely the answer is yes.

    Attributes:
        sample_id: Number of the sample.
        video_path: The clip.
        question: What was asked.
        ground_truth_label: "yes" or "no".
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
    """Write a score file under the name by which the public evaluator finds it.

    Args:
        folder: Where; it is there already. A file of the same system and split is replaced.
        scores: What to write.

    Returns:
        The file.
    """
    raise NotImplementedError


def read_scores(source: Path) -> tuple[Scores, ...]:
    """Read a score file, or all of a folder.

    Args:
        source: A file of any name, or a folder with files as :func:`write_scores` names them.

    Returns:
        One entry a file, by name.

    Raises:
        ScoreError: One cannot be read, or two are of the same system and split.
    """
    raise NotImplementedError
