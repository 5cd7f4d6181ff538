"""Stands in for the program vipe: its command line and its files, with a path that it knows."""

import argparse
import os
from pathlib import Path

import cv2
import numpy as np


def main() -> None:
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(required=True)
    infer = commands.add_parser("infer")
    infer.add_argument("video", type=Path)
    infer.add_argument("--image-dir", type=Path)
    infer.add_argument("--output", "-o", type=Path, default=Path.cwd() / "vipe_results")
    infer.add_argument("--pipeline", "-p", default="default")
    infer.add_argument("--visualize", "-v", action="store_true")
    options = parser.parse_args()
    assert options.video.is_file() and options.pipeline == "default"

    video = cv2.VideoCapture(str(options.video))
    count, size = 0, (0, 0)
    while True:
        there, frame = video.read()
        if not there:
            break
        count, size = count + 1, (frame.shape[1], frame.shape[0])
    known = np.load(os.environ["STAND_IN_PATH"])
    assert len(known["world_from_camera"]) == count
    focal = known["focals"][0] * size[0]
    name, inds = options.video.stem, np.arange(count)
    lens = np.tile([focal, focal, size[0] / 2, size[1] / 2], (count, 1))
    for folder in ("pose", "intrinsics"):
        (options.output / folder).mkdir(parents=True)
    poses = known["world_from_camera"].astype(np.float32)
    np.savez(options.output / "pose" / f"{name}.npz", data=poses, inds=inds)
    np.savez(options.output / "intrinsics" / f"{name}.npz", data=lens.astype("f4"), inds=inds)
    types = "".join(f"{k}: PINHOLE\n" for k in inds)
    (options.output / "intrinsics" / f"{name}_camera.txt").write_text(types)


if __name__ == "__main__":
    main()
