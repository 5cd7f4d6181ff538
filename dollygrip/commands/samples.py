"""``dollygrip samples``: clips with known motion."""

import argparse
from pathlib import Path
from typing import Any

from dollygrip.console import OK, argument, command, printable, program, say


def add(commands: Any) -> None:
    """Add the command to the parser's."""
    samples = command(commands, "samples", run, "make sample clips with known camera motion")
    samples.add_argument("folder", metavar="FOLDER", help="where to put them")


def run(options: argparse.Namespace) -> int:
    """Make the clips and print what they show; the exit code."""
    from dollygrip.runners.rendering import make_samples

    for path, labels in make_samples(Path(options.folder)):
        print(printable(f"{path}: {', '.join(labels)}"))
    say(f"next: {program()} label {argument(options.folder)}")
    return OK
