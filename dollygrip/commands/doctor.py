"""``dollygrip doctor``: what is installed."""

import argparse
import shutil
from typing import Any

from dollygrip.console import OK, PIPE_WIDTH, add_json, command, printable


def add(commands: Any) -> None:
    """Add the command to the parser's."""
    doctor = command(
        commands, "doctor", run, "say what is installed and what each estimator still needs"
    )
    add_json(doctor, "print JSON instead of text")


def run(options: argparse.Namespace) -> int:
    """Print what is there; the exit code."""
    from dollygrip.runners.doctor import examine, text
    from dollygrip.runners.formats.jsonl import dumps

    report = examine()
    if options.json:
        print(dumps(report.to_dict()))
    else:
        for line in text(report, shutil.get_terminal_size((PIPE_WIDTH, 1)).columns).splitlines():
            print(printable(line))
    return OK
