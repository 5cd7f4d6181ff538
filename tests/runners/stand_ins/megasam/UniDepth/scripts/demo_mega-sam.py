"""Stands in for the script of this name: its command line and its files."""

import argparse
from pathlib import Path

import numpy as np
from unidepth.models import UniDepthV2

# Degrees across: not what the camera of the tests has.
FOV = 75.0

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--img-path", type=str)
    parser.add_argument("--outdir", type=str, default="./vis_depth")
    parser.add_argument("--scene-name", type=str)
    args = parser.parse_args()
    assert UniDepthV2
    scene = Path(args.outdir) / args.scene_name
    scene.mkdir(parents=True, exist_ok=True)
    for picture in sorted(Path(args.img_path).glob("*.png")):
        depth = np.full((4, 6), 3.0, np.float32)
        np.savez(scene / f"{picture.name[:-4]}.npz", depth=depth, fov=FOV)
