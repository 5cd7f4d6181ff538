"""Stands in for VGGT's demo_colmap.py: its command line and its model, with a path it knows."""

import argparse
import os
from pathlib import Path

import cv2
import numpy as np
import pycolmap


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--scene_dir", type=str, required=True)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--use_ba", action="store_true", default=False)
    parser.add_argument("--max_reproj_error", type=float, default=8.0)
    parser.add_argument("--shared_camera", action="store_true", default=False)
    parser.add_argument("--camera_type", type=str, default="SIMPLE_PINHOLE")
    parser.add_argument("--vis_thresh", type=float, default=0.2)
    parser.add_argument("--query_frame_num", type=int, default=8)
    parser.add_argument("--max_query_pts", type=int, default=4096)
    parser.add_argument("--fine_tracking", action="store_true", default=True)
    parser.add_argument("--conf_thres_value", type=float, default=5.0)
    args = parser.parse_args()

    known = np.load(os.environ["STAND_IN_PATH"])
    # As the file system lists them: in no order.
    paths = list((Path(args.scene_dir) / "images").iterdir())
    paths = [paths[k] for k in np.random.default_rng(args.seed).permutation(len(paths))]
    assert len(paths) == len(known["world_from_camera"])
    model = pycolmap.Reconstruction()
    for number, path in enumerate(paths, start=1):
        height, width = cv2.imread(str(path)).shape[:2]
        place = sorted(paths).index(path)
        focal = known["focals"][place] * width
        lens = [focal, focal, width / 2, height / 2]
        camera = pycolmap.Camera(
            camera_id=number, model="PINHOLE", width=width, height=height, params=lens
        )
        model.add_camera_with_trivial_rig(camera)
        back = np.linalg.inv(known["world_from_camera"][place])
        image = pycolmap.Image(
            name=path.name, keypoints=np.zeros((0, 2)), camera_id=number, image_id=number
        )
        pose = pycolmap.Rigid3d(pycolmap.Rotation3d(back[:3, :3]), back[:3, 3])
        model.add_image_with_trivial_frame(image, pose)
    sparse = Path(args.scene_dir) / "sparse"
    sparse.mkdir(exist_ok=True)
    model.write(str(sparse))


if __name__ == "__main__":
    main()
