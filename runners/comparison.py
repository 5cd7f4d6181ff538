"""Systems side by side: the same clips, scored alike, and where they differ."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from dollygrip.classifiers.labels import BY_NAME, PRIMITIVES
from dollygrip.geometry.arrays import FloatArray
from dollygrip.runners.evaluation import (
    CONFUSABLE,
    RESAMPLES,
    Differences,
    Evaluation,
    compare,
    evaluate,
    read_systems,
)
from dollygrip.runners.formats.published import PublishedRow
from dollygrip.runners.formats.scores import ScoreError
from dollygrip.runners.formats.truth import LabelError, LabelledClip, match
from dollygrip.runners.registry import names
from dollygrip.runners.systems import Answer, System, reclassified

# A rank correlation of fewer clips says nothing.
_FEWEST_RANKED = 3
# Of CameraBench's binary task (Lin et al., arXiv 2504.15376; the public evaluator's label files).
_CAMERABENCH_CLIPS = 969
_NEARLY_ALL = 0.95

_PRIMITIVES = frozenset(PRIMITIVES)

Watch = Callable[[Iterator[Any], int], Iterable[Any]]


@dataclass(frozen=True)
class ComparedClip:
    """One clip, and what everybody says of it.

    Attributes:
        name: The clip as the labels, else the first system, write it.
        truth: What people say; None without labels.
        answers: One a system, in order; None where a system does not have the clip.
        disagreement: 0 to 1, see :func:`disagreement`; NaN where fewer than two say anything.
    """

    name: str
    truth: LabelledClip | None
    answers: tuple[Answer | None, ...]
    disagreement: float


@dataclass(frozen=True)
class Agreement:
    """How alike two systems are, for each two of them.

    Attributes:
        named: Share of the clips that both answer of which they name the same primitives; NaN
            where one of them only ranks.
        ranked: Spearman's rank correlation of their scores over the clips that both answer, mean
            of the primitives; NaN where there is nothing to rank.
    """

    named: tuple[tuple[float, ...], ...]
    ranked: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Confusion:
    """Which of two look-alikes was ranked higher, of clips that have one and not the other.

    Attributes:
        first: As ``"pan"``.
        second: As ``"truck"``.
        counts: Two rows, where the first is true and where the second is; in each the number of
            clips where the first ranks higher, where the second does, where both rank alike, and
            that have no answer.
    """

    first: str
    second: str
    counts: tuple[tuple[int, ...], tuple[int, ...]]


@dataclass(frozen=True)
class Comparison:
    """All that is known of some systems on some clips.

    Attributes:
        systems: Those compared; the first is the one that clips are sorted for.
        clips: Most disagreed first.
        labelled: Whether people say anything of them.
        evaluations: One a system; without labels they know no accuracy, only failures and costs.
        tests: One a system: the best by mean AP against it; None for the best itself, and where
            there is no best.
        agreement: Of each two systems.
        confusions: One mapping a system, by name of the pair.
        strangers: One a system: how many of its clips are none of ``clips``.
        published: Rows of others, in percent.
    """

    systems: tuple[System, ...]
    clips: tuple[ComparedClip, ...]
    labelled: bool
    evaluations: tuple[Evaluation, ...]
    tests: tuple[Differences | None, ...]
    agreement: Agreement
    confusions: tuple[Mapping[str, Confusion], ...]
    strangers: tuple[int, ...]
    published: tuple[PublishedRow, ...] = ()

    @property
    def ranked(self) -> bool:
        """Whether there is any accuracy to show, be it that of published rows alone."""
        return self.labelled or bool(self.published)

    @property
    def on_camerabench(self) -> bool:
        """Whether these are CameraBench's clips and labels, nearly all of them, for every system.

        Only then do published rows mean the same.
        """
        asked = sum(bool(clip.truth and clip.truth.questions) for clip in self.clips)
        missing = max(evaluation.missing for evaluation in self.evaluations)
        return asked == len(self.clips) and asked - missing >= _NEARLY_ALL * _CAMERABENCH_CLIPS


# --- who is compared ------------------------------------------------------------------------


def gather(
    sources: Sequence[Path],
    classifiers: Sequence[str] | None = None,
    watch: Watch = lambda items, total: items,
) -> tuple[System, ...]:
    """The systems of runs and score files; no video is read.

    A run is one system under the classifier that it was made with, and one more under each other
    classifier, from its stored motion. Systems of one name are told apart by their folders.

    Args:
        sources: Run folders, official score files, and folders of these.
        classifiers: Names in the registry, for every run; None for all there are.
        watch: Passes the systems on as they are made, given how many there will be.

    Raises:
        ScoreError: A source is given twice, or score files cannot be read.
        SettingsError: There is no such classifier.
        StoreError: A source is neither a run nor score files, is empty, or its stored motion is
            damaged.
    """
    twice = [path for path, count in Counter(s.resolve() for s in sources).items() if count > 1]
    if twice:
        raise ScoreError(f"{twice[0]}: given twice")
    wanted = names("classifier") if classifiers is None else classifiers
    own = [system for source in sources for system in read_systems(source)]
    plans = [
        (system, name)
        for system in own
        for name in dict.fromkeys([system.classifier, *(wanted if system.estimator else ())])
    ]
    made = (
        system if name == system.classifier else reclassified(system, name)
        for system, name in plans
    )
    return _told_apart(list(watch(made, len(plans))))


def _told_apart(systems: list[System]) -> tuple[System, ...]:
    """No two of one name: the folder's name is added, and a number where that is not enough."""
    shared = Counter(system.name for system in systems)
    named = [f"{s.name} ({s.source.name})" if shared[s.name] > 1 else s.name for s in systems]
    count, seen, told = Counter(named), Counter[str](), []
    for system, name in zip(systems, named, strict=True):
        seen[name] += 1
        told.append(replace(system, name=f"{name} {seen[name]}" if count[name] > 1 else name))
    return tuple(told)


# --- comparing ------------------------------------------------------------------------------


def compare_systems(
    systems: Sequence[System],
    labels: Sequence[LabelledClip] = (),
    *,
    by: Sequence[str] = (),
    published: Sequence[PublishedRow] = (),
    resamples: int = RESAMPLES,
    seed: int = 0,
    watch: Watch = lambda items, total: items,
) -> Comparison:
    """Score systems on the same clips, and see where they differ.

    Args:
        systems: At least one.
        labels: What people say. Without it the clips are those of the first system, and only
            agreement is measured.
        by: Columns of the labels by which clips are grouped, besides tags and kinds.
        published: Rows to stand beside.
        resamples: Of the bootstrap.
        seed: Of the bootstrap.
        watch: Passes the systems on as they are scored, and again as they are tested, given how
            many there are.

    Raises:
        LabelError: A clip may be either of two, or a system has none of the clips.
    """
    clips = tuple(labels) or _stand_ins(systems[0])
    answers = [[answer for _, answer in match(clips, system.answers)] for system in systems]
    compared = [
        ComparedClip(clip.clip, clip if labels else None, said, disagreement(clip, said))
        for clip, said in zip(clips, zip(*answers, strict=True), strict=True)
    ]
    for system, said in zip(systems, answers, strict=True):
        if not any(said):
            clip = f"{len(clips)} clips compared (first: {clips[0].clip})"
            raise LabelError(f"{system.source}: has none of the {clip}")
    drawn = resamples if labels else 1
    evaluations = tuple(
        evaluate(clips, system, by=by, resamples=drawn, seed=seed)
        for system in watch(iter(systems), len(systems))
    )
    return Comparison(
        systems=tuple(systems),
        clips=tuple(sorted(compared, key=_worst_first)),
        labelled=bool(labels),
        evaluations=evaluations,
        tests=tuple(watch(_tests(clips, systems, evaluations, drawn, seed), len(systems))),
        agreement=_agreement(answers),
        confusions=tuple(_confusions(clips, said) for said in answers),
        strangers=tuple(
            len(system.answers) - sum(answer is not None for answer in said)
            for system, said in zip(systems, answers, strict=True)
        ),
        published=tuple(published),
    )


def disagreement(clip: LabelledClip, answers: Sequence[Answer | None]) -> float:
    """How little those who name primitives agree on a clip.

    Two that name primitives are 1 minus what they share of all that either names (the Jaccard
    distance) apart: 0 where they name the same, 1 where they have nothing in common. A clip that
    failed is 1 from everything. What people are unsure of does not count against them. Half of
    the measure is how far the first system is from the truth, where there is none from the others
    in the mean; the other half is the mean over all pairs, of which the truth is one.

    Returns:
        0 to 1; NaN where fewer than two name anything. Systems that only rank, and those that do
        not have the clip, are left out.
    """
    truth = {name: clip.answers.get(name) for name in PRIMITIVES}
    labelled = any(known is not None for known in truth.values())
    said = [_named(answer) for answer in answers if answer and answer.labels is not None]
    to_truth = [_apart(names, truth) for names in said] if labelled else []
    between = [_distance(one, other) for one, other in combinations(said, 2)]
    everything = [*to_truth, *between]
    if not everything:
        return float("nan")
    leads = bool(answers) and answers[0] is not None and answers[0].labels is not None
    first = (to_truth[:1] or between[: len(said) - 1]) if leads else everything
    return (_mean(first) + _mean(everything)) / 2.0


def _named(answer: Answer) -> frozenset[str] | None:
    """The primitives that it names; None where it failed."""
    return None if unanswered(answer) else (answer.labels or frozenset()) & _PRIMITIVES


def unanswered(answer: Answer) -> bool:
    """Whether the clip failed: there is a reason instead of scores."""
    return bool(answer.errors) and not answer.scores


def _apart(named: frozenset[str] | None, truth: Mapping[str, bool | None]) -> float:
    if named is None:
        return 1.0
    there = frozenset(name for name, known in truth.items() if known)
    return _distance(named - {name for name, known in truth.items() if known is None}, there)


def _distance(one: frozenset[str] | None, other: frozenset[str] | None) -> float:
    if one is None or other is None:
        return 1.0
    return 1.0 - len(one & other) / len(one | other) if one | other else 0.0


def _worst_first(clip: ComparedClip) -> float:
    return math.inf if math.isnan(clip.disagreement) else -clip.disagreement


def _stand_ins(system: System) -> tuple[LabelledClip, ...]:
    """The clips of a system as if somebody had said nothing of them."""
    return tuple(
        LabelledClip(a.path or a.clip_id, {}, where=str(system.source)) for a in system.answers
    )


def _tests(
    clips: Sequence[LabelledClip],
    systems: Sequence[System],
    evaluations: Sequence[Evaluation],
    resamples: int,
    seed: int,
) -> Iterator[Differences | None]:
    """The best system against each other one."""
    scores = [evaluation.mean_ap.value for evaluation in evaluations]
    best = None if all(map(math.isnan, scores)) else int(np.nanargmax(scores))
    for i, system in enumerate(systems):
        if best is None or i == best:
            yield None
        else:
            yield compare(clips, systems[best], system, resamples=resamples, seed=seed)


# --- agreement ------------------------------------------------------------------------------


def _agreement(answers: Sequence[Sequence[Answer | None]]) -> Agreement:
    count = len(answers)
    named, ranked = np.full((2, count, count), np.nan)
    scores = [_scores(said) for said in answers]
    for i in range(count):
        for j in range(i + 1):
            named[i, j] = named[j, i] = _same_names(answers[i], answers[j])
            ranked[i, j] = ranked[j, i] = _rank_correlation(scores[i], scores[j])
    return Agreement(_nested(named), _nested(ranked))


def _same_names(one: Sequence[Answer | None], other: Sequence[Answer | None]) -> float:
    same = [
        _named(a) == _named(b)
        for a, b in zip(one, other, strict=True)
        if a and b and not unanswered(a) and not unanswered(b)
        if a.labels is not None and b.labels is not None
    ]
    return _mean(same)


def _scores(said: Sequence[Answer | None]) -> FloatArray:
    """(primitives, clips) scores; NaN where there is none."""
    nan = float("nan")
    rows = [[a.scores.get(name, nan) if a else nan for a in said] for name in PRIMITIVES]
    return np.array(rows, np.float64)


def _rank_correlation(one: FloatArray, other: FloatArray) -> float:
    found = []
    for first, second in zip(one, other, strict=True):
        both = ~(np.isnan(first) | np.isnan(second))
        ranks = np.array([_ranks(first[both]), _ranks(second[both])])
        # A system that scores all clips alike ranks nothing.
        if both.sum() >= _FEWEST_RANKED and ranks.std(axis=1).all():
            found.append(np.corrcoef(ranks)[0, 1])
    return _mean(found)


def _ranks(values: FloatArray) -> FloatArray:
    """Ranks from 0; equal values share the mean of theirs."""
    _, index, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: FloatArray = (np.cumsum(counts) - (counts + 1) / 2.0)[index]
    return ranks


# --- look-alikes ----------------------------------------------------------------------------


def _confusions(
    clips: Sequence[LabelledClip], said: Sequence[Answer | None]
) -> Mapping[str, Confusion]:
    return {name: _confusion(clips, said, pairs) for name, pairs in CONFUSABLE.items()}


def _confusion(
    clips: Sequence[LabelledClip],
    said: Sequence[Answer | None],
    pairs: Sequence[tuple[str, str]],
) -> Confusion:
    counts = np.zeros((2, 4), int)
    for pair in pairs:
        for clip, answer in zip(clips, said, strict=True):
            truth = tuple(clip.answers.get(name) for name in pair)
            if truth in ((True, False), (False, True)):
                counts[truth.index(True), _higher(answer, pair)] += 1
    first, second = (BY_NAME[name].axis for name in pairs[0])
    rows = counts.tolist()
    return Confusion(first, second, (tuple(rows[0]), tuple(rows[1])))


def _higher(answer: Answer | None, pair: tuple[str, str]) -> int:
    """Column of :class:`Confusion`."""
    first, second = (answer.scores.get(n, float("nan")) if answer else float("nan") for n in pair)
    if math.isnan(first) or math.isnan(second):
        return 3
    return 2 if first == second else int(second > first)


def _nested(matrix: FloatArray) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(row) for row in matrix.tolist())


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if len(values) else float("nan")
