"""``dollygrip classify``: new labels from the stored motion of a run."""

import argparse
import sys
from typing import Any

from dollygrip.commands.choices import add_classifier, note_unused
from dollygrip.commands.records import print_records, report
from dollygrip.console import add_json, add_run, command


def add(commands: Any) -> None:
    """Add the command to the parser's."""
    classify = command(
        commands, "classify", run, "label the clips of a run anew, from their stored motion"
    )
    add_run(classify)
    add_classifier(classify)
    add_json(classify, "print JSON lines, as into a pipe, instead of a table")


def run(options: argparse.Namespace) -> int:
    """Label anew and print; the exit code."""
    from dollygrip.api import classify_run

    records = classify_run(options.run, options.classifier, settings=options.settings)
    note_unused(options)
    as_json = options.json or not sys.stdout.isatty()
    return report(print_records(records, as_json), options.run)
