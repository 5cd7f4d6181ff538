"""Reading video: upright pictures with square pixels, at the times they are shown.

Video files are opened as data, never as addresses: no playlist, protocol or file named inside a
file is followed.
"""

import heapq
import math
import os
import re
import stat
import struct
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from copy import copy
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from glob import has_magic
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NoReturn, cast

from dollygrip.classifiers.reliability import Failure, Reason

if TYPE_CHECKING:
    import av
    import numpy as np
    import numpy.typing as npt
    from av.container import InputContainer
    from av.sidedata.sidedata import SideData
    from av.video.stream import VideoStream

    _Packet = av.Packet[VideoStream]

_VIDEO_NAMES = """
264 265 3g2 3gp apng asf avi divx dv f4v flv gif h264 h265 hevc ivf m2ts m2v m4v mjpeg mjpg mkv mov
mp4 mpeg mpg mts mxf nut obu ogg ogv rm rmvb ts vob webm wmv y4m
"""
VIDEO_SUFFIXES = frozenset(f".{name}" for name in _VIDEO_NAMES.split())
IMAGE_DECODERS = {
    ".bmp": "bmp",
    ".jpeg": "mjpeg",
    ".jpg": "mjpeg",
    ".png": "png",
    ".tif": "tiff",
    ".tiff": "tiff",
    ".webp": "webp",
}
IMAGE_RATE = Fraction(24)
"""Pictures a second assumed of a folder of images, which cannot say."""

# What a clip may ask for. Files are hostile: a header of 2 kB can promise years of video.
MAX_SIDE = 16384
"""Pixels; wider or taller pictures are refused before they are decoded."""

MAX_PIXELS = 1 << 26
"""Of one picture: 8K twice over. A decoder may hold 17 of them (H.264, HEVC): 2.4 GB measured."""

MAX_SECONDS = 4 * 3600
"""Of a clip; what comes later is not read. Estimators and classifiers work on a grid of times,
which takes up to 200 MB an hour."""

MAX_FRAMES = 1 << 20
"""Of a clip, 4 hours of 72 a second; what comes later is not read."""

MAX_GAP = 900
"""Seconds between two pictures, a little over the longest delay of a GIF. A longer step is damage
of the clock, not time."""

_DECODING = {"max_pixels": str(MAX_PIXELS)}

MAX_IMAGE_BYTES = 8 * MAX_PIXELS
"""Of one file of a folder of pictures."""

MAX_ALLOCATION = 8 * MAX_PIXELS + (1 << 20)
"""Bytes that libav may ask for at a time: a picture of 16 bits for each of red, green, blue and
alpha. Its own limit, 2 GB, lets tables and compressed texts of a few kB grow that far."""

# Demuxers that read one file and nothing else. What is not listed (playlists, image patterns,
# scripts, devices, subtitles) is refused before it is parsed.
_CONTAINERS = (
    "mov,matroska,webm,avi,mpegts,mpeg,mpegvideo,m4v,h264,hevc,vvc,av1,obu,ivf,flv,asf,ogg,gif,"
    "apng,mjpeg,nut,mxf,dv,rm,yuv4mpegpipe"
)

# Containers that say of every picture when it is shown. (The others' stamps are guesses of libav.)
_WITH_STAMPS = ("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "mpegts")


class VideoError(Exception):
    """A clip that cannot be read.

    Attributes:
        failure: Why, in one plain line that names the file and says what to do.
    """

    def __init__(self, reason: Reason, message: str) -> None:
        """Keeps the reason and the message as data."""
        super().__init__(message)
        self.failure = Failure(reason, message)


@dataclass(frozen=True, eq=False)
class Frame:
    """One decoded picture.

    Attributes:
        index: Number of the frame in its file, in order of presentation.
        time: Seconds from the first frame of the file (presentation time, never index / fps).
        image: (H, W) uint8 grey or (H, W, 3) uint8 RGB; upright, square pixels. Grey is luma over
            the full range 0 to 255.
    """

    index: int
    time: float
    image: "npt.NDArray[np.uint8]"


@dataclass(frozen=True)
class FrameRequest:
    """Which pictures an estimator wants.

    Attributes:
        long_side: Pictures are shrunk (never enlarged) to this long side, in pixels.
        rate: At most about this many pictures a second, evenly by time.
        color: RGB instead of grey.
    """

    long_side: int = 480
    rate: float = 12.0
    color: bool = False


@dataclass(frozen=True)
class VideoClip:
    """What a clip says of itself.

    Attributes:
        path: The file, or the folder of images.
        size: Width and height in pixels, upright and with square pixels.
        duration: Seconds, as the container declares for the video; None when it does not say.
        rate: Average frames a second, for information only; None when unknown.
        codec: Name of the codec.
    """

    path: Path
    size: tuple[int, int]
    duration: float | None
    rate: float | None
    codec: str


def printable(path: Path | str) -> str:
    """A path, or a text with one, on one line: what is not printable is escaped."""
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode("ascii")
        for c in str(path)
    )


def read_frames(
    path: Path, request: FrameRequest | None = None, *, threads: int = 1
) -> "FrameReader":
    """The frames of a clip, thinned and shrunk as requested, decoded in one pass.

    Args:
        path: A video file, or a folder of images.
        request: Which pictures to keep.
        threads: Decoding threads.

    Returns:
        An iterable to be read once. The clip is opened at the first frame, and the iteration
        raises :class:`VideoError` when no picture can be read.
    """
    return FrameReader(path, request or FrameRequest(), threads)


def probe(path: Path) -> VideoClip:
    """What the clip says of itself; decodes its first frame.

    Raises:
        VideoError: When no picture can be read.
    """
    thinning = _Thinning(float(IMAGE_RATE))
    if is_folder(path):
        images = _images_of(path)
        return _described_images(path, images, next(_decode_images(path, images, thinning, [])))
    with _memory_told(path), _open_video(path) as (container, stream):
        picture = next(_decode_video(path, container, stream, thinning, warnings=[]))
        return _described_video(path, container, stream, picture)


class FrameReader:
    """Frames of one clip; made by :func:`read_frames`.

    Attributes:
        clip: What the clip says of itself, as :func:`probe` would, once the first frame was
            decoded.
        warnings: What went wrong after the first frame, once the iteration has come to it. The
            frames that could be decoded are given all the same.
    """

    def __init__(self, path: Path, request: FrameRequest, threads: int) -> None:
        """Use :func:`read_frames`."""
        self.clip: VideoClip | None = None
        self.warnings: list[Failure] = []
        self._path = path
        self._request = request
        self._threads = threads
        self._thinning = _Thinning(request.rate)

    @property
    def frames_decoded(self) -> int:
        """How many frames the file had so far, kept or not; some need not even be decoded."""
        return self._thinning.shown

    def __iter__(self) -> Iterator[Frame]:
        """The kept frames, in order of presentation."""
        with _memory_told(self._path):
            yield from self._frames()

    def _frames(self) -> Iterator[Frame]:
        scaler = _Scaler(self._path, self._request)
        if is_folder(self._path):
            images = _images_of(self._path)
            for picture in _decode_images(self._path, images, self._thinning, self.warnings):
                self.clip = self.clip or _described_images(self._path, images, picture)
                yield Frame(picture.index, picture.time, scaler.scale(picture))
            return
        with _open_video(self._path) as (container, stream):
            stream.thread_type = "AUTO"
            stream.thread_count = self._threads
            for picture in _decode_video(
                self._path, container, stream, self._thinning, self.warnings
            ):
                self.clip = self.clip or _described_video(self._path, container, stream, picture)
                try:
                    image = scaler.scale(picture)
                except VideoError as error:
                    if picture.index == 0:
                        raise
                    self.warnings.append(error.failure)
                    return
                yield Frame(picture.index, picture.time, image)


@dataclass(frozen=True, eq=False)
class _Picture:
    """A decoded picture as the codec stores it: unscaled, perhaps lying on its side."""

    index: int
    time: float
    frame: "av.VideoFrame"
    pixel_aspect: Fraction
    orientation: "_Orientation"


class _Thinning:
    """Keeps frames that are far enough apart in time.

    The least distance is a little shorter than the requested one: then constant rates keep an
    even beat (every third frame of 24, 25 and 30 a second for a request of 8) instead of
    alternating between two distances, and a source hardly above the request is left whole.
    """

    _TOLERANCE = 1.3

    def __init__(self, rate: float) -> None:
        self._distance = 1.0 / (self._TOLERANCE * rate)
        self._next = -math.inf
        self.shown = 0

    def wants(self, time: float) -> bool:
        """Counts a shown frame and says whether to keep it."""
        self.shown += 1
        if time < self._next:
            return False
        self._next = time + self._distance
        return True


class _Foresight:
    """Tells of packets, before they are decoded, which pictures thinning will drop.

    Of these, the pictures that no other is predicted from (often every second one) need not be
    decoded. Thinning is rehearsed on the packets' stamps. Packets come in the order of decoding, so
    a few are read ahead: what is decoded later than a time is shown later, too.

    Attributes:
        orderly: Whether the stamps make sense; once they do not, every picture counts as wanted.
        origin: Stamp of the first picture.
    """

    _MOST_AHEAD = 64

    def __init__(self, rehearsal: _Thinning, base: Fraction) -> None:
        """Takes thinning that has seen nothing yet, and the seconds that the stamps count."""
        self.orderly = True
        self.origin: int | None = None
        self._rehearsal = rehearsal
        self._base = base
        self._longest_gap = MAX_GAP / float(base) if base else math.inf
        self._last: int | None = None
        self._coming: list[int] = []
        self._verdicts: dict[int | None, bool] = {}
        self._unwanted: deque[int] = deque()

    def look(self, packets: Iterable["_Packet"]) -> Iterator[tuple["_Packet", bool]]:
        """Each packet, and whether its picture is wanted."""
        waiting: deque[_Packet] = deque()
        for packet in packets:
            waiting.append(packet)
            self.orderly = self.orderly and len(waiting) <= self._MOST_AHEAD and self._note(packet)
            while waiting and (not self.orderly or waiting[0].pts in self._verdicts):
                ready = waiting.popleft()
                yield ready, self._verdicts.pop(ready.pts, True) or not self.orderly
        for packet in waiting:
            yield packet, True

    def passed_over(self, stamp: int | None = None) -> int:
        """How many pictures were not decoded before this one, or else before the end."""
        count = 0
        while self._unwanted and (stamp is None or self._unwanted[0] <= stamp):
            count += self._unwanted.popleft() != stamp
        return count

    def _note(self, packet: "_Packet") -> bool:
        """Rehearse up to a packet's time of decoding; whether it has sensible stamps."""
        pts, dts = packet.pts, packet.dts
        if packet.size == 0 and pts is None and dts is None:  # the end
            self._verdicts[None] = True
        elif pts is None or dts is None or not self._follows(pts, dts):
            return False
        elif packet.is_discard:
            self._verdicts[pts] = True
        else:
            heapq.heappush(self._coming, pts)
        self._last = dts
        while self._coming and (dts is None or self._coming[0] <= dts):
            stamp = heapq.heappop(self._coming)
            self.origin = stamp if self.origin is None else self.origin
            wanted = self._rehearsal.wants(float((stamp - self.origin) * self._base))
            self._verdicts[stamp] = wanted
            if not wanted:
                self._unwanted.append(stamp)
        return True

    def _follows(self, pts: int, dts: int) -> bool:
        last = dts - 1 if self._last is None else self._last
        return last < dts <= pts <= last + self._longest_gap


class _Clock:
    """Turns presentation stamps into strictly increasing seconds from the first frame.

    Attributes:
        jumps: How often a stamp was so far ahead that it cannot be true.
    """

    # A step back of more than this is a clock that was set anew (joined or broadcast streams),
    # not a frame out of order.
    _RESET = Fraction(1, 2)

    def __init__(self, step: Fraction) -> None:
        """Takes the seconds between frames that is assumed where there are no stamps."""
        self.jumps = 0
        self._step = step
        self._pace = step
        self._origin: Fraction | None = None
        self._last: Fraction | None = None

    def time(self, stamp: Fraction | None) -> float | None:
        """Seconds of the next frame, or None when it must not be shown."""
        last = self._last
        if stamp is None:
            # Raw streams carry no stamps; the average rate is all there is.
            time = Fraction(0) if last is None else last + self._step
        elif last is None:
            time = Fraction(0)
            self._origin = stamp
        else:
            # Where pictures without a stamp came first, this is the first that has one.
            time = last + self._step if self._origin is None else stamp - self._origin
            if not -self._RESET <= time - last <= MAX_GAP:
                self.jumps += time > last
                time = last + self._pace
            self._origin = stamp - time
        if last is not None:
            if float(time) <= float(last):
                return None
            # A clock that jumps makes nonsense of the average rate.
            self._pace = min(self._step, time - last)
        self._last = time
        return float(time)


class _Scaler:
    """Makes upright, square-pixel pictures, all of one size."""

    def __init__(self, path: Path, request: FrameRequest) -> None:
        from av.video.reformatter import VideoReformatter

        self._path = path
        self._request = request
        self._reformatter = VideoReformatter()
        self._size: tuple[int, int] | None = None

    def scale(self, picture: _Picture) -> "npt.NDArray[np.uint8]":
        """The picture as the request wants it.

        Raises:
            VideoError: When its shape differs from the first picture's.
        """
        import numpy as np
        from av.error import FFmpegError
        from av.video.reformatter import ColorRange, Colorspace, Interpolation

        width, height = _upright_size(picture)
        if self._size is None:
            shrink = min(1.0, self._request.long_side / max(width, height))
            self._size = max(1, round(width * shrink)), max(1, round(height * shrink))
        # A stream may change its resolution, but not its shape.
        elif abs(math.log(width * self._size[1] / (height * self._size[0]))) > 0.02 + 1 / min(
            self._size
        ):
            raise VideoError(
                Reason.DECODE_ERROR,
                f"{printable(self._path)}: the shape of the picture changes at "
                f"{picture.time:.2f} s; only what is before was read. Split the file there.",
            )
        transposed, flip_x, flip_y = picture.orientation
        width, height = self._size[::-1] if transposed else self._size
        # Grey is the luma as it is; with another matrix libav would mix chroma into it, slowly.
        matrix = None if self._request.color else Colorspace.ITU601
        try:
            scaled = self._reformatter.reformat(
                picture.frame,
                width=width,
                height=height,
                format="rgb24" if self._request.color else "gray",
                src_colorspace=matrix,
                dst_colorspace=matrix,
                interpolation=Interpolation.AREA,
                dst_color_range=ColorRange.JPEG,
                threads=1,
            )
        except (FFmpegError, ValueError) as error:
            raise VideoError(
                Reason.DECODE_ERROR,
                f"{printable(self._path)}: pixels of the kind {picture.frame.format.name} cannot be"
                " converted; convert the file to MP4.",
            ) from error
        image = scaled.to_ndarray()
        if transposed:
            image = image.swapaxes(0, 1)
        if flip_x:
            image = image[:, ::-1]
        if flip_y:
            image = image[::-1]
        return np.ascontiguousarray(image, dtype=np.uint8)


# Swap x and y first, then flip x, then flip y.
_Orientation = tuple[bool, bool, bool]

# How to show a picture turned counterclockwise by so many right angles.
_QUARTER_TURNS = (
    (False, False, False),
    (True, False, True),
    (False, True, True),
    (True, True, False),
)


def _orientation(frame: "av.VideoFrame") -> "_Orientation":
    """How to show a stored picture.

    Not to be asked of every frame: PyAV ties a frame that was asked for its side data into a
    cycle of references, so that its memory is held until the garbage collector comes by.
    """
    try:
        matrix = cast("SideData | None", frame.side_data.get("DISPLAYMATRIX"))
    except ValueError:
        # PyAV lists no side data at all when one item is of a kind it does not know (Exif).
        return _turned(frame)
    if matrix is None:
        return False, False, False
    # Row vectors: (x, y) shown = (x, y) stored @ [[a, b], [c, d]], in 16.16 fixed point.
    a, b, _, c, d = struct.unpack("=5i", bytes(matrix)[:20])
    # Mirrors count too: they would swap left and right. Odd angles go to the nearest right one.
    if abs(b) + abs(c) > abs(a) + abs(d):
        return True, c < 0, b < 0
    return False, a < 0, d < 0


def _turned(frame: "av.VideoFrame") -> _Orientation:
    """How to show a stored picture that is not mirrored."""
    return _QUARTER_TURNS[round(frame.rotation / 90) % 4]


def _upright_size(picture: _Picture) -> tuple[int, int]:
    """Width and height as shown, with square pixels."""
    width = max(1, round(picture.frame.width * picture.pixel_aspect))
    height = picture.frame.height
    return (height, width) if picture.orientation[0] else (width, height)


def _described_images(path: Path, images: list[Path], first: _Picture) -> VideoClip:
    return VideoClip(
        path,
        _upright_size(first),
        duration=float(len(images) / IMAGE_RATE),
        rate=float(IMAGE_RATE),
        codec=IMAGE_DECODERS[images[0].suffix.lower()],
    )


def _described_video(
    path: Path, container: "InputContainer", stream: "VideoStream", first: _Picture
) -> VideoClip:
    return VideoClip(
        path,
        _upright_size(first),
        duration=_declared_duration(container, stream),
        rate=float(stream.average_rate) if stream.average_rate else None,
        codec=stream.codec_context.name,
    )


def _refuse(path: Path, error: OSError | ValueError) -> NoReturn:
    """Says why the operating system did not open a path."""
    if isinstance(error, FileNotFoundError | NotADirectoryError | ValueError):
        what = "matches nothing" if has_magic(os.fspath(path)) else "does not exist"
        raise VideoError(Reason.MISSING, f"{printable(path)} {what}; check the name.") from error
    raise VideoError(
        Reason.NOT_READABLE,
        f"{printable(path)} cannot be read ({error.strerror}); check the path and its permissions.",
    ) from error


@contextmanager
def _open_regular(path: Path) -> Iterator[BinaryIO]:
    """Opens a regular file; refuses pipes, devices and sockets without waiting for them."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except (OSError, ValueError) as error:
        _refuse(path, error)
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise VideoError(
            Reason.NOT_READABLE,
            f"{printable(path)} is not a regular file; copy the video into one.",
        )
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        if status.st_size == 0:
            raise VideoError(Reason.NO_VIDEO, f"{printable(path)} is empty; copy it again.")
        yield file


class _Calls:
    """A file for libav, which ends when it was asked for absurdly often.

    Damaged tables send some demuxers around in circles. Most intact files need ten or twenty calls;
    the worst, of one picture a fragment, 12 for 150 bytes.
    """

    _AT_LEAST = 100_000
    _BYTES_EACH = 4

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._left = self._AT_LEAST + os.fstat(file.fileno()).st_size // self._BYTES_EACH

    def read(self, size: int) -> bytes:
        self._left -= 1
        return self._file.read(size) if self._left > 0 else b""

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._left -= 1
        try:
            return self._file.seek(offset, whence) if self._left > 0 else _SEEK_FAILED
        except OSError:  # before the beginning; what is raised here would be printed by PyAV
            return _SEEK_FAILED

    def tell(self) -> int:
        return self._file.tell()


_SEEK_FAILED = -1


@cache
def _limit_allocations() -> None:
    """Bounds what libav allocates at a time, in this process.

    PyAV does not pass ``av_max_alloc`` on. Where the name is not found (Windows), libav's own limit
    holds.
    """
    import ctypes

    from av import _core

    with suppress(AttributeError, OSError):
        ctypes.CDLL(_core.__file__).av_max_alloc(ctypes.c_size_t(MAX_ALLOCATION))


@contextmanager
def _memory_told(path: Path) -> Iterator[None]:
    """Says which clip asked for too much memory."""
    try:
        yield
    except MemoryError as error:
        raise VideoError(
            Reason.OUT_OF_MEMORY,
            f"{printable(path)} asks for more memory than there is or a video may take; copy it"
            " again, or use fewer --jobs.",
        ) from error


def _no_other_file(*_: object) -> NoReturn:
    raise ValueError("a media file may not open another one")


@contextmanager
def _open_video(path: Path) -> Iterator[tuple["InputContainer", "VideoStream"]]:
    """Opens a container and picks its main video stream."""
    import av

    _limit_allocations()
    name = printable(path)
    with _open_regular(path) as file:
        head = file.read(12)
        file.seek(0)
        try:
            # Given a file object, libav never sees the name, so nothing in it can be a protocol,
            # an option or a pattern.
            container = av.open(
                _Calls(file),
                "r",
                container_options={"format_whitelist": _CONTAINERS, "protocol_whitelist": "none"},
                options=_DECODING,
                metadata_errors="replace",
                io_open=_no_other_file,
            )
        except MemoryError:
            raise
        except (av.FFmpegError, OSError, ValueError) as error:
            if isinstance(error, OSError) and not isinstance(error, av.FFmpegError):
                _refuse(path, error)
            if path.suffix.lower() in IMAGE_DECODERS:
                raise VideoError(
                    Reason.NO_VIDEO,
                    f"{name} is one picture, not a video; give the folder of all its pictures.",
                ) from error
            if head[4:8] == b"ftyp":
                raise _without_index(path) from error
            raise VideoError(
                Reason.NO_VIDEO, f"{name} is not a video that can be read; convert it to MP4."
            ) from error
        with container:
            if not len(container.streams):
                raise _without_index(path)
            stream = _main_stream(container)
            if stream is None:
                if any(other.codec_context is None for other in container.streams.video):
                    raise VideoError(
                        Reason.DECODE_ERROR,
                        f"{name}: its video is damaged or in an unknown format; convert it to MP4.",
                    )
                raise VideoError(
                    Reason.NO_VIDEO, f"{name} has no moving picture; give a file with video."
                )
            _check_size(path, stream.codec_context.width, stream.codec_context.height)
            # Those given above hold while the streams are looked at, not when they are decoded.
            stream.codec_context.options = dict(_DECODING)
            for other in container.streams:
                if other is not stream:
                    other.discard = av.stream.Discard.all
            yield container, stream


def _without_index(path: Path) -> VideoError:
    return VideoError(
        Reason.DECODE_ERROR,
        f"{printable(path)} has no index: it is cut short or damaged; copy it again.",
    )


def _main_stream(container: "InputContainer") -> "VideoStream | None":
    """The largest stream that is not a cover picture or a row of thumbnails."""
    from av.stream import Disposition

    still = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
    moving = [s for s in container.streams.video if s.codec_context and not s.disposition & still]
    return max(moving, key=lambda s: s.codec_context.width * s.codec_context.height, default=None)


def _check_size(path: Path, width: int, height: int) -> None:
    if max(width, height) > MAX_SIDE or width * height > MAX_PIXELS:
        raise VideoError(
            Reason.TOO_LARGE,
            f"{printable(path)} is {width} x {height} pixels; shrink it to at most {MAX_SIDE} on"
            f" a side and {MAX_PIXELS} in all.",
        )


def _too_long(path: Path) -> Failure:
    return Failure(
        Reason.TOO_LARGE,
        f"{printable(path)} has more than {MAX_SECONDS / 3600:g} hours or {MAX_FRAMES} pictures;"
        " only what is before was read. Split it.",
    )


def _declared_duration(container: "InputContainer", stream: "VideoStream") -> float | None:
    """Seconds of the video stream, which sound may outlast, or else of the whole file."""
    if stream.duration and stream.duration > 0 and stream.time_base:
        return float(stream.duration * stream.time_base)
    # Matroska and WebM say when the file ends, and perhaps, in a tag, when the stream does.
    start = float((stream.start_time or 0) * (stream.time_base or 0))
    end = (container.duration or 0) / 1e6
    tag = _TAGGED_TIME.fullmatch(stream.metadata.get("DURATION", ""))
    if tag:
        hours, minutes, seconds = map(float, tag.groups())
        end = 3600.0 * hours + 60.0 * minutes + seconds
    return end - start if end > start else None


_TAGGED_TIME = re.compile(r"([0-9]{1,4}):([0-9]{2}):([0-9]{2}(?:[.][0-9]{1,9})?)")


def _decode_video(
    path: Path,
    container: "InputContainer",
    stream: "VideoStream",
    thinning: _Thinning,
    warnings: list[Failure],
) -> Iterator[_Picture]:
    """The wanted pictures of a stream; damage is stepped over and noted."""
    import av

    name = printable(path)
    step = 1 / Fraction(stream.average_rate or stream.guessed_rate or 25)
    clock = _Clock(step if 0 < step <= MAX_GAP else 1 / IMAGE_RATE)
    # Nonsense in the header must not squeeze the picture to a line.
    aspect = Fraction(stream.sample_aspect_ratio or 1)
    aspect = aspect if Fraction(1, 10) <= aspect <= 10 else Fraction(1)
    damaged = 0
    rotation: int | None = None
    orientation = _QUARTER_TURNS[0]
    shown_until = 0.0
    foresight = _Foresight(copy(thinning), Fraction(stream.time_base or 0))
    foresight.orderly = container.format.name in _WITH_STAMPS

    def packets() -> Iterator["_Packet"]:
        nonlocal damaged
        try:
            yield from container.demux(stream)
        except MemoryError:
            raise
        except (av.FFmpegError, OSError):
            damaged += 1
        except IndexError:  # PyAV's, at the end, over streams that appeared on the way
            pass

    for packet, wanted in foresight.look(packets()):
        damaged += packet.is_corrupt
        if damaged:
            foresight.orderly = False
        stream.codec_context.skip_frame = "DEFAULT" if wanted else "NONREF"
        try:
            frames = packet.decode()
        except MemoryError:
            raise
        except av.FFmpegError:
            damaged += 1
            continue
        for frame in frames:
            if frame.is_corrupt:
                damaged += 1
                continue
            base = Fraction(frame.time_base or stream.time_base or 0)
            stamp = None if frame.pts is None or not base else frame.pts * base
            time = clock.time(stamp)
            if time is None:
                foresight.orderly = False
                continue
            if time > MAX_SECONDS or thinning.shown >= MAX_FRAMES:
                warnings.append(_too_long(path))
                return
            if not thinning.shown and frame.pts != foresight.origin:
                foresight.orderly = False
            thinning.shown += foresight.passed_over(frame.pts)
            shown_until = time + float((frame.duration or 0) * base)
            if thinning.wants(time):
                _check_size(path, frame.width, frame.height)
                if frame.rotation != rotation:
                    rotation, orientation = frame.rotation, _orientation(frame)
                yield _Picture(thinning.shown - 1, time, frame, aspect, orientation)
    if not thinning.shown:
        raise VideoError(
            Reason.DECODE_ERROR,
            f"{name}: no picture could be decoded, for damage or size; convert or copy it again.",
        )
    thinning.shown += foresight.passed_over()
    damaged += clock.jumps
    declared = _declared_duration(container, stream) or 0.0
    if declared - shown_until > max(0.1 * declared, 0.5):
        warnings.append(
            Failure(
                Reason.DECODE_ERROR,
                f"{name} ends after {shown_until:.1f} of {declared:.1f} s: it is cut short; only"
                " that part was read.",
            )
        )
    elif damaged:
        warnings.append(
            Failure(
                Reason.DECODE_ERROR,
                f"{name} is damaged in {damaged} places; the rest was read. Copy it again.",
            )
        )


def in_natural_order(names: Iterable[str]) -> list[str]:
    """Sorted so that 9 comes before 10; the same whatever order they came in."""
    return sorted(sorted(names), key=_natural)


def _natural(name: str) -> str:
    """Numbers as their length and digits, after a mark that no name has: one string is lean."""
    return _DIGITS.sub(_number_key, name)


def _number_key(number: re.Match[str]) -> str:
    digits = number[0].lstrip("0")
    return f"\0{chr(len(digits))}{digits}"


_DIGITS = re.compile(r"[0-9]+")


def _images_of(folder: Path) -> list[Path]:
    """The pictures of a folder in natural order."""
    try:
        names = [path.name for path in folder.iterdir()]
    except OSError as error:
        _refuse(folder, error)
    names = [n for n in names if not n.startswith(".") and _suffix(n) in IMAGE_DECODERS]
    if not names:
        raise VideoError(
            Reason.NO_VIDEO,
            f"{printable(folder)} is a link to a folder elsewhere; give that folder itself."
            if folder.is_symlink()
            else f"{printable(folder)} is a folder without pictures; give a video or a folder of"
            " them.",
        )
    return [folder / name for name in in_natural_order(names)]


def _decode_images(
    folder: Path, images: list[Path], thinning: _Thinning, warnings: list[Failure]
) -> Iterator[_Picture]:
    """The wanted pictures of a sequence; the others are not even opened.

    Those that cannot be read are stepped over and noted.
    """
    size: tuple[int, int] | None = None
    broken = 0
    first_broken: VideoError | None = None
    most = min(MAX_FRAMES, int(MAX_SECONDS * IMAGE_RATE))
    for index, path in enumerate(images[:most]):
        time = float(index / IMAGE_RATE)
        if not thinning.wants(time):
            continue
        try:
            frame = _decode_image(path)
        except VideoError as error:
            broken += 1
            first_broken = first_broken or error
            continue
        size = size or (frame.width, frame.height)
        if (frame.width, frame.height) != size:
            raise VideoError(
                Reason.DECODE_ERROR,
                f"{printable(path)} is {frame.width} x {frame.height} pixels, but the pictures"
                f" before it are {size[0]} x {size[1]}; make all the same size.",
            )
        yield _Picture(index, time, frame, Fraction(1), _turned(frame))
    if len(images) > most:
        warnings.append(_too_long(folder))
    if first_broken is not None:
        if size is None:
            raise first_broken
        warnings.append(
            Failure(
                Reason.DECODE_ERROR,
                f"{broken} pictures could not be read; the rest was. The first: {first_broken}",
            )
        )


def _decode_image(path: Path) -> "av.VideoFrame":
    import av

    _limit_allocations()
    with _open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > MAX_IMAGE_BYTES:
            raise VideoError(
                Reason.TOO_LARGE,
                f"{printable(path)} is over {MAX_IMAGE_BYTES >> 20} MB; shrink the pictures.",
            )
        data = file.read(size)
    decoder = av.VideoCodecContext.create(IMAGE_DECODERS[path.suffix.lower()], "r")
    assert isinstance(decoder, av.VideoCodecContext)
    decoder.options = dict(_DECODING)
    try:
        frames = [*decoder.decode(av.Packet(data)), *decoder.decode(None)]
    except MemoryError:
        raise
    except av.FFmpegError:
        frames = []
    if not frames:
        raise VideoError(
            Reason.DECODE_ERROR,
            f"{printable(path)} is damaged, too large or no picture; replace it.",
        )
    _check_size(path, frames[0].width, frames[0].height)
    return frames[0]


def _suffix(name: str) -> str:
    stem, dot, end = name.rpartition(".")
    return dot + end.lower() if stem else ""


def find_clips(inputs: Iterable[Path]) -> Iterator[Path]:
    """The clips that the inputs mean, in a stable order; one that two inputs mean comes twice.

    A file is taken as given, whatever its suffix, and so is a path that does not exist or cannot
    be read, so that it gets its failed record. A folder is searched, with its subfolders, for
    files with a video suffix; a folder with numbered pictures and no video is itself one clip.
    Hidden files are skipped.

    Links to files are followed wherever they lead. A link to a folder outside the one given is not
    searched (one that leads to ``/`` would take in the whole machine) but is itself taken for a
    clip, so that it shows in the records.

    Folders may be huge: names are held of the clips of one folder at a time, and of the folders
    that wait.
    """
    for given in inputs:
        yield from _search(given) if is_folder(given) else (given,)


def is_folder(path: "Path | os.DirEntry[str]") -> bool:
    """Whether it is one, or a link to one; not where the system will not say."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def _search(top: Path) -> Iterator[Path]:
    """The clips of a folder, then those of its subfolders; one that cannot be read is itself given.

    Not by recursion: folders may be nested more deeply than Python's stack.
    """
    home = Path(os.path.realpath(top))
    visited: set[int] = set()
    waiting = [(top, [""])]
    while waiting:
        parent, names = waiting[-1]
        if not names:
            waiting.pop()
            continue
        folder = parent / names.pop()
        videos: list[str] = []
        inside: list[str] = []
        elsewhere: list[str] = []
        numbered, unread = 0, False
        try:
            status = folder.stat()
            identity = status.st_dev << 64 | status.st_ino
            if identity in visited:
                continue
            visited.add(identity)
            with os.scandir(folder) as found:
                for entry in found:
                    name = entry.name
                    if name.startswith("."):
                        continue
                    if is_folder(entry):
                        leaves = entry.is_symlink() and not _is_below(entry.path, home)
                        (elsewhere if leaves else inside).append(name)
                    elif _suffix(name) in VIDEO_SUFFIXES:
                        videos.append(name)
                    elif _suffix(name) in IMAGE_DECODERS:
                        numbered += _DIGITS.search(name.rpartition(".")[0]) is not None
        except OSError:
            unread = True
        if unread or (not videos and numbered > 1):
            yield folder
        yield from (folder / name for name in in_natural_order(videos))
        yield from (folder / name for name in in_natural_order(elsewhere))
        waiting.append((folder, in_natural_order(inside)[::-1]))


def _is_below(path: str, folder: Path) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(folder)
