"""``dollygrip show``: the labels of a run."""

import argparse
from pathlib import Path
from typing import Any

from dollygrip.commands.records import print_records
from dollygrip.console import OK, add_json, add_run, command


def add(commands: Any) -> None:
    """Add the command to the parser's."""
    show = command(commands, "show", run, "print the labels of a run")
    add_run(show)
    add_json(show, "print JSON lines instead of a table")


def run(options: argparse.Namespace) -> int:
    """Print the records; the exit code."""
    from dollygrip.runners.ledger import read_records

    print_records(read_records(Path(options.run)), options.json)
    return OK
