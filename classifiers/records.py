"""What is said of one clip: segments on a timeline, labels of each shot, the whole record."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from dollygrip.classifiers.reliability import Failure, Reason

SCHEMA_VERSION = 1

# Clips are ranked by their scores; coarser ones would tie.
_DIGITS = 6

# The name of a clip in a run is that of its files, too: it must not lead out of their folder.
_CLIP_ID = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}")
# What is nested more deeply, or has more in it, was not written by any classifier.
_DEEPEST = 16
_MOST_ATTRIBUTES = 1000
_LARGEST = 1e300


@dataclass(frozen=True)
class Segment:
    """One move on the timeline.

    Attributes:
        motion: A label of :mod:`dollygrip.classifiers.labels`.
        start: Seconds from the first frame of the clip.
        end: Seconds from the first frame of the clip.
        score: 0 to 1.
    """

    motion: str
    start: float
    end: float
    score: float

    def to_dict(self) -> dict[str, Any]:
        """As JSON-ready data."""
        return {
            "motion": self.motion,
            "start": round(self.start, 3),
            "end": round(self.end, 3),
            "score": round(self.score, _DIGITS),
        }


@dataclass(frozen=True)
class ShotLabels:
    """What a classifier says of one shot.

    Attributes:
        start: Seconds from the first frame of the clip at which the shot starts.
        end: Seconds at which it ends.
        labels: Primitives and derived moves that are present, in the order of the vocabulary.
        scores: 0 to 1 for every label of the vocabulary; empty on failure.
        segments: The timeline, by start; seconds from the first frame of the clip.
        ambiguous: Pairs of labels the evidence cannot tell apart.
        failure: Why there are no labels; None for an answer.
        trust: 0 to 1: how far the answer as a whole can be believed.
        doubts: What lowers the trust.
        attributes: Levels of steadiness, speed and complexity, and amounts of motion.
        caption: One plain English sentence.
        diagnostics: Numbers from the estimator.
    """

    start: float
    end: float
    labels: tuple[str, ...] = ()
    scores: dict[str, float] = field(default_factory=dict)
    segments: tuple[Segment, ...] = ()
    ambiguous: tuple[tuple[str, str], ...] = ()
    failure: Failure | None = None
    trust: float = 0.0
    doubts: tuple[Failure, ...] = ()
    attributes: dict[str, Any] = field(default_factory=dict)
    caption: str = ""
    diagnostics: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """As JSON-ready data."""
        return {
            "start": round(self.start, 3),
            "end": round(self.end, 3),
            "labels": list(self.labels),
            "scores": {name: round(score, _DIGITS) for name, score in self.scores.items()},
            "segments": [segment.to_dict() for segment in self.segments],
            "ambiguous": [list(pair) for pair in self.ambiguous],
            "failure": None if self.failure is None else _reason_dict(self.failure),
            "trust": round(self.trust, _DIGITS),
            "doubts": [_reason_dict(doubt) for doubt in self.doubts],
            "attributes": self.attributes,
            "caption": self.caption,
            "diagnostics": self.diagnostics,
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Read back what :meth:`to_dict` wrote.

        Raises:
            KeyError: A field is missing.
            ValueError: A field holds something else.
        """
        _check(data, _SHOT_FIELDS)
        failure = data["failure"]
        return cls(
            start=data["start"],
            end=data["end"],
            labels=tuple(data["labels"]),
            scores=dict(data["scores"]),
            segments=tuple(Segment(**segment) for segment in data["segments"]),
            ambiguous=tuple((pair[0], pair[1]) for pair in data["ambiguous"]),
            failure=None if failure is None else _reason(failure),
            trust=data["trust"],
            doubts=tuple(_reason(doubt) for doubt in data["doubts"]),
            attributes=dict(data["attributes"]),
            caption=data["caption"],
            diagnostics=dict(data["diagnostics"]),
        )


@dataclass(frozen=True)
class ClipLabels:
    """The record of one clip: one line of ``results.jsonl``.

    Attributes:
        clip_id: Stable name of the clip inside a run, safe as a file name.
        path: The file as it was given.
        whole: What holds for the clip as a whole; its fields stand at the top of the record.
        shots: The same for each shot; one entry where the clip has no cut.
        provenance: Estimator, classifier, version, settings hash, content hash, seconds.
        schema_version: Version of this layout.
    """

    clip_id: str
    path: str
    whole: ShotLabels
    shots: tuple[ShotLabels, ...] = ()
    provenance: dict[str, Any] = field(default_factory=dict)
    schema_version: int = SCHEMA_VERSION

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels present in the clip."""
        return self.whole.labels

    @property
    def scores(self) -> dict[str, float]:
        """0 to 1 for every label of the vocabulary."""
        return self.whole.scores

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The timeline."""
        return self.whole.segments

    @property
    def failure(self) -> Failure | None:
        """Why there are no labels."""
        return self.whole.failure

    @property
    def caption(self) -> str:
        """One plain English sentence."""
        return self.whole.caption

    def to_dict(self) -> dict[str, Any]:
        """As JSON-ready data, keys in the order of the published schema."""
        return {
            "schema_version": self.schema_version,
            "clip_id": self.clip_id,
            "path": self.path,
            **self.whole.to_dict(),
            "shots": [shot.to_dict() for shot in self.shots],
            "provenance": self.provenance,
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Read back what :meth:`to_dict` wrote.

        Raises:
            ValueError: The data has another schema version, lacks a field or has a wrong one.
        """
        version = data.get("schema_version")
        if version != SCHEMA_VERSION:
            raise ValueError(f"record has schema version {version}, expected {SCHEMA_VERSION}")
        try:
            _check(data, _CLIP_FIELDS)
            _check(data["provenance"], _PROVENANCE_FIELDS, optional=True)
            return cls(
                clip_id=data["clip_id"],
                path=data["path"],
                whole=ShotLabels.from_dict(data),
                shots=tuple(ShotLabels.from_dict(shot) for shot in data["shots"]),
                provenance=dict(data["provenance"]),
            )
        except KeyError as error:
            raise ValueError(f"record lacks the field {error}") from error


def _check(
    data: Mapping[str, Any], fields: Mapping[str, Callable[[Any], bool]], *, optional: bool = False
) -> None:
    """Raise where a field is missing or of the wrong kind: anybody may have written the file."""
    for name, fits in fields.items():
        if optional and name not in data:
            continue
        if not fits(data[name]):
            raise ValueError(f"record has a wrong {name!r}")


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) <= _LARGEST


def _is_data(value: Any, depth: int = _DEEPEST) -> bool:
    """Whether it is nested only so deeply."""
    items = value.values() if isinstance(value, dict) else value
    inside = [item for item in items if isinstance(item, dict | list)]
    return depth > 0 and all(_is_data(item, depth - 1) for item in inside)


def _is_object(value: Any) -> bool:
    return isinstance(value, dict) and _is_data(value)


def _is_reason(value: Any) -> bool:
    return isinstance(value, dict) and all(_is_text(value.get(n)) for n in ("reason", "message"))


def _is_segment(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == {"motion", "start", "end", "score"}
        and _is_text(value["motion"])
        and all(_is_number(value[name]) for name in ("start", "end", "score"))
    )


def _is_choice(value: Any) -> bool:
    """Whether it says which estimator or classifier it was."""
    return isinstance(value, dict) and all(
        _is_text(value.get(name, "")) for name in ("name", "hash")
    )


def _none_or(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or fits(value)


def _list_of(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(map(fits, value))


def _leaves(value: Any) -> int:
    return sum(map(_leaves, value.values())) if isinstance(value, dict) else 1


_SHOT_FIELDS: dict[str, Callable[[Any], bool]] = {
    "start": _is_number,
    "end": _is_number,
    "labels": _list_of(_is_text),
    "scores": lambda value: isinstance(value, dict) and all(map(_is_number, value.values())),
    "segments": _list_of(_is_segment),
    "ambiguous": _list_of(lambda pair: _list_of(_is_text)(pair) and len(pair) == 2),
    "failure": _none_or(_is_reason),
    "trust": _is_number,
    "doubts": _list_of(_is_reason),
    "attributes": lambda value: _is_object(value) and _leaves(value) <= _MOST_ATTRIBUTES,
    "caption": _is_text,
    "diagnostics": _is_object,
}
_CLIP_FIELDS: dict[str, Callable[[Any], bool]] = {
    "clip_id": lambda value: _is_text(value) and _CLIP_ID.fullmatch(value) is not None,
    "path": _is_text,
    "shots": _list_of(lambda shot: isinstance(shot, dict)),
    "provenance": _is_object,
}
_PROVENANCE_FIELDS: dict[str, Callable[[Any], bool]] = {
    "estimator": _is_choice,
    "classifier": _is_choice,
    "seconds": _none_or(_is_number),
    "peak_memory_mb": _none_or(_is_number),
    "content": _none_or(lambda value: isinstance(value, dict)),
    "video": _none_or(
        lambda value: isinstance(value, dict) and _none_or(_is_number)(value.get("duration"))
    ),
}


def _reason_dict(failure: Failure) -> dict[str, str]:
    return {"reason": failure.reason.value, "message": failure.message}


def _reason(data: dict[str, str]) -> Failure:
    return Failure(Reason(data["reason"]), data["message"])
