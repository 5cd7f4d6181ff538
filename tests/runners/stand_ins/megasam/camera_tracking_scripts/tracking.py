"""Stands in for test_demo.py: its command line and its files, with a path that it knows."""

import argparse
import sys
from pathlib import Path

sys.path.append("base/droid_slam")

import cv2
import numpy as np
from droid import Droid

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--datapath")
    parser.add_argument("--weights", default="droid.pth")
    parser.add_argument("--buffer", type=int, default=1024)
    parser.add_argument("--image_size", default=[240, 320])
    parser.add_argument("--disable_vis", action="store_true")
    parser.add_argument("--beta", type=float, default=0.3)
    parser.add_argument("--filter_thresh", type=float, default=2.0)
    parser.add_argument("--warmup", type=int, default=8)
    parser.add_argument("--stereo", action="store_true")
    parser.add_argument("--depth", action="store_true")
    parser.add_argument("--upsample", action="store_true")
    parser.add_argument("--scene_name", help="scene_name")
    parser.add_argument("--mono_depth_path", default="Depth-Anything/video_visualization")
    parser.add_argument("--metric_depth_path", default="UniDepth/outputs ")
    # ARGUMENTS
    args = parser.parse_args()
    asked = True

    scene_name = args.scene_name.split("/")[-1]
    image_list = sorted(Path(args.datapath).glob("*.jpg"))
    image_list += sorted(Path(args.datapath).glob("*.png"))
    mono = sorted((Path(args.mono_depth_path) / scene_name).glob("*.npy"))
    metric = sorted((Path(args.metric_depth_path) / scene_name).glob("*.npz"))
    assert len(mono) == len(metric) == len(image_list) > 0
    fov = np.median([np.load(path)["fov"] for path in metric])
    assert np.load(mono[0]).ndim == 2
    h0, w0, _ = cv2.imread(str(image_list[0])).shape
    h1 = int(h0 * np.sqrt((384 * 512) / (h0 * w0)))
    w1 = int(w0 * np.sqrt((384 * 512) / (h0 * w0)))
    focal = w0 / (2 * np.tan(np.radians(fov / 2.0))) * w1 / w0

    droid = Droid(args, count=len(image_list), focal=focal, width=w1)
    poses, cam_c2w, focal, motion_prob = droid.terminate(
        iter(image_list), _opt_intr=asked, full_ba=True, scene_name=scene_name
    )
    lens = [focal, focal, w1 / 2, h1 / 2]
    shape = (len(image_list), h1 - h1 % 8, w1 - w1 % 8)
    images = np.zeros((shape[0], 3, *shape[1:]), np.uint8)
    scene = Path("reconstructions") / scene_name
    scene.mkdir(parents=True, exist_ok=True)
    np.save(scene / "images.npy", images)
    np.save(scene / "disps.npy", np.full(shape, 0.4, np.float32))
    np.save(scene / "poses.npy", poses)
    np.save(scene / "intrinsics.npy", np.tile(lens, (len(image_list), 1)))
    np.save(scene / "motion_prob.npy", motion_prob)
    Path("outputs").mkdir(parents=True, exist_ok=True)
    np.savez(
        f"outputs/{scene_name}_droid.npz",
        images=np.uint8(images[:, ::-1, ...].transpose(0, 2, 3, 1)),
        depths=np.full(shape, 2.5, np.float32),
        intrinsic=np.array([[focal, 0, w1 / 2], [0, focal, h1 / 2], [0, 0, 1]]),
        cam_c2w=cam_c2w,
    )
