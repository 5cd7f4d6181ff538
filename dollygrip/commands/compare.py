"""``dollygrip compare``: systems side by side, as one page."""

import argparse
import sys
from pathlib import Path
from typing import Any

from dollygrip.commands.choices import add_bootstrap
from dollygrip.console import OK, argument, command, positive, say, with_progress

DEFAULT_REPORT = "dollygrip-report"
_NONE = "none"


def add(commands: Any) -> None:
    """Add the command to the parser's."""
    compare = command(
        commands, "compare", run, "compare runs and other systems on the same clips, as one page"
    )
    compare.add_argument(
        "runs",
        nargs="+",
        metavar="RUN",
        help="run folders, and official score files of other systems or folders of these",
    )
    compare.add_argument(
        "--labels",
        metavar="SOURCE",
        help="what people say of the clips: CSV or JSON lines with 'clip' and labels (yes, no, "
        "unsure), or CameraBench's folder; without it only agreement is reported",
    )
    compare.add_argument(
        "--published",
        metavar="SOURCE",
        help="published rows to stand beside: 'camerabench', or a CSV file of your own",
    )
    compare.add_argument(
        "--classifiers",
        action="extend",
        nargs="+",
        metavar="NAME",
        help="classifiers for every run besides its own, from its stored motion; 'none' for none "
        "(default: all)",
    )
    compare.add_argument(
        "--by",
        action="extend",
        nargs="+",
        default=[],
        metavar="COLUMN",
        help="group clips by these columns of the labels, too",
    )
    compare.add_argument(
        "-o",
        "--out",
        default=DEFAULT_REPORT,
        metavar="FOLDER",
        help="folder to write the report into (default: %(default)s)",
    )
    compare.add_argument(
        "--clips",
        type=positive(int),
        default=60,
        metavar="N",
        help="clips that the page shows, those with the most disagreement (default: %(default)s)",
    )
    add_bootstrap(compare)


def run(options: argparse.Namespace) -> int:
    """Compare and write; the exit code."""
    import platform
    import shlex
    from datetime import datetime
    from importlib.metadata import version

    from dollygrip.runners.comparison import compare_systems, gather
    from dollygrip.runners.formats.published import published
    from dollygrip.runners.formats.truth import read_labels
    from dollygrip.runners.report.origins import Made
    from dollygrip.runners.report.writing import write_report

    labels = read_labels(Path(options.labels)) if options.labels else ()
    rows = published(options.published) if options.published else ()
    if not labels:
        say("without --labels no accuracy can be given: the report is of agreement and costs")
        if options.by:
            say("note: --by has no effect without --labels")
    classifiers = options.classifiers and [c for c in options.classifiers if c != _NONE]
    systems = gather([Path(source) for source in options.runs], classifiers, with_progress)
    count = "1 system" if len(systems) == 1 else f"{len(systems)} systems"
    say(f"comparing {count}: {', '.join(system.name for system in systems)}")
    comparison = compare_systems(
        systems,
        labels,
        by=options.by,
        published=rows,
        resamples=options.resamples,
        seed=options.seed,
        watch=with_progress,
    )
    made = Made(
        command=shlex.join(["dollygrip", *sys.argv[1:]]),
        when=datetime.now().astimezone(),
        labels=options.labels or "",
        versions={
            "dollygrip": version("dollygrip"),
            "Python": platform.python_version(),
            "numpy": version("numpy"),
            "plotly": version("plotly"),
        },
        resamples=options.resamples,
        seed=options.seed,
    )
    page = write_report(Path(options.out), comparison, made, options.clips, with_progress)
    say(f"open {argument(str(page))}; the same tables are beside it as report.md and CSV files")
    return OK
