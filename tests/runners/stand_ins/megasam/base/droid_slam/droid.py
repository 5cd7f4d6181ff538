"""Stands in for mega-sam/base's tracker: it knows the path of the camera and its focal length."""

import os
from pathlib import Path

import lietorch
import numpy as np


class Droid:
    def __init__(self, args, count, focal, width):
        assert lietorch and Path(args.weights).read_bytes() == b"tracking weights"
        assert args.disable_vis
        self.known = np.load(os.environ["STAND_IN_PATH"])
        assert len(self.known["world_from_camera"]) == count
        self.focal, self.width = focal, width

    def terminate(
        self, stream=None, _opt_intr=False, full_ba=False, scene_name=None, benchmark=False
    ):
        assert full_ba and scene_name and next(stream)
        if os.environ.get("STAND_IN_DO") == "crash":
            raise RuntimeError("CUDA out of memory")
        print("_opt_intr ", _opt_intr)
        focal = self.known["focals"][0] * self.width if _opt_intr else self.focal
        poses = self.known["world_from_camera"].astype(np.float32)
        # Turned by nothing: nobody reads these rows.
        turns = np.tile([0.0, 0, 0, 1], (len(poses), 1))
        rows = np.concatenate([np.linalg.inv(poses)[:, :3, 3], turns], axis=1)
        return rows, poses, focal, np.ones((len(poses), 8, 8), np.float32)
