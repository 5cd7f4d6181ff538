"""``dollygrip label``: label clips, or camera poses."""

import argparse
import sys
from typing import TYPE_CHECKING, Any

from dollygrip.commands.choices import (
    add_classifier,
    add_estimator,
    add_poses,
    chosen_estimator,
    note_unused,
)
from dollygrip.commands.records import print_records, report
from dollygrip.console import (
    DEFAULT_RUN,
    USAGE_ERROR,
    add_json,
    command,
    positive,
    say,
    with_progress,
)

if TYPE_CHECKING:
    from dollygrip.runners.engine import Workers


def add(commands: Any) -> None:
    """Add the command to the parser's."""
    label = command(commands, "label", run, "label clips; goes on where an earlier run stopped")
    label.add_argument("inputs", nargs="*", metavar="INPUT", help="a clip, or a folder of clips")
    label.add_argument(
        "-o", "--out", default=DEFAULT_RUN, metavar="RUN", help="run folder (default: %(default)s)"
    )
    add_estimator(label)
    add_classifier(label)
    add_poses(label)
    label.add_argument(
        "--jobs",
        type=positive(int),
        metavar="N",
        help="worker processes (default: one a processor)",
    )
    label.add_argument(
        "--timeout", type=positive(float), metavar="S", help="seconds that one clip may take"
    )
    label.add_argument(
        "--retry-failed", action="store_true", help="try clips again that failed before"
    )
    label.add_argument(
        "--restart", action="store_true", help="forget what RUN holds, label everything"
    )
    add_json(label, "print JSON lines, as into a pipe, instead of a table")


def run(options: argparse.Namespace) -> int:
    """Label, print and report; the exit code."""
    from dollygrip.runners.engine import start_workers

    inputs = options.inputs or ([options.poses] if options.poses else [])
    if not inputs:
        options.parser.error("name a clip or a folder with clips, or poses with --poses")
    estimator, _ = chosen_estimator(options)
    with start_workers(inputs, estimator, options.classifier, options.jobs) as workers:
        return _label_with(workers, inputs, options)


def _label_with(workers: "Workers", inputs: list[str], options: argparse.Namespace) -> int:
    from dollygrip.api import carry_out, make_recipe
    from dollygrip.runners.inputs import find_inputs
    from dollygrip.runners.plan import finder, make_plan
    from dollygrip.runners.store import RunStore
    from dollygrip.runners.tables import update_tables

    estimator, given = chosen_estimator(options)
    recipe = make_recipe(
        estimator, options.classifier, options.settings, options.timeout, given=given
    )
    note_unused(options)
    earlier = None if options.restart else options.out
    found = find_inputs(inputs, finder(recipe))
    with make_plan(found, recipe, earlier, retry_failed=options.retry_failed) as plan:
        if not plan.total:
            what = "clip" if options.inputs else "pose file"
            say(f"no {what} found in {', '.join(inputs)}; name one, or a folder with some")
            return USAGE_ERROR
        if plan.kept:
            say(f"{plan.kept} of {plan.total} clips are labelled already")
        with RunStore(options.out, restart=options.restart) as store:
            records = carry_out(plan, recipe, store, workers)
            as_json = options.json or not sys.stdout.isatty()
            tally = print_records(with_progress(records, plan.total), as_json)
            update_tables(store.folder)
    return report(tally, options.out)
