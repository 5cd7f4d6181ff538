"""Systems against what people say of clips, in numbers with intervals.

A clip of which a system says nothing counts in two ways. Under the rule of CameraBench's paper it
ranks last for every label. Under that of its public evaluator it is left out ("dropped"), so that
a system may win by failing; hence both are told.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from dollygrip.classifiers.bootstrap import Difference, difference, interval, replicates
from dollygrip.classifiers.labels import BY_NAME, PRIMITIVES
from dollygrip.classifiers.metrics import precision_recall, roc_auc, weighted_average_precision
from dollygrip.geometry.arrays import BoolArray, FloatArray, IntArray
from dollygrip.runners.formats.scores import BINARY, ScoreError, read_scores
from dollygrip.runners.formats.sources import source_video
from dollygrip.runners.formats.truth import LabelError, LabelledClip, match, read_labels
from dollygrip.runners.official import as_systems
from dollygrip.runners.store import RESULTS
from dollygrip.runners.systems import Answer, System, read_run

SURE_SCORE, SURE_TRUST = 0.7, 0.5
"""A label is named with confidence from this score and this trust on."""

CONFUSABLE = {
    "zoom or dolly": (("zoom_in", "dolly_in"), ("zoom_out", "dolly_out")),
    "pan or truck": (("pan_left", "truck_left"), ("pan_right", "truck_right")),
    "tilt or pedestal": (("tilt_up", "pedestal_up"), ("tilt_down", "pedestal_down")),
}
"""What looks alike but for parallax, the same way round."""

RESAMPLES = 1000

_NAN = float("nan")
# Groups times clips that are in memory at once.
_MOST_WEIGHTS = 2**20
_TAGS = re.compile(r"[^\s;,|]+")


@dataclass(frozen=True)
class Score:
    """A number and its 95% interval, by bootstrap over source videos; NaN where undefined."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class LabelScores:
    """How well one label is told; NaN where there is no positive, no negative, or no answer.

    Attributes:
        label: Its name.
        positives: Clips that people say yes of.
        negatives: Clips that they say no of.
        failed: Clips among both that have no score, failed or missing.
        ap: Average precision; clips without a score rank last.
        ap_dropped: Average precision of those that have one.
        roc_auc: Chance that a positive scores above a negative; clips without a score rank last.
        roc_auc_dropped: The same of those that have one.
        precision: Share of right ones among those that are named; NaN if none is.
        recall: Share of the positives that are named.
        f1: Harmonic mean of both. These three are NaN for a system that only ranks.
    """

    label: str
    positives: int
    negatives: int
    failed: int
    ap: Score
    ap_dropped: Score
    roc_auc: float
    roc_auc_dropped: float
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class GroupScores:
    """The clips of one group alone, as of one tag; see :class:`Evaluation`."""

    clips: int
    mean_ap: float
    exact: float
    failure_rate: float


@dataclass(frozen=True)
class PairScores:
    """How well two moves that look alike are told apart; NaN where that cannot be known.

    Attributes:
        told: Clips that surely have the one and surely not the other.
        right: Share of these in which the one that is there scores higher.
        needless: Share of these of which the two were reported as ambiguous.
        unsure: Clips of which nobody can tell: of both, or of one while the other is there.
        admitted: Share of these of which the two were reported as ambiguous.
        guessed: Share of these of which a move that nobody can tell was named with confidence,
            and the two were not reported as ambiguous.
    """

    told: int
    right: float
    needless: float
    unsure: int
    admitted: float
    guessed: float


@dataclass(frozen=True)
class Evaluation:
    """How well one system did on labelled clips.

    Means are over the primitives that have a positive and a negative clip.

    Attributes:
        system: Its name.
        clips: Number of labelled clips.
        missing: Clips that the system has no answer for.
        failed: Clips that it has an answer for, but no score.
        labels: The 15 primitives, then every other label that people spoke of.
        mean_ap: Mean average precision; clips without a score rank last.
        mean_ap_dropped: The same where these clips are left out.
        mean_roc_auc: Mean area under the ROC curve; clips without a score rank last.
        mean_roc_auc_dropped: The same where these clips are left out.
        macro_f1: Mean F1.
        exact: Share of the clips of which every primitive that people spoke of is right; one
            without an answer is wrong. This and F1 are NaN for a system that only ranks.
        failure_rate: Share of the clips without a score, failed or missing.
        groups: By name, as "tag: fast".
        pairs: Of each of :data:`CONFUSABLE`.
        seconds: Median wall time of a clip; NaN where unknown.
        peak_memory_mb: The largest of a clip; NaN where unknown.
    """

    system: str
    clips: int
    missing: int
    failed: int
    labels: tuple[LabelScores, ...]
    mean_ap: Score
    mean_ap_dropped: Score
    mean_roc_auc: float
    mean_roc_auc_dropped: float
    macro_f1: Score
    exact: Score
    failure_rate: float
    groups: Mapping[str, GroupScores]
    pairs: Mapping[str, PairScores]
    seconds: float
    peak_memory_mb: float


@dataclass(frozen=True)
class Differences:
    """One system minus another, tested on the same resamples; NaN where either has no number."""

    mean_ap: Difference
    mean_ap_dropped: Difference
    exact: Difference


def read_systems(source: Path) -> tuple[System, ...]:
    """The systems of a run folder, an official score file, or a folder of these.

    Raises:
        StoreError: The folder holds neither a run nor score files.
        ScoreError: A score file cannot be read, or is not of the binary task.
    """
    if (source / RESULTS).exists() or not (source.is_file() or any(source.glob(f"{BINARY}_*"))):
        return (read_run(source),)
    systems = as_systems(read_scores(source))
    if not systems:
        raise ScoreError(f"{source}: no scores of the binary task")
    return systems


def read_system(source: Path) -> System:
    """The one system of a source; see :func:`read_systems`.

    Raises:
        ScoreError: It has several; or as there.
        StoreError: As there.
    """
    systems = read_systems(source)
    if len(systems) > 1:
        names = ", ".join(system.name for system in systems)
        raise ScoreError(f"{source}: has scores of several systems ({names}); give files of one")
    return systems[0]


def evaluate_run(
    run: Path | str,
    labels: Path | str,
    *,
    by: Sequence[str] = (),
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Evaluation:
    """Score a run folder, or official score files, against what people say.

    Args:
        run: The run folder, a score file, or a folder with those of one system.
        labels: A file of CSV or JSON lines with ``clip`` and labels, or CameraBench's folder.
        by: Columns of the label file whose values are groups, besides tags and kinds.
        resamples: Of the bootstrap; more make the ends of intervals steadier.
        seed: Of the bootstrap.

    Raises:
        StoreError: The folder holds neither a run nor score files.
        ScoreError: The score files cannot be read, or have several systems.
        LabelError: The labels cannot be read, or do not go with the run.
    """
    clips = read_labels(Path(labels))
    return evaluate(clips, read_system(Path(run)), by=by, resamples=resamples, seed=seed)


def evaluate(
    clips: Sequence[LabelledClip],
    system: System,
    *,
    by: Sequence[str] = (),
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Evaluation:
    """Score a system.

    Args:
        clips: What people say; what they do not speak of counts neither way.
        system: What is scored.
        by: Columns of the label file whose values are groups, besides tags and kinds.
        resamples: Of the bootstrap; more make the ends of intervals steadier, 0 is no intervals.
        seed: Of the bootstrap.

    Raises:
        LabelError: No clip has an answer, one may be either of two answers, two clips are the same
            one, or there is no such column.
    """
    table = _Table.of(clips, system)
    point = table.numbers(np.ones((1, len(clips))))[0]
    drawn = replicates(table.numbers, [source_video(c) for c in clips], resamples, seed)
    # Centred, an interval may reach beyond what a share can be.
    ends = (np.clip(end, 0.0, 1.0) for end in interval(point, drawn))
    scores = [Score(*map(float, score)) for score in zip(point, *ends, strict=True)]
    count = len(table.names)
    aps, dropped, means = scores[:count], scores[count : 2 * count], scores[2 * count :]
    labels = tuple(
        table.label_scores(i, ap, ap_dropped)
        for i, (ap, ap_dropped) in enumerate(zip(aps, dropped, strict=True))
    )
    mean_ap, mean_ap_dropped, macro_f1, exact = means
    of_primitives = labels[: len(PRIMITIVES)]
    records = [answer.record for answer in table.answers if answer and answer.record]
    seconds, memory = (
        [float(v) for r in records if isinstance(v := r.provenance.get(key), int | float)]
        for key in ("seconds", "peak_memory_mb")
    )
    return Evaluation(
        system=system.name,
        clips=len(clips),
        missing=sum(answer is None for answer in table.answers),
        failed=int((table.silent & [answer is not None for answer in table.answers]).sum()),
        labels=labels,
        mean_ap=mean_ap,
        mean_ap_dropped=mean_ap_dropped,
        mean_roc_auc=_mean([label.roc_auc for label in of_primitives]),
        mean_roc_auc_dropped=_mean([label.roc_auc_dropped for label in of_primitives]),
        macro_f1=macro_f1,
        exact=exact,
        failure_rate=_mean(table.silent),
        groups=_group_scores(clips, table, by),
        pairs={
            name: pair_scores(table.pairs, (pair for pair in pairs if table.was_asked(pair)))
            for name, pairs in CONFUSABLE.items()
        },
        seconds=float(np.median(seconds)) if seconds else _NAN,
        peak_memory_mb=max(memory, default=_NAN),
    )


def compare(
    clips: Sequence[LabelledClip],
    one: System,
    other: System,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Differences:
    """Whether one system is better than another, or its luck with these clips.

    Raises:
        LabelError: No clip has an answer, one may be either of two answers, or two clips are the
            same one.
    """
    tables = [_Table.of(clips, system) for system in (one, other)]

    def gain(weights: FloatArray) -> FloatArray:
        first, second = (table.numbers(weights)[:, -4:] for table in tables)
        return first - second

    value = gain(np.ones((1, len(clips))))[0]
    drawn = replicates(gain, [source_video(c) for c in clips], resamples, seed)
    mean_ap, mean_ap_dropped, _, exact = map(difference, value.tolist(), drawn.T)
    return Differences(mean_ap, mean_ap_dropped, exact)


def curves(
    clips: Sequence[LabelledClip], system: System
) -> Mapping[str, tuple[FloatArray, FloatArray]]:
    """The precision-recall curve of each label; clips without a score rank last.

    Returns:
        (K,) recall, ascending, and (K,) precision, by label. The area under the steps is the
        average precision. Labels of which that is not defined are not in it.
    """
    table = _Table.of(clips, system)
    found = {}
    for i in np.flatnonzero(table.asked):
        known = table.known[:, i]
        truth = table.truth[known, i]
        if truth.any() and not truth.all():
            found[table.names[i]] = precision_recall(truth, table.ranks[known, i])
    return found


def pair_scores(
    answered: Iterable[tuple[LabelledClip, Answer | None]], pairs: Iterable[tuple[str, str]]
) -> PairScores:
    """How well the two moves of each of some pairs are told apart, all pairs together."""
    right, needless = list[float](), list[float]()
    admitted, guessed = list[float](), list[float]()
    listed = list(answered)
    for pair in pairs:
        for clip, answer in listed:
            truth = tuple(clip.answers.get(name) for name in pair)
            ambiguous = _ambiguous(answer, pair)
            if set(truth) == {True, False}:
                there, other = pair if truth[0] else pair[::-1]
                right.append(_higher(answer, there, other))
                needless.append(ambiguous)
            # "Unsure or no" is one move of which it is unclear whether it is there at all.
            elif None in truth and False not in truth:
                admitted.append(ambiguous)
                unknown = [n for n, known in zip(pair, truth, strict=True) if known is None]
                guessed.append(_sure(answer, unknown) * (1.0 - ambiguous))
    return PairScores(
        told=len(right),
        right=_mean(right),
        needless=_mean(needless),
        unsure=len(admitted),
        admitted=_mean(admitted),
        guessed=_mean(guessed),
    )


def groups_of(clip: LabelledClip, by: Sequence[str] = ()) -> tuple[str, ...]:
    """The groups that a clip counts in: "kind: real", "tag: fast", "COLUMN: value".

    Derived copies repeat their original, so they do not count with its kind.
    """
    extra = clip.extra
    kind = ["derived copies"] if extra.get("derived") else _named("kind", extra)
    tags = [
        f"tag: {tag}" for column in ("tags", "tag") for tag in _TAGS.findall(extra.get(column, ""))
    ]
    columns = [name for column in by for name in _named(column, extra)]
    return tuple(dict.fromkeys([*kind, *columns, *tags]))


def _named(column: str, extra: Mapping[str, str]) -> list[str]:
    return [f"{column}: {extra[column]}"] if extra.get(column) else []


def _group_scores(
    clips: Sequence[LabelledClip], table: "_Table", by: Sequence[str]
) -> dict[str, GroupScores]:
    for column in by:
        if not any(clip.extra.get(column) for clip in clips):
            file = clips[0].where.rpartition(":")[0]
            raise LabelError(f"{file}: no clip has anything in a column {column!r}")
    groups = [groups_of(clip, by) for clip in clips]
    names = sorted({name for of_clip in groups for name in of_clip})
    at_once = max(_MOST_WEIGHTS // len(clips), 1)
    found = {}
    for start in range(0, len(names), at_once):
        some = names[start : start + at_once]
        inside = np.array([[name in of_clip for of_clip in groups] for name in some], np.float64)
        for name, members, numbers in zip(some, inside, table.numbers(inside), strict=True):
            mean_ap, _, _, exact = map(float, numbers[-4:])
            failure_rate = float(members @ table.silent / members.sum())
            found[name] = GroupScores(int(members.sum()), mean_ap, exact, failure_rate)
    return found


@dataclass(frozen=True, eq=False)
class _Table:
    """What people and a system say of (C,) clips and (L,) labels.

    Attributes:
        pairs: (C,) each clip with its answer; None where there is none.
        names: (L,) the primitives, then the other labels that people spoke of.
        truth: (C, L) whether people said yes.
        known: (C, L) whether they said yes or no.
        scores: (C, L) NaN without one.
        asked: (L,) whether the system was asked for the label at all.
        said: (C, L) whether the system named it; None if it only ranks.
    """

    pairs: tuple[tuple[LabelledClip, Answer | None], ...]
    names: tuple[str, ...]
    truth: BoolArray
    known: BoolArray
    scores: FloatArray
    asked: BoolArray
    said: BoolArray | None

    @classmethod
    def of(cls, clips: Sequence[LabelledClip], system: System) -> "_Table":
        pairs = match(clips, system.answers)
        answers = [answer for _, answer in pairs]
        spoken = {name for clip in clips for name, said in clip.answers.items() if said is not None}
        names = (*PRIMITIVES, *(n for n in BY_NAME if n in spoken and n not in PRIMITIVES))
        said = [[clip.answers.get(name) for name in names] for clip in clips]
        shape = (len(clips), len(names))
        given = [answer for answer in answers if answer is not None]
        if not given:
            raise LabelError(
                f"{system.source} has an answer for none of the {len(clips)} labelled clips "
                f"(first: {clips[0].clip})"
            )
        scores = [[a.scores.get(name, _NAN) if a else _NAN for name in names] for a in answers]
        asked = [any(name in a.scores or name in a.errors for a in given) for name in names]
        naming = any(answer.labels is not None for answer in given)
        named = [[bool(a and a.labels and name in a.labels) for name in names] for a in answers]
        return cls(
            pairs=pairs,
            names=names,
            truth=np.array([[answer is True for answer in row] for row in said]).reshape(shape),
            known=np.array([[answer is not None for answer in row] for row in said]).reshape(shape),
            scores=np.array(scores, np.float64).reshape(shape),
            asked=np.array(asked, np.bool_),
            said=np.array(named, np.bool_).reshape(shape) if naming else None,
        )

    @property
    def answers(self) -> tuple[Answer | None, ...]:
        """(C,) the answers."""
        return tuple(answer for _, answer in self.pairs)

    def was_asked(self, names: Iterable[str]) -> bool:
        """Whether the system was asked for all of some labels."""
        return all(self.asked[self.names.index(name)] for name in names)

    @cached_property
    def scored(self) -> BoolArray:
        """(C, L) whether there is a score."""
        return ~np.isnan(self.scores)

    @cached_property
    def silent(self) -> BoolArray:
        """(C,) whether there is no score at all."""
        return np.asarray(~self.scored.any(axis=1), np.bool_)

    @cached_property
    def ranks(self) -> IntArray:
        """(C, L) scores as ranks, ties kept; -1, below all others, without a score."""
        columns = [np.unique(column, return_inverse=True)[1] for column in self.scores.T]
        return np.where(self.scored, np.column_stack(columns), -1)

    def numbers(self, weights: FloatArray) -> FloatArray:
        """AP of each label, AP without the clips that have no score, and the four means.

        Args:
            weights: (R, C) how often each clip counts.

        Returns:
            (R, 2 L + 4), last mean AP, the same without the clips that have no score, macro F1
            and exact match.
        """
        told = self.known & self.asked
        ap, dropped = (self._precisions(weights, items) for items in (told, told & self.scored))
        count = len(PRIMITIVES)
        means = (
            _means(ap[:, :count]),
            _means(dropped[:, :count]),
            _means(self._f1(weights)[:, :count]),
            self._exact(weights),
        )
        return np.column_stack([ap, dropped, *means])

    def _precisions(self, weights: FloatArray, items: BoolArray) -> FloatArray:
        """(R, L), of the (C, L) items alone."""
        found = np.empty((len(weights), len(self.names)))
        for i, inside in enumerate(items.T):
            truth, counted = self.truth[inside, i], weights[:, inside]
            ap = weighted_average_precision(truth, self.ranks[inside, i], counted)
            found[:, i] = np.where(counted @ ~truth > 0, ap, _NAN)
        return found

    def _f1(self, weights: FloatArray) -> FloatArray:
        """(R, L); NaN without a positive or a negative."""
        if self.said is None:
            return np.full((len(weights), len(self.names)), _NAN)
        yes, no, said = (self.known & a for a in (self.truth, ~self.truth, self.said))
        positives, negatives = weights @ yes, weights @ no
        f1 = _ratio(2.0 * (weights @ (yes & said)), positives + weights @ said)
        return np.where((positives > 0) & (negatives > 0), f1, _NAN)

    def _exact(self, weights: FloatArray) -> FloatArray:
        """(R,), of the clips of which people spoke of a primitive."""
        if self.said is None:
            return np.full(len(weights), _NAN)
        known = self.known[:, : len(PRIMITIVES)]
        wrong = (known & (self.said != self.truth)[:, : len(PRIMITIVES)]).any(axis=1)
        counted = known.any(axis=1)
        return _ratio(weights @ (counted & ~wrong & ~self.silent), weights @ counted)

    def label_scores(self, i: int, ap: Score, ap_dropped: Score) -> LabelScores:
        """All numbers of the label at ``i``."""
        known, asked = self.known[:, i], bool(self.asked[i])
        truth, scored = self.truth[known, i], self.scored[known, i]
        ranks = self.ranks[known, i]
        precision = recall = f1 = _NAN
        if self.said is not None:
            said = self.said[known, i]
            hits = int((said & truth).sum())
            precision, recall = (hits / n if (n := int(a.sum())) else _NAN for a in (said, truth))
            f1 = float(self._f1(np.ones((1, len(known))))[0, i])
        return LabelScores(
            label=self.names[i],
            positives=int(truth.sum()),
            negatives=int((~truth).sum()),
            failed=int((~scored).sum()),
            ap=ap,
            ap_dropped=ap_dropped,
            roc_auc=roc_auc(truth, ranks) if asked else _NAN,
            roc_auc_dropped=roc_auc(truth[scored], ranks[scored]) if asked else _NAN,
            precision=precision,
            recall=recall,
            f1=f1,
        )


def _ratio(part: FloatArray, whole: FloatArray) -> FloatArray:
    """NaN of nothing."""
    found = np.full(whole.shape, _NAN)
    np.divide(part, whole, out=found, where=whole > 0)
    return found


def _means(values: FloatArray) -> FloatArray:
    """Means of rows of (R, L) without what is NaN; NaN of nothing."""
    known = ~np.isnan(values)
    return _ratio(np.where(known, values, 0.0).sum(axis=1), known.sum(axis=1).astype(np.float64))


def _mean(values: Iterable[float] | BoolArray) -> float:
    """The mean of what is not NaN; NaN of nothing."""
    return float(_means(np.array([*values], np.float64)[None])[0])


def _ambiguous(answer: Answer | None, pair: tuple[str, str]) -> float:
    """Whether two moves were reported as ambiguous; NaN of an answer that cannot say so."""
    if answer is None:
        return 0.0
    if answer.record is None:
        return _NAN
    return float(set(pair) in [set(reported) for reported in answer.record.whole.ambiguous])


def _higher(answer: Answer | None, there: str, other: str) -> bool:
    scores = answer.scores if answer else {}
    return scores.get(there, _NAN) > scores.get(other, _NAN)


def _sure(answer: Answer | None, names: Sequence[str]) -> float:
    """Whether one of some moves was named with confidence; NaN where trust is not known."""
    if answer is None:
        return 0.0
    if answer.record is None:
        return _NAN
    record = answer.record
    named = (n for n in names if n in record.labels and record.scores[n] >= SURE_SCORE)
    return float(record.whole.trust >= SURE_TRUST and any(named))
