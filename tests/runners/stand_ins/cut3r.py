"""Stands in for CUT3R's demo.py: its command line, its files and its viewer that never ends."""

import argparse
import os
from pathlib import Path

import numpy as np
from add_ckpt_path import add_path_to_dust3r


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model_path", type=str, default="src/cut3r_512_dpt_4_64.pth")
    parser.add_argument("--seq_path", type=str, default="")
    parser.add_argument("--device", type=str, default="cuda")
    parser.add_argument("--size", type=int, default="512")
    parser.add_argument("--vis_threshold", type=float, default=1.5)
    parser.add_argument("--output_dir", type=str, default="./demo_tmp")
    args = parser.parse_args()
    add_path_to_dust3r(args.model_path)
    from viser_utils import PointCloudViewer

    known = np.load(os.environ["STAND_IN_PATH"])
    count = len(list(Path(args.seq_path).iterdir()))
    assert count == len(known["world_from_camera"])
    for folder in ("depth", "conf", "color", "camera"):
        (Path(args.output_dir) / folder).mkdir(parents=True, exist_ok=True)
    width, height = args.size, 288
    for k, pose in enumerate(known["world_from_camera"]):
        focal = known["focals"][k] * width
        lens = np.array([[focal, 0, width // 2], [0, focal, height // 2], [0, 0, 1]])
        np.savez(
            Path(args.output_dir) / "camera" / f"{k:06d}.npz",
            pose=pose.astype("f4"),
            intrinsics=lens.astype("f4"),
        )
    viewer = PointCloudViewer(None, {}, [], [], [], {}, device=args.device, size=args.size)
    viewer.run()


if __name__ == "__main__":
    main()
