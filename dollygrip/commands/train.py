"""``dollygrip train``: fit the learned classifier to somebody's own labels."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dollygrip.console import DEFAULT_RUN, OK, argument, command, print_table, say, with_progress

if TYPE_CHECKING:
    from dollygrip.runners.training import Trained


def add(commands: Any) -> None:
    """Add the command to the parser's."""
    train = command(
        commands, "train", run, "fit the learned classifier to your own labels of a run's clips"
    )
    train.add_argument(
        "--labels",
        required=True,
        metavar="FILE",
        help="what people say of the clips: CSV or JSON lines with 'clip' and labels (yes, no, "
        "unsure), or CameraBench's folder; clips of one video, as the column 'group' or their "
        "names say, are judged together",
    )
    train.add_argument(
        "--run",
        default=DEFAULT_RUN,
        metavar="RUN",
        help="run folder with the clips' motion; no video is read (default: %(default)s)",
    )
    train.add_argument(
        "-o",
        "--out",
        default="weights.safetensors",
        metavar="WEIGHTS",
        help="file to write (default: %(default)s)",
    )
    train.add_argument(
        "--seed", type=int, default=0, metavar="N", help="of what is random (default: %(default)s)"
    )


def run(options: argparse.Namespace) -> int:
    """Learn, write the weights and print what was gained; the exit code."""
    from dollygrip.runners.training import check_name, collect, train, write_weights

    out = Path(options.out)
    check_name(out)
    lessons = collect(Path(options.run), Path(options.labels), watch=with_progress)
    for reason, count in sorted(lessons.left_out.items()):
        say(f"left out: {count} {'clip' if count == 1 else 'clips'} {reason}")
    counts = lessons.counts
    yes, no = (sum(said[i] for said in counts.values()) for i in (0, 1))
    say(f"learning from {len(lessons.rows)} clips: {yes} times yes, {no} times no")
    trained = train(lessons, options.seed, watch=with_progress)
    settings = write_weights(out, trained)
    _print_training(trained, counts)
    say(f"{out} has the weights that do best for clips held out: {trained.chosen}")
    say("next: put these two lines into a file, say learned.toml:")
    for line in settings.splitlines():
        say(f"    {line}")
    run = argument(options.run)
    say(f"then: dollygrip classify --classifier learned --settings learned.toml {run}")
    return OK


def _print_training(trained: "Trained", counts: dict[str, tuple[int, int]]) -> None:
    """What was tried with its scores, then each label."""
    tried = (
        (
            f"{name} (chosen)" if name == trained.chosen else name,
            f"{found.log_loss:.4f}",
            f"{found.mean_ap:.3f}",
            f"{found.exact:.3f}",
            f"{found.calibration_error:.3f}",
        )
        for name, found in trained.scores.items()
    )
    print_table(("weights", "log loss", "mean AP", "exact", "calibration error"), tried)
    precisions = [found.average_precision for found in trained.scores.values()]
    labels = (
        (name, *map(str, said), *(f"{p[name]:.3f}" if name in p else "" for p in precisions))
        for name, said in counts.items()
    )
    print_table(("label", "yes", "no", *(f"AP {name}" for name in trained.scores)), labels)
