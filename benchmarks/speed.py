"""What labelling a clip costs, against decoding it once at full size.

Every measurement is a fresh process: start-up and imports count, and peak memory is the child's
own. The two are taken in turns, so that a busy machine slows both alike.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

SUFFIXES = frozenset({".mp4", ".mov", ".avi", ".mkv", ".webm", ".gif", ".m4v"})
DECODE = """
import sys, av
with av.open(sys.argv[1]) as container:
    for frame in container.decode(video=0):
        pass
"""
# A process starts with its parent's memory on its account, so a small parent starts the child.
LAUNCHER = """
import resource, subprocess, sys, time
quiet, started = subprocess.DEVNULL, time.perf_counter()
code = subprocess.run(sys.argv[1:], stdout=quiet, stderr=quiet).returncode
seconds = time.perf_counter() - started
print(code, seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


@dataclass(frozen=True)
class Cost:
    """One clip.

    Attributes:
        clip: File name.
        size: Width x height.
        video_seconds: Length of the clip.
        decode_seconds: Median wall time of a process that only decodes.
        label_seconds: Median wall time of ``dollygrip label``.
        ratio: label_seconds / decode_seconds.
        realtime: Seconds of video labelled in a second.
        peak_megabytes: Largest resident memory of a labelling process.
    """

    clip: str
    size: str
    video_seconds: float
    decode_seconds: float
    label_seconds: float
    ratio: float
    realtime: float
    peak_megabytes: float


def measure(path: Path, repeats: int) -> Cost:
    """Time one clip.

    Raises:
        ValueError: Labelling or decoding failed.
    """
    size, seconds = _describe(path)
    decoded, labelled, peaks = [], [], []
    for _ in range(repeats):
        decoded.append(run_child([sys.executable, "-c", DECODE, str(path)]).seconds)
        with tempfile.TemporaryDirectory() as run:
            command = [sys.executable, "-m", "dollygrip", "label", str(path), "-o", f"{run}/run"]
            child = run_child(command)
        labelled.append(child.seconds)
        peaks.append(child.peak_megabytes)
    decode, label = statistics.median(decoded), statistics.median(labelled)
    return Cost(
        clip=path.name,
        size=size,
        video_seconds=seconds,
        decode_seconds=decode,
        label_seconds=label,
        ratio=label / decode,
        realtime=seconds / label,
        peak_megabytes=max(peaks),
    )


@dataclass(frozen=True)
class Child:
    """What one process took.

    Attributes:
        seconds: Wall time.
        peak_megabytes: Largest resident memory of it or of one of its workers.
    """

    seconds: float
    peak_megabytes: float


def run_child(command: Sequence[str]) -> Child:
    """Run a process to its end, its output thrown away.

    Raises:
        ValueError: It failed.
    """
    launched = [sys.executable, "-c", LAUNCHER, *command]
    done = subprocess.run(launched, stdout=subprocess.PIPE, check=True, text=True)
    code, seconds, peak = done.stdout.split()
    if code != "0":
        raise ValueError(f"{' '.join(command[1:])} ended with exit code {code}")
    unit = 1024 * 1024 if sys.platform == "darwin" else 1024
    return Child(float(seconds), int(peak) / unit)


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
    header = ("clip", "size", "video s", "decode s", "label s", "ratio", "x realtime", "MB")
    rows = [
        (
            cost.clip,
            cost.size,
            f"{cost.video_seconds:.1f}",
            f"{cost.decode_seconds:.2f}",
            f"{cost.label_seconds:.2f}",
            f"{cost.ratio:.2f}",
            f"{cost.realtime:.2f}",
            f"{cost.peak_megabytes:.0f}",
        )
        for cost in costs
    ]
    widths = [max(len(line[i]) for line in (header, *rows)) for i in range(len(header))]
    return "\n".join(
        "  ".join(
            cell.rjust(w) if i else cell.ljust(w)
            for i, (cell, w) in enumerate(zip(line, widths, strict=True))
        )
        for line in (header, *rows)
    )


def add_command(commands: Any) -> None:
    """Add ``speed`` to the argument parser's commands."""
    parser = commands.add_parser("speed", help="cost of labelling against decoding")
    parser.add_argument("paths", nargs="+", type=Path, help="clips, or folders of clips")
    parser.add_argument("--repeats", type=int, default=3)
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
    costs = [measure(clip, options.repeats) for clip in clips]
    print(render(costs))
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        data = json.dumps([asdict(cost) for cost in costs], indent=1)
        (options.out / "speed.json").write_text(data + "\n", encoding="utf-8")
    return 0
