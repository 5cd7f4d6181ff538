"""What labelling a clip costs, against decoding it once at full size.

Every measurement but that of the stages is a fresh process: start-up and imports count, and peak
memory is the child's own. Reference and subject are taken in turns, so that a busy machine slows
both alike; processor seconds stand beside wall seconds, since they feel it less.
"""

import argparse
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from benchmarks.processes import Child, run_child
from dollygrip.console import SOME_FAILED

DEFAULT = "flow"
SUFFIXES = frozenset({".mp4", ".mov", ".avi", ".mkv", ".webm", ".gif", ".m4v"})
DECODE = """
import sys, av
for path in sys.argv[1:]:
    with av.open(path) as container:
        for frame in container.decode(video=0):
            pass
"""
# What a worker loads before its first clip.
LOAD = """
import dollygrip.runners.pipeline
from dollygrip.runners.registry import choose
choose("estimator", "flow"), choose("classifier", "learned")
"""
# Lengths between which the cost per second of video must not change, seconds.
LENGTHS = (2, 10, 60, 600)
_FAR = 3840
"""Pixels; width of 4K."""

_T = TypeVar("_T")


@dataclass(frozen=True)
class Cost:
    """Labelling something, against decoding it.

    Attributes:
        clip: What was labelled.
        size: Width x height.
        video_seconds: Length of the video.
        decode_seconds: Median wall time of a process that only decodes.
        label_seconds: Median wall time of ``dollygrip label``.
        ratio: label_seconds / decode_seconds.
        cpu_ratio: The same in processor time.
        realtime: Seconds of video labelled in a second.
        peak_megabytes: Largest resident memory of a labelling process.
    """

    clip: str
    size: str
    video_seconds: float
    decode_seconds: float
    label_seconds: float
    ratio: float
    cpu_ratio: float
    realtime: float
    peak_megabytes: float


@dataclass(frozen=True)
class Share:
    """One stage of labelling a clip.

    Attributes:
        clip: File name.
        stage: What is done.
        cpu_seconds: Processor time of it.
        share: Part of the whole, 0 to 1.
    """

    clip: str
    stage: str
    cpu_seconds: float
    share: float


def measure(path: Path, repeats: int, estimator: str = DEFAULT) -> Cost:
    """Time one clip, start-up included.

    Raises:
        ValueError: Labelling or decoding failed.
    """
    turns = [_turn([path], estimator=estimator) for _ in range(repeats)]
    decoded = [_median([turn[i] for turn in turns]) for i in range(2)]
    name = path.name if estimator == DEFAULT else f"{path.name} ({estimator})"
    return _cost(name, path, 1, *decoded)


def measure_steady(path: Path, repeats: int, copies: int = 6) -> Cost:
    """Time what one more clip costs when many are labelled: nothing is left of start-up.

    One worker labels copies of the clip, and one process decodes as many; the cost of a single
    clip is taken from both.

    Raises:
        ValueError: Labelling or decoding failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        several = [
            Path(shutil.copy(path, Path(folder, f"{i}{path.suffix}"))) for i in range(copies)
        ]
        turns = [(_turn(several[:1], jobs=1), _turn(several, jobs=1)) for _ in range(repeats)]
    more = [
        _less(_median([many[i] for _, many in turns]), _median([one[i] for one, _ in turns]))
        for i in range(2)
    ]
    return _cost(f"{copies - 1} more of {path.name}", path, copies - 1, *more)


def _turn(
    paths: Sequence[Path], jobs: int | None = None, estimator: str = DEFAULT
) -> tuple[Child, Child]:
    """Decode clips, then label them."""
    names = [str(path) for path in paths]
    decoded = run_child([sys.executable, "-c", DECODE, *names])
    with tempfile.TemporaryDirectory() as run:
        command = [sys.executable, "-m", "dollygrip", "label", *names, "-o", f"{run}/run"]
        command += ["--estimator", estimator]
        command += ["--jobs", str(jobs)] if jobs else []
        # Having no answer takes other estimators their time, too.
        fine = (0,) if estimator == DEFAULT else (0, SOME_FAILED)
        return decoded, run_child(command, fine)


def _median(children: Sequence[Child]) -> Child:
    return Child(
        statistics.median(child.seconds for child in children),
        statistics.median(child.cpu_seconds for child in children),
        max(child.peak_megabytes for child in children),
    )


def _less(one: Child, other: Child) -> Child:
    return Child(
        max(one.seconds - other.seconds, 1e-3),
        max(one.cpu_seconds - other.cpu_seconds, 1e-3),
        one.peak_megabytes,
    )


def _cost(name: str, path: Path, count: int, decoded: Child, labelled: Child) -> Cost:
    size, seconds = _describe(path)
    return Cost(
        clip=name,
        size=size,
        video_seconds=count * seconds,
        decode_seconds=decoded.seconds,
        label_seconds=labelled.seconds,
        ratio=labelled.seconds / decoded.seconds,
        cpu_ratio=labelled.cpu_seconds / decoded.cpu_seconds,
        realtime=count * seconds / labelled.seconds,
        peak_megabytes=labelled.peak_megabytes,
    )


def measure_lengths(path: Path, repeats: int, lengths: Sequence[int] = LENGTHS) -> list[Cost]:
    """Time the pictures of a clip, played to and fro for as long as asked; then 10 s of them in 4K.

    Raises:
        ValueError: Labelling or decoding failed.
    """
    costs = []
    with tempfile.TemporaryDirectory() as folder:
        for length, width in (
            *((length, None) for length in lengths),
            (min(10, max(lengths)), _FAR),
        ):
            made = Path(folder, f"{length} s{' in 4K' if width else ''}.mp4")
            _play(path, made, length, width)
            costs.append(measure(made, repeats))
            made.unlink()
    return costs


def _play(path: Path, made: Path, seconds: float, width: int | None) -> None:
    """Write the pictures of a clip forwards and backwards in turns, so that nothing is a cut."""
    import av
    import cv2
    import numpy as np

    from dollygrip.runners.rendering import write_video

    with av.open(str(path)) as container:
        rate = float(container.streams.video[0].average_rate or 25)
        pictures = [
            frame.to_ndarray(format="rgb24")
            for _, frame in zip(range(300), container.decode(video=0), strict=False)
        ]
    order = [*range(len(pictures)), *range(len(pictures) - 2, 0, -1)]
    count = round(seconds * rate)

    def frames() -> Iterator[Any]:
        for i in range(count):
            picture = pictures[order[i % len(order)]]
            height = picture.shape[0] // 2 * 2
            even = picture[:height, : picture.shape[1] // 2 * 2]
            if width:
                size = width, round(width * height / even.shape[1] / 2) * 2
                even = np.asarray(cv2.resize(even, size, interpolation=cv2.INTER_CUBIC), np.uint8)
            yield np.ascontiguousarray(even)

    write_video(made, frames(), np.arange(count) / rate)


def measure_stages(path: Path) -> list[Share]:
    """Time the stages of labelling one clip, one by one on the result of the one before.

    Processor seconds of one thread; what the stages have to do with each other (threads, memory)
    is not in it.
    """
    import cv2

    from dollygrip.classifiers.learned import LearnedClassifier
    from dollygrip.classifiers.records import ClipLabels
    from dollygrip.runners.estimators.flow import FlowEstimator
    from dollygrip.runners.estimators.tracks import track_points
    from dollygrip.runners.formats.trajectories import ShotMotion
    from dollygrip.runners.pipeline import classify_shots
    from dollygrip.runners.shots import split_shots
    from dollygrip.runners.store import RunStore
    from dollygrip.runners.tables import update_tables
    from dollygrip.runners.video import read_frames

    cv2.setNumThreads(1)
    estimator, classifier = FlowEstimator(), LearnedClassifier()
    frames, reading = _timed(lambda: list(read_frames(path, estimator.frame_request)))
    shots, splitting = _timed(lambda: [list(shot) for shot in split_shots(frames)])
    _, tracking = _timed(lambda: [track_points(shot) for shot in shots])
    estimates, estimating = _timed(lambda: [estimator.estimate(shot) for shot in shots])
    motions = [
        ShotMotion(shot[0].time, shot[-1].time, estimate.hypotheses, estimate.failure)
        for shot, estimate in zip(shots, estimates, strict=True)
    ]
    (whole, parts), classifying = _timed(lambda: classify_shots(classifier, motions))
    with tempfile.TemporaryDirectory() as run:

        def store() -> None:
            with RunStore(run) as open_run:
                open_run.append(ClipLabels(path.stem, str(path), whole, parts), motions)
                update_tables(open_run.folder)

        _, storing = _timed(store)
    loading = run_child([sys.executable, "-c", LOAD]).cpu_seconds
    stages = {
        "load (once a worker)": loading,
        "decode and shrink": reading,
        "split into shots": splitting,
        "track": tracking,
        "explain the tracks": max(estimating - tracking, 0.0),
        "classify": classifying,
        "store": storing,
    }
    total = sum(stages.values())
    return [Share(path.name, name, spent, spent / total) for name, spent in stages.items()]


def _timed(work: Callable[[], _T]) -> tuple[_T, float]:
    started = time.process_time()
    result = work()
    return result, time.process_time() - started


def _describe(path: Path) -> tuple[str, float]:
    import av

    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        times = [
            float(packet.pts * packet.time_base)
            for packet in container.demux(stream)
            if packet.pts is not None and packet.time_base is not None
        ]
        return f"{stream.width}x{stream.height}", max(times) - min(times)


def render(costs: Sequence[Cost]) -> str:
    """A table that reads as plain text."""
    header = ("clip", "size", "video s", "decode s", "label s", "ratio", "CPU", "x realtime", "MB")
    rows = [
        (
            cost.clip,
            cost.size,
            f"{cost.video_seconds:.1f}",
            f"{cost.decode_seconds:.2f}",
            f"{cost.label_seconds:.2f}",
            f"{cost.ratio:.2f}",
            f"{cost.cpu_ratio:.2f}",
            f"{cost.realtime:.2f}",
            f"{cost.peak_megabytes:.0f}",
        )
        for cost in costs
    ]
    return _table(header, rows)


def render_stages(shares: Sequence[Share]) -> str:
    """A table that reads as plain text."""
    rows = [(s.clip, s.stage, f"{s.cpu_seconds:.3f}", f"{s.share:.0%}") for s in shares]
    return _table(("clip", "stage", "CPU s", "share"), rows)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = (header, *rows)
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    return "\n".join(
        "  ".join(
            cell.rjust(w) if i else cell.ljust(w)
            for i, (cell, w) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )


def add_command(commands: Any) -> None:
    """Add ``speed`` to the argument parser's commands."""
    parser = commands.add_parser("speed", help="cost of labelling against decoding")
    parser.add_argument("paths", nargs="+", type=Path, help="clips, or folders of clips")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--estimators", nargs="+", default=[DEFAULT], metavar="NAME", help="default: %(default)s"
    )
    parser.add_argument("--steady", action="store_true", help="also what each further clip costs")
    parser.add_argument("--stages", action="store_true", help="also where the time goes")
    parser.add_argument(
        "--lengths", action="store_true", help="also each clip played for 2 to 600 s, and in 4K"
    )
    parser.add_argument("--out", type=Path, help="folder for speed.json")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Measure, print and write."""
    clips = []
    for path in options.paths:
        inside = sorted(path.iterdir()) if path.is_dir() else [path]
        clips += [p for p in inside if p == path or p.suffix.lower() in SUFFIXES]
    if not clips:
        raise ValueError("no clips to measure")
    costs = [measure(clip, options.repeats, e) for clip in clips for e in options.estimators]
    if options.steady:
        costs += [measure_steady(clip, options.repeats) for clip in clips]
    if options.lengths:
        costs += [cost for clip in clips for cost in measure_lengths(clip, options.repeats)]
    shares = [s for clip in clips for s in measure_stages(clip)] if options.stages else []
    print(render(costs))
    if shares:
        print(f"\n{render_stages(shares)}")
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        data = {"costs": [asdict(c) for c in costs], "stages": [asdict(s) for s in shares]}
        (options.out / "speed.json").write_text(json.dumps(data, indent=1) + "\n", "utf-8")
    return 0
