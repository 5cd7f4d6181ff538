"""Options that several commands share: estimator, classifier, settings, poses, intervals."""

import argparse
from typing import Any

from dollygrip.console import positive, say

FORMAT_HELP = "format of the poses, see 'dollygrip formats' (default: found out)"
CONVENTION_HELP = "how the numbers are meant, where not as usual, e.g. 'camera_from_world opengl'"
RATE_HELP = "poses a second, where neither file nor video has a clock (default: 24)"


def add_estimator(parser: argparse.ArgumentParser) -> None:
    """Add the choice of an estimator."""
    parser.add_argument(
        "--estimator",
        default="flow",
        metavar="NAME",
        help="what estimates the motion (default: %(default)s)",
    )


def add_classifier(parser: argparse.ArgumentParser) -> None:
    """Add the choice of a classifier, and settings."""
    parser.add_argument(
        "--classifier",
        default="learned",
        metavar="NAME",
        help="what turns motion into labels (default: %(default)s)",
    )
    parser.add_argument(
        "--settings",
        metavar="FILE",
        help="TOML file with tables such as [classifier.threshold]",
    )


def add_poses(parser: argparse.ArgumentParser) -> None:
    """Add the options for poses of other programs."""
    poses = parser.add_argument_group("camera poses of other programs")
    poses.add_argument(
        "--poses",
        metavar="PATH",
        help="take the motion from PATH: a pose file or a folder of them, labelled without any "
        "video, or held against the clips when INPUT is given",
    )
    poses.add_argument("--format", metavar="FORMAT", help=FORMAT_HELP)
    poses.add_argument("--convention", metavar="WORDS", help=CONVENTION_HELP)
    poses.add_argument("--rate", type=positive(float), metavar="N", help=RATE_HELP)
    poses.add_argument(
        "--unit",
        choices=("any", "metres"),
        help="unit of the poses; in metres, small moves count as small (default: any)",
    )


def add_bootstrap(parser: argparse.ArgumentParser) -> None:
    """Add how intervals are found."""
    parser.add_argument(
        "--resamples",
        type=positive(int),
        default=1000,
        metavar="N",
        help="of the bootstrap that gives the 95%% intervals (default: %(default)s)",
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="of the bootstrap (default: %(default)s)"
    )


def chosen_estimator(options: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    """Its name, and its settings that the command line gives."""
    given = {
        name: getattr(options, name)
        for name in ("format", "convention", "rate", "unit")
        if getattr(options, name) is not None
    }
    if options.poses is None:
        if given and options.estimator != "poses":
            said = ", ".join(f"--{name}" for name in given)
            options.parser.error(f"{said} {'is' if len(given) == 1 else 'are'} for --poses only")
        return options.estimator, given
    clips = getattr(options, "inputs", None) or getattr(options, "clip", None)
    return "poses", {**given, "poses": options.poses if clips else ""}


def note_unused(options: argparse.Namespace) -> None:
    """Say so where a settings file is for another classifier only: it would change nothing."""
    if options.settings is None:
        return
    from dollygrip.runners.registry import read_settings

    named = sorted(read_settings(options.settings)["classifier"])
    if named and options.classifier not in named:
        say(
            f"note: {options.settings} has settings of {', '.join(named)}, which "
            f"{options.classifier} does not use; --classifier {named[0]} does"
        )
