"""``dollygrip schema``: the JSON schema of a record."""

import argparse
from typing import Any

from dollygrip.console import OK, command


def add(commands: Any) -> None:
    """Add the command to the parser's."""
    command(commands, "schema", run, "print the JSON schema of a line of results.jsonl")


def run(options: argparse.Namespace) -> int:
    """Print the schema; the exit code."""
    from importlib.resources import files

    schema = files("dollygrip.classifiers") / "data" / "record.schema.json"
    print(schema.read_text(encoding="utf-8"), end="")
    return OK
