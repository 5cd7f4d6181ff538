"""Logos and subtitles are not the scene; a still scene is not a logo."""

import cv2
import numpy as np
import pytest

from dollygrip.runners.estimators.tracks import track_points
from dollygrip.runners.video import Frame

WIDTH, HEIGHT = 320, 180


def texture(seed=0):
    noise = np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH * 2)).astype(np.uint8)
    return cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 2.0), None, 20, 235, cv2.NORM_MINMAX)


def pictures(step, overlay=True, frames=16):
    """A texture that slides left by ``step`` pixels a frame, under a logo and a subtitle."""
    scene = texture()
    for k in range(frames):
        image = scene[:, k * step : k * step + WIDTH].copy()
        if overlay:
            cv2.putText(image, "LOGO", (8, 24), cv2.FONT_HERSHEY_SIMPLEX, 0.7, 255, 2)
            cv2.putText(image, "What?", (120, 170), cv2.FONT_HERSHEY_SIMPLEX, 0.7, 255, 2)
        yield Frame(k, k / 12, image)


def lasting_still(tracks):
    """Number of points that were seen in at least 8 frames and never moved."""
    still = 0
    for number in np.unique(tracks.track):
        path = tracks.xy[tracks.track == number]
        still += len(path) >= 8 and np.ptp(path, axis=0).max() < 0.7
    return still


@pytest.mark.parametrize("step", [2, 5])
def test_points_of_a_logo_and_of_subtitles_are_left_out_of_a_moving_picture(step):
    assert lasting_still(track_points(pictures(step))) == 0


def test_the_moving_scene_is_kept():
    plain = track_points(pictures(3, overlay=False))
    marked = track_points(pictures(3))
    assert len(marked.frame) > 0.8 * len(plain.frame)


def test_nothing_is_left_out_of_a_still_picture():
    tracks = track_points(pictures(0))
    assert lasting_still(tracks) == len(np.unique(tracks.track)) > 100
