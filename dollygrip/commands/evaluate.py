"""``dollygrip evaluate``: a system against what people say of clips."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dollygrip.commands.choices import add_bootstrap
from dollygrip.console import OK, add_json, add_run, command, print_table, printable, say

if TYPE_CHECKING:
    from dollygrip.runners.formats.truth import LabelledClip
    from dollygrip.runners.scorecard import Table
    from dollygrip.runners.systems import System

# More than this scrolls away; the files hold everything.
MOST_ROWS = 100


def add(commands: Any) -> None:
    """Add the command to the parser's."""
    evaluate = command(
        commands, "evaluate", run, "score a run, or official score files, against your labels"
    )
    add_run(evaluate)
    evaluate.add_argument(
        "--labels",
        required=True,
        metavar="SOURCE",
        help="what people say of the clips: CSV or JSON lines with 'clip' and labels (yes, no, "
        "unsure), or CameraBench's folder",
    )
    evaluate.add_argument(
        "--against",
        metavar="RUN",
        help="another run, or score files, to test the difference from",
    )
    evaluate.add_argument(
        "--by",
        action="append",
        default=[],
        metavar="COLUMN",
        help="group clips by this column of the labels, too; may be given several times",
    )
    evaluate.add_argument(
        "-o",
        "--out",
        metavar="FOLDER",
        help="write evaluation.json, .csv and .md, and CameraBench's official score files",
    )
    add_bootstrap(evaluate)
    add_json(evaluate, "print one JSON object instead of tables")


def run(options: argparse.Namespace) -> int:
    """Score, print and write; the exit code."""
    import json
    import sys

    from dollygrip.runners.scorecard import make_scorecard, tables, to_dict, write_scorecard

    run, labels = Path(options.run), Path(options.labels)
    against = Path(options.against) if options.against else None
    card = make_scorecard(
        run, labels, against, by=options.by, resamples=options.resamples, seed=options.seed
    )
    _tell_missing(card.clips, card.system, options.run)
    if card.other is not None:
        _tell_missing(card.clips, card.other, options.against)
    if options.out:
        written = write_scorecard(Path(options.out), card)
        say(f"{options.out} has evaluation.json, .csv, .md and {len(written) - 3} score files")
    if options.json or not sys.stdout.isatty():
        print(json.dumps(to_dict(card)))
    else:
        for table in tables(card):
            _print(table)
    return OK


def _tell_missing(clips: "tuple[LabelledClip, ...]", system: "System", name: str) -> None:
    from dollygrip.runners.formats.truth import match

    missing = [clip.clip for clip, answer in match(clips, system.answers) if answer is None]
    if missing:
        known = f"{len(missing)} of {len(clips)} labelled clips have no record in {name}"
        say(f"{known} (first: {missing[0]}); they count as failed")


def _print(table: "Table") -> None:
    head, *rows = (tuple(map(printable, row)) for row in (table.head, *table.rows[:MOST_ROWS]))
    print(printable(table.title))
    print_table(head, rows, len(table.rows) - len(rows))
