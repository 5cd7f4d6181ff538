"""``dollygrip label``: label clips, or camera poses."""

import argparse
import sys
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from dollygrip.commands.choices import (
    add_classifier,
    add_estimator,
    add_poses,
    chosen_estimator,
    note_unused,
)
from dollygrip.commands.records import MOST_ROWS, Again, Tally, print_records, report
from dollygrip.console import (
    DEFAULT_RUN,
    STDIN,
    USAGE_ERROR,
    add_json,
    add_log_format,
    command,
    complain,
    positive,
    put,
    say,
    tell,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from dollygrip.classifiers.records import ClipLabels
    from dollygrip.runners.launch import Pool
    from dollygrip.runners.plan import Plan
    from dollygrip.runners.recipe import Recipe
    from dollygrip.runners.store import RunStore
    from dollygrip.stopping import Asked


def add(commands: Any) -> None:
    """Add the command to the parser's."""
    label = command(commands, "label", run, "label clips; goes on where an earlier run stopped")
    label.add_argument(
        "inputs",
        nargs="*",
        metavar="INPUT",
        help="a clip, a folder of clips, a pattern, a list of these (.txt, .csv, .tsv, .parquet), "
        "or - for a list on standard input",
    )
    label.add_argument(
        "-o", "--out", default=DEFAULT_RUN, metavar="RUN", help="run folder (default: %(default)s)"
    )
    add_estimator(label)
    add_classifier(label)
    add_poses(label)
    many = label.add_argument_group("many clips")
    many.add_argument(
        "--jobs",
        type=positive(int),
        metavar="N",
        help="worker processes (default: one a processor)",
    )
    many.add_argument(
        "--timeout",
        type=positive(float),
        metavar="S",
        help="seconds that one clip may take (default: 600, or more where the estimator has more)",
    )
    many.add_argument(
        "--memory",
        type=positive(int),
        metavar="MB",
        help="megabytes that one worker may hold (default: its share of the machine)",
    )
    many.add_argument(
        "--shard",
        metavar="I/N",
        help="label the I-th of N parts of the clips: for many machines, each with its own RUN",
    )
    many.add_argument(
        "--column", metavar="NAME", help="column of a list that has the paths (default: found out)"
    )
    many.add_argument(
        "--engine",
        choices=("local", "ray"),
        default="local",
        help="where the workers run: here, or on a Ray cluster (default: %(default)s)",
    )
    many.add_argument(
        "--address",
        metavar="A",
        help="of the Ray cluster, such as auto (default: one that is started here)",
    )
    many.add_argument(
        "--retry-failed", action="store_true", help="try clips again that failed before"
    )
    many.add_argument(
        "--restart", action="store_true", help="forget what RUN holds, label everything"
    )
    add_log_format(label)
    add_json(label, "print JSON lines, as into a pipe, instead of a table")


def run(options: argparse.Namespace) -> int:
    """Label, print and report; the exit code."""
    from dollygrip.runners.launch import start_engine
    from dollygrip.stopping import stopping

    inputs = options.inputs or ([options.poses] if options.poses else [])
    if not inputs:
        options.parser.error("name a clip or a folder with clips, or poses with --poses")
    if options.address and options.engine != "ray":
        options.parser.error("--address is for --engine ray")
    estimator, _ = chosen_estimator(options)
    with (
        stopping() as asked,
        start_engine(
            inputs,
            estimator,
            options.classifier,
            options.jobs,
            engine=options.engine,
            address=options.address,
        ) as workers,
    ):
        return _label_with(workers, inputs, options, asked)


def _label_with(
    workers: "Pool", inputs: list[str], options: argparse.Namespace, asked: "Asked"
) -> int:
    from dollygrip.api import make_recipe
    from dollygrip.runners.inputs import Shard, find_inputs
    from dollygrip.runners.plan import finder, make_plan
    from dollygrip.runners.store import RunStore
    from dollygrip.runners.video import find_clips

    estimator, given = chosen_estimator(options)
    recipe = make_recipe(
        estimator,
        options.classifier,
        options.settings,
        options.timeout,
        options.memory,
        jobs=workers.jobs,
        given=given,
        elsewhere=options.engine != "local",
    )
    note_unused(options)
    if STDIN in inputs and sys.stdin.isatty():
        say("type the paths of clips, one a line; Ctrl-D ends")
    shard = Shard.parse(options.shard) if options.shard else None
    find = finder(recipe)
    clips = find_inputs(inputs, find, column=options.column)
    first = next(clips, None)
    if first is None:
        what = "clip" if find is find_clips else "pose file"
        where = ", ".join("standard input" if name == STDIN else name for name in inputs)
        complain(f"no {what} found in {where}; name one, or a folder with some")
        return USAGE_ERROR
    with (
        RunStore(options.out, restart=options.restart) as store,
        make_plan(
            chain([first], clips),
            recipe,
            store.folder,
            retry_failed=options.retry_failed,
            shard=shard,
        ) as plan,
    ):
        tally = _carry_out(plan, recipe, store, workers, options, asked)
    again = Again(options.typed, recipe.timeout, recipe.memory_mb)
    left = plan.total - tally.kept - tally.new
    code = report(tally, options.out, again, shard=options.shard or "", stopped=asked(), left=left)
    asked.end()
    return code


def _carry_out(
    plan: "Plan",
    recipe: "Recipe",
    store: "RunStore",
    workers: "Pool",
    options: argparse.Namespace,
    asked: "Asked",
) -> Tally:
    """Label what is left, and show all of it; how the clips ended."""
    from dollygrip.api import carry_out
    from dollygrip.progress import progress
    from dollygrip.runners.ledger import lines_at, records_at
    from dollygrip.runners.tables import update_tables

    labels, failures = plan.kept_summary()
    tally = Tally(kept=plan.kept, labels=labels, failures=failures)
    if plan.kept:
        say(f"{plan.kept:,} of {plan.total:,} clips are done already")
    tell(
        "started",
        clips=plan.total,
        kept=plan.kept,
        todo=plan.todo + plan.motion_kept,
        jobs=workers.jobs,
        run=options.out,
        estimator=recipe.estimator.name,
        classifier=recipe.classifier.name,
    )
    as_json = options.json or not sys.stdout.isatty()
    kept = plan.kept_offsets()
    if as_json:
        # As they are: to read 100,000 records takes longer than everything else.
        for line in lines_at(store.folder, kept):
            put(line.decode("ascii", "replace"))
    earlier = () if as_json else records_at(store.folder, islice(kept, MOST_ROWS))
    records = carry_out(plan, recipe, store, workers, asked)
    # JSON lines on a terminal tell how far it is themselves; above a display they would be wrapped.
    drawn = not (as_json and sys.stdout.isatty())
    shown = progress(total=plan.total, kept=plan.kept, running=workers.running, drawn=drawn)
    with asked.deferred():
        print_records(_with(shown, records), as_json, tally, earlier)
    if not asked():
        update_tables(store.folder)
    return tally


def _with(
    shown: "AbstractContextManager[Callable[[ClipLabels], None]]", records: "Iterator[ClipLabels]"
) -> "Iterator[ClipLabels]":
    """The same records; the display goes with the last, before anything else is printed."""
    with shown as seen:
        for record in records:
            seen(record)
            yield record
