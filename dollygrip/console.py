"""What the commands share: words for people on stderr, tables, progress, kinds of arguments."""

import argparse
import os
import shlex
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any, TypeVar

OK, USAGE_ERROR, SOME_FAILED = 0, 1, 2

DEFAULT_RUN = "dollygrip-run"
# As an input: a list on standard input.
STDIN = "-"
# Columns of a table that goes into a pipe.
PIPE_WIDTH = 120

LOG_FORMATS = ("text", "json")
_log_format = "text"

_T = TypeVar("_T")


class Parser(argparse.ArgumentParser):
    """argparse ends with 2 on a usage error, which here means that some clips failed."""

    def error(self, message: str) -> Any:
        """Say what is wrong, and end."""
        self.print_usage(sys.stderr)
        self.exit(USAGE_ERROR, f"{self.prog}: error: {printable(message)}\n")


def command(
    commands: Any, name: str, run: Callable[[argparse.Namespace], int], summary: str
) -> argparse.ArgumentParser:
    """Add a command: what it is called, what runs it, and what it does in one clause."""
    sentence = f"{summary[0].upper()}{summary[1:]}."
    parser: argparse.ArgumentParser = commands.add_parser(name, help=summary, description=sentence)
    parser.set_defaults(command=run, parser=parser)
    return parser


def add_run(parser: argparse.ArgumentParser) -> None:
    """Add the run folder."""
    parser.add_argument(
        "run",
        metavar="RUN",
        nargs="?",
        default=DEFAULT_RUN,
        help="run folder (default: %(default)s)",
    )


def add_json(parser: argparse.ArgumentParser, summary: str) -> None:
    """Add ``--json``."""
    parser.add_argument("--json", action="store_true", help=summary)


def add_log_format(parser: argparse._ActionsContainer) -> None:
    """Add ``--log-format``."""
    parser.add_argument(
        "--log-format",
        choices=LOG_FORMATS,
        default="text",
        help="what stderr gets: sentences and a bar, or JSON lines (default: %(default)s)",
    )


def positive(kind: Callable[[str], Any]) -> Callable[[str], Any]:
    """A kind of argument that is a finite number above zero."""

    def parse(text: str) -> Any:
        value = kind(text)
        if not 0 < value < float("inf"):
            raise ValueError
        return value

    parse.__name__ = f"positive {kind.__name__}"  # argparse puts it into its message
    return parse


def size(text: str) -> tuple[int, int]:
    """A kind of argument such as 1920x1080."""
    width, height = (positive(int)(side) for side in text.lower().split("x"))
    return width, height


size.__name__ = "size such as 1920x1080"


def print_table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]], hidden: int = 0) -> None:
    """Print rows as wide as the terminal; ``hidden`` says how many there are beyond them."""
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
    put(drawn.get())


def on_a_screen() -> bool:
    """Whether stderr can show what changes in place."""
    return sys.stderr.isatty() and os.environ.get("TERM", "") not in ("", "dumb", "unknown")


def with_progress(items: Iterator[_T], total: int) -> Iterator[_T]:
    """The same items, with a bar on the terminal."""
    if not on_a_screen():
        yield from items
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(
        *columns,
        console=console,
        transient=True,
        refresh_per_second=2,
        redirect_stdout=sys.stdout.isatty(),  # never what goes into a file
    ) as progress:
        bar = progress.add_task("", total=total)
        for item in items:
            yield item
            progress.advance(bar)


def program() -> str:
    """This program, as it can be typed: with its path where a shell would not find it."""
    typed = sys.argv[0]
    if os.path.basename(typed) != "dollygrip" or shutil.which("dollygrip"):  # noqa: PTH119
        return "dollygrip"
    return shlex.quote(typed)


def argument(path: str) -> str:
    """A path as it can be typed after a command."""
    quoted = shlex.quote(path)
    return f"-- {quoted}" if path.startswith("-") else quoted


def log_as(form: str) -> None:
    """Choose what stderr gets: sentences (``text``) or JSON lines (``json``).

    What the package logs as a library is said so, too.
    """
    import logging

    class Saying(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            say(record.getMessage())

    global _log_format
    _log_format = form
    logging.getLogger("dollygrip").handlers = [Saying()]


def logs_json() -> bool:
    """Whether stderr gets JSON lines."""
    return _log_format == "json"


def say(line: str) -> None:
    """Tell a person something, in one line on stderr."""
    if logs_json():
        tell("note", message=line)
    else:
        _write(printable(line))


def put(text: str) -> None:
    """Write to standard output, at once.

    Raises:
        OSError: It takes no more.
    """
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OSError(error.errno, error.strerror, "standard output") from error


def complain(message: str) -> None:
    """Tell what is wrong, in one line on stderr."""
    if logs_json():
        tell("error", message=message)
    else:
        _write(f"error: {printable(message)}")


def tell(event: str, **facts: Any) -> None:
    """Write one JSON line on stderr, where such lines were asked for."""
    if not logs_json():
        return
    from datetime import UTC, datetime

    from dollygrip.runners.formats.jsonl import dumps

    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    _write(dumps({"time": now, "event": event, **facts}))


def _write(line: str) -> None:
    # Words that nobody can hear (a full disk, a closed terminal) are no reason to lose a run.
    with suppress(OSError):
        # At once, so that lines of two threads do not mix.
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()


def printable(text: str) -> str:
    """On one line, with nothing in it that a terminal would obey."""
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode("ascii")
        for c in text
    )
