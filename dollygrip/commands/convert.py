"""``dollygrip convert``: rewrite camera poses."""

import argparse
from pathlib import Path
from typing import Any

from dollygrip.commands.choices import CONVENTION_HELP, FORMAT_HELP, RATE_HELP
from dollygrip.console import OK, command, positive, printable, say, size


def add(commands: Any) -> None:
    """Add the command to the parser's."""
    convert = command(commands, "convert", run, "rewrite camera poses from one format to another")
    convert.add_argument(
        "source", metavar="SOURCE", help="a pose file, a COLMAP model, a run's trajectories/*.npz"
    )
    convert.add_argument("target", metavar="TARGET", help="the file or folder to write")
    convert.add_argument("--from", dest="from_format", metavar="FORMAT", help=FORMAT_HELP)
    convert.add_argument(
        "--to", dest="to_format", metavar="FORMAT", help="format of TARGET (default: by its name)"
    )
    convert.add_argument("--convention", metavar="WORDS", help=CONVENTION_HELP)
    convert.add_argument(
        "--to-convention", metavar="WORDS", help="write in another convention than the format's own"
    )
    convert.add_argument("--rate", type=positive(float), metavar="N", help=RATE_HELP)
    convert.add_argument(
        "--size",
        type=size,
        metavar="WxH",
        help="size of the pictures in pixels, where SOURCE does not tell",
    )


def run(options: argparse.Namespace) -> int:
    """Convert and tell what was lost; the exit code."""
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
    print(printable(str(done.target)))
    for sentence in done.lost:
        say(sentence)
    return OK
