"""Stands in for the script of this name: its command line and its files."""

import argparse
from pathlib import Path

import numpy as np
from depth_anything.dpt import DPT_DINOv2

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--img-path", type=str)
    parser.add_argument("--outdir", type=str, default="./vis_depth")
    parser.add_argument("--encoder", type=str, default="vitl")
    parser.add_argument("--load-from", type=str, required=True)
    parser.add_argument("--localhub", dest="localhub", action="store_true", default=False)
    args = parser.parse_args()
    assert args.encoder in ["vits", "vitb", "vitl"] and DPT_DINOv2
    assert Path(args.load_from).read_bytes() == b"depth weights"
    outdir = Path(args.outdir)
    for picture in sorted(Path(args.img_path).glob("*.png")):
        outdir.mkdir(parents=True, exist_ok=True)
        np.save(outdir / f"{picture.name[:-4]}.npy", np.ones((4, 6), np.float32))
