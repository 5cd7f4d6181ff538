"""What is compared: systems that say something of clips, whoever they are.

A system is a run under a classifier, or the score files that some other program wrote.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from dollygrip.classifiers.labels import BY_NAME
from dollygrip.classifiers.records import ClipLabels
from dollygrip.runners.ledger import read_records
from dollygrip.runners.pipeline import reclassify_stored
from dollygrip.runners.registry import choose
from dollygrip.runners.store import StoreError


@dataclass(frozen=True)
class Answer:
    """What a system says of one clip.

    Attributes:
        clip_id: The clip's name in its run, or the file's name without its suffix.
        path: The file as it was given to the system.
        scores: By label, any number; higher is surer. Labels that were not asked for are not in it.
        errors: By label, why there is no score.
        labels: What it names; None for a system that only ranks.
        record: The record that this was made from; None for score files.
    """

    clip_id: str
    path: str
    scores: Mapping[str, float] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    labels: frozenset[str] | None = None
    record: ClipLabels | None = None


@dataclass(frozen=True)
class System:
    """Answers of one system.

    Attributes:
        name: What tables call it, as "flow + learned".
        source: The run folder, or the file or folder with scores.
        answers: One a clip.
        estimator: Name of the estimator; empty for score files.
        classifier: Name of the classifier; empty for score files.
    """

    name: str
    source: Path
    answers: tuple[Answer, ...]
    estimator: str = ""
    classifier: str = ""


def read_run(folder: Path) -> System:
    """What a run says, under the estimator and the classifier that it was made with.

    Raises:
        StoreError: The folder holds no run, or an empty one.
    """
    records = list(read_records(folder))
    if not records:
        raise StoreError(f"{folder} holds no record yet")
    estimator, classifier = (_names(records, kind) for kind in ("estimator", "classifier"))
    answers = tuple(_answer(record) for record in records)
    return System(f"{estimator} + {classifier}", folder, answers, estimator, classifier)


def reclassified(system: System, classifier: str) -> System:
    """The same run under another classifier, from its stored motion; nothing is written.

    Args:
        system: From :func:`read_run`.
        classifier: Name in the registry; its defaults are taken.

    Raises:
        SettingsError: There is no such classifier.
    """
    choice = choose("classifier", classifier)
    judge = choice.make()
    records = (answer.record for answer in system.answers)
    answers = tuple(
        _answer(reclassify_stored(record, system.source, judge, choice))
        for record in records
        if record
    )
    name = f"{system.estimator} + {classifier}"
    return replace(system, name=name, answers=answers, classifier=classifier)


def _names(records: list[ClipLabels], kind: str) -> str:
    """What made the records; mostly one name, several where a run was gone on with another."""
    found = (record.provenance.get(kind, {}).get("name", "unknown") for record in records)
    return ", ".join(dict.fromkeys(found))


def _answer(record: ClipLabels) -> Answer:
    failure = record.failure
    return Answer(
        clip_id=record.clip_id,
        path=record.path,
        scores=record.scores,
        errors={} if failure is None else dict.fromkeys(BY_NAME, failure.message),
        labels=frozenset(record.labels),
        record=record,
    )
