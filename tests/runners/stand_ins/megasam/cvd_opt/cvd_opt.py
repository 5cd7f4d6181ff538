"""Stands in for the script of this name: its command line and its files."""

import argparse
from pathlib import Path

import numpy as np
from geometry_utils import NormalGenerator

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--w_grad", type=float, default=2.0)
    parser.add_argument("--w_normal", type=float, default=6.0)
    parser.add_argument("--output_dir", type=str, default="outputs_cvd")
    parser.add_argument("--scene_name", type=str)
    args = parser.parse_args()
    assert NormalGenerator and (args.w_grad, args.w_normal) == (2.0, 5.0)
    scene = Path.cwd() / "reconstructions" / args.scene_name
    for name in ("images", "disps", "intrinsics", "poses", "motion_prob"):
        assert (scene / f"{name}.npy").is_file()
    for name in ("flows", "flows_masks", "ii-jj"):
        assert (Path("./cache_flow") / args.scene_name / f"{name}.npy").is_file()
    tracked = np.load(f"outputs/{args.scene_name}_droid.npz")
    Path(args.output_dir).mkdir(parents=True, exist_ok=True)
    np.savez(
        f"{args.output_dir}/{args.scene_name}_sgd_cvd_hr.npz",
        images=tracked["images"],
        depths=np.clip(np.float16(tracked["depths"]), 1e-3, 1e2),
        intrinsic=tracked["intrinsic"].astype("f4"),
        cam_c2w=tracked["cam_c2w"],
    )
