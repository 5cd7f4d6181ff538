"""What the estimator saw and what came of it, drawn over the clip's own pictures.

The pictures are those that the estimator looked at, at their own times.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import av
import cv2
import numpy as np

from dollygrip.classifiers.base import Classifier
from dollygrip.classifiers.records import ShotLabels
from dollygrip.runners.drawing import (
    DARK,
    GREEN,
    GREY,
    LINE,
    ORANGE,
    WHITE,
    YELLOW,
    Color,
    Image,
    cut_to,
    draw_horizon,
    draw_tracks,
    legend,
    text_width,
    wrap,
    write,
)
from dollygrip.runners.encoding import View, encode
from dollygrip.runners.estimators.base import Estimator, MotionReader
from dollygrip.runners.formats.trajectories import ShotMotion
from dollygrip.runners.pipeline import ClipResult
from dollygrip.runners.strip import Strip
from dollygrip.runners.video import Frame, printable
from dollygrip.runners.views import (
    SeenShot,
    ViewError,
    appearing,
    labelled,
    look_through,
    tracked,
)

LONG_SIDE = 960
# Text is not readable on less; smaller pictures are enlarged.
SHORTEST_LONG_SIDE = 640


def view_clip_file(
    path: str | os.PathLike[str],
    out: str | os.PathLike[str],
    estimator: Estimator | MotionReader,
    classifier: Classifier,
    *,
    watch: Callable[[Iterator[View], int], Iterable[View]] = lambda views, total: views,
) -> ShotLabels:
    """Label a clip and write a video of it with what the estimator saw.

    Args:
        path: A video file, or a folder of pictures.
        out: The MP4 file to write; it appears whole or not at all.
        estimator: Estimates the motion of each shot.
        classifier: Turns motion into labels.
        watch: Passes the pictures on, given about how many there will be; to show progress.

    Returns:
        What holds for the clip.

    Raises:
        VideoError: The clip cannot be read.
        ViewError: The view cannot be written.
    """
    clip, target = Path(path), Path(out)
    if target.suffix.lower() != ".mp4":
        name = printable(target)
        raise ViewError(f"{name}: a view is an MP4 video; give it a name that ends in .mp4")
    with appearing(clip, target) as file:
        result = labelled(clip, estimator, classifier)
        whole = result.record.whole
        request = tracked(estimator)
        video = result.record.provenance["video"] or {}
        total = 1 + round(whole.end * min(request.rate, video.get("rate") or request.rate))
        pages = _pages(look_through(clip, request, result, LONG_SIDE), clip.name, result)
        # A key frame every two seconds, so that players jump at once.
        gap = max(1, round(2 * request.rate))
        with av.open(file, "w", format="mp4") as container:
            options = {"crf": "23", "preset": "veryfast", "g": str(gap)}
            encode(container, watch(pages, total), request.rate, options)
    return whole


def _pages(
    looked: Iterable[tuple[Frame, SeenShot]], name: str, result: ClipResult
) -> Iterator[View]:
    """The pictures of the view."""
    page: _Page | None = None
    for frame, shot in looked:
        image = _enlarged(frame.image)
        page = page or _Page(name, result, (image.shape[1], image.shape[0]))
        _draw_seen(image, shot, frame.time)
        yield frame.time, page.around(image, frame.time, shot)


def _draw_seen(image: Image, shot: SeenShot, time: float) -> None:
    """Draw what is known at a time over its picture."""
    frame = int(np.abs(shot.tracks.times - time).argmin())
    draw_tracks(image, shot.tracks, shot.belief, frame)
    if shot.trajectory is not None:
        draw_horizon(image, shot.trajectory, frame)


def _enlarged(image: Image) -> Image:
    """A copy of the picture on which a line can be read."""
    grow = SHORTEST_LONG_SIDE / max(image.shape[:2])
    if grow <= 1.0:
        return image.copy()
    size = tuple(max(1, round(side * grow)) for side in image.shape[1::-1])
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_CUBIC), np.uint8)


class _Page:
    """The picture with everything below it: words, rates, legend."""

    _MARGIN = 8
    _MOST_NOTES = 4

    def __init__(self, name: str, result: ClipResult, size: tuple[int, int]) -> None:
        self._name = name
        self._whole = result.record.whole
        self._shots = len(result.shots)
        # Encoders want even sides.
        self._width = max(SHORTEST_LONG_SIDE, size[0] + size[0] % 2)
        self._strip = Strip(self._width, result.shots, result.record.shots, self._whole.end)
        self._legend = legend(self._width)
        self._notes = [self._written(labels) for labels in result.record.shots]
        rows = 4 + max(len(notes) for notes in self._notes)
        self._text_height = rows * LINE + self._MARGIN
        height = size[1] + self._text_height + self._strip.height + len(self._legend)
        self._height = height + height % 2

    def around(self, picture: Image, time: float, shot: SeenShot) -> Image:
        """The whole page at a time of the clip."""
        page = np.full((self._height, self._width, 3), DARK, np.uint8)
        height, width = picture.shape[:2]
        left = (self._width - width) // 2
        page[:height, left : left + width] = picture
        self._write_words(page[height:], time, shot)
        top = height + self._text_height
        page[top : top + self._strip.height] = self._strip.at(time, shot.number)
        top += self._strip.height
        page[top : top + len(self._legend)] = self._legend
        return page

    def _write_words(self, page: Image, time: float, shot: SeenShot) -> None:
        clock = f"{time:.2f} of {self._whole.end:.2f} s"
        if self._shots > 1:
            clock = f"shot {shot.number + 1} of {self._shots}, {clock}"
        room = self._width - 3 * self._MARGIN - text_width(clock)
        write(page, cut_to(self._name, room), self._MARGIN, LINE - 3, GREY)
        write(page, clock, self._width - self._MARGIN - text_width(clock), LINE - 3, GREY)
        facts = (
            ("now", *_now(shot.labels, time)),
            ("clip", *_in_all(self._whole)),
            ("path", _explanation(shot.motion, shot.labels), GREY),
        )
        for row, (head, text, color) in enumerate(facts, start=2):
            write(page, head, self._MARGIN, row * LINE - 3, GREY)
            indent = self._MARGIN + 48
            room = self._width - self._MARGIN - indent
            write(page, cut_to(text, room), indent, row * LINE - 3, color)
        for row, (text, color) in enumerate(self._notes[shot.number], start=5):
            write(page, text, self._MARGIN, row * LINE - 3, color)

    def _written(self, labels: ShotLabels) -> list[tuple[str, Color]]:
        """Failure and doubts of a shot, line by line."""
        said = [] if labels.failure is None else [("no answer", labels.failure, ORANGE)]
        said += [("doubt", doubt, YELLOW) for doubt in labels.doubts]
        lines = [
            (line, color)
            for head, reason, color in said
            for line in wrap(f"{head}: {reason.message}", self._width - 2 * self._MARGIN, 3)
        ]
        return lines[: self._MOST_NOTES]


def _now(labels: ShotLabels, time: float) -> tuple[str, Color]:
    """The moves that are named at a time."""
    if labels.failure is not None:
        return "no answer", ORANGE
    named = [s.motion for s in labels.segments if s.start <= time <= s.end]
    if not named:
        return "no named move", GREY
    return _words(named), GREEN if named == ["static"] else WHITE


def _in_all(whole: ShotLabels) -> tuple[str, Color]:
    """The labels of the clip."""
    if whole.failure is not None:
        return "no answer", ORANGE
    named = _words(whole.labels) if whole.labels else "no named move"
    color = GREEN if whole.labels == ("static",) else WHITE
    return f"{named}; trust {whole.trust:.2f}", color


def _explanation(motion: ShotMotion, labels: ShotLabels) -> str:
    """The likeliest models of the shot with their probabilities."""
    if not motion.hypotheses:
        return "none"
    likely = [
        f"{h.model} {h.probability:.2f}" for h in motion.hypotheses[:3] if h.probability >= 0.005
    ]
    steadiness = labels.attributes.get("steadiness")
    return ", ".join(likely) + (f"; {_words([steadiness])}" if steadiness else "")


def _words(labels: Iterable[str]) -> str:
    return ", ".join(label.replace("_", " ") for label in labels)
