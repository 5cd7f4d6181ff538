"""Cuts are found at their frame; what only looks like a cut is not one."""

from collections.abc import Callable, Iterator

import cv2
import numpy as np
import pytest

from dollygrip.runners.shots import split_shots
from dollygrip.runners.video import Frame

HEIGHT, WIDTH = 180, 320
RATE = 12.0
Image = np.ndarray


def scene(seed: int, height: int = 400, width: int = 2400) -> Image:
    """A wide textured picture with detail at several scales."""
    noise = np.random.default_rng(seed)
    total = np.zeros((height, width))
    for cell, weight in ((80, 50.0), (24, 30.0), (8, 20.0)):
        small = noise.normal(size=(height // cell + 2, width // cell + 2)).astype(np.float32)
        total += weight * cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(128 + total, 0, 255).astype(np.uint8)


def view(wide: Image, x: float, y: float = 100.0, zoom: float = 1.0) -> Image:
    """A camera's view of a scene: its upper left corner and its magnification."""
    center = (x + WIDTH / 2, y + HEIGHT / 2)
    size = (round(WIDTH / zoom), round(HEIGHT / zoom))
    return cv2.resize(cv2.getRectSubPix(wide, size, center), (WIDTH, HEIGHT))


def film(images: list[Image]) -> list[Frame]:
    noise = np.random.default_rng(0)
    return [
        Frame(
            2 * i,
            i / RATE,
            np.clip(image + noise.normal(0, 2, image.shape), 0, 255).astype(np.uint8),
        )
        for i, image in enumerate(images)
    ]


def cuts(images: list[Image]) -> list[int]:
    """Frames at which shots begin, but for the first."""
    return [round(shot.start * RATE) for shot in split_shots(film(images))][1:]


def take(seed: int, count: int, speed: float = 4.0) -> list[Image]:
    wide = scene(seed)
    return [view(wide, 100 + speed * i) for i in range(count)]


@pytest.mark.parametrize("at", [1, 2, 3, 10, 20, 27, 28, 29])
def test_a_cut_is_found_wherever_it_is(at: int) -> None:
    assert cuts(take(1, at) + take(2, 30 - at)) == [at]


@pytest.mark.parametrize("speed", [0.0, 10.0, 25.0])
def test_a_cut_between_moving_shots(speed: float) -> None:
    assert cuts(take(1, 15, speed) + take(2, 15, -speed / 4)) == [15]


def test_several_cuts() -> None:
    assert cuts(take(1, 12) + take(2, 9) + take(3, 20) + take(4, 12)) == [12, 21, 41]


def test_a_cut_between_shots_of_like_brightness_and_low_contrast() -> None:
    first, second = take(1, 15, 1.0), take(2, 15, 1.0)
    assert cuts([(96 + image // 4).astype(np.uint8) for image in first + second]) == [15]


def test_a_cut_under_a_logo_and_bars() -> None:
    images = take(1, 15) + take(2, 15)
    for image in images:
        image[:24] = image[-24:] = 0
        cv2.putText(image, "NEWS", (220, 60), cv2.FONT_HERSHEY_SIMPLEX, 1.0, 255, 3)
    assert cuts(images) == [15]


def test_a_cut_from_a_card_with_nothing_in_its_middle() -> None:
    card = np.full((HEIGHT, WIDTH), 40, np.uint8)
    card[:3] = card[-3:] = 200
    images = [card] * 15 + take(2, 15)
    shots = split_shots(Frame(i, i / RATE, image) for i, image in enumerate(images))
    assert [round(shot.start * RATE) for shot in shots] == [0, 15]


def test_a_mixed_frame_at_the_cut() -> None:
    first, second = take(1, 15), take(2, 16)
    images = [*first, cv2.addWeighted(first[-1], 0.5, second[0], 0.5, 0), *second[1:]]
    assert cuts(images) in ([15], [16])


def test_black_before_the_first_picture() -> None:
    black = [np.zeros((HEIGHT, WIDTH), np.uint8)]
    assert cuts(black * 12 + take(1, 20)) == [12]
    assert cuts(black * 2 + take(1, 20)) == []


def still(count: int = 30) -> list[Image]:
    return take(1, count, 0.0)


def flash() -> list[Image]:
    images = still()
    for at, gain in ((10, 3.0), (11, 2.0), (20, 9.0)):
        images[at] = np.clip(images[at] * gain, 0, 255).astype(np.uint8)
    return images


def strobe() -> list[Image]:
    return [image if i % 4 < 2 else np.zeros_like(image) for i, image in enumerate(still())]


def flicker() -> list[Image]:
    gains = np.random.default_rng(3).uniform(0.3, 1.0, 30)
    return [(image * gain).astype(np.uint8) for image, gain in zip(still(), gains, strict=True)]


def whip_pan() -> list[Image]:
    """Still, then 1600 of the picture's 320 columns in half a second, then still."""
    wide = scene(1)
    where = np.interp(np.arange(30), [10, 16], [100, 1700])
    images = [view(wide, x) for x in where]
    return [cv2.blur(im, (121, 1)) if 10 < i < 16 else im for i, im in enumerate(images)]


def fast_pan() -> list[Image]:
    wide = scene(1)
    return [view(wide, x) for x in np.interp(np.arange(30), [10, 18], [100, 1380])]


def fast_zoom() -> list[Image]:
    wide = scene(1)
    zooms = 2.0 ** np.interp(np.arange(30), [10, 22], [0, 1])
    return [view(wide, 1000, zoom=zoom) for zoom in zooms]


def passer_by() -> list[Image]:
    """A dark textured subject crosses and fills the whole picture for a moment."""
    subject = (scene(9)[:HEIGHT, :360] // 3).astype(np.uint8)
    images = still(40)
    for i, image in enumerate(images):
        left = 520 - 80 * (i - 12)
        a, b = max(0, left), min(WIDTH, left + 360)
        if a < b:
            image[:, a:b] = subject[:, a - left : b - left]
    return images


def fade_in() -> list[Image]:
    gains = np.clip(np.arange(30) / 12 - 0.5, 0, 1)
    return [(image * gain).astype(np.uint8) for image, gain in zip(take(1, 30), gains, strict=True)]


def fade_out() -> list[Image]:
    return fade_in()[::-1]


def shaky() -> list[Image]:
    wide = scene(1)
    jolts = np.random.default_rng(5).normal(0, 25, (30, 2))
    return [view(wide, 600 + x, 110 + y / 3) for x, y in jolts]


@pytest.mark.parametrize(
    "images",
    [
        still,
        flash,
        strobe,
        flicker,
        fast_pan,
        whip_pan,
        fast_zoom,
        passer_by,
        fade_in,
        fade_out,
        shaky,
    ],
)
def test_what_is_no_cut(images: Callable[[], list[Image]]) -> None:
    assert cuts(images()) == []


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_short_clips(count: int) -> None:
    shots = [list(shot) for shot in split_shots(film(take(1, count)))]
    assert [len(shot) for shot in shots] == ([count] if count else [])


def test_flat_and_tiny_pictures() -> None:
    for level in (0, 128, 255):
        assert cuts([np.full((HEIGHT, WIDTH), level, np.uint8)] * 12) == []
    for shape in ((16, 16), (1, 400), (3, 2)):
        assert cuts([np.full(shape, 90, np.uint8)] * 12) == []


def test_every_frame_belongs_to_one_shot_in_order() -> None:
    frames = film(take(1, 13) + take(2, 14))
    shots = [list(shot) for shot in split_shots(iter(frames))]
    assert [len(shot) for shot in shots] == [13, 14]
    assert [f for shot in shots for f in shot] == frames


def test_a_shot_may_be_left_unread_or_half_read() -> None:
    frames = film(take(1, 13) + take(2, 14) + take(3, 15))
    starts = []
    for number, shot in enumerate(split_shots(frames)):
        if number == 1:
            next(iter(shot))
        starts.append(shot.start)
    assert starts == pytest.approx([0, 13 / RATE, 27 / RATE])


def test_color_frames() -> None:
    frames = [
        Frame(f.index, f.time, np.repeat(f.image[..., None], 3, axis=2))
        for f in film(take(1, 10) + take(2, 10))
    ]
    assert [shot.start for shot in split_shots(frames)] == pytest.approx([0, 10 / RATE])


def test_only_a_few_frames_are_held() -> None:
    taken = 0

    def counted() -> Iterator[Frame]:
        nonlocal taken
        for frame in film(take(1, 60)):
            taken += 1
            yield frame

    (shot,) = [iter(s) for s in [next(split_shots(counted()))]]
    for given, _ in enumerate(shot, 1):
        assert taken - given <= 12
