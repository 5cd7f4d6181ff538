"""What is drawn over a clip's pictures: words, point tracks, the horizon, and what they mean.

Pictures are (H, W, 3) uint8 RGB and are drawn upon in place.
"""

import cv2
import numpy as np
import numpy.typing as npt

from dollygrip.geometry.arrays import FloatArray
from dollygrip.geometry.trajectory import Trajectory
from dollygrip.runners.estimators.tracks import Tracks

Image = npt.NDArray[np.uint8]
Color = tuple[int, int, int]

# Told apart with any kind of colour vision (Okabe and Ito), and from most pictures.
DARK, DIM, GREY, WHITE = (22, 22, 22), (58, 58, 58), (150, 150, 150), (240, 240, 240)
BLUE, GREEN, YELLOW, ORANGE = (86, 180, 233), (0, 188, 138), (240, 228, 66), (255, 120, 20)
MOVEMENT: tuple[Color, ...] = (BLUE, (150, 205, 235), WHITE, (250, 185, 130), ORANGE)
"""From a point that belongs to the still world to one that moves by itself."""
UNKNOWN = GREY

LINE = 19
"""Pixels from one line of text to the next."""

# Frames that the tail of a track reaches back.
TAIL = 4

_FONT, _FONT_SCALE = cv2.FONT_HERSHEY_SIMPLEX, 0.45
# Positions are handed to cv2 in sixteenths of a pixel.
_SHIFT = 4


def plain_text(text: str) -> str:
    """The text with everything escaped that the font does not have."""
    return "".join(
        c if " " <= c <= "~" else c.encode("unicode_escape").decode("ascii") for c in text
    )


def text_width(text: str) -> int:
    """Pixels that a line of text takes."""
    return int(cv2.getTextSize(text, _FONT, _FONT_SCALE, 1)[0][0])


def write(image: Image, text: str, x: int, y: int, color: Color = WHITE) -> int:
    """Write a line whose foot is at (x, y); returns the x where it ends."""
    cv2.putText(image, text, (x, y), _FONT, _FONT_SCALE, color, 1, cv2.LINE_AA)
    return x + text_width(text)


def cut_to(text: str, width: int) -> str:
    """As much of a text as fits, with dots where it was cut."""
    text = plain_text(text)
    if text_width(text) <= width:
        return text
    # Not letter by letter: names may be long.
    fits, fails = 0, len(text)
    while fails - fits > 1:
        middle = (fits + fails) // 2
        if text_width(text[:middle] + "...") <= width:
            fits = middle
        else:
            fails = middle
    return text[:fits] + "..."


def wrap(text: str, width: int, lines: int) -> list[str]:
    """Break a text into at most so many lines; the last is cut where it does not fit."""
    words = plain_text(text).split()
    broken: list[str] = []
    while words and len(broken) < lines - 1:
        count = 1
        while count < len(words) and text_width(" ".join(words[: count + 1])) <= width:
            count += 1
        broken.append(cut_to(" ".join(words[:count]), width))
        words = words[count:]
    return [*broken, cut_to(" ".join(words), width)] if words else broken


def movement_color(belief: float) -> Color:
    """The colour of a point that moves by itself with this probability; grey for NaN."""
    if np.isnan(belief):
        return UNKNOWN
    return MOVEMENT[min(int(belief * len(MOVEMENT)), len(MOVEMENT) - 1)]


def draw_tracks(image: Image, tracks: Tracks, belief: FloatArray, frame: int) -> None:
    """The points of a frame with the way that each has come.

    Args:
        image: The picture, of any size.
        tracks: The tracks of the shot.
        belief: (T,) probability that each moves by itself; NaN for no statement.
        frame: Number of the frame in the shot.
    """
    height, width = image.shape[:2]
    scale = max(width, height) / max(tracks.size)
    center = (np.array([width, height]) - 1.0) / 2.0

    def points(at: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.int32]]:
        seen = slice(*np.searchsorted(tracks.frame, [at, at + 1]))
        place = (tracks.xy[seen] * scale + center) * 2**_SHIFT
        return tracks.track[seen], np.round(place).astype(np.int32)

    now, places = points(frame)
    colors = [movement_color(value) for value in belief[now].tolist()]
    later, later_places = now, places
    for back in range(1, min(TAIL, frame) + 1):
        earlier, earlier_places = points(frame - back)
        number, a, b = np.intersect1d(earlier, later, return_indices=True)
        mine = np.searchsorted(np.sort(now), number)
        order = np.argsort(now)[mine]
        for k, start, end in zip(
            order.tolist(), earlier_places[a].tolist(), later_places[b].tolist(), strict=True
        ):
            cv2.line(image, start, end, colors[k], 1, cv2.LINE_AA, _SHIFT)
        later, later_places = earlier[a], earlier_places[a]
    # Those that move come last, on top.
    for k in np.argsort(np.nan_to_num(belief[now], nan=-1.0)).tolist():
        draw_point(image, places[k].tolist(), colors[k])


def draw_point(image: Image, at: tuple[int, int], color: Color) -> None:
    """A dot with a dark rim, so that it shows on any picture; ``at`` in sixteenths of a pixel."""
    cv2.circle(image, at, 3 << _SHIFT, DARK, -1, cv2.LINE_AA, _SHIFT)
    cv2.circle(image, at, 2 << _SHIFT, color, -1, cv2.LINE_AA, _SHIFT)


def draw_horizon(image: Image, trajectory: Trajectory, pose: int) -> None:
    """The line at which the eye level of the first camera lies, taking that camera as level.

    An arrow at the edge says where it is when it is not in the picture.

    Args:
        image: The picture, of any size.
        trajectory: The path through the shot.
        pose: Number of the picture's pose.
    """
    if not trajectory.valid[pose]:
        return
    height, width = image.shape[:2]
    first = trajectory.rotations[int(np.argmax(trajectory.valid))]
    down = trajectory.rotations[pose].T @ first[:, 1]
    focal = trajectory.focals[pose] * max(width, height) / max(trajectory.size)
    # Directions at eye level have down . (x, y, focal) = 0.
    a, b, c = float(down[0]), float(down[1]), float(down[2] * focal)
    middle = (np.array([width, height]) - 1.0) / 2.0
    foot = -c / max(a * a + b * b, 1e-9) * np.array([a, b])
    along = np.array([-b, a]) / max(np.hypot(a, b), 1e-9)
    reach = float(np.hypot(width, height))
    if np.hypot(*foot) < reach:
        start, end = (np.round(middle + foot + way * along).astype(int) for way in (-reach, reach))
        inside, start, end = cv2.clipLine((0, 0, width, height), start.tolist(), end.tolist())
        if inside:
            cv2.line(image, start, end, DARK, 4, cv2.LINE_AA)
            cv2.line(image, start, end, YELLOW, 2, cv2.LINE_AA)
            return
    toward = foot / max(float(np.hypot(*foot)), 1e-9)
    # From the middle to the edge, less a margin.
    tip = middle + toward * float(
        np.min((middle - 6.0) / np.maximum(np.abs(toward), 1e-9)).clip(0.0)
    )
    side = 7.0 * np.array([-toward[1], toward[0]])
    arrow = np.stack([tip, tip - 12.0 * toward + side, tip - 12.0 * toward - side])
    cv2.fillConvexPoly(image, np.round(arrow).astype(np.int32), YELLOW, cv2.LINE_AA)
    cv2.polylines(image, [np.round(arrow).astype(np.int32)], True, DARK, 1, cv2.LINE_AA)


def legend(width: int) -> Image:
    """What the colours and lines mean, as a picture of this width."""
    image = np.full((2 * LINE + 6, width, 3), DARK, np.uint8)
    y = LINE - 4
    x = write(image, "points: still world", 8, y, GREY) + 8
    for color in MOVEMENT:
        draw_point(image, ((x + 3) << _SHIFT, (y - 4) << _SHIFT), color)
        x += 12
    x = write(image, "moves by itself", x + 2, y, GREY) + 24
    draw_point(image, (x << _SHIFT, (y - 4) << _SHIFT), UNKNOWN)
    write(image, "cannot be said", x + 10, y, GREY)
    y += LINE
    cv2.line(image, (8, y - 4), (32, y - 4), YELLOW, 2, cv2.LINE_AA)
    write(image, cut_to("horizon, if the first picture is level", width - 48), 40, y, GREY)
    return image
