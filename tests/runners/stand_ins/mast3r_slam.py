"""Stands in for MASt3R-SLAM's main.py: its command line and its keyframes, with a path it knows."""

import argparse
import os
import pathlib

import numpy as np
from writes_poses import quaternion_wxyz


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--dataset", default="datasets/tum/rgbd_dataset_freiburg1_desk")
    parser.add_argument("--config", default="config/base.yaml")
    parser.add_argument("--save-as", default="default")
    parser.add_argument("--no-viz", action="store_true")
    parser.add_argument("--calib", default="")
    args = parser.parse_args()
    assert pathlib.Path(args.config).is_file() and args.no_viz
    assert pathlib.Path("checkpoints").is_dir()

    dataset = pathlib.Path(args.dataset)
    files = sorted(dataset.glob("*.[jpJP][npNP][egEG]*"))
    timestamps = np.arange(0, len(files)).astype(np.float32) / 30.0
    poses = np.load(os.environ["STAND_IN_PATH"])["world_from_camera"]
    assert len(poses) == len(files)
    save_dir = pathlib.Path("logs")
    if args.save_as != "default":
        save_dir = save_dir / args.save_as
    save_dir.mkdir(exist_ok=True, parents=True)
    with (save_dir / f"{dataset.stem}.txt").open("w") as f:
        for k in range(0, len(files), 3):
            qw, qx, qy, qz = quaternion_wxyz(poses[k, :3, :3])
            x, y, z = poses[k, :3, 3]
            f.write(f"{timestamps[k]} {x} {y} {z} {qx} {qy} {qz} {qw}\n")


if __name__ == "__main__":
    main()
