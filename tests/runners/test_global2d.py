"""The 2D baseline reads signs and amounts off warped pictures."""

import cv2
import numpy as np
import pytest

from dollygrip.classifiers.reliability import Reason
from dollygrip.geometry.profile import AXES, MotionProfile, motion_profile
from dollygrip.geometry.trajectory import FOCAL_PRIOR
from dollygrip.runners.estimators.global2d import Global2DEstimator
from dollygrip.runners.video import Frame

WIDTH, HEIGHT, FRAMES = 320, 180, 12
FOCAL = FOCAL_PRIOR * WIDTH


def _texture() -> np.ndarray:
    noise = np.random.default_rng(7).uniform(0, 255, (3 * HEIGHT // 4, 3 * WIDTH // 4))
    big = cv2.resize(noise, (3 * WIDTH, 3 * HEIGHT), interpolation=cv2.INTER_CUBIC)
    return np.clip(big, 0, 255).astype(np.uint8)


def _clip(
    right: float = 0.0, down: float = 0.0, clockwise_deg: float = 0.0, growth: float = 1.0
) -> list[Frame]:
    """Frames whose content moves, turns and grows by these amounts over the whole clip."""
    texture = _texture()
    frames = []
    for index, share in enumerate(np.linspace(0.0, 1.0, FRAMES)):
        angle, scale = np.radians(share * clockwise_deg), growth**share
        turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        middle = np.array([1.5 * WIDTH - 0.5, 1.5 * HEIGHT - 0.5])
        target = np.array([0.5 * (WIDTH - 1), 0.5 * (HEIGHT - 1)]) + share * np.array([right, down])
        matrix = np.hstack([turn, (target - turn @ middle)[:, None]])
        image = cv2.warpAffine(texture, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR)
        frames.append(Frame(index=index, time=index / 10, image=image))
    return frames


def _profile(frames: list[Frame]) -> MotionProfile:
    trajectory = Global2DEstimator().estimate(frames).trajectory
    assert trajectory is not None
    return motion_profile(trajectory)


@pytest.mark.parametrize(
    ("motion", "axis", "amount"),
    [
        ({"right": -60.0}, "pan", np.degrees(60.0 / FOCAL)),
        ({"right": 60.0}, "pan", -np.degrees(60.0 / FOCAL)),
        ({"down": 40.0}, "tilt", np.degrees(40.0 / FOCAL)),
        ({"down": -40.0}, "tilt", -np.degrees(40.0 / FOCAL)),
        ({"clockwise_deg": -20.0}, "roll", 20.0),
        ({"clockwise_deg": 20.0}, "roll", -20.0),
        ({"growth": 1.4}, "zoom", np.log(1.4)),
        ({"growth": 1 / 1.4}, "zoom", -np.log(1.4)),
    ],
)
def test_a_warped_picture_gives_its_own_axis_and_sign(
    motion: dict[str, float], axis: str, amount: float
) -> None:
    net = _profile(_clip(**motion)).net
    column = AXES.index(axis)
    assert net[column] == pytest.approx(amount, rel=0.05)
    scale = np.array([1.0, 1.0, 1.0, 0.01, 0.01, 0.01, 0.02])
    others = np.delete(np.abs(net) / scale, column)
    assert (others < 0.5).all()


def test_nothing_moves_in_a_still_picture() -> None:
    assert np.abs(_profile(_clip()).net).max() < 1e-3


def test_the_camera_never_travels() -> None:
    trajectory = Global2DEstimator().estimate(_clip(right=-50, growth=1.3)).trajectory
    assert trajectory is not None
    assert not trajectory.centers.any()


def test_times_are_those_of_the_frames() -> None:
    frames = [
        Frame(frame.index, time, frame.image)
        for frame, time in zip(_clip(right=20), np.cumsum(np.arange(1, FRAMES + 1)), strict=True)
    ]
    trajectory = Global2DEstimator().estimate(frames).trajectory
    assert trajectory is not None
    assert trajectory.times.tolist() == [frame.time for frame in frames]


def test_colour_frames_read_like_grey_ones() -> None:
    grey = _clip(right=-30)
    color = [Frame(f.index, f.time, np.repeat(f.image[:, :, None], 3, axis=2)) for f in grey]
    np.testing.assert_allclose(_profile(color).net, _profile(grey).net, atol=0.05)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_fewer_than_three_frames_are_too_short(count: int) -> None:
    estimate = Global2DEstimator().estimate(_clip()[:count])
    assert estimate.failure is not None
    assert estimate.failure.reason is Reason.TOO_SHORT


@pytest.mark.parametrize("shape", [(HEIGHT, WIDTH), (16, 16), (1, 1)])
def test_plain_pictures_have_no_texture(shape: tuple[int, int]) -> None:
    frames = [Frame(i, i / 10, np.full(shape, 90, np.uint8)) for i in range(5)]
    estimate = Global2DEstimator().estimate(frames)
    assert estimate.failure is not None
    assert estimate.failure.reason is Reason.NO_TEXTURE


def test_unrelated_pictures_are_not_forced_into_a_motion() -> None:
    random = np.random.default_rng(0)
    frames = [
        Frame(i, i / 10, random.integers(0, 255, (HEIGHT, WIDTH), dtype=np.uint8)) for i in range(5)
    ]
    assert Global2DEstimator().estimate(frames).failure is not None


def test_a_picture_of_another_size_in_between_does_not_raise() -> None:
    frames = _clip(right=-60)
    frames[5] = Frame(5, frames[5].time, np.zeros((HEIGHT // 2, WIDTH), np.uint8))
    assert _profile(frames).net[AXES.index("pan")] > 0
