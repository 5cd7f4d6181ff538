"""A program that "estimates" poses: it knows the path, and writes it as it is told.

The path is in the npz file that STAND_IN_PATH names: world_from_camera (N, 4, 4), OpenCV axes.
"""

import argparse
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np

# Rows: OpenCV's right, down, ahead in x, y, z of each.
AXES = {
    "opencv": np.eye(3),
    "opengl": np.diag([1.0, -1.0, -1.0]),
    "body": np.array([[0.0, -1, 0], [0, 0, -1], [1, 0, 0]]),
}


def quaternion_wxyz(rotation: np.ndarray) -> np.ndarray:
    """By the largest component, after Shepperd."""
    r = rotation
    squares = np.array(
        [
            1 + r[0, 0] + r[1, 1] + r[2, 2],
            1 + r[0, 0] - r[1, 1] - r[2, 2],
            1 - r[0, 0] + r[1, 1] - r[2, 2],
            1 - r[0, 0] - r[1, 1] + r[2, 2],
        ]
    )
    rows = [
        [squares[0], r[2, 1] - r[1, 2], r[0, 2] - r[2, 0], r[1, 0] - r[0, 1]],
        [r[2, 1] - r[1, 2], squares[1], r[0, 1] + r[1, 0], r[0, 2] + r[2, 0]],
        [r[0, 2] - r[2, 0], r[0, 1] + r[1, 0], squares[2], r[1, 2] + r[2, 1]],
        [r[1, 0] - r[0, 1], r[0, 2] + r[2, 0], r[1, 2] + r[2, 1], squares[3]],
    ]
    best = np.array(rows[int(squares.argmax())])
    return best / np.linalg.norm(best)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--video", type=Path)
    parser.add_argument("--calib", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--axes", choices=AXES, default="opencv")
    parser.add_argument("--inverted", action="store_true")
    parser.add_argument("--wxyz", action="store_true")
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--clock", type=float, default=30.0)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--noise", type=float, default=0.0)
    parser.add_argument("--do", default="")
    arguments = parser.parse_args()

    if arguments.pictures:
        count = len(sorted(arguments.pictures.glob("*.png")))
        assert next(p.name for p in sorted(arguments.pictures.iterdir())) == "000000.png"
    else:
        import cv2

        video = cv2.VideoCapture(str(arguments.video))
        count = 0
        while video.read()[0]:
            count += 1
    if arguments.calib:
        fx, fy, cx, cy = np.loadtxt(arguments.calib)
        assert fx == fy > cx > cy > 0
    print(f"looking at {count} pictures")

    poses = np.load(os.environ["STAND_IN_PATH"])["world_from_camera"]
    assert len(poses) == count, f"{count} pictures, expected {len(poses)}"
    misbehave(arguments.do, arguments.out)
    poses = poses.copy()
    poses[:, :3, 3] += arguments.noise * np.random.default_rng(0).standard_normal((count, 3))
    poses[:, :3, 3] *= arguments.scale
    turn = np.eye(4)
    turn[:3, :3] = AXES[arguments.axes]
    poses = poses @ turn
    if arguments.inverted:
        poses = np.linalg.inv(poses)
    lines = ["# timestamp tx ty tz and a quaternion"]
    for number, pose in enumerate(poses):
        if number % arguments.every:
            continue
        w, x, y, z = quaternion_wxyz(pose[:3, :3])
        order = [w, x, y, z] if arguments.wxyz else [x, y, z, w]
        row = [number / arguments.clock, *pose[:3, 3], *order]
        if arguments.do == "nan" and number >= count // 2:
            row[1:4] = [float("nan")] * 3
        lines.append(" ".join(map(repr, map(float, row))))
    if arguments.do == "one pose":
        lines = lines[:2]
    arguments.out.write_text("\n".join(lines) + "\n")


def misbehave(how: str, out: Path) -> None:
    if how == "crash":
        print("the matrix is singular", file=sys.stderr)
        sys.exit(3)
    if how == "abort":
        os.kill(os.getpid(), signal.SIGABRT)
    if how == "hang":
        time.sleep(600)
    if how == "nothing":
        sys.exit(0)
    if how == "gigabytes":
        with out.open("wb") as file:
            file.truncate(6 << 30)
        sys.exit(0)
    if how == "words":
        out.write_text("no motion was found\n")
        sys.exit(0)
    if how == "link":
        elsewhere = Path(os.environ["STAND_IN_ELSEWHERE"])
        out.symlink_to(elsewhere)
        sys.exit(0)
    if how == "linked folder":
        elsewhere = Path(os.environ["STAND_IN_ELSEWHERE"])
        out.parent.rmdir()
        out.parent.symlink_to(elsewhere.parent)
        sys.exit(0)
    if how == "pipe":
        os.mkfifo(out)
        sys.exit(0)
    if how == "link beside":
        (out.parent / "intrinsics").symlink_to(os.environ["STAND_IN_ELSEWHERE"])
    if how == "two":
        (out.parent / "another.txt").write_text("0 0 0 0 0 0 0 1\n")


if __name__ == "__main__":
    main()
