"""The command line. Nothing heavy is imported before a command runs."""

import argparse
import atexit
import gc
import os
import shlex
import shutil
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from dollygrip import __version__

if TYPE_CHECKING:
    from dollygrip.classifiers.records import ClipLabels
    from dollygrip.runners.engine import Workers
    from dollygrip.runners.training import Trained

OK, USAGE_ERROR, SOME_FAILED = 0, 1, 2

_FORMAT_HELP = "format of the poses, see 'dollygrip formats' (default: found out)"
_CONVENTION_HELP = "how the numbers are meant, where not as usual, e.g. 'camera_from_world opengl'"
_RATE_HELP = "poses a second, where neither file nor video has a clock (default: 24)"

_T = TypeVar("_T")

DEFAULT_RUN = "dollygrip-run"
# More than this scrolls away; the files hold everything.
MOST_ROWS = 100
# Columns of a table that goes into a pipe.
PIPE_WIDTH = 120
MOST_FAILURES = 20


class _Parser(argparse.ArgumentParser):
    """argparse ends with 2 on a usage error, which here means that some clips failed."""

    def error(self, message: str) -> Any:
        self.print_usage(sys.stderr)
        self.exit(USAGE_ERROR, f"{self.prog}: error: {_printable(message)}\n")


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    # Python ends by looking for garbage among all that was loaded: a tenth of a second for nothing.
    atexit.register(gc.freeze)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a name must not fail on a narrow terminal
            stream.reconfigure(errors="backslashreplace")
    options = _parser().parse_args(arguments)
    try:
        return int(options.command(options))
    except BrokenPipeError:
        # The reader has seen enough (head, a pager). Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except KeyboardInterrupt:
        _say("stopped; a run keeps what is finished, and the same command goes on with it")
        return 128 + signal.SIGINT
    except _errors() as error:
        _say(f"error: {_reason(error)}")
        return USAGE_ERROR


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="dollygrip",
        description="Says how the camera moved in video clips.",
        epilog="exit code: 0 all is done, 1 wrong use or nothing to do, 2 some clips failed",
    )
    parser.add_argument("--version", action="version", version=f"dollygrip {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=_Parser)

    label = _command(commands, "label", _label, "label clips; goes on where an earlier run stopped")
    label.add_argument("inputs", nargs="*", metavar="INPUT", help="a clip, or a folder of clips")
    label.add_argument(
        "-o", "--out", default=DEFAULT_RUN, metavar="RUN", help="run folder (default: %(default)s)"
    )
    _add_estimator(label)
    _add_classifier(label)
    _add_poses(label)
    label.add_argument(
        "--jobs",
        type=_positive(int),
        metavar="N",
        help="worker processes (default: one a processor)",
    )
    label.add_argument(
        "--timeout", type=_positive(float), metavar="S", help="seconds that one clip may take"
    )
    label.add_argument(
        "--retry-failed", action="store_true", help="try clips again that failed before"
    )
    label.add_argument(
        "--restart", action="store_true", help="forget what RUN holds, label everything"
    )
    _add_json(label, "print JSON lines, as into a pipe, instead of a table")

    classify = _command(
        commands, "classify", _classify, "label the clips of a run anew, from their stored motion"
    )
    _add_run(classify)
    _add_classifier(classify)
    _add_json(classify, "print JSON lines, as into a pipe, instead of a table")

    train = _command(
        commands, "train", _train, "fit the learned classifier to your own labels of a run's clips"
    )
    train.add_argument(
        "--labels",
        required=True,
        metavar="FILE",
        help="what people say of the clips: CSV or JSON lines with 'clip' and labels (yes, no, "
        "unsure), or CameraBench's folder; clips with the same 'group' are judged together",
    )
    train.add_argument(
        "--run",
        default=DEFAULT_RUN,
        metavar="RUN",
        help="run folder with the clips' motion; no video is read (default: %(default)s)",
    )
    train.add_argument(
        "-o",
        "--out",
        default="weights.safetensors",
        metavar="WEIGHTS",
        help="file to write (default: %(default)s)",
    )
    train.add_argument(
        "--seed", type=int, default=0, metavar="N", help="of what is random (default: %(default)s)"
    )

    show = _command(commands, "show", _show, "print the labels of a run")
    _add_run(show)
    _add_json(show, "print JSON lines instead of a table")

    export = _command(commands, "export", _export, "write results.csv and results.parquet of a run")
    _add_run(export)

    view = _command(
        commands, "view", _view, "draw what the estimator saw over a clip, as a video to look at"
    )
    view.add_argument("clip", metavar="CLIP", help="a video file, or a folder of pictures")
    view.add_argument(
        "-o", "--out", metavar="FILE", help="MP4 file to write (default: CLIP's name + .view.mp4)"
    )
    view.add_argument(
        "--3d",
        action="store_true",
        dest="spatial",
        help="the cameras and points in space instead: a Rerun recording (.rrd), or .ply",
    )
    _add_estimator(view)
    _add_classifier(view)
    _add_poses(view)

    convert = _command(
        commands, "convert", _convert, "rewrite camera poses from one format to another"
    )
    convert.add_argument(
        "source", metavar="SOURCE", help="a pose file, a COLMAP model, a run's trajectories/*.npz"
    )
    convert.add_argument("target", metavar="TARGET", help="the file or folder to write")
    convert.add_argument("--from", dest="from_format", metavar="FORMAT", help=_FORMAT_HELP)
    convert.add_argument(
        "--to", dest="to_format", metavar="FORMAT", help="format of TARGET (default: by its name)"
    )
    convert.add_argument("--convention", metavar="WORDS", help=_CONVENTION_HELP)
    convert.add_argument(
        "--to-convention", metavar="WORDS", help="write in another convention than the format's own"
    )
    convert.add_argument("--rate", type=_positive(float), metavar="N", help=_RATE_HELP)
    convert.add_argument(
        "--size",
        type=_size,
        metavar="WxH",
        help="size of the pictures in pixels, where SOURCE does not tell",
    )

    formats = _command(commands, "formats", _formats, "list the pose formats and what they mean")
    _add_json(formats, "print JSON instead of a table")

    doctor = _command(
        commands, "doctor", _doctor, "say what is installed and what each estimator still needs"
    )
    _add_json(doctor, "print JSON instead of text")

    samples = _command(commands, "samples", _samples, "make sample clips with known camera motion")
    samples.add_argument("folder", metavar="FOLDER", help="where to put them")

    _command(commands, "schema", _schema, "print the JSON schema of a line of results.jsonl")
    return parser


def _command(
    commands: Any, name: str, run: Callable[[argparse.Namespace], int], summary: str
) -> argparse.ArgumentParser:
    sentence = f"{summary[0].upper()}{summary[1:]}."
    parser: argparse.ArgumentParser = commands.add_parser(name, help=summary, description=sentence)
    parser.set_defaults(command=run, parser=parser)
    return parser


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "run",
        metavar="RUN",
        nargs="?",
        default=DEFAULT_RUN,
        help="run folder (default: %(default)s)",
    )


def _add_estimator(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--estimator",
        default="flow",
        metavar="NAME",
        help="what estimates the motion (default: %(default)s)",
    )


def _add_classifier(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--classifier",
        default="learned",
        metavar="NAME",
        help="what turns motion into labels (default: %(default)s)",
    )
    parser.add_argument(
        "--settings",
        metavar="FILE",
        help="TOML file with tables such as [classifier.threshold]",
    )


def _add_poses(parser: argparse.ArgumentParser) -> None:
    poses = parser.add_argument_group("camera poses of other programs")
    poses.add_argument(
        "--poses",
        metavar="PATH",
        help="take the motion from PATH: a pose file or a folder of them, labelled without any "
        "video, or held against the clips when INPUT is given",
    )
    poses.add_argument("--format", metavar="FORMAT", help=_FORMAT_HELP)
    poses.add_argument("--convention", metavar="WORDS", help=_CONVENTION_HELP)
    poses.add_argument("--rate", type=_positive(float), metavar="N", help=_RATE_HELP)
    poses.add_argument(
        "--unit",
        choices=("any", "metres"),
        help="unit of the poses; in metres, small moves count as small (default: any)",
    )


def _add_json(parser: argparse.ArgumentParser, summary: str) -> None:
    parser.add_argument("--json", action="store_true", help=summary)


def _positive(kind: Callable[[str], Any]) -> Callable[[str], Any]:
    def parse(text: str) -> Any:
        value = kind(text)
        if not 0 < value < float("inf"):
            raise ValueError
        return value

    parse.__name__ = f"positive {kind.__name__}"  # argparse puts it into its message
    return parse


def _size(text: str) -> tuple[int, int]:
    width, height = (_positive(int)(side) for side in text.lower().split("x"))
    return width, height


_size.__name__ = "size such as 1920x1080"


def _errors() -> tuple[type[Exception], ...]:
    """What is the user's to mend: one line, no traceback."""
    from dollygrip.runners.engine import EngineError
    from dollygrip.runners.formats.path import PoseError
    from dollygrip.runners.formats.truth import LabelError
    from dollygrip.runners.registry import SettingsError
    from dollygrip.runners.store import StoreError
    from dollygrip.runners.training import TrainingError
    from dollygrip.runners.video import VideoError
    from dollygrip.runners.views import ViewError

    ours = (EngineError, LabelError, PoseError, SettingsError, StoreError)
    return (*ours, TrainingError, VideoError, ViewError, OSError)


def _reason(error: Exception) -> str:
    """What is wrong, without the number that an OSError puts before it."""
    if isinstance(error, OSError) and isinstance(error.filename, str) and error.strerror:
        return f"{error.filename}: {error.strerror}"
    return str(error)


def _label(options: argparse.Namespace) -> int:
    from dollygrip.runners.engine import start_workers

    inputs = options.inputs or ([options.poses] if options.poses else [])
    if not inputs:
        options.parser.error("name a clip or a folder with clips, or poses with --poses")
    estimator, _ = _estimator(options)
    with start_workers(inputs, estimator, options.classifier, options.jobs) as workers:
        return _label_with(workers, inputs, options)


def _estimator(options: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    """Its name, and its settings that the command line gives."""
    given = {
        name: getattr(options, name)
        for name in ("format", "convention", "rate", "unit")
        if getattr(options, name) is not None
    }
    if options.poses is None:
        if given and options.estimator != "poses":
            said = ", ".join(f"--{name}" for name in given)
            options.parser.error(f"{said} {'is' if len(given) == 1 else 'are'} for --poses only")
        return options.estimator, given
    clips = getattr(options, "inputs", None) or getattr(options, "clip", None)
    return "poses", {**given, "poses": options.poses if clips else ""}


def _label_with(workers: "Workers", inputs: list[str], options: argparse.Namespace) -> int:
    from dollygrip.api import carry_out, make_plan, make_recipe
    from dollygrip.runners.store import RunStore, update_tables

    estimator, given = _estimator(options)
    recipe = make_recipe(
        estimator, options.classifier, options.settings, options.timeout, given=given
    )
    _note_unused(options)
    earlier = None if options.restart else options.out
    plan = make_plan(inputs, recipe, earlier, retry_failed=options.retry_failed)
    if not len(plan):
        what = "clip" if options.inputs else "pose file"
        _say(f"no {what} found in {', '.join(inputs)}; name one, or a folder with some")
        return USAGE_ERROR
    if plan.kept:
        _say(f"{len(plan.kept)} of {len(plan)} clips are labelled already")
    with RunStore(options.out, restart=options.restart) as store:
        records = carry_out(plan, recipe, store, workers)
        as_json = options.json or not sys.stdout.isatty()
        tally = _print_records(_with_progress(records, len(plan)), as_json)
        update_tables(store.folder)
    return _report(tally, options.out)


def _classify(options: argparse.Namespace) -> int:
    from dollygrip.api import classify_run

    records = classify_run(options.run, options.classifier, settings=options.settings)
    _note_unused(options)
    as_json = options.json or not sys.stdout.isatty()
    return _report(_print_records(records, as_json), options.run)


def _note_unused(options: argparse.Namespace) -> None:
    """Say so where a settings file is for another classifier only: it would change nothing."""
    if options.settings is None:
        return
    from dollygrip.runners.registry import read_settings

    named = sorted(read_settings(options.settings)["classifier"])
    if named and options.classifier not in named:
        _say(
            f"note: {options.settings} has settings of {', '.join(named)}, which "
            f"{options.classifier} does not use; --classifier {named[0]} does"
        )


def _train(options: argparse.Namespace) -> int:
    from dollygrip.runners.training import check_name, collect, train, write_weights

    out = Path(options.out)
    check_name(out)
    lessons = collect(Path(options.run), Path(options.labels), watch=_with_progress)
    for reason, count in sorted(lessons.left_out.items()):
        _say(f"left out: {count} {'clip' if count == 1 else 'clips'} {reason}")
    counts = lessons.counts
    yes, no = (sum(said[i] for said in counts.values()) for i in (0, 1))
    _say(f"learning from {len(lessons.rows)} clips: {yes} times yes, {no} times no")
    trained = train(lessons, options.seed, watch=_with_progress)
    settings = write_weights(out, trained)
    _print_training(trained, counts)
    _say(f"{out} has the weights that do best for clips held out: {trained.chosen}")
    _say("next: put these two lines into a file, say learned.toml:")
    for line in settings.splitlines():
        _say(f"    {line}")
    run = _argument(options.run)
    _say(f"then: dollygrip classify --classifier learned --settings learned.toml {run}")
    return OK


def _print_training(trained: "Trained", counts: dict[str, tuple[int, int]]) -> None:
    """What was tried with its scores, then each label."""
    tried = (
        (
            f"{name} (chosen)" if name == trained.chosen else name,
            f"{found.log_loss:.4f}",
            f"{found.mean_ap:.3f}",
            f"{found.exact:.3f}",
            f"{found.calibration_error:.3f}",
        )
        for name, found in trained.scores.items()
    )
    _print_table(("weights", "log loss", "mean AP", "exact", "calibration error"), tried)
    precisions = [found.average_precision for found in trained.scores.values()]
    labels = (
        (name, *map(str, said), *(f"{p[name]:.3f}" if name in p else "" for p in precisions))
        for name, said in counts.items()
    )
    _print_table(("label", "yes", "no", *(f"AP {name}" for name in trained.scores)), labels)


def _show(options: argparse.Namespace) -> int:
    from dollygrip.runners.store import read_records

    _print_records(read_records(Path(options.run)), options.json)
    return OK


def _export(options: argparse.Namespace) -> int:
    from dollygrip.runners.store import write_tables

    for path in write_tables(Path(options.run)):
        print(_printable(str(path)))
    return OK


def _view(options: argparse.Namespace) -> int:
    from dollygrip.api import make_recipe

    name, given = _estimator(options)
    recipe = make_recipe(name, options.classifier, options.settings, given=given)
    estimator, classifier = recipe.estimator.make(), recipe.classifier.make()
    suffix = ".rrd" if options.spatial else ".view.mp4"
    out = options.out or f"{Path(options.clip).stem or 'clip'}{suffix}"
    _say(f"labelling {options.clip}, then drawing it")
    if options.spatial:
        from dollygrip.runners.spatial import write_scene

        labels = write_scene(options.clip, out, estimator, classifier)
        if out.endswith(".rrd"):
            _say(f"look at it with: rerun {_argument(out)}")
    else:
        from dollygrip.runners.viewer import view_clip_file

        labels = view_clip_file(options.clip, out, estimator, classifier, watch=_with_progress)
    print(_printable(out))
    if labels.failure is not None:
        _say(f"failed: {labels.failure.message}")
        return SOME_FAILED
    _say(f"{labels.caption} Trust {labels.trust:.2f}.")
    return OK


def _convert(options: argparse.Namespace) -> int:
    from dollygrip.runners.convert import convert

    done = convert(
        Path(options.source),
        Path(options.target),
        from_format=options.from_format,
        to_format=options.to_format,
        convention=options.convention,
        target_convention=options.to_convention,
        size=options.size,
        **({} if options.rate is None else {"rate": options.rate}),
    )
    print(_printable(str(done.target)))
    for sentence in done.lost:
        _say(sentence)
    return OK


def _formats(options: argparse.Namespace) -> int:
    import json

    from dollygrip.runners.formats.catalog import names, pose_format

    formats = [pose_format(name) for name in names()]
    if options.json:
        for found in formats:
            print(json.dumps(found.to_dict()))
        return OK
    rows = [
        (
            found.name,
            found.title,
            str(found.convention),
            found.unit,
            ", ".join(sorted(found.kept)),
        )
        for found in formats
    ]
    _print_table(("format", "what", "convention", "unit", "also holds"), rows)
    return OK


def _doctor(options: argparse.Namespace) -> int:
    from dollygrip.runners.doctor import examine, text
    from dollygrip.runners.formats.jsonl import dumps

    report = examine()
    if options.json:
        print(dumps(report.to_dict()))
    else:
        for line in text(report, shutil.get_terminal_size((PIPE_WIDTH, 1)).columns).splitlines():
            print(_printable(line))
    return OK


def _samples(options: argparse.Namespace) -> int:
    from dollygrip.runners.rendering import make_samples

    for path, labels in make_samples(Path(options.folder)):
        print(_printable(f"{path}: {', '.join(labels)}"))
    _say(f"next: dollygrip label {_argument(options.folder)}")
    return OK


def _schema(options: argparse.Namespace) -> int:
    from importlib.resources import files

    schema = files("dollygrip.classifiers") / "data" / "record.schema.json"
    print(schema.read_text(encoding="utf-8"), end="")
    return OK


@dataclass
class _Tally:
    """What went by on its way to the screen."""

    labelled: int = 0
    failed: int = 0
    failures: list[str] = field(default_factory=list)

    def count(self, record: "ClipLabels") -> None:
        if record.failure is None:
            self.labelled += 1
            return
        self.failed += 1
        if len(self.failures) < MOST_FAILURES:
            message = record.failure.message
            named = message.startswith(_printable(record.path))
            self.failures.append(message if named else f"{_printable(record.path)}: {message}")


def _print_records(records: Iterable["ClipLabels"], as_json: bool) -> _Tally:
    """JSON lines as they come, or a table when all are there."""
    from dollygrip.runners.formats.jsonl import dumps

    tally = _Tally()
    if as_json:
        for record in records:
            tally.count(record)
            print(dumps(record.to_dict()), flush=True)
        return tally
    rows: list[tuple[str, str, str, str]] = []
    for record in records:
        tally.count(record)
        if len(rows) < MOST_ROWS:
            rows.append(_row(record))
    hidden = tally.labelled + tally.failed - len(rows)
    _print_table(("clip", "labels", "trust", "caption"), sorted(rows), hidden)
    return tally


def _row(record: "ClipLabels") -> tuple[str, str, str, str]:
    path = _printable(record.path)
    if record.failure is not None:
        return path, record.failure.reason.value, "", _printable(record.failure.message)
    labels = ", ".join(record.labels) or "none"
    return path, labels, f"{record.whole.trust:.2f}", _printable(record.caption)


def _print_table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]], hidden: int = 0) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*head)
    for column in table.columns:
        column.overflow = "fold"
    for row in rows:
        table.add_row(*map(Text, row))  # as text: a name may look like markup
    console = Console(width=shutil.get_terminal_size((PIPE_WIDTH, 1)).columns)
    # Not printed by rich, which has its own way to end when the reader has left.
    with console.capture() as drawn:
        console.print(table)
        if hidden:
            console.print(f"and {hidden} more")
    print(drawn.get(), end="", flush=True)


def _with_progress(items: Iterator[_T], total: int) -> Iterator[_T]:
    """The same items, with a bar on the terminal."""
    if not sys.stderr.isatty():
        yield from items
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, refresh_per_second=2) as progress:
        bar = progress.add_task("", total=total)
        for item in items:
            yield item
            progress.advance(bar)


def _report(tally: _Tally, run: str) -> int:
    for failure in tally.failures:
        _say(f"failed: {failure}")
    hidden = tally.failed - len(tally.failures)
    if hidden:
        _say(f"and {hidden} more failed")
    _say(f"{tally.labelled} labelled, {tally.failed} failed; results are in {run}")
    _say(f"next: dollygrip show {_argument(run)}")
    return SOME_FAILED if tally.failed else OK


def _argument(path: str) -> str:
    """A path as it can be typed after a command."""
    quoted = shlex.quote(path)
    return f"-- {quoted}" if path.startswith("-") else quoted


def _say(line: str) -> None:
    print(_printable(line), file=sys.stderr, flush=True)


def _printable(text: str) -> str:
    """On one line, with nothing in it that a terminal would obey."""
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode("ascii")
        for c in text
    )
