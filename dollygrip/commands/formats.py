"""``dollygrip formats``: the pose formats."""

import argparse
from typing import Any

from dollygrip.console import OK, add_json, command, print_table


def add(commands: Any) -> None:
    """Add the command to the parser's."""
    formats = command(commands, "formats", run, "list the pose formats and what they mean")
    add_json(formats, "print JSON instead of a table")


def run(options: argparse.Namespace) -> int:
    """Print the formats; the exit code."""
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
    print_table(("format", "what", "convention", "unit", "also holds"), rows)
    return OK
