"""What a batch costs: many clips by several workers, and a run of very many clips to go on with.

Every measurement is the whole command in a fresh process. One worker on one processor is compared
with N workers on N, since a lone worker with processors to spare decodes ahead on them. All are
taken in turns, so that a busy machine slows them alike; how much faster N processes only decode the
same clips says what the machine itself allows.
"""

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any

from benchmarks.processes import Child, run_child
from benchmarks.speed import measure_stages
from benchmarks.tables import Cells, listing
from dollygrip.console import SOME_FAILED

_DECODE = """
import sys
from multiprocessing import get_context
def decode(path):
    import av
    with av.open(path) as container:
        container.streams.video[0].thread_count = 1
        for frame in container.decode(video=0):
            pass
if __name__ == "__main__":
    with get_context("fork").Pool(int(sys.argv[1])) as pool:
        pool.map(decode, sys.argv[2:], chunksize=1)
"""
# The command in a process that tells its own processor time apart from that of its workers.
_ACCOUNT = """
import resource, sys
from pathlib import Path
from dollygrip.cli import main
code = main(sys.argv[2:])
used = [resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
Path(sys.argv[1]).write_text(" ".join(str(one.ru_utime + one.ru_stime) for one in used))
sys.exit(code)
"""
_LABEL = (sys.executable, "-m", "dollygrip", "label")
# A clip that fails has cost its time, too.
_FINE = (0, SOME_FAILED)
# Clips whose stages are measured one by one, which takes twice as long as labelling them.
_STAGED = 20
_FILES_IN_A_FOLDER = 1000


@dataclass(frozen=True)
class Throughput:
    """Labelling a folder with some workers, each with a processor of its own.

    Attributes:
        workers: How many.
        clips: In the folder.
        video_seconds: Length of all of them.
        seconds: Wall time of the command.
        cpu_seconds: Processor time of it and its workers.
        start_seconds: Wall time of labelling one of the smallest clips a worker, less the longest
            that one of them took: start-up, tables, end.
        decode_seconds: Wall time of as many processes that only decode.
        clips_an_hour: In this run, with its start-up.
        realtime: Seconds of video labelled in a second.
        efficiency: Wall time of one worker / (workers x seconds); 1 is no loss.
        steady_efficiency: The same of all but the smallest clips, with one a worker: nothing is
            left of what a run costs once.
        decode_efficiency: The same of decoding: what the machine allows.
        peak_megabytes: Largest resident memory of a process.
    """

    workers: int
    clips: int
    video_seconds: float
    seconds: float
    cpu_seconds: float
    start_seconds: float
    decode_seconds: float
    clips_an_hour: float
    realtime: float
    efficiency: float
    steady_efficiency: float
    decode_efficiency: float
    peak_megabytes: float


@dataclass(frozen=True)
class Share:
    """Who spends the processor time of a clip.

    Attributes:
        part: The process, or a stage.
        milliseconds: Processor time a clip.
        share: Of the whole command, 0 to 1.
    """

    part: str
    milliseconds: float
    share: float


@dataclass(frozen=True)
class Bookkeeping:
    """What a run costs of which almost everything is done.

    Attributes:
        clips: That have a record.
        what: What the command has to do.
        seconds: Wall time of it.
        cpu_seconds: Processor time of it.
        peak_megabytes: Largest resident memory of a process.
    """

    clips: int
    what: str
    seconds: float
    cpu_seconds: float
    peak_megabytes: float


@dataclass(frozen=True)
class Room:
    """What a run folder holds on average for a clip.

    Attributes:
        what: A file, or a folder with one file a clip.
        bytes_a_clip: Size.
        files_a_clip: How many files.
    """

    what: str
    bytes_a_clip: float
    files_a_clip: float


@dataclass(frozen=True)
class _Turn:
    """One measurement with some workers: all clips, the smallest ones, and all only decoded."""

    whole: Child
    smallest: Child
    start_seconds: float
    decoded: Child


_whole: Callable[[_Turn], Child] = attrgetter("whole")
_smallest: Callable[[_Turn], Child] = attrgetter("smallest")
_decoded: Callable[[_Turn], Child] = attrgetter("decoded")


def measure_throughput(
    clips: Sequence[Path], workers: Sequence[int], repeats: int
) -> list[Throughput]:
    """Label clips with one worker and with more, in turns.

    Args:
        clips: The clips; more than the most workers.
        workers: How many to compare with one.
        repeats: How often; medians count.

    Raises:
        ValueError: There are too few clips, or a command failed.
    """
    counts = sorted({1, *workers})
    if len(clips) <= counts[-1]:
        raise ValueError(f"{len(clips)} clips are too few for {counts[-1]} workers")
    smallest = sorted(clips, key=lambda path: path.stat().st_size)[: counts[-1]]
    turns: dict[int, list[_Turn]] = {count: [] for count in counts}
    length = 0.0
    for _ in range(repeats):
        for count in counts:
            whole, records = _labelled(clips, count)
            length = sum(
                (record["provenance"]["video"] or {}).get("duration", 0.0) for record in records
            )
            few, records = _labelled(smallest, count)
            # One worker labels them one after another; more, at the same time.
            took = sorted(record["provenance"]["seconds"] for record in records)
            busy = sum(took) if count == 1 else took[-1]
            names = [str(path) for path in clips]
            decoded = run_child([sys.executable, "-c", _DECODE, str(count), *names], (0,), count)
            turns[count].append(_Turn(whole, few, few.seconds - busy, decoded))
    return [_throughput(count, turns, len(clips), length) for count in counts]


def _labelled(clips: Sequence[Path], workers: int) -> tuple[Child, list[dict[str, Any]]]:
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder, "run")
        command = [*_LABEL, *map(str, clips), "-o", str(run), "--jobs", str(workers)]
        child = run_child(command, _FINE, processors=workers)
        return child, list(_records(run))


def _throughput(
    count: int, turns: Mapping[int, Sequence[_Turn]], clips: int, length: float
) -> Throughput:
    def seconds(of: int, part: Callable[[_Turn], Child]) -> float:
        return statistics.median(part(turn).seconds for turn in turns[of])

    def steady(of: int) -> float:
        return seconds(of, _whole) - seconds(of, _smallest)

    whole = seconds(count, _whole)
    return Throughput(
        workers=count,
        clips=clips,
        video_seconds=length,
        seconds=whole,
        cpu_seconds=statistics.median(turn.whole.cpu_seconds for turn in turns[count]),
        start_seconds=statistics.median(turn.start_seconds for turn in turns[count]),
        decode_seconds=seconds(count, _decoded),
        clips_an_hour=3600.0 * clips / whole,
        realtime=length / whole,
        efficiency=seconds(1, _whole) / (count * whole),
        steady_efficiency=steady(1) / (count * steady(count)),
        decode_efficiency=seconds(1, _decoded) / (count * seconds(count, _decoded)),
        peak_megabytes=max(turn.whole.peak_megabytes for turn in turns[count]),
    )


def measure_shares(clips: Sequence[Path]) -> tuple[list[Share], list[Room]]:
    """Who spends the time of one worker's batch, and what it leaves behind.

    The processes are told apart by the system while the whole command runs. The stages are timed
    one by one, on some of the clips; ``store`` is done by the parent, the others by a worker.

    Raises:
        ValueError: The command failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        run, told = Path(folder, "run"), Path(folder, "told")
        command = [sys.executable, "-c", _ACCOUNT, str(told), "label", *map(str, clips)]
        run_child([*command, "-o", str(run), "--jobs", "1"], _FINE)
        parent, worker = (float(word) for word in told.read_text().split())
        room = [_room(path, len(clips)) for path in sorted(run.iterdir())]
    whole = parent + worker
    shares = [
        Share(name, 1e3 * spent / len(clips), spent / whole)
        for name, spent in (("parent", parent), ("worker", worker))
    ]
    some = clips[:: -(-len(clips) // _STAGED)]
    stages: dict[str, float] = {}
    for clip in some:
        for stage in measure_stages(clip):
            stages[stage.stage] = stages.get(stage.stage, 0.0) + stage.cpu_seconds / len(some)
    for name, spent in stages.items():
        once = len(clips) if "once" in name else 1
        shares.append(Share(name, 1e3 * spent / once, spent * len(clips) / once / whole))
    return shares, [one for one in room if one.bytes_a_clip]


def _room(path: Path, clips: int) -> Room:
    files = [path] if path.is_file() else [*path.iterdir()]
    size = sum(file.stat().st_size for file in files)
    folder = path.is_dir()
    return Room(path.name, size / clips, len(files) / clips if folder else 0.0)


def measure_bookkeeping(clip: Path, count: int) -> list[Bookkeeping]:
    """Go on with a made-up run of many clips: its records are copies of that of a real one.

    Args:
        clip: A real clip, the smaller the better.
        count: How many records.

    Raises:
        ValueError: The command failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        clips, run = Path(folder, "clips"), Path(folder, "run")
        make_run(clip, clips, run, count)
        command = [*_LABEL, str(clips), "-o", str(run), "--jobs", "1"]
        told = []
        for what in ("write the tables", "nothing", "label one clip more"):
            if what == "label one clip more":
                shutil.copy(clip, clips / f"one-more{clip.suffix}")
            child = run_child(command, _FINE)
            told.append(
                Bookkeeping(count, what, child.seconds, child.cpu_seconds, child.peak_megabytes)
            )
        found = sum(1 for _ in _records(run))
        if found != count + 1:
            raise ValueError(f"the made-up run of {count} clips has {found} records, not one more")
    return told


def make_run(clip: Path, clips: Path, run: Path, count: int) -> None:
    """Write many tiny files that pass for clips, and a run that has labelled all of them.

    Args:
        clip: A real clip.
        clips: The folder of the files, to be made.
        run: The run folder, to be made.
        count: How many.

    Raises:
        ValueError: The real clip cannot be labelled.
    """
    from dollygrip.runners.content import content_of
    from dollygrip.runners.store import RESULTS, clip_id_of

    run_child([*_LABEL, str(clip), "-o", str(run), "--jobs", "1"])
    (record,) = _records(run)
    for table in run.glob("results.*"):
        table.unlink()
    with (run / RESULTS).open("w", encoding="ascii") as results:
        for i in range(count):
            path = clips / f"{i // _FILES_IN_A_FOLDER:04}" / f"{i:08}.mp4"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"clip {i}", encoding="ascii")
            content = content_of(path)
            assert content is not None
            record |= {"clip_id": clip_id_of(path, clips), "path": os.fspath(path)}
            record["provenance"] |= {"content": content.to_dict()}
            results.write(json.dumps(record, separators=(",", ":")) + "\n")


def _records(run: Path) -> Iterator[dict[str, Any]]:
    with (run / "results.jsonl").open(encoding="ascii") as lines:
        for line in lines:
            yield json.loads(line)


_THROUGHPUT: Cells[Throughput] = (
    ("workers", lambda t: str(t.workers)),
    ("clips", lambda t: str(t.clips)),
    ("video s", lambda t: f"{t.video_seconds:.0f}"),
    ("wall s", lambda t: f"{t.seconds:.1f}"),
    ("CPU s", lambda t: f"{t.cpu_seconds:.1f}"),
    ("clips an hour", lambda t: f"{t.clips_an_hour:.0f}"),
    ("x realtime", lambda t: f"{t.realtime:.1f}"),
    ("efficiency", lambda t: f"{t.efficiency:.2f}"),
    ("without start-up", lambda t: f"{t.steady_efficiency:.2f}"),
    ("only decoding", lambda t: f"{t.decode_efficiency:.2f}"),
    ("decode s", lambda t: f"{t.decode_seconds:.1f}"),
    ("start-up s", lambda t: f"{t.start_seconds:.2f}"),
    ("MB", lambda t: f"{t.peak_megabytes:.0f}"),
)
_SHARES: Cells[Share] = (
    ("part", lambda s: s.part),
    ("CPU ms a clip", lambda s: f"{s.milliseconds:.1f}"),
    ("share", lambda s: f"{s.share:.1%}"),
)
_ROOM: Cells[Room] = (
    ("what", lambda r: r.what),
    ("bytes a clip", lambda r: f"{r.bytes_a_clip:.0f}"),
    ("files a clip", lambda r: f"{r.files_a_clip:.1f}"),
)
_BOOKKEEPING: Cells[Bookkeeping] = (
    ("clips with a record", lambda b: f"{b.clips:,}"),
    ("left to do", lambda b: b.what),
    ("wall s", lambda b: f"{b.seconds:.1f}"),
    ("CPU s", lambda b: f"{b.cpu_seconds:.1f}"),
    ("MB", lambda b: f"{b.peak_megabytes:.0f}"),
)


def add_command(commands: Any) -> None:
    """Add ``batch`` to the argument parser's commands."""
    parser = commands.add_parser("batch", help="cost of many clips, workers and records")
    parser.add_argument("folder", type=Path, help="folder of clips")
    parser.add_argument(
        "--jobs", type=int, nargs="+", help="workers beside one (default: one a processor)"
    )
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument(
        "--records",
        type=int,
        nargs="*",
        default=[10_000, 100_000],
        help="sizes of the made-up runs (default: %(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Measure and print."""
    from dollygrip.runners.engine import default_jobs
    from dollygrip.runners.video import find_clips

    clips = [path for path in find_clips([options.folder]) if path.is_file()]
    throughput = measure_throughput(clips, options.jobs or [default_jobs()], options.repeats)
    shares, room = measure_shares(clips)
    smallest = min(clips, key=lambda path: path.stat().st_size)
    kept = [line for count in options.records for line in measure_bookkeeping(smallest, count)]
    if options.json:
        told: dict[str, Sequence[Any]] = {
            "throughput": throughput,
            "shares": shares,
            "room": room,
            "bookkeeping": kept,
        }
        lines = {name: [asdict(one) for one in measured] for name, measured in told.items()}
        print(json.dumps(lines, indent=1))
        return 0
    tables = (
        listing(_THROUGHPUT, throughput),
        listing(_SHARES, shares),
        listing(_ROOM, room),
        listing(_BOOKKEEPING, kept),
    )
    print("\n\n".join(tables))
    return 0
