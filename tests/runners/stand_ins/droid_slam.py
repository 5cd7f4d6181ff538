"""Stands in for DROID-SLAM's demo.py: its command line and its keyframes, with a path it knows."""

import argparse
import os
import sys
from pathlib import Path

sys.path.append("droid_slam")

import cv2
import numpy as np
import torch
from droid import quaternion_wxyz


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--imagedir", type=str)
    parser.add_argument("--calib", type=str)
    parser.add_argument("--t0", default=0, type=int)
    parser.add_argument("--stride", default=3, type=int)
    parser.add_argument("--weights", default="droid.pth")
    parser.add_argument("--buffer", type=int, default=512)
    parser.add_argument("--image_size", default=[240, 320])
    parser.add_argument("--disable_vis", action="store_true")
    parser.add_argument("--beta", type=float, default=0.3)
    parser.add_argument("--filter_thresh", type=float, default=2.4)
    parser.add_argument("--upsample", action="store_true")
    parser.add_argument("--reconstruction_path")
    args = parser.parse_args()
    assert args.disable_vis and Path(args.weights).is_file()

    poses = np.load(os.environ["STAND_IN_PATH"])["world_from_camera"]
    images = sorted(Path(args.imagedir).iterdir())[:: args.stride]
    assert len(images) == len(poses)
    fx, fy, cx, cy = np.loadtxt(args.calib, delimiter=" ")[:4]
    h0, w0, _ = cv2.imread(str(images[0])).shape
    h1 = int(h0 * np.sqrt((384 * 512) / (h0 * w0)))
    w1 = int(w0 * np.sqrt((384 * 512) / (h0 * w0)))
    keys = range(0, len(images), 2)
    lens = np.array([fx * w1 / w0, fy * h1 / h0, cx * w1 / w0, cy * h1 / h0]) / 8.0
    rows = []
    for k in keys:
        back = np.linalg.inv(poses[k])
        qw, qx, qy, qz = quaternion_wxyz(back[:3, :3])
        rows.append([*back[:3, 3], qx, qy, qz, qw])
    save_data = {
        "tstamps": torch.tensor(list(keys), dtype=torch.float32),
        "images": torch.zeros(len(rows), 3, h1 - h1 % 8, w1 - w1 % 8, dtype=torch.uint8),
        "disps": torch.ones(len(rows), 8, 8),
        "poses": torch.tensor(rows, dtype=torch.float32),
        "intrinsics": torch.tensor(np.tile(lens, (len(rows), 1)), dtype=torch.float32),
    }
    torch.save(save_data, args.reconstruction_path)


if __name__ == "__main__":
    main()
