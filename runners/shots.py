"""Finding the hard cuts inside a clip, while its frames stream by."""

from collections.abc import Iterable, Iterator

from dollygrip.runners.video import Frame


class Shot:
    """The frames of one uninterrupted take; an iterable to be read once.

    Attributes:
        start: Time of its first frame, seconds from the first frame of the file.
    """

    def __init__(self, start: float, frames: Iterator[Frame]) -> None:
        """Made by :func:`split_shots`."""
        self.start = start
        self._frames = frames

    def __iter__(self) -> Iterator[Frame]:
        """The frames in order."""
        return self._frames


def split_shots(frames: Iterable[Frame]) -> Iterator[Shot]:
    """The shots of a clip, in one pass and constant memory.

    As with :func:`itertools.groupby`, asking for the next shot ends the one before, read or not.

    Args:
        frames: Grey or RGB frames of one clip, all of one size, in order.
    """
    stream = _marked(frames)
    waiting: list[tuple[Frame, bool]] = []

    def one_shot(first: Frame) -> Iterator[Frame]:
        yield first
        for frame, opens in stream:
            if opens:
                waiting.append((frame, opens))
                return
            yield frame

    waiting.extend(item for item in [next(stream, None)] if item)
    while waiting:
        first, _ = waiting.pop()
        shot = Shot(first.time, one_shot(first))
        yield shot
        for _ in shot:
            pass


def _marked(frames: Iterable[Frame]) -> Iterator[tuple[Frame, bool]]:
    """Each frame, and whether a shot begins with it."""
    for number, frame in enumerate(frames):
        yield frame, number == 0
