"""Systems as CameraBench's official score files, and such files as systems."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path, PurePath

from dollygrip.classifiers.labels import BY_NAME
from dollygrip.classifiers.questions import LABEL_QUESTIONS
from dollygrip.runners.formats.pairs import Description, read_descriptions, read_pairs
from dollygrip.runners.formats.scores import (
    NO_SCORE,
    Captions,
    CaptionSample,
    ClassificationSample,
    ClassificationScores,
    Metadata,
    ScoreError,
    Scores,
    write_scores,
)
from dollygrip.runners.formats.truth import LabelledClip, match, stem
from dollygrip.runners.systems import Answer, System
from dollygrip.runners.vqa import METHOD, NO_ANSWER, answer_pairs

# A split is called as the benchmark calls its primitive, or as the label is called here.
_BY_SPLIT = {d.camerabench.lower(): d.name for d in BY_NAME.values() if d.camerabench}


def as_systems(scores: Iterable[Scores]) -> tuple[System, ...]:
    """Score files of the binary task as systems that only rank, one for each model.

    A model and its checkpoint are one system, and each file is one label of it.

    Args:
        scores: What :func:`dollygrip.runners.formats.scores.read_scores` gave; files of pairs and
            captions are passed over.

    Returns:
        Systems by the order of their first files.

    Raises:
        ScoreError: A split is no label, or a clip is in it twice.
    """
    systems: dict[str, list[ClassificationScores]] = {}
    for file in scores:
        if isinstance(file, ClassificationScores):
            systems.setdefault(file.metadata.system, []).append(file)
    return tuple(_system(name, files) for name, files in systems.items())


def write_official(
    folder: Path, source: Path, clips: Sequence[LabelledClip], system: System
) -> tuple[Path, ...]:
    """Write all official score files that a source of labels allows.

    The binary task has one file a label. Pairs and captions are written where the source is
    CameraBench's folder and the system has records: a file for each task that is answered, and one
    of captions. The public evaluator reads them unchanged.

    Args:
        folder: Where; made if it is not there. Files of the same system are replaced.
        source: The file or folder that the labels were read from.
        clips: The labels.
        system: Who answers.

    Returns:
        The files, in the order in which they were written.

    Raises:
        LabelError: The source's pairs or captions cannot be read, or a clip may be either of two
            that the system has.
    """
    found: list[Scores] = list(_classification(clips, system))
    if source.is_dir() and any(answer.record for answer in system.answers):
        found += answer_pairs(system, read_pairs(source))
        found += _captions(read_descriptions(source), system)
    folder.mkdir(parents=True, exist_ok=True)
    return tuple(write_scores(folder, scores) for scores in found)


# --- from files -----------------------------------------------------------------------------


def _system(name: str, files: Sequence[ClassificationScores]) -> System:
    scores: dict[str, dict[str, float]] = {}
    errors: dict[str, dict[str, str]] = {}
    for file in files:
        label = _label(file)
        for sample in file.scores:
            clip = sample.video_path
            if label in scores.setdefault(clip, {}) or label in errors.setdefault(clip, {}):
                raise ScoreError(f"{file.where}: {clip!r} is there twice")
            if sample.score is None:
                errors[clip][label] = sample.error or NO_SCORE
            else:
                scores[clip][label] = sample.score
    # Clips of one name in several folders keep their folders.
    shared = Counter(map(_clip_id, scores))
    answers = (
        Answer(
            clip_id=clip if shared[_clip_id(clip)] > 1 else _clip_id(clip),
            path=clip,
            scores=scores[clip],
            errors=errors[clip],
        )
        for clip in scores
    )
    where = Path(files[0].where)
    return System(name, where if len(files) == 1 else where.parent, tuple(answers))


def _label(file: ClassificationScores) -> str:
    split = file.metadata.split_name
    name = split.strip().lower().replace(" ", "_")
    label = _BY_SPLIT.get(name, name)
    if label not in BY_NAME:
        raise ScoreError(f"{file.where}: split_name is {split[:60]!r}, no primitive")
    return label


def _clip_id(clip: str) -> str:
    return stem(PurePath(clip).name)


# --- to files -------------------------------------------------------------------------------


def _classification(
    clips: Sequence[LabelledClip], system: System
) -> Iterator[ClassificationScores]:
    """A file for each label that people spoke of."""
    pairs = match(clips, system.answers)
    for label, definition in BY_NAME.items():
        told = [(clip, answer) for clip, answer in pairs if clip.answers.get(label) is not None]
        # In the order of the file that they were read from.
        told.sort(key=lambda pair: _line(pair[0], label))
        if told:
            about = _metadata(system, definition.camerabench or label)
            samples = (_sample(i, label, *pair, system.name) for i, pair in enumerate(told))
            yield ClassificationScores(about, tuple(samples))


def _line(clip: LabelledClip, label: str) -> int:
    asked = clip.questions.get(label)
    return asked.line if asked else 0


def _sample(
    number: int, label: str, clip: LabelledClip, answer: Answer | None, method: str
) -> ClassificationSample:
    score = error = None
    if answer is None:
        error = NO_ANSWER
    elif label in answer.scores and math.isfinite(answer.scores[label]):
        score = float(answer.scores[label])
    else:
        error = answer.errors.get(label) or NO_SCORE
    asked = clip.questions.get(label)
    return ClassificationSample(
        sample_id=str(number),
        video_path=clip.clip,
        question=asked.text if asked else LABEL_QUESTIONS[label],
        ground_truth_label="yes" if clip.answers[label] else "no",
        method=method,
        score=score,
        error=error,
    )


def _captions(descriptions: Sequence[Description], system: System) -> list[Captions]:
    """One file; none where nobody describes the clips."""
    if not descriptions:
        return []
    clips = [LabelledClip(said.video, {}, where=said.where) for said in descriptions]
    found = (answer for _, answer in match(clips, system.answers))
    samples = (
        _caption(i, description, answer, system.name)
        for i, (description, answer) in enumerate(zip(descriptions, found, strict=True))
    )
    return [Captions(_metadata(system, ""), tuple(samples))]


def _caption(
    number: int, description: Description, answer: Answer | None, method: str
) -> CaptionSample:
    record = answer.record if answer else None
    error = None
    if record is None:
        error = NO_ANSWER
    elif record.failure is not None:
        error = record.failure.message
    return CaptionSample(
        sample_id=str(number),
        video_path=description.video,
        question=description.question,
        reference_answer=description.answer,
        method=method,
        generated_caption=record.caption if record and not error else "",
        error=error,
    )


def _metadata(system: System, split: str) -> Metadata:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return Metadata(system.name, split, METHOD, generation_timestamp=now)
