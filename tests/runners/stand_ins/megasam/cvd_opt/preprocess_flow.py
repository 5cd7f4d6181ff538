"""Stands in for the script of this name: its command line and its files."""

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.append("cvd_opt/core")
from core.utils.utils import InputPadder
from raft import RAFT

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="raft-things.pth")
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--scene_name", type=str)
    parser.add_argument("--datapath")
    parser.add_argument("--path")
    parser.add_argument("--num_heads", default=1, type=int)
    parser.add_argument("--mixed_precision", action="store_true")
    args = parser.parse_args()
    assert InputPadder and RAFT
    assert Path(args.model).read_bytes() == b"flow weights"
    assert len(list(Path(args.datapath).glob("*.png"))) > 0
    cache = Path("./cache_flow") / args.scene_name
    cache.mkdir(parents=True, exist_ok=True)
    np.save(cache / "flows.npy", np.zeros((1, 2, 4, 4), np.float16))
    np.save(cache / "flows_masks.npy", np.ones((1, 1, 4, 4), bool))
    np.save(cache / "ii-jj.npy", np.array([[0], [1]]))
