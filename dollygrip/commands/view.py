"""``dollygrip view``: draw what the estimator saw."""

import argparse
from pathlib import Path
from typing import Any

from dollygrip.commands.choices import add_classifier, add_estimator, add_poses, chosen_estimator
from dollygrip.console import OK, SOME_FAILED, argument, command, printable, say, with_progress


def add(commands: Any) -> None:
    """Add the command to the parser's."""
    view = command(
        commands, "view", run, "draw what the estimator saw over a clip, as a video to look at"
    )
    view.add_argument("clip", metavar="CLIP", help="a video file, or a folder of pictures")
    view.add_argument(
        "-o", "--out", metavar="FILE", help="MP4 file to write (default: CLIP's name + .view.mp4)"
    )
    view.add_argument(
        "--3d",
        action="store_true",
        dest="spatial",
        help="the cameras and points in space instead: a Rerun recording (.rrd), or .ply",
    )
    add_estimator(view)
    add_classifier(view)
    add_poses(view)


def run(options: argparse.Namespace) -> int:
    """Label one clip and draw it; the exit code."""
    from dollygrip.api import make_recipe

    name, given = chosen_estimator(options)
    recipe = make_recipe(name, options.classifier, options.settings, given=given)
    estimator, classifier = recipe.estimator.make(), recipe.classifier.make()
    suffix = ".rrd" if options.spatial else ".view.mp4"
    out = options.out or f"{Path(options.clip).stem or 'clip'}{suffix}"
    say(f"labelling {options.clip}, then drawing it")
    if options.spatial:
        from dollygrip.runners.spatial import write_scene

        labels = write_scene(options.clip, out, estimator, classifier)
        if out.endswith(".rrd"):
            say(f"look at it with: rerun {argument(out)}")
    else:
        from dollygrip.runners.viewer import view_clip_file

        labels = view_clip_file(options.clip, out, estimator, classifier, watch=with_progress)
    print(printable(out))
    if labels.failure is not None:
        say(f"failed: {labels.failure.message}")
        return SOME_FAILED
    say(f"{labels.caption} Trust {labels.trust:.2f}.")
    return OK
