"""``python -m benchmarks accuracy|timeline|calibration|... FOLDER``: see ``--help``."""

import argparse
import sys

from benchmarks import (
    ablations,
    accuracy,
    batch,
    calibration,
    confusions,
    conventions,
    label_pictures,
    paths,
    poses,
    speed,
    timeline,
    training,
)

BENCHMARKS = (
    *(accuracy, timeline, calibration, ablations, confusions),
    *(conventions, paths, poses, speed, batch, label_pictures, training),
)


def main(arguments: list[str] | None = None) -> int:
    """Run one benchmark; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for benchmark in BENCHMARKS:
        benchmark.add_command(commands)
    options = parser.parse_args(arguments)
    try:
        return int(options.run(options))
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
