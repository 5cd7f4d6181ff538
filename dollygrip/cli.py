"""The command line. Nothing heavy is imported before a command runs."""

import argparse
import atexit
import gc
import os
import signal
import sys
from io import TextIOWrapper
from pathlib import Path

from dollygrip import __version__
from dollygrip.commands import (
    classify,
    compare,
    convert,
    doctor,
    evaluate,
    export,
    formats,
    label,
    samples,
    schema,
    show,
    train,
    view,
    vlm,
)
from dollygrip.console import USAGE_ERROR, Parser, complain, log_as, put, say
from dollygrip.stopping import Stopped

# In the order in which --help lists them.
COMMANDS = (
    label,
    classify,
    train,
    evaluate,
    compare,
    show,
    export,
    view,
    vlm,
    convert,
    formats,
    doctor,
    samples,
    schema,
)


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    # Python ends by looking for garbage among all that was loaded: a tenth of a second for nothing.
    atexit.register(gc.freeze)
    _open_missing_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a name must not fail on a narrow terminal
            stream.reconfigure(errors="backslashreplace")
    options, unknown = _parser().parse_known_args(arguments)
    if unknown:  # by the command's own parser, whose usage names the right ones
        options.parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    # What was typed, for commands that tell how to go on.
    options.typed = sys.argv[1:] if arguments is None else arguments
    log_as(getattr(options, "log_format", "text"))
    try:
        code = int(options.command(options))
        put("")
        return code
    except BrokenPipeError:  # the reader has seen enough: head, a pager
        _let_go_of_output()
        return 128 + signal.SIGPIPE
    except KeyboardInterrupt as stop:
        say("stopped; a run keeps what is finished, and the same command goes on with it")
        return stop.code if isinstance(stop, Stopped) else 128 + signal.SIGINT
    except _errors() as error:
        _let_go_of_output()
        complain(_reason(error))
        return USAGE_ERROR


def _open_missing_streams() -> None:
    """What is opened next would take the number of a stream that this process was given closed."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode))  # noqa: SIM115


def _let_go_of_output() -> None:
    """What could not be written must not be tried again, and complained about, when Python ends."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="dollygrip",
        description="Says how the camera moved in video clips.",
        epilog="exit code: 0 all is done, 1 wrong use or nothing to do, 2 some clips failed, "
        "130 or 143 stopped",
    )
    parser.add_argument("--version", action="version", version=f"dollygrip {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=Parser)
    for command in COMMANDS:
        command.add(commands)
    return parser


def _errors() -> tuple[type[Exception], ...]:
    """What is the user's to mend: one line, no traceback."""
    from dollygrip.runners.engine import EngineError
    from dollygrip.runners.formats.path import PoseError
    from dollygrip.runners.formats.scores import ScoreError
    from dollygrip.runners.formats.truth import LabelError
    from dollygrip.runners.lists import InputError
    from dollygrip.runners.registry import SettingsError
    from dollygrip.runners.store import StoreError
    from dollygrip.runners.training import TrainingError
    from dollygrip.runners.video import VideoError
    from dollygrip.runners.views import ViewError
    from dollygrip.runners.vlm.errors import VlmError

    ours = (EngineError, InputError, LabelError, PoseError, ScoreError, SettingsError, StoreError)
    return (*ours, TrainingError, VideoError, ViewError, VlmError, OSError)


def _reason(error: Exception) -> str:
    """What is wrong, without the number that an OSError puts before it."""
    if isinstance(error, OSError) and error.strerror:
        named = isinstance(error.filename, str)
        return f"{error.filename}: {error.strerror}" if named else error.strerror
    return str(error)
