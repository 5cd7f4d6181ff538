"""Point tracks, of a texture under known homographies."""

import weakref

import cv2
import numpy as np
import pytest

from dollygrip.runners.estimators import tracks as tracking
from dollygrip.runners.estimators.tracks import (
    CROWD,
    GRID,
    Tracks,
    track_pieces,
    track_points,
)
from dollygrip.runners.video import Frame

WIDTH, HEIGHT = 320, 180
MIDDLE = np.array([WIDTH - 1, HEIGHT - 1]) / 2.0


def texture(seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).uniform(0, 255, (180, 280)).astype(np.float32)
    big = cv2.resize(noise, (840, 540), interpolation=cv2.INTER_CUBIC)
    return np.clip(big, 0, 255).astype(np.uint8)


TEXTURE = texture()
TEXTURE_MIDDLE = np.array([839.0, 539.0]) / 2.0


def homography(
    right: float = 0.0, down: float = 0.0, turn: float = 0.0, growth: float = 1.0, tilt: float = 0.0
) -> np.ndarray:
    """From the texture to the picture, both from their middles; ``turn`` in degrees."""
    angle = np.radians(turn)
    there = np.array(
        [
            [growth * np.cos(angle), -growth * np.sin(angle), right],
            [growth * np.sin(angle), growth * np.cos(angle), down],
            [tilt, 0.0, 1.0],
        ]
    )
    shift_in, shift_out = np.eye(3), np.eye(3)
    shift_in[:2, 2], shift_out[:2, 2] = -TEXTURE_MIDDLE, MIDDLE
    return shift_out @ there @ shift_in


def picture(matrix: np.ndarray, source: np.ndarray = TEXTURE) -> np.ndarray:
    return cv2.warpPerspective(source, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC)


def frames(images, rate: float = 12.0):
    return (Frame(number, number / rate, image) for number, image in enumerate(images))


def on_texture(tracks: Tracks, matrices: list[np.ndarray]) -> np.ndarray:
    """(K, 2) where on the texture each observation is."""
    back = np.linalg.inv(np.stack(matrices))[tracks.frame]
    pixel = np.column_stack([tracks.xy + MIDDLE, np.ones(len(tracks.xy))])
    place = np.einsum("kij,kj->ki", back, pixel)
    return place[:, :2] / place[:, 2:]


MOTIONS = {
    "still": {},
    "right": {"right": 5.0},
    "up": {"down": -4.0},
    "fast": {"right": -18.0},
    "roll": {"turn": 2.0},
    "zoom": {"growth": 1.03},
    "tilt": {"tilt": 8e-5, "down": 2.0},
}


def along(name: str, count: int = 8) -> list[np.ndarray]:
    """Homographies of a motion so much a frame."""
    amounts = MOTIONS[name]
    return [
        homography(**{k: v**n if k == "growth" else n * v for k, v in amounts.items()})
        for n in range(count)
    ]


@pytest.mark.parametrize("name", MOTIONS)
def test_a_track_stays_on_its_point_of_the_scene(name):
    matrices = along(name)
    tracks = track_points(frames(picture(matrix) for matrix in matrices))
    place = on_texture(tracks, matrices)
    first = np.full((tracks.track.max() + 1, 2), np.nan)
    # Backwards, so that the first sighting is what is kept.
    first[tracks.track[::-1]] = place[::-1]
    off = np.linalg.norm(place - first[tracks.track], axis=1)
    assert np.percentile(off, 95) < 0.5
    assert np.median(off[tracks.frame > 0]) < 0.2
    lives = np.bincount(tracks.track)
    assert (lives >= 4).sum() > 40


def test_what_the_arrays_promise():
    matrices = along("right")
    tracks = track_points(frames(picture(matrix) for matrix in matrices))
    assert tracks.size == (WIDTH, HEIGHT)
    np.testing.assert_allclose(tracks.times, np.arange(8) / 12.0)
    assert (np.diff(tracks.frame) >= 0).all()
    assert set(tracks.frame) == set(range(8))
    assert (np.abs(tracks.xy) <= MIDDLE).all()
    assert len(np.unique(tracks.frame * 10**6 + tracks.track)) == len(tracks.frame)
    assert tracks.texture.shape == tracks.brightness.shape == (8,)
    assert tracks.texture.min() > 0.9
    assert 100 < tracks.brightness.mean() < 160


def test_numbers_are_never_used_again():
    """A track that is lost does not come back: it is seen in frames without a gap."""
    images = [picture(matrix) for matrix in along("right", 6)]
    images[3] = np.full((HEIGHT, WIDTH), 128, np.uint8)
    tracks = track_points(frames(images))
    for number in np.unique(tracks.track):
        assert (np.diff(tracks.frame[tracks.track == number]) == 1).all()
    before = tracks.track[tracks.frame < 3]
    after = tracks.track[tracks.frame > 3]
    assert len(after) > 0
    assert after.min() > before.max()


@pytest.mark.parametrize("level", [0, 128, 255])
def test_nothing_is_followed_on_a_blank_picture(level):
    blank = np.full((HEIGHT, WIDTH), level, np.uint8)
    tracks = track_points(frames([blank] * 4))
    assert len(tracks.frame) == len(tracks.track) == len(tracks.xy) == 0
    np.testing.assert_array_equal(tracks.texture, 0.0)
    np.testing.assert_allclose(tracks.brightness, level)


def test_soft_noise_of_a_sensor_is_no_texture():
    rng = np.random.default_rng(0)
    grain = [np.clip(128 + rng.normal(0, 0.6, (HEIGHT, WIDTH)), 0, 255) for _ in range(4)]
    tracks = track_points(frames(image.astype(np.uint8) for image in grain))
    assert tracks.texture.max() < 0.1


def test_few_tracks_live_through_a_cut():
    other = texture(99)
    images = [picture(homography())] * 3 + [picture(homography(), other)] * 3
    tracks = track_points(frames(images))
    through = np.intersect1d(tracks.track[tracks.frame == 2], tracks.track[tracks.frame == 3])
    assert len(through) < 0.25 * (tracks.frame == 2).sum()


def test_points_do_not_crowd():
    """A zoom out draws them together; each cell keeps a few, and the picture stays covered."""
    matrices = [homography(growth=1.6 * 0.94**n) for n in range(14)]
    tracks = track_points(frames(picture(matrix) for matrix in matrices))
    cell = -(-WIDTH // GRID)
    columns, rows = WIDTH // cell, HEIGHT // cell
    for number in range(14):
        at = (tracks.xy[tracks.frame == number] + MIDDLE) // cell
        at = np.minimum(at, [columns - 1, rows - 1]).astype(int)
        crowd = np.bincount(at[:, 1] * columns + at[:, 0], minlength=columns * rows)
        assert crowd.max() <= CROWD
        assert (crowd > 0).mean() > 0.6


def test_the_memory_of_a_long_shot_is_bounded():
    """Pictures are let go: at most the last two, and a second of small ones."""
    alive: list[weakref.ref] = []
    most = 0

    def stream():
        nonlocal most
        for number in range(40):
            image = picture(homography(right=float(number))).copy()
            alive.append(weakref.ref(image))
            yield Frame(number, number / 12.0, image)
            del image
            most = max(most, sum(ref() is not None for ref in alive))

    tracks = track_points(stream())
    assert most <= 3
    cells = (WIDTH // -(-WIDTH // GRID)) * (HEIGHT // -(-WIDTH // GRID))
    assert np.bincount(tracks.frame).max() <= cells * CROWD


def test_pieces_are_let_go_one_by_one():
    """Memory does not grow: a piece is given out when half of the next one was seen."""
    read = 0

    def stream():
        nonlocal read
        for frame in frames((picture(matrix) for matrix in along("right", 61)), rate=10.0):
            read += 1
            yield frame

    progress = [(float(tracks.times[-1]), read) for tracks in track_pieces(stream(), 2.0)]
    np.testing.assert_allclose(progress, [(2.0, 31), (4.0, 51), (6.0, 61)])


@pytest.mark.parametrize("count", [1, 2, 20, 30, 31, 45, 51, 61])
def test_pieces_are_the_whole_shot_cut_up(count):
    matrices = [homography(right=2.0 * n, turn=0.3 * n) for n in range(count)]
    images = [picture(matrix) for matrix in matrices]
    whole = track_points(frames(images, 10.0))
    pieces = list(track_pieces(frames(images, 10.0), 2.0))
    first = 0
    for piece in pieces:
        last = first + len(piece.times) - 1
        np.testing.assert_array_equal(piece.times, whole.times[first : last + 1])
        np.testing.assert_array_equal(piece.texture, whole.texture[first : last + 1])
        inside = (whole.frame >= first) & (whole.frame <= last)
        np.testing.assert_array_equal(piece.frame, whole.frame[inside] - first)
        np.testing.assert_allclose(piece.xy, whole.xy[inside])
        # The same tracks under other numbers.
        numbers = np.column_stack([whole.track[inside], piece.track])
        assert len(np.unique(numbers, axis=0)) == len(np.unique(numbers[:, 0]))
        assert set(piece.track) == set(range(len(np.unique(numbers[:, 0]))))
        compared = (whole.still_frames >= first).all(axis=1) & (whole.still_frames <= last).all(
            axis=1
        )
        np.testing.assert_array_equal(piece.still_frames, whole.still_frames[compared] - first)
        np.testing.assert_array_equal(piece.still, whole.still[compared])
        first = last
    assert first == count - 1
    lengths = [piece.times[-1] - piece.times[0] for piece in pieces]
    assert all(length == pytest.approx(2.0) for length in lengths[:-1])
    assert len(lengths) == 1 or 1.0 <= lengths[-1] + 1e-9 < 3.0


@pytest.mark.parametrize("gaps", [[100.0] * 4, [0.1, 50.0, 0.1, 9.0, 1e-4], [2.0, 0.1, 99.0, 0.1]])
def test_pieces_of_an_odd_clock_share_their_ends(gaps):
    times = np.concatenate([[0.0], np.cumsum(gaps)])
    images = [picture(matrix) for matrix in along("right", len(times))]
    shot = [Frame(n, float(t), i) for n, (t, i) in enumerate(zip(times, images, strict=True))]
    pieces = list(track_pieces(shot, 2.0))
    ends = [piece.times[0] for piece in pieces[1:]]
    np.testing.assert_array_equal(ends, [piece.times[-1] for piece in pieces[:-1]])
    told = np.concatenate([pieces[0].times[:1], *(piece.times[1:] for piece in pieces)])
    np.testing.assert_array_equal(told, times)


def test_an_overlay_of_a_later_piece_is_left_out_too():
    images = [picture(homography(right=4.0 * n)) for n in range(61)]
    for image in images[15:]:
        cv2.putText(image, "LOGO", (8, 24), cv2.FONT_HERSHEY_SIMPLEX, 0.7, 255, 2)
    last = list(track_pieces(frames(images, 10.0), 2.0))[-1]
    lives = np.bincount(last.track)
    for number in np.flatnonzero(lives >= 8):
        assert np.ptp(last.xy[last.track == number], axis=0).max() > 1.0


def test_pictures_are_compared_with_those_of_the_second_before():
    tracks = track_points(frames([picture(homography())] * 40, rate=12.0))
    times = tracks.times[tracks.still_frames]
    gaps = times[:, 1] - times[:, 0]
    assert len(gaps) > 8
    assert gaps.min() >= tracking.STILL_LEAST
    assert (gaps < tracking.STILL_SECONDS + 0.1).all()
    assert (gaps[times[:, 1] > tracking.STILL_SECONDS] >= tracking.STILL_SECONDS - 1e-9).all()
    assert np.diff(times[:, 1]).max() < tracking.STILL_EVERY + 0.1
    assert tracks.still.all()
    assert tracks.textured.all()


def test_shading_that_stands_still_for_half_of_the_time_is_still():
    """What a subject covers in the end, or uncovers, does not move while it is seen."""
    images = [picture(homography())] * 8 + [picture(homography(), texture(99))] * 8
    tracks = track_points(frames(images, rate=12.0))
    across = (tracks.still_frames < 8).any(axis=1) & (tracks.still_frames >= 8).any(axis=1)
    assert across.any()
    assert tracks.still[across].mean() > 0.9


@pytest.mark.parametrize("count", [2, 4, 5])
def test_a_moment_is_compared_from_end_to_end(count):
    tracks = track_points(frames([picture(matrix) for matrix in along("right", count)]))
    np.testing.assert_array_equal(tracks.still_frames, [[0, count - 1]])
    assert not tracks.still.any()


@pytest.mark.parametrize("count", [0, 1])
def test_too_little_to_follow_is_no_error(count):
    tracks = track_points(frames([picture(homography())] * count))
    assert len(tracks.times) == count
    assert tracks.still_frames.shape == (0, 2)
    assert tracks.still.shape == tracks.textured.shape
    assert tracks.xy.shape[1] == 2
    assert set(tracks.frame) == set(range(count))


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (200, 3), (7, 7), (8, 8), (48, 27)])
def test_pictures_of_any_size(size):
    width, height = size
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (height, width)).astype(np.uint8) for _ in range(3)]
    tracks = track_points(frames(images))
    assert tracks.size == size
    assert np.isfinite(tracks.xy).all()


def test_the_same_pictures_give_the_same_tracks():
    images = [picture(matrix) for matrix in along("roll")]
    one, other = track_points(frames(images)), track_points(frames(images))
    for name in ("frame", "track", "xy", "texture", "still", "textured"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
