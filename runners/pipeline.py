"""One clip, from file to record: read, split into shots, estimate, classify, combine."""

import os
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from dollygrip.classifiers.base import Classifier, combine, failed
from dollygrip.classifiers.records import ClipLabels, ShotLabels
from dollygrip.classifiers.reliability import Failure, Reason
from dollygrip.runners.appearance import Appearance
from dollygrip.runners.content import Content, content_of
from dollygrip.runners.estimators.base import Estimator, MotionReader, crash, estimated
from dollygrip.runners.formats.jsonl import plain
from dollygrip.runners.formats.trajectories import ShotMotion
from dollygrip.runners.memory import forget_peak, peak_mb
from dollygrip.runners.registry import Choice
from dollygrip.runners.shots import split_shots
from dollygrip.runners.store import clip_id_of, motion_files, read_motion
from dollygrip.runners.video import Frame, FrameReader, VideoClip, VideoError, read_frames

STILL_PICTURE = Failure(
    Reason.FROZEN, "All pictures are the same: a still image, or a recording that hangs."
)

# Frames that wait for the estimator.
_MOST_AHEAD = 8


@dataclass(frozen=True, eq=False)
class ClipResult:
    """What came of one clip.

    Attributes:
        record: The record.
        shots: The motion of each shot; empty for a clip that could not be read.
    """

    record: ClipLabels
    shots: tuple[ShotMotion, ...] = ()


@dataclass(frozen=True, eq=False)
class PackedResult:
    """What came of one clip, ready to be written: what a worker hands over.

    Packing takes longer than writing, and only one process writes.

    Attributes:
        record: The record.
        motion: The motion as files, see :func:`dollygrip.runners.store.motion_files`.
    """

    record: ClipLabels
    motion: Mapping[str, bytes] = field(default_factory=dict)


def packed(result: ClipResult) -> PackedResult:
    """A result, ready to be written."""
    return PackedResult(result.record, motion_files(result.shots))


def label_clip_file(
    path: str | os.PathLike[str],
    estimator: Estimator | MotionReader,
    classifier: Classifier,
    *,
    clip_id: str | None = None,
    provenance: dict[str, Any] | None = None,
    threads: int = 0,
) -> ClipResult:
    """Label one clip. A clip that cannot be labelled is a record with a failure, no exception.

    Args:
        path: A video file, or a folder of pictures.
        estimator: Estimates the motion of each shot.
        classifier: Turns motion into labels.
        clip_id: The clip's name in its run; made from the file's name when not given.
        provenance: What the caller knows of versions and settings, for the record.
        threads: How many threads decode ahead of the estimator; none to do both in turns.

    Returns:
        The record, and the motion that it was made from.
    """
    file, started = Path(path), time.perf_counter()
    forget_peak()
    content = content_of(file)
    reader: FrameReader | None = None
    shots: tuple[ShotMotion, ...] = ()
    try:
        # The matrices are small: more threads only wait for each other, and spin while they do.
        with threadpool_limits(limits=1):
            if isinstance(estimator, MotionReader):
                shots = _read_motions(estimator, file)
            else:
                reader = read_frames(file, estimator.frame_request, threads=max(threads, 1))
                shots = _motions(_ahead(reader) if threads else reader, reader, estimator)
            whole, parts = classify_shots(classifier, shots)
    except VideoError as error:
        whole, parts = failed(error.failure, start=0.0, end=0.0), ()
    clip = None if reader is None else reader.clip
    record = ClipLabels(
        clip_id=clip_id_of(file, file.parent) if clip_id is None else clip_id,
        path=os.fspath(path),
        whole=whole,
        shots=parts,
        provenance={
            **(provenance or {}),
            "content": None if content is None else content.to_dict(),
            "video": None if clip is None else _video_info(clip, whole.end),
            "seconds": round(time.perf_counter() - started, 3),
            "peak_memory_mb": peak_mb(),
        },
    )
    return ClipResult(record, shots)


def classify_shots(
    classifier: Classifier, shots: Sequence[ShotMotion]
) -> tuple[ShotLabels, tuple[ShotLabels, ...]]:
    """Labels from motion alone: those of the whole clip, and those of each shot."""
    labels = tuple(_classified(classifier, shot) for shot in shots)
    return combine(labels), labels


def reclassify(
    record: ClipLabels,
    shots: Sequence[ShotMotion],
    classifier: Classifier,
    provenance: dict[str, Any],
) -> ClipLabels:
    """The record anew from stored motion; one without motion keeps its failure.

    Args:
        record: The record so far.
        shots: The stored motion.
        classifier: Turns motion into labels.
        provenance: What has changed in it, such as the classifier.
    """
    whole, parts = classify_shots(classifier, shots) if shots else (record.whole, record.shots)
    return replace(record, whole=whole, shots=parts, provenance={**record.provenance, **provenance})


def reclassify_stored(
    record: ClipLabels, run: Path, classifier: Classifier, choice: Choice
) -> ClipLabels:
    """The record anew from the motion that its run has stored; one whose motion is damaged fails.

    Args:
        record: The record so far.
        run: The run folder.
        classifier: Turns motion into labels.
        choice: What the classifier was made from.
    """
    about = {"classifier": {"name": choice.name, "hash": choice.hash}}
    if not record.shots:  # there never was a motion: the failure stands
        return reclassify(record, (), classifier, about)
    try:
        return reclassify(record, read_motion(run, record.clip_id), classifier, about)
    except ValueError as error:
        failure = Failure(Reason.NOT_READABLE, f"{error}; label again with --retry-failed.")
        return replace(record, whole=failed(failure, start=0.0, end=0.0), shots=())


def failed_record(
    path: str, clip_id: str, failure: Failure, content: Content | None, provenance: dict[str, Any]
) -> ClipLabels:
    """The record of a clip whose labelling was cut off from outside."""
    return ClipLabels(
        clip_id=clip_id,
        path=path,
        whole=failed(failure, start=0.0, end=0.0),
        provenance={
            **provenance,
            "content": None if content is None else content.to_dict(),
            "video": None,
            "seconds": None,
            "peak_memory_mb": None,
        },
    )


class _Watched:
    """Frames passed on, with a note of when the last was shown, and what they look like."""

    def __init__(self, frames: Iterable[Frame], start: float) -> None:
        self._frames = frames
        self.last = start
        self.appearance = Appearance()

    def __iter__(self) -> Iterator[Frame]:
        for frame in self._frames:
            self.last = frame.time
            self.appearance.add(frame)
            yield frame


def _ahead(frames: Iterable[Frame]) -> Iterator[Frame]:
    """The same frames, a few of them read ahead in another thread."""
    iterator = iter(frames)
    with ThreadPoolExecutor(1) as reading:
        ready = deque(reading.submit(next, iterator, None) for _ in range(_MOST_AHEAD))
        try:
            while frame := ready.popleft().result():
                ready.append(reading.submit(next, iterator, None))
                yield frame
        finally:
            for frame_to_come in ready:
                frame_to_come.cancel()


def _motions(
    frames: Iterable[Frame], reader: FrameReader, estimator: Estimator
) -> tuple[ShotMotion, ...]:
    """The motion of each shot; the frames are read once."""
    motions = []
    for shot in split_shots(frames):
        watched = _Watched(shot, shot.start)
        estimate = estimated(estimator, watched)
        for _ in watched:  # an estimator that stopped early must not shorten the shot
            pass
        seen = watched.appearance
        doubts = (*estimate.doubts, STILL_PICTURE) if seen.still else estimate.doubts
        motions.append(
            ShotMotion(
                start=shot.start,
                end=watched.last,
                hypotheses=estimate.hypotheses,
                failure=estimate.failure,
                doubts=doubts,
                diagnostics=plain(estimate.diagnostics | {"appearance": seen.diagnostics()}),
                maps=estimate.maps,
            )
        )
    if motions and reader.warnings:
        # What went wrong on the way is known at the end, and it ended the last shot.
        broken = (*motions[-1].doubts, *reader.warnings)
        motions[-1] = replace(motions[-1], doubts=broken)
    return tuple(motions)


def _read_motions(reader: MotionReader, path: Path) -> tuple[ShotMotion, ...]:
    try:
        return reader.motions(path)
    except VideoError:
        raise
    except Exception as error:
        return (ShotMotion(0.0, 0.0, failure=crash(f"the estimator {reader.name}", error)),)


def _classified(classifier: Classifier, shot: ShotMotion) -> ShotLabels:
    about: dict[str, Any] = {
        "start": shot.start,
        "end": shot.end,
        "doubts": shot.doubts,
        "diagnostics": shot.diagnostics,
    }
    if shot.failure is not None:
        return failed(shot.failure, **about)
    try:
        return classifier.classify(shot.hypotheses, **about)
    except Exception as error:
        return failed(crash(f"the classifier {classifier.name}", error), **about)


def _video_info(clip: VideoClip, end: float) -> dict[str, Any]:
    return {
        "size": list(clip.size),
        "duration": end if clip.duration is None else clip.duration,
        "rate": clip.rate,
        "codec": clip.codec,
    }
