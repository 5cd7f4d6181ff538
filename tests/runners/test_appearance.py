"""Freezes and blur in pictures of which it is known."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dollygrip.classifiers.attributes import BLUR
from dollygrip.geometry.synthetic import Move, camera_path
from dollygrip.runners.appearance import Appearance, directional_blur
from dollygrip.runners.rendering import Look, render
from dollygrip.runners.scenery import scene
from dollygrip.runners.video import Frame

RATE = 8.0


def told(pictures, rate: float = RATE) -> Appearance:
    appearance = Appearance()
    for number, picture in enumerate(pictures):
        appearance.add(Frame(number, number / rate, picture))
    return appearance


def noise(count: int, seed: int = 0, size: tuple[int, int] = (120, 160)) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    return [random.integers(0, 255, size).astype(np.uint8) for _ in range(count)]


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 6), st.integers(1, 8), st.integers(1, 6))
def test_a_freeze_is_as_long_as_the_same_picture_is_shown(before, shown, after):
    *others, frozen = noise(before + after + 1)
    found = told([*others[:before], *[frozen] * shown, *others[before:]]).diagnostics()
    assert found["frozen_seconds"] == pytest.approx((shown - 1) / RATE)
    assert found["frozen_start"] == (pytest.approx(before / RATE) if shown > 1 else None)


def test_a_codec_that_repeats_a_picture_not_quite_exactly_freezes_it_all_the_same():
    picture = noise(1)[0] // 2
    again = picture.copy()
    again.flat[::50] += 1
    assert told([picture, again, picture, again]).still


def test_pictures_that_creep_are_not_frozen():
    base = np.tile(np.arange(160, dtype=np.uint8), (120, 1))
    creeping = []
    for step in range(9):
        picture = base.copy()
        picture.flat[: 400 * step] += 1
        creeping.append(picture)
    appearance = told(creeping)
    assert not appearance.still
    assert appearance.diagnostics()["frozen_seconds"] < 3 / RATE


def test_black_leader_is_no_freeze():
    black = [np.full((120, 160), 16, np.uint8)] * 6
    found = told([*black, *noise(4)]).diagnostics()
    assert (found["frozen_seconds"], found["frozen_start"]) == (0.0, None)


def test_a_still_image_is_told_from_a_film():
    picture = noise(1)[0]
    assert told([picture] * 5).still
    assert told([picture] * 5).diagnostics()["change"] is None
    assert not told([picture] * 2).still
    assert not told([*[picture] * 5, noise(1, seed=1)[0]]).still


def filmed(*moves: Move, shutter: float = 0.0, world: str = "street") -> list[np.ndarray]:
    path = camera_path(list(moves), duration=0.5, rate=RATE)
    pictures = render(path, scene(world, 5), Look(shutter=shutter, noise=1.5))
    return [cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in pictures]


def blur_of(pictures) -> float:
    return told(pictures).diagnostics()["blur"]


# The shutter of a film camera, open for half of 1/24 s, in frames of 1/8 s.
FILM = 0.5 * RATE / 24.0


@pytest.fixture(scope="module")
def panned() -> dict[float, list[np.ndarray]]:
    return {shutter: filmed(Move("pan_right", 16.0), shutter=shutter) for shutter in (0.0, FILM)}


def test_a_fast_pan_is_blurred_by_its_shutter(panned):
    assert blur_of(panned[FILM]) > BLUR > blur_of(panned[0.0])


@pytest.mark.parametrize("move", ["tilt_up", "truck_left"])
def test_any_move_blurs(move):
    moves = [Move(move, 0.4 if "truck" in move else 16.0)]
    assert blur_of(filmed(*moves, shutter=FILM)) > BLUR > blur_of(filmed(*moves))


@pytest.mark.parametrize("sigma", [1.0, 2.0, 3.0])
def test_a_soft_picture_is_not_blurred_by_motion(panned, sigma):
    soft = [cv2.GaussianBlur(picture, (0, 0), sigma) for picture in panned[0.0]]
    assert blur_of(soft) < BLUR


def test_blur_is_the_same_in_colour_turned_and_in_other_sizes(panned):
    picture = panned[FILM][2]
    blur = directional_blur(picture)
    assert directional_blur(np.repeat(picture[..., None], 3, axis=2)) == pytest.approx(blur)
    assert directional_blur(picture[:, ::-1].copy()) == pytest.approx(blur)
    doubled = cv2.resize(picture, None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR)
    assert directional_blur(doubled) == pytest.approx(blur, abs=0.1)


@pytest.mark.parametrize("size", [(270, 480), (20, 480), (8, 8), (1, 1)])
def test_nothing_is_said_of_blank_or_tiny_pictures(size):
    assert directional_blur(np.full(size, 90, np.uint8)) is None
    assert told([np.full(size, 90, np.uint8)]).diagnostics()["blur"] is None
