"""CameraBench's questions about pairs of clips, answered from records and scored."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePath

from dollygrip.classifiers.questions import question
from dollygrip.runners.formats.pairs import Pair
from dollygrip.runners.formats.scores import (
    Cells,
    Metadata,
    ScoreError,
    VqaSample,
    VqaScores,
    read_scores,
)
from dollygrip.runners.formats.truth import LabelledClip, match
from dollygrip.runners.systems import Answer, System

CHANCE, Q_CHANCE = 0.5, 0.25
"""What answers by the toss of a coin reach: of cells, and of questions right on both clips."""

METHOD = "dollygrip"
"""The kind of system that files written here are of."""

NO_ANSWER = "no answer for this clip"
"""The error where a system does not know the clip."""

_CANNOT_TELL = "the record cannot tell"


@dataclass(frozen=True)
class Accuracy:
    """Shares of right answers, 0 to 1; NaN where nothing was asked.

    Attributes:
        accuracy: Of (question, clip) cells.
        q_accuracy: Of questions that are answered right on both clips.
    """

    accuracy: float
    q_accuracy: float


@dataclass(frozen=True)
class PairResult:
    """How a system does on some of the pairs.

    Attributes:
        pairs: How many there are.
        answered: How many are of tasks that the system answers; the others are at chance.
        failed: How many of those answered carry an error, or lack an answer.
        told: Over answered tasks; a failed pair is wrong, as the paper ranks failures last.
        told_dropped: Over answered tasks; failed pairs left out, as the public evaluator does.
        overall: Over all pairs; tasks not answered count 50% and 25%, failed pairs are wrong.
        overall_dropped: The same with failed pairs left out.
    """

    pairs: int
    answered: int
    failed: int
    told: Accuracy
    told_dropped: Accuracy
    overall: Accuracy
    overall_dropped: Accuracy


@dataclass(frozen=True)
class VqaEvaluation:
    """How a system does on all pairs.

    Attributes:
        system: Its name.
        total: Over all pairs, each counting the same, as in the published tables.
        skills: By skill.
        tasks: By "skill/task".
    """

    system: str
    total: PairResult
    skills: Mapping[str, PairResult]
    tasks: Mapping[str, PairResult]


def answer_pairs(system: System, pairs: Sequence[Pair]) -> tuple[VqaScores, ...]:
    """A system's answers to those tasks whose questions are known by their text.

    A clip that failed or is missing makes its pairs carry an error. A system without records has
    its answers, if any, in the score files that it was read from.

    Args:
        system: Who answers.
        pairs: What is asked.

    Returns:
        One entry a task, in the order of the pairs; or the files.

    Raises:
        LabelError: A clip may be either of two that the system has.
        ScoreError: The score files cannot be read any more.
    """
    if all(answer.record is None for answer in system.answers):
        files = read_scores(system.source)
        mine = (scores for scores in files if scores.metadata.system == system.name)
        return tuple(scores for scores in mine if isinstance(scores, VqaScores))
    videos: dict[str, str] = {}
    tasks: dict[tuple[str, str], list[Pair]] = {}
    for pair in pairs:
        tasks.setdefault((pair.skill, pair.task), []).append(pair)
        for video in (pair.pos_video, pair.neg_video):
            videos.setdefault(video, pair.where)
    clips = [LabelledClip(video, {}, where=where) for video, where in videos.items()]
    found = {clip.clip: answer for clip, answer in match(clips, system.answers)}
    now = datetime.now(UTC).isoformat(timespec="seconds")
    answered = []
    for (skill, task), asked in tasks.items():
        if any(question(t) for pair in asked for t in (pair.pos_question, pair.neg_question)):
            # The public evaluator keeps one result a model and split, so each task is a split.
            about = Metadata(system.name, f"{skill}_{task}", METHOD, "", now, skill, task)
            samples = (_sample(i, pair, found, system.name) for i, pair in enumerate(asked))
            answered.append(VqaScores(about, tuple(samples)))
    return tuple(answered)


def evaluate_vqa(pairs: Sequence[Pair], scores: Iterable[VqaScores]) -> tuple[VqaEvaluation, ...]:
    """Accuracy and Q-accuracy of answers, written here or by others.

    An answer is right where its score is strictly greater than that of the other answer. Pairs are
    found by their clips and questions, so files may have one task or many.

    Args:
        pairs: All that is asked.
        scores: Answers, of one or several systems.

    Returns:
        One entry a system, by the order of their first files.

    Raises:
        ScoreError: A file answers none of the pairs, or a pair is answered twice.
    """
    known = {_key(pair) for pair in pairs}
    systems: dict[str, dict[_Key, VqaSample]] = {}
    for file in scores:
        mine = systems.setdefault(file.metadata.system, {})
        samples = {_key(sample): sample for sample in file.scores}
        if not known & samples.keys():
            raise ScoreError(f"{file.where}: answers none of the {len(pairs)} pairs")
        if len(samples) < len(file.scores) or mine.keys() & samples.keys():
            raise ScoreError(f"{file.where}: answers a pair twice")
        mine |= samples
    return tuple(_evaluation(name, pairs, samples) for name, samples in systems.items())


def sample(
    number: int, pair: Pair, yes: Sequence[float], method: str, error: str | None = None
) -> VqaSample:
    """The answers to a pair as an entry of an official score file.

    Args:
        number: Of the sample.
        pair: What was asked of which clips.
        yes: Probability of yes: to the first question on both clips, then to the second.
        method: Who answered.
        error: Why not all four are known.
    """
    return VqaSample(
        sample_id=str(number),
        pos_video=pair.pos_video,
        neg_video=pair.neg_video,
        pos_question=pair.pos_question,
        neg_question=pair.neg_question,
        method=method,
        yes_scores=None if error else Cells(*yes),
        no_scores=None if error else Cells(*(1.0 - score for score in yes)),
        error=error,
    )


# --- answers --------------------------------------------------------------------------------


def _sample(number: int, pair: Pair, found: Mapping[str, Answer | None], method: str) -> VqaSample:
    cells: list[float] = []
    error = None
    for text in (pair.pos_question, pair.neg_question):
        for video in (pair.pos_video, pair.neg_video):
            try:
                cells.append(_yes(text, found[video]))
            except _Unanswered as reason:
                error = error or f"{video}: {reason}"
    return sample(number, pair, cells, method, error)


class _Unanswered(Exception):
    """Why there is no answer."""


def _yes(text: str, answer: Answer | None) -> float:
    """How likely the answer is yes."""
    if answer is None or answer.record is None:
        raise _Unanswered(NO_ANSWER)
    if answer.record.failure is not None:
        raise _Unanswered(answer.record.failure.message)
    asked = question(text)
    yes = None if asked is None else asked(answer.record.whole)
    if yes is None:
        raise _Unanswered(_CANNOT_TELL)
    return yes


# --- scoring --------------------------------------------------------------------------------

_Key = tuple[str, str, str, str]


def _key(pair: Pair | VqaSample) -> _Key:
    """What tells a pair from all others; clips by name, in whichever folder they are."""
    return (
        PurePath(pair.pos_video).name,
        PurePath(pair.neg_video).name,
        pair.pos_question.strip(),
        pair.neg_question.strip(),
    )


@dataclass(frozen=True)
class _Outcome:
    """One pair: right answers, or None where it failed or its task is not answered."""

    answered: bool
    cells: int | None = None
    questions: int | None = None


def _evaluation(
    name: str, pairs: Sequence[Pair], samples: Mapping[_Key, VqaSample]
) -> VqaEvaluation:
    tasks = {(pair.skill, pair.task) for pair in pairs if _key(pair) in samples}
    skills: dict[str, list[_Outcome]] = {}
    by_task: dict[str, list[_Outcome]] = {}
    for pair in pairs:
        outcome = _outcome(samples.get(_key(pair)), (pair.skill, pair.task) in tasks)
        skills.setdefault(pair.skill, []).append(outcome)
        by_task.setdefault(f"{pair.skill}/{pair.task}", []).append(outcome)
    return VqaEvaluation(
        system=name,
        total=_result([outcome for group in skills.values() for outcome in group]),
        skills={skill: _result(group) for skill, group in skills.items()},
        tasks={task: _result(group) for task, group in by_task.items()},
    )


def _outcome(sample: VqaSample | None, answered: bool) -> _Outcome:
    if sample is None or sample.yes_scores is None or sample.no_scores is None:
        return _Outcome(answered)
    yes, no = sample.yes_scores, sample.no_scores
    first = (
        yes.pos_text_pos_image > no.pos_text_pos_image,
        no.pos_text_neg_image > yes.pos_text_neg_image,
    )
    second = (
        no.neg_text_pos_image > yes.neg_text_pos_image,
        yes.neg_text_neg_image > no.neg_text_neg_image,
    )
    return _Outcome(answered, sum(first) + sum(second), all(first) + all(second))


def _result(outcomes: Sequence[_Outcome]) -> PairResult:
    pairs, answered = len(outcomes), sum(outcome.answered for outcome in outcomes)
    failed = sum(outcome.answered and outcome.cells is None for outcome in outcomes)
    # Each pair counts once: four cells, two questions.
    cells = sum(outcome.cells or 0 for outcome in outcomes) / 4
    questions = sum(outcome.questions or 0 for outcome in outcomes) / 2
    silent = pairs - answered
    guessed = (cells + CHANCE * silent, questions + Q_CHANCE * silent)
    return PairResult(
        pairs=pairs,
        answered=answered,
        failed=failed,
        told=_share((cells, questions), answered),
        told_dropped=_share((cells, questions), answered - failed),
        overall=_share(guessed, pairs),
        overall_dropped=_share(guessed, pairs - failed),
    )


def _share(right: tuple[float, float], asked: int) -> Accuracy:
    if asked == 0:
        return Accuracy(float("nan"), float("nan"))
    return Accuracy(right[0] / asked, right[1] / asked)
