"""CameraBench's three tasks: what is asked of which clip, and the score files of the answers."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Protocol

from dollygrip.classifiers.labels import BY_NAME, PRIMITIVES
from dollygrip.classifiers.questions import LABEL_QUESTIONS
from dollygrip.runners.formats.pairs import Description, Pair
from dollygrip.runners.formats.scores import (
    Captions,
    CaptionSample,
    ClassificationSample,
    ClassificationScores,
    Metadata,
    Scores,
    VqaSample,
    VqaScores,
)
from dollygrip.runners.formats.truth import LabelledClip, match
from dollygrip.runners.vlm.answers import Outcome
from dollygrip.runners.vlm.planning import Query
from dollygrip.runners.vqa import sample

METHOD_TYPE = "VLM"
_NOT_KNOWN = ""


class Task(Protocol):
    """Questions about clips."""

    @property
    def queries(self) -> tuple[Query, ...]:
        """What is asked, in order; a question may be in it twice."""

    def scores(self, answers: Mapping[Query, Outcome], about: "About") -> tuple[Scores, ...]:
        """The answers as official score files."""


@dataclass(frozen=True)
class About:
    """Who answered, how and when.

    Attributes:
        model: Name of the model.
        method: How its answers were got, in words.
        time: As ISO 8601.
    """

    model: str
    method: str
    time: str

    def metadata(self, split: str, skill: str = "", task: str = "") -> Metadata:
        """Of one file."""
        return Metadata(self.model, split, METHOD_TYPE, "", self.time, skill, task)


@dataclass(frozen=True)
class Item:
    """A yes-or-no question of the binary task.

    Attributes:
        label: What is asked for.
        clip: The clip, as the labels call it.
        query: The question.
        truth: "yes" or "no"; empty where nobody has said.
    """

    label: str
    clip: str
    query: Query
    truth: str


@dataclass(frozen=True)
class BinaryTask:
    """A question for each label and clip."""

    items: tuple[Item, ...]

    @property
    def queries(self) -> tuple[Query, ...]:
        """What is asked, clip by clip."""
        return tuple(item.query for item in self.items)

    def scores(self, answers: Mapping[Query, Outcome], about: About) -> tuple[Scores, ...]:
        """A file for each label, called by CameraBench's name where it has one."""
        labels = sorted({item.label for item in self.items}, key=list(BY_NAME).index)
        return tuple(
            ClassificationScores(
                about.metadata(BY_NAME[label].camerabench or label),
                tuple(self._samples(label, answers, about.method)),
            )
            for label in labels
        )

    def _samples(
        self, label: str, answers: Mapping[Query, Outcome], method: str
    ) -> Iterator[ClassificationSample]:
        items = (item for item in self.items if item.label == label)
        for i, item in enumerate(items):
            got = answers[item.query]
            asked = item.query.text
            yield ClassificationSample(
                str(i), item.clip, asked, item.truth, method, got.score, got.error
            )


@dataclass(frozen=True)
class PairTask:
    """Two questions about two clips: four cells a pair."""

    pairs: tuple[tuple[Pair, Path, Path], ...]

    @property
    def queries(self) -> tuple[Query, ...]:
        """What is asked, pair by pair."""
        return tuple(query for pair in self.pairs for query in _cells(*pair))

    def scores(self, answers: Mapping[Query, Outcome], about: About) -> tuple[Scores, ...]:
        """A file for each task."""
        tasks: dict[tuple[str, str], list[tuple[Pair, Path, Path]]] = {}
        for pair in self.pairs:
            tasks.setdefault((pair[0].skill, pair[0].task), []).append(pair)
        return tuple(
            VqaScores(
                about.metadata(f"{skill}_{task}", skill, task),
                tuple(_vqa_sample(i, *pair, answers, about.method) for i, pair in enumerate(group)),
            )
            for (skill, task), group in tasks.items()
        )


@dataclass(frozen=True)
class CaptionTask:
    """A description of each clip."""

    descriptions: tuple[tuple[Description, Path], ...]

    @property
    def queries(self) -> tuple[Query, ...]:
        """What is asked, clip by clip."""
        return tuple(Query(path, asked.question) for asked, path in self.descriptions)

    def scores(self, answers: Mapping[Query, Outcome], about: About) -> tuple[Scores, ...]:
        """One file."""
        samples = []
        for i, (asked, path) in enumerate(self.descriptions):
            got = answers[Query(path, asked.question)]
            samples.append(
                CaptionSample(
                    sample_id=str(i),
                    video_path=asked.video,
                    question=asked.question,
                    reference_answer=asked.answer,
                    method=about.method,
                    generated_caption=got.caption,
                    error=got.error,
                )
            )
        return (Captions(about.metadata(""), tuple(samples)),)


def binary_task(
    videos: Sequence[Path], labels: Sequence[LabelledClip] | None, limit: int | None = None
) -> BinaryTask:
    """The questions of the binary task.

    Args:
        videos: The clips.
        labels: What people say; only that is asked, in their words where they were asked. Without
            them, every primitive is asked of every clip.
        limit: Of clips; None for all.

    Raises:
        LabelError: A name may be either of two clips.
    """
    if labels is None:
        return BinaryTask(
            tuple(
                Item(label, str(path), Query(path, LABEL_QUESTIONS[label]), _NOT_KNOWN)
                for path in videos[:limit]
                for label in PRIMITIVES
            )
        )
    items = []
    for clip, path in _found(labels, videos)[:limit]:
        for label, answer in clip.answers.items():
            if answer is not None:
                asked = clip.questions.get(label)
                text = asked.text if asked else LABEL_QUESTIONS[label]
                truth = "yes" if answer else "no"
                items.append(Item(label, clip.clip, Query(path, text), truth))
    return BinaryTask(tuple(items))


def pair_task(videos: Sequence[Path], pairs: Sequence[Pair], limit: int | None = None) -> PairTask:
    """The questions of pairs whose clips are both there; ``limit`` is of pairs.

    Raises:
        LabelError: A name may be either of two clips.
    """
    where = {video: pair.where for pair in pairs for video in (pair.pos_video, pair.neg_video)}
    named = [LabelledClip(video, {}, where=line) for video, line in where.items()]
    paths = {clip.clip: path for clip, path in _found(named, videos)}
    there = (
        (pair, paths[pair.pos_video], paths[pair.neg_video])
        for pair in pairs
        if pair.pos_video in paths and pair.neg_video in paths
    )
    return PairTask(tuple(islice(there, limit)))


def caption_task(
    videos: Sequence[Path], descriptions: Sequence[Description], limit: int | None = None
) -> CaptionTask:
    """What is asked for captions of clips that are there; ``limit`` is of clips.

    Raises:
        LabelError: A name may be either of two clips.
    """
    asked = {description.video: description for description in descriptions}
    named = [LabelledClip(video, {}, where=video) for video in asked]
    found = _found(named, videos)[:limit]
    return CaptionTask(tuple((asked[clip.clip], path) for clip, path in found))


@dataclass(frozen=True)
class _Video:
    """A clip as labels are matched with."""

    clip_id: str
    path: str


def _found(
    clips: Sequence[LabelledClip], videos: Sequence[Path]
) -> list[tuple[LabelledClip, Path]]:
    """Those of some named clips that are there, each with its file."""
    there = [_Video(str(path), str(path)) for path in videos]
    return [(clip, Path(video.path)) for clip, video in match(clips, there) if video is not None]


def _cells(pair: Pair, pos: Path, neg: Path) -> tuple[Query, Query, Query, Query]:
    """Each question about each clip, in the order of :func:`dollygrip.runners.vqa.sample`."""
    return (
        Query(pos, pair.pos_question),
        Query(neg, pair.pos_question),
        Query(pos, pair.neg_question),
        Query(neg, pair.neg_question),
    )


def _vqa_sample(
    number: int, pair: Pair, pos: Path, neg: Path, answers: Mapping[Query, Outcome], method: str
) -> VqaSample:
    got = [answers[query] for query in _cells(pair, pos, neg)]
    yes = [cell.score for cell in got if cell.score is not None]
    complete = len(yes) == len(got)
    error = None if complete else next(cell.error for cell in got if cell.error)
    return sample(number, pair, yes, method, error)
