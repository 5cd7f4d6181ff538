"""``dollygrip export``: the tables of a run."""

import argparse
from pathlib import Path
from typing import Any

from dollygrip.console import OK, add_run, command, printable


def add(commands: Any) -> None:
    """Add the command to the parser's."""
    export = command(commands, "export", run, "write results.csv and results.parquet of a run")
    add_run(export)


def run(options: argparse.Namespace) -> int:
    """Write the tables and print their names; the exit code."""
    from dollygrip.runners.tables import write_tables

    for path in write_tables(Path(options.run)):
        print(printable(str(path)))
    return OK
