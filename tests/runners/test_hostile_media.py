"""Files that were made to do harm: nothing else is read, nothing grows without bound or hangs."""

import http.server
import json
import os
import random
import select
import shutil
import socket
import struct
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

import dollygrip
from dollygrip.classifiers.reliability import Failure, Reason
from dollygrip.classifiers.threshold import ThresholdClassifier
from dollygrip.runners import video
from dollygrip.runners.estimators.base import Estimate
from dollygrip.runners.memory import forget_peak, peak_mb
from dollygrip.runners.pipeline import label_clip_file
from dollygrip.runners.video import (
    Frame,
    FrameRequest,
    VideoError,
    find_clips,
    probe,
    read_frames,
)

EVERYTHING = FrameRequest(rate=1e6)
Make = Callable[..., Path]
Numbered = Callable[..., list[np.ndarray]]


def refused(path: Path) -> Reason:
    with pytest.raises(VideoError) as caught:
        list(read_frames(path, EVERYTHING))
    assert video.printable(path) in caught.value.failure.message
    assert caught.value.failure.message.isprintable()
    with pytest.raises(VideoError):
        probe(path)
    return caught.value.failure.reason


# QuickTime, atom by atom


def atom(kind: bytes, *parts: bytes) -> bytes:
    content = b"".join(parts)
    return struct.pack(">I", 8 + len(content)) + kind + content


def full_atom(kind: bytes, *parts: bytes, flags: int = 0) -> bytes:
    return atom(kind, struct.pack(">I", flags), *parts)


IN_THIS_FILE = full_atom(b"url ", flags=1)


def sample_table(count: int, size: int = 1) -> bytes:
    """Says that a file has so many pictures, all in one chunk: a hundred bytes for any count."""
    return b"".join(
        (
            full_atom(b"stts", struct.pack(">III", 1, count, 40)),
            full_atom(b"stsc", struct.pack(">IIII", 1, 1, count, 1)),
            full_atom(b"stsz", struct.pack(">II", size, count)),
            full_atom(b"stco", struct.pack(">II", 1, 40)),
        )
    )


def quicktime(
    table: bytes,
    *,
    codec: bytes = b"raw ",
    size: tuple[int, int] = (64, 48),
    tracks: int = 1,
    data: bytes = bytes(1000),
    reference: bytes = IN_THIS_FILE,
) -> bytes:
    unity = struct.pack(">9i", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
    width, height = size
    picture = atom(
        codec,
        *(bytes(6), struct.pack(">H", 1), bytes(16)),
        struct.pack(">HHIIIH", width, height, 72 << 16, 72 << 16, 0, 1),
        *(bytes(32), struct.pack(">Hh", 24, -1)),
    )
    information = atom(
        b"minf",
        full_atom(b"vmhd", bytes(8), flags=1),
        atom(b"dinf", full_atom(b"dref", struct.pack(">I", 1), reference)),
        atom(b"stbl", full_atom(b"stsd", struct.pack(">I", 1), picture), table),
    )
    media = atom(
        b"mdia",
        full_atom(b"mdhd", struct.pack(">IIIIHH", 0, 0, 1000, 1000, 0x55C4, 0)),
        full_atom(b"hdlr", b"mhlr", b"vide", bytes(12), b"\0"),
        information,
    )
    movie = full_atom(
        b"mvhd",
        struct.pack(">IIIIIH", 0, 0, 1000, 1000, 1 << 16, 256),
        *(bytes(10), unity, bytes(24), struct.pack(">I", 2)),
    )
    track = full_atom(
        b"tkhd",
        struct.pack(">IIIII", 0, 0, 1, 0, 1000),
        *(bytes(16), unity, struct.pack(">II", width << 16, height << 16)),
        flags=3,
    )
    return b"".join(
        (
            atom(b"ftyp", b"qt  ", bytes(4), b"qt  "),
            atom(b"mdat", data),
            atom(b"moov", movie, atom(b"trak", track, media) * tracks),
        )
    )


# Other files and the network


@pytest.fixture
def web(tmp_path: Path) -> Iterator[tuple[str, list[str]]]:
    """A server on this machine that offers the test's folder, and what was asked of it."""
    asked: list[str] = []

    class Serving(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: object) -> None:
            super().__init__(*args, directory=str(tmp_path))

        def log_message(self, format: str, *args: object) -> None:
            asked.append(format % args)

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Serving) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
        server.shutdown()


def alias(path: Path) -> bytes:
    """A reference of QuickTime to the data of another file, as a Macintosh alias."""
    name, place = path.name.encode(), os.fsencode(path)
    return full_atom(
        b"alis",
        *(bytes(4), struct.pack(">HH", 150, 2), bytes(2), b"\x04disk".ljust(28, b"\0")),
        *(bytes(12), bytes([len(name)]) + name.ljust(63, b"\0")[:63], bytes(16)),
        *(struct.pack(">hh", 1, 1), bytes(16)),
        *(struct.pack(">hH", 2, len(place)), place + bytes(len(place) % 2)),
        struct.pack(">hH", -1, 0),
    )


PLAYLISTS = {
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{where}\n#EXT-X-ENDLIST\n",
    "concat": "ffconcat version 1.0\nfile '{where}'\n",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nu={where}\nc=IN IP4 127.0.0.1\nt=0 0\n"
    "m=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\na=control:{where}\n",
    "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"'
    ' mediaPresentationDuration="PT1S" profiles="urn:mpeg:dash:profile:isoff-on-demand:2011">'
    '<Period><AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1">'
    "<BaseURL>{where}</BaseURL></Representation></AdaptationSet></Period></MPD>",
    "ismv": '<?xml version="1.0"?><SmoothStreamingMedia><c n="{where}"/></SmoothStreamingMedia>',
    "asx": '<asx version="3.0"><entry><ref href="{where}"/></entry></asx>',
    "ram": "{where}\n",
    "vobsub": "# VobSub index file, v7\nsize: 64x48\nid: en, index: 0\n"
    "timestamp: 00:00:00:000, filepos: 000000000\n# {where}\n",
    "srt": '1\n00:00:00,000 --> 00:00:01,000\n<img src="{where}">\n',
    "lavfi": "movie={where}\n",
    "svg": '<svg xmlns="http://www.w3.org/2000/svg"><image href="{where}"/></svg>',
}


@pytest.mark.parametrize("kind", sorted(PLAYLISTS))
@pytest.mark.parametrize("suffix", [".mp4", "own"])
def test_what_a_file_names_is_not_opened(
    make_clip: Make,
    numbered: Numbered,
    tmp_path: Path,
    web: tuple[str, list[str]],
    kind: str,
    suffix: str,
) -> None:
    secret = make_clip("secret.ts", numbered(10))
    address, asked = web
    usual = {"hls": ".m3u8", "concat": ".ffconcat", "dash": ".mpd", "vobsub": ".idx"}
    suffix = usual.get(kind, f".{kind}") if suffix == "own" else suffix
    for where in (str(secret), secret.name, f"file:{secret}", f"{address}/secret.ts"):
        path = tmp_path / f"list{suffix}"
        path.write_text(PLAYLISTS[kind].format(where=where))
        assert refused(path) == Reason.NO_VIDEO
    assert asked == []


def test_libav_alone_would_open_it(
    make_clip: Make, numbered: Numbered, tmp_path: Path, web: tuple[str, list[str]]
) -> None:
    """Or else the test above could not fail."""
    secret = make_clip("secret.ts", numbered(10))
    address, asked = web
    path = tmp_path / "list.m3u8"
    for where in (str(secret), f"{address}/secret.ts"):
        path.write_text(PLAYLISTS["hls"].format(where=where))
        with path.open("rb") as file, av.open(file) as container:
            assert len(list(container.demux(video=0))) > 10
    assert any("secret.ts" in line for line in asked)


def test_a_movie_whose_pictures_are_in_another_file(tmp_path: Path) -> None:
    secret = tmp_path / "secret.bin"
    size = 64 * 48 * 3
    secret.write_bytes(bytes(40) + b"\xee" * (3 * size))
    table = sample_table(3, size)
    whole = quicktime(table, data=secret.read_bytes()[40:])
    (tmp_path / "whole.mov").write_bytes(whole)
    shown = list(read_frames(tmp_path / "whole.mov", EVERYTHING))
    assert [f.image.max() for f in shown] == [0xEE] * 3
    path = tmp_path / "elsewhere.mov"
    for reference in (alias(secret), full_atom(b"url ", os.fsencode(secret.as_uri()) + b"\0")):
        path.write_bytes(quicktime(table, reference=reference))
        # libav would follow the alias if it were let.
        with av.open(
            str(path), container_options={"enable_drefs": "1", "use_absolute_path": "1"}
        ) as container:
            leaked = [bytes(packet) for packet in container.demux(video=0) if packet.size == size]
        assert len(leaked) == (3 if reference[4:8] == b"alis" else 0)
        assert refused(path) == Reason.DECODE_ERROR


# Bombs


def test_a_table_that_promises_millions_of_pictures(tmp_path: Path) -> None:
    path = tmp_path / "index.mov"
    forget_peak()
    before = peak_mb() or 0.0
    for count, tracks in ((60_000_000, 4), (170_000_000, 1), (0xFFFFFFFF, 2)):
        path.write_bytes(quicktime(sample_table(count), tracks=tracks))
        assert path.stat().st_size < 4000
        assert refused(path) == Reason.DECODE_ERROR
    assert (peak_mb() or 0.0) - before < 200


def test_thousands_of_tracks(tmp_path: Path) -> None:
    path = tmp_path / "tracks.mov"
    path.write_bytes(quicktime(sample_table(1), tracks=5000))
    assert refused(path) == Reason.OUT_OF_MEMORY


def test_a_header_that_promises_a_gigabyte(tmp_path: Path) -> None:
    path = tmp_path / "header.mov"
    packed = atom(b"cmvd", struct.pack(">I", 1 << 30), zlib.compress(bytes(1 << 20)))
    header = atom(b"moov", atom(b"cmov", atom(b"dcom", b"zlib"), packed))
    path.write_bytes(atom(b"ftyp", b"qt  ", bytes(4), b"qt  ") + header)
    assert refused(path) == Reason.OUT_OF_MEMORY


@pytest.mark.parametrize("size", [(60000, 60000), (16384, 16384), (9000, 9000), (20000, 16)])
def test_pictures_of_absurd_size(
    make_clip: Make, numbered: Numbered, tmp_path: Path, size: tuple[int, int]
) -> None:
    """Headers of tiny files; what they promise is not set aside."""
    width, height = size
    told = {Reason.TOO_LARGE, Reason.DECODE_ERROR, Reason.NO_VIDEO}
    forget_peak()
    before = peak_mb() or 0.0
    for codec in (b"raw ", b"png ", b"mp4v"):
        path = tmp_path / "size.mov"
        path.write_bytes(quicktime(sample_table(3, 100), codec=codec, size=size))
        assert refused(path) in told
    gif = make_clip("small.gif", numbered(3), codec="gif", pixels="gray").read_bytes()
    path = tmp_path / "size.gif"
    path.write_bytes(gif[:6] + struct.pack("<HH", width, height) + gif[10:])
    assert refused(path) in told
    path = tmp_path / "size.y4m"
    path.write_bytes(f"YUV4MPEG2 W{width} H{height} F25:1 Ip A1:1 C420\nFRAME\n".encode())
    assert refused(path) in told
    path = tmp_path / "size"
    path.mkdir()
    path.joinpath("1.png").write_bytes(png(width, height))
    assert refused(path) in told
    assert (peak_mb() or 0.0) - before < 200


def test_a_stream_whose_pictures_grow_beyond_the_limit(
    make_clip: Make, numbered: Numbered, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = make_clip("small.h264", numbered(10), format="h264")
    large = make_clip("large.h264", numbered(10, (640, 480)), format="h264")
    grows = tmp_path / "grows.h264"
    grows.write_bytes(small.read_bytes() + large.read_bytes())
    assert len(list(read_frames(grows, EVERYTHING))) == 20
    monkeypatch.setitem(video._DECODING, "max_pixels", str(200 * 200))
    reader = read_frames(grows, EVERYTHING)
    assert len(list(reader)) == 10
    assert [w.reason for w in reader.warnings] == [Reason.DECODE_ERROR]


def test_a_gif_without_end(make_clip: Make, numbered: Numbered) -> None:
    path = make_clip("loop.gif", numbered(5), codec="gif", pixels="gray")
    assert b"NETSCAPE2.0\x03\x01\x00\x00" in path.read_bytes()  # to be shown for ever
    assert len(list(read_frames(path, EVERYTHING))) == 5
    path = make_clip("loop.apng", numbered(5), codec="apng", pixels="gray", format="apng")
    assert len(list(read_frames(path, EVERYTHING))) == 5


def test_more_pictures_than_are_read(
    make_clip: Make, numbered: Numbered, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = make_clip("many.mkv", numbered(30))
    folder = tmp_path / "take"
    folder.mkdir()
    for number, image in enumerate(numbered(30)):
        cv2.imwrite(str(folder / f"{number}.png"), image)
    monkeypatch.setattr(video, "MAX_FRAMES", 10)
    for path in (clip, folder):
        reader = read_frames(path, EVERYTHING)
        assert len(list(reader)) == 10
        (warning,) = reader.warnings
        assert warning.reason == Reason.TOO_LARGE
        assert "Split it." in warning.message


def test_more_hours_than_are_read(make_clip: Make, numbered: Numbered) -> None:
    stamps = [600_000 * i for i in range(40)]
    reader = read_frames(make_clip("slow.mkv", numbered(40), stamps=stamps), EVERYTHING)
    assert [f.time for f in reader] == pytest.approx([600 * i for i in range(25)])
    assert [w.reason for w in reader.warnings] == [Reason.TOO_LARGE]


@pytest.mark.parametrize(
    ("name", "jump"),
    [("jump.mp4", 10**6), ("jump.mkv", 10**6), ("jump.mkv", 10**9), ("jump.mkv", 10**13)],
)
@pytest.mark.parametrize("rate", [12, 25])
def test_a_clock_that_jumps_by_days_is_damage(
    make_clip: Make, numbered: Numbered, name: str, jump: int, rate: int
) -> None:
    """Otherwise the grid of times that estimators work on would fill the memory."""
    ahead = [40 * i + (jump if i >= 20 else 0) for i in range(50)]
    reader = read_frames(make_clip(name, numbered(50), stamps=ahead), FrameRequest(rate=rate))
    frames = list(reader)
    assert all(0 < b.time - a.time < 0.3 for a, b in pairwise(frames))
    assert frames[-1].time == pytest.approx(49 * 0.04, abs=0.15)
    assert [w.reason for w in reader.warnings] == [Reason.DECODE_ERROR]


def test_one_stamp_that_is_wrong_costs_no_time(make_clip: Make, numbered: Numbered) -> None:
    clock = video._Clock(Fraction(1, 25))
    shown = [clock.time(Fraction(s, 25)) for s in (0, 1, 2, 10**12, 4, 5, -(10**12), 7, 8)]
    assert shown == pytest.approx([i / 25 for i in range(9)])
    assert clock.jumps == 2  # the wrong one, and the way back from far before


def test_times_differ_however_fine_the_clock() -> None:
    clock = video._Clock(Fraction(1, 25))
    shown = [clock.time(10 + Fraction(i, 1 << 70)) for i in range(3)]
    assert shown == [0.0, 2**-70, 2**-69]
    assert clock.time(Fraction(20)) == 10
    assert clock.time(20 + Fraction(1, 1 << 70)) is None


def test_a_table_that_sends_the_reader_around_in_circles(
    make_clip: Make, numbered: Numbered
) -> None:
    """MXF's index says 16 million entries: as many seeks, over a minute, in a file of 20 kB."""
    path = make_clip("circles.mxf", numbered(12), codec="mpeg2video", format="mxf")
    data = bytearray(path.read_bytes())
    entries = data.rindex(b"\x3f\x0a") + 4
    data[entries : entries + 8] = struct.pack(">II", 1 << 24, 15 << 16)
    path.write_bytes(data)
    asked = 0
    really_seek = video._Calls.seek

    def seek(self: video._Calls, offset: int, whence: int = os.SEEK_SET) -> int:
        nonlocal asked
        asked += 1
        assert asked < 1_000_000
        return really_seek(self, offset, whence)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(video._Calls, "seek", seek)
        assert refused(path) == Reason.NO_VIDEO
    assert asked > 1000


def test_a_cover_picture_is_no_video(tmp_path: Path) -> None:
    cover = cv2.imencode(".jpg", np.full((48, 64), 99, np.uint8))[1].tobytes()
    content = b"\0image/jpeg\0\x03\0" + cover
    size = len(content)
    frame = b"APIC" + struct.pack(">I", size) + bytes(2) + content
    length = len(frame)
    synchsafe = bytes((length >> shift) & 0x7F for shift in (21, 14, 7, 0))
    path = tmp_path / "song.mp4"
    path.write_bytes(b"ID3\x03\0\0" + synchsafe + frame + b"\xff\xfb\x90\x00" + bytes(4000))
    assert refused(path) == Reason.NO_VIDEO


# Pictures


def chunk(kind: bytes, content: bytes) -> bytes:
    return (
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
    )


def png(width: int, height: int, *, before: bytes = b"") -> bytes:
    """A grey PNG that says that it is of this size, and has 64 x 48 pixels."""
    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)),
            before,
            chunk(b"IDAT", zlib.compress((b"\0" + b"\xaa" * 64) * 48)),
            chunk(b"IEND", b""),
        )
    )


def sequence(folder: Path, count: int = 6) -> Path:
    folder.mkdir()
    for number in range(count):
        (folder / f"{number}.png").write_bytes(png(64, 48))
    return folder


def bad_pictures(folder: Path) -> dict[str, Callable[[], object]]:
    """Ways in which the third picture of a sequence is bad."""
    third = folder / "2.png"
    return {
        "rubbish": lambda: third.write_bytes(b"rubbish"),
        "empty": lambda: third.write_bytes(b""),
        "too large": lambda: third.write_bytes(png(60000, 60000)),
        "gone": lambda: (third.unlink(), third.symlink_to("nowhere")),
        "loop": lambda: (third.unlink(), third.symlink_to(third)),
        "pipe": lambda: (third.unlink(), os.mkfifo(third)),
        "device": lambda: (third.unlink(), third.symlink_to("/dev/zero")),
        "folder": lambda: (third.unlink(), third.mkdir()),
    }


@pytest.mark.parametrize("how", sorted(bad_pictures(Path())))
def test_a_bad_picture_of_a_folder_is_stepped_over(tmp_path: Path, how: str) -> None:
    folder = sequence(tmp_path / "take")
    bad_pictures(folder)[how]()
    reader = read_frames(folder, EVERYTHING)
    assert [f.index for f in reader] == [0, 1, 3, 4, 5]
    (warning,) = reader.warnings
    assert warning.reason == Reason.DECODE_ERROR
    assert str(folder / "2.png") in warning.message


def test_a_picture_that_vanishes_while_the_folder_is_read(tmp_path: Path) -> None:
    folder = sequence(tmp_path / "take")
    reader = read_frames(folder, EVERYTHING)
    frames = iter(reader)
    next(frames)
    (folder / "3.png").unlink()
    assert [f.index for f in frames] == [1, 2, 4, 5]
    assert "3.png does not exist" in reader.warnings[0].message


def test_the_first_picture_may_be_the_bad_one(tmp_path: Path) -> None:
    folder = sequence(tmp_path / "take")
    (folder / "0.png").write_bytes(b"rubbish")
    assert [f.index for f in read_frames(folder, EVERYTHING)] == [1, 2, 3, 4, 5]
    assert probe(folder).size == (64, 48)


def test_a_picture_of_too_many_bytes_is_not_loaded(tmp_path: Path) -> None:
    folder = tmp_path / "take"
    folder.mkdir()
    with (folder / "1.png").open("wb") as file:
        file.truncate(video.MAX_IMAGE_BYTES + 1)
    assert refused_folder(folder) == Reason.TOO_LARGE


def refused_folder(folder: Path) -> Reason:
    with pytest.raises(VideoError) as caught:
        list(read_frames(folder, EVERYTHING))
    return caught.value.failure.reason


@pytest.mark.slow
def test_texts_that_swell_in_a_picture(tmp_path: Path) -> None:
    """PNG holds compressed texts and profiles; 10 MB of them would be 10 GB."""
    packer = zlib.compressobj(1)
    swollen = b"".join(packer.compress(bytes(1 << 24)) for _ in range(80)) + packer.flush()
    folder = tmp_path / "take"
    folder.mkdir()
    for kind, told in ((b"zTXt", None), (b"iCCP", Reason.OUT_OF_MEMORY)):
        text = chunk(kind, b"name\0\0" + swollen)
        (folder / "1.png").write_bytes(png(64, 48, before=text))
        forget_peak()
        before = peak_mb() or 0.0
        if told is None:
            assert len(list(read_frames(folder))) == 1
        else:
            assert refused_folder(folder) == told
        assert (peak_mb() or 0.0) - before < 2 * video.MAX_ALLOCATION / 2**20


# Files that change


def test_a_file_that_shrinks_or_vanishes_while_it_is_read(
    make_clip: Make, numbered: Numbered
) -> None:
    noise = np.random.default_rng(0)
    images = [i // 2 + noise.integers(0, 99, i.shape, np.uint8) for i in numbered(50, (320, 240))]
    path = make_clip("now.mkv", images)
    whole = path.read_bytes()
    assert len(whole) > 500_000
    reader = read_frames(path, EVERYTHING)
    frames = iter(reader)
    next(frames)
    path.unlink()
    assert len(list(frames)) == 49
    path.write_bytes(whole)
    reader = read_frames(path, EVERYTHING)
    frames = iter(reader)
    next(frames)
    os.truncate(path, len(whole) // 2)
    assert 5 < len(list(frames)) < 45
    assert [w.reason for w in reader.warnings] == [Reason.DECODE_ERROR]


@pytest.mark.parametrize("readable", [0.0, 0.5])
def test_a_file_that_cannot_be_read_to_its_end(
    make_clip: Make, numbered: Numbered, monkeypatch: pytest.MonkeyPatch, readable: float
) -> None:
    """As a broken disk or a lost network share has it."""
    noise = np.random.default_rng(0).integers(0, 255, (50, 48, 64), np.uint8)
    path = make_clip("disk.mkv", list(noise), codec="mpeg2video", options={"g": "1"})
    end = readable * path.stat().st_size
    really_read = video._Calls.read

    def read(self: video._Calls, size: int) -> bytes:
        if self.tell() >= end:
            raise OSError(5, "Input/output error")
        return really_read(self, size)

    monkeypatch.setattr(video._Calls, "read", read)
    if readable:
        reader = read_frames(path, EVERYTHING)
        assert 0 < len(list(reader)) < 50
        assert [w.reason for w in reader.warnings] == [Reason.DECODE_ERROR]
    else:
        assert refused(path) == Reason.NOT_READABLE


# Finding clips


def test_links(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    (root / "real").mkdir(parents=True)
    (outside / "deep").mkdir(parents=True)
    (outside / "deep" / "private.mp4").write_bytes(b"x")
    (root / "real" / "a.mp4").write_bytes(b"x")
    (root / "file.mp4").symlink_to(outside / "deep" / "private.mp4")  # as data sets have it
    (root / "broken.mp4").symlink_to(tmp_path / "nowhere")
    (root / "self.mp4").symlink_to(root / "self.mp4")
    (root / "real" / "up").symlink_to(root)
    (root / "real" / "upper").symlink_to(tmp_path)
    (root / "way").symlink_to(outside)
    found = [root / name for name in ("broken.mp4", "file.mp4", "self.mp4", "way", "real/a.mp4")]
    assert list(find_clips([root])) == [*found, root / "real" / "upper"]
    # What is given itself is searched, wherever it leads.
    assert list(find_clips([root / "way"])) == [root / "way" / "deep" / "private.mp4"]
    with pytest.raises(VideoError, match="is a link to a folder elsewhere; give that folder"):
        probe(root / "way")
    assert refused(root / "self.mp4") == Reason.NOT_READABLE
    assert refused(root / "broken.mp4") == Reason.MISSING


def test_names_that_no_system_call_takes(tmp_path: Path) -> None:
    long, with_zero = tmp_path / ("x" * 300 + ".mp4"), tmp_path / "a\0b.mp4"
    assert list(find_clips([long, with_zero])) == [long, with_zero]
    assert refused(long) == Reason.NOT_READABLE
    assert refused(with_zero) == Reason.MISSING


def test_names_of_any_bytes(make_clip: Make, numbered: Numbered, tmp_path: Path) -> None:
    plain = make_clip("plain.mp4", numbered(3))
    root = tmp_path / "root"
    root.mkdir()
    names = [b"\xff\xfe.mp4", b"two\nlines.mp4", b"=1+1.mp4", b"-i.mp4", b"x" * 251 + b".mp4"]
    names += [b"concat:a|b.mp4", b"http:x.mp4", b"subfile,,start,0,end,9,,:x.mp4", b"%03d.mp4"]
    for name in names:
        shutil.copy(plain, root / os.fsdecode(name))
    found = list(find_clips([root]))
    assert sorted(os.fsencode(path.name) for path in found) == sorted(names)
    for path in found:
        assert len(list(read_frames(path, EVERYTHING))) == 3
        assert video.printable(path).isprintable()


def test_folders_nested_more_deeply_than_pythons_stack(tmp_path: Path) -> None:
    here = os.open(".", os.O_RDONLY)
    depth = (os.pathconf(tmp_path, "PC_PATH_MAX") - len(str(tmp_path))) // 2
    try:
        os.chdir(tmp_path)
        for level in range(depth + 20):
            if level == depth - 10:
                Path("x.mp4").touch()
            Path("d").mkdir()
            os.chdir("d")
        found = list(find_clips([tmp_path]))
        # The clip, and the first folder whose path is too long to be opened.
        assert [path.name for path in found] == ["x.mp4", "d"]
        assert refused(found[1]) == Reason.NOT_READABLE
    finally:
        os.fchdir(here)
        os.close(here)
        subprocess.run(["rm", "-rf", str(tmp_path / "d")], check=True)


def test_a_folder_that_vanishes_while_it_is_searched(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.mp4").touch()
    clips = find_clips([tmp_path])
    assert next(clips) == tmp_path / "a" / "x.mp4"
    shutil.rmtree(tmp_path / "b")
    assert list(clips) == [tmp_path / "b"]


# A whole run


class Still:
    """Reads every frame and says nothing."""

    name = "still"
    frame_request = FrameRequest(long_side=64)

    def estimate(self, frames: Iterable[Frame]) -> Estimate:
        for _ in frames:
            pass
        return Estimate((), failure=Failure(Reason.UNCLEAR, "Nobody looked."))


def fill(folder: Path, good: Path) -> dict[str, Reason | None]:
    """Everything bad at once, and what is said of it; None: it is a clip all the same."""
    folder.mkdir()
    whole = good.read_bytes()
    files = {
        "empty.mp4": (b"", Reason.NO_VIDEO),
        "text.mp4": (b"Some words.\n" * 500, Reason.NO_VIDEO),
        "list.mp4": (PLAYLISTS["hls"].format(where=good).encode(), Reason.NO_VIDEO),
        "index.mov": (quicktime(sample_table(60_000_000), tracks=4), Reason.DECODE_ERROR),
        "tracks.mov": (quicktime(sample_table(1), tracks=5000), Reason.OUT_OF_MEMORY),
        "huge.mov": (
            quicktime(sample_table(1, 99), codec=b"png ", size=(20000, 9)),
            Reason.TOO_LARGE,
        ),
        "cut.mp4": (whole[: whole.index(b"mdat") + 100], Reason.DECODE_ERROR),
        "two\nlines.mp4": (b"", Reason.NO_VIDEO),
        "=cmd()|'<b>.mp4": (whole, None),
        "-i.mp4": (whole, None),
        "http:x.mp4": (whole, None),
        os.fsdecode(b"\xff.mp4"): (whole, None),
    }
    for name, (content, _) in files.items():
        (folder / name).write_bytes(content)
    told = {name: reason for name, (_, reason) in files.items()}
    os.mkfifo(folder / "pipe.mp4")
    (folder / "device.mp4").symlink_to("/dev/zero")
    (folder / "broken.mp4").symlink_to("nowhere")
    (folder / "self.mp4").symlink_to("self.mp4")
    (folder / "linked.mp4").symlink_to(good)
    (folder / "way").symlink_to("/")
    sequence(folder / "take")
    bad_pictures(folder / "take")["too large"]()
    (folder / "sizes").mkdir()
    for number in range(3):
        (folder / "sizes" / f"{number}.png").write_bytes(png(64, 48 - number))
    return told | {
        "pipe.mp4": Reason.NOT_READABLE,
        "device.mp4": Reason.NOT_READABLE,
        "broken.mp4": Reason.MISSING,
        "self.mp4": Reason.NOT_READABLE,
        "linked.mp4": None,
        "way": Reason.NO_VIDEO,
        "take": None,
        "sizes": Reason.DECODE_ERROR,
    }


def bind(name: Path) -> socket.socket:
    """A socket in the file system; its name may be longer than the system lets a socket's be."""
    listener = socket.socket(socket.AF_UNIX)
    here = Path.cwd()
    os.chdir(name.parent)
    try:
        listener.bind(name.name)
    finally:
        os.chdir(here)
    return listener


def test_a_folder_with_all_of_these(make_clip: Make, numbered: Numbered, tmp_path: Path) -> None:
    folder = tmp_path / "clips"
    told = fill(folder, make_clip("good.mp4", numbered(12)))
    with bind(folder / "socket.mp4"):
        told["socket.mp4"] = Reason.NOT_READABLE
        found = list(find_clips([folder]))
        assert sorted(path.name for path in found) == sorted(told)
        for path in found:
            failure = label_clip_file(path, Still(), ThresholdClassifier()).record.failure
            assert failure is not None
            assert failure.reason == (told[path.name] or Reason.UNCLEAR), path
            assert failure.message.isprintable()
            assert failure.message.endswith(".")
            assert told[path.name] is None or video.printable(path) in failure.message


@pytest.mark.slow
def test_a_run_over_a_folder_with_all_of_these(
    moody: str, grey_clip: Callable[[Path, int], Path], tmp_path: Path
) -> None:
    folder = tmp_path / "clips"
    told = fill(folder, grey_clip(tmp_path / "good.mp4", 170))
    run = tmp_path / "run"
    records = list(
        dollygrip.label_folder(folder, run, jobs=2, estimator=moody, classifier="threshold")
    )
    assert sorted(Path(record.path).name for record in records) == sorted(told)
    for record in records:
        reason = told[Path(record.path).name]
        assert (record.failure and record.failure.reason) == reason, record.path
        assert record.labels == (("pan_right",) if reason is None else ())
    doubts = next(r.whole.doubts for r in records if r.path.endswith("take"))
    assert "2.png" in doubts[0].message
    assert len(dollygrip.load_results(run)) == len(told)


# Damaged files by the thousand


CODECS = {
    "h264.mp4": ("libx264", "yuv420p", {"bf": "2", "g": "8"}, None, {}),
    "fragments.mp4": ("libx264", "yuv420p", {"g": "8"}, None, {"movflags": "frag_keyframe"}),
    "h264.mkv": ("libx264", "yuv420p", {"bf": "2", "g": "8"}, None, {}),
    "h264.ts": ("libx264", "yuv420p", {"g": "8"}, None, {}),
    "raw.h264": ("libx264", "yuv420p", {"g": "8"}, None, {}),
    "hevc.mp4": ("libx265", "yuv420p", {"x265-params": "log-level=none"}, None, {}),
    "vp9.webm": ("libvpx-vp9", "yuv420p", {"cpu-used": "8", "deadline": "realtime"}, None, {}),
    "vp8.webm": ("libvpx", "yuv420p", {}, None, {}),
    "mjpeg.avi": ("mjpeg", "yuvj420p", {}, None, {}),
    "raw.avi": ("rawvideo", "yuv420p", {}, None, {}),
    "picture.gif": ("gif", "gray", {}, None, {}),
    "picture.apng": ("apng", "gray", {}, "apng", {}),
    "mpeg2.ts": ("mpeg2video", "yuv420p", {}, None, {}),
    "mpeg1.mpg": ("mpeg1video", "yuv420p", {}, None, {}),
    "mpeg4.mov": ("mpeg4", "yuv420p", {}, None, {}),
    "png.mov": ("png", "rgb24", {}, None, {}),
    "flv1.flv": ("flv1", "yuv420p", {}, None, {}),
    "wmv2.wmv": ("wmv2", "yuv420p", {}, None, {}),
    "ffv1.nut": ("ffv1", "yuv420p", {}, None, {}),
    "mpeg2.mxf": ("mpeg2video", "yuv420p", {}, None, {}),
}

INPUTS = 2600
PATIENCE = 20.0
"""Seconds without an answer after which an input counts as hanging; the slowest took 0.2."""

_READER = """
import json, math, os, resource, sys
from pathlib import Path

resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
import cv2, numpy
from dollygrip.classifiers.reliability import Reason
from dollygrip.runners.video import MAX_SECONDS, FrameRequest, VideoError, read_frames

def outcome(path):
    times = []
    reader = read_frames(path, FrameRequest(rate=12.0))
    try:
        for frame in reader:
            assert math.isfinite(frame.time) and 0 <= frame.time <= MAX_SECONDS
            assert not times or frame.time > times[-1]
            assert frame.image.dtype == "uint8" and max(frame.image.shape) <= 480
            times.append(frame.time)
    except VideoError as error:
        assert str(path) in error.failure.message and error.failure.message.isprintable()
        return "refused"
    assert all(w.message.isprintable() for w in reader.warnings)
    for told in (reader.clip.duration, reader.clip.rate):
        assert told is None or 0 < told < math.inf
    return "damaged" if reader.warnings else "read"

for line in sys.stdin:
    print(json.dumps(outcome(Path(line.strip()))), flush=True)
"""


def mutated(data: bytes, chance: random.Random) -> bytes:
    """Damage of the kinds that files have, and that people make; headers have the most of it."""
    extremes = [b"\xff" * 4, b"\x7f\xff\xff\xff", b"\x80\0\0\0", bytes(4), b"\0\0\0\1"]
    extremes += [b"\xff\xff\xff\x7f", b"\xff" * 8, bytes(8), b"\x10\0\0\0", b"\0\0\0\x10"]
    extremes += [b"\xff\xff", bytes(2), b"\1" + b"\xff" * 7]
    content = bytearray(data)

    def place() -> int:
        size = len(content)
        near = (0, min(size, 600)), (0, size), (max(0, size - 2500), size)
        return chance.randrange(*chance.choices(near, (5, 3, 2))[0])

    for _ in range(chance.choice((1, 1, 1, 3))):
        if len(content) < 16:
            break
        at, other, length = place(), place(), chance.choice((1, 4, 16, 188, 1024))
        match chance.choice(("flip", "cut", "swap", "repeat", "delete", "extreme", "extreme")):
            case "flip":
                for _ in range(chance.choice((1, 2, 8, 64))):
                    content[place()] ^= 1 << chance.randrange(8)
            case "cut":
                del content[max(1, at) :]
            case "swap":
                one, two = content[at : at + length], content[other : other + length]
                content[at : at + length], content[other : other + length] = two, one
            case "repeat":
                content[other:other] = content[at : at + length] * chance.choice((1, 3, 50))
            case "delete":
                del content[at : at + length]
            case "extreme":
                value = chance.choice(extremes)
                content[at : at + len(value)] = value
    return bytes(content)


@dataclass(frozen=True)
class Outcomes:
    """What came of many inputs: a word for each, or the signal that ended its process."""

    words: dict[int, str]
    died: dict[int, str]
    hung: list[int]


def outcomes(script: str, inputs: Iterable[Path], patience: float) -> Outcomes:
    """Give files to a process one by one; when it dies or hangs, the next has another process."""
    found = Outcomes({}, {}, [])
    process: subprocess.Popen[bytes] | None = None
    for number, path in enumerate(inputs):
        if process is None:
            process = subprocess.Popen(
                [sys.executable, "-c", script],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
            )
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(os.fsencode(path) + b"\n")
        ready = select.select([process.stdout], [], [], patience)[0]
        line = process.stdout.readline() if ready else b""
        if line:
            found.words[number] = json.loads(line)
            continue
        if not ready:
            found.hung.append(number)
            process.kill()
        else:
            errors = process.stderr.read().decode(errors="replace")
            found.died[number] = f"{process.wait()}: {errors[-600:]}"
        process.communicate()
        process = None
    if process is not None:
        process.communicate()
        assert process.returncode == 0
    return found


_MOODY_READER = """
import os, sys, time
for line in sys.stdin:
    name = line.strip()
    if name == "abort":
        os.abort()
    if name == "hang":
        time.sleep(100)
    print('"fine"', flush=True)
"""


def test_a_file_that_kills_or_hangs_is_found_among_many() -> None:
    """Of the tool itself, or else the next test could not fail."""
    names = ["a", "abort", "b", "hang", "c"]
    found = outcomes(_MOODY_READER, map(Path, names), patience=1.0)
    assert found.words == {0: "fine", 2: "fine", 4: "fine"}
    assert found.died == {1: "-6: "}
    assert found.hung == [3]


@pytest.mark.slow
def test_no_damaged_file_kills_or_hangs_the_reader(tmp_path: Path) -> None:
    wall = np.random.default_rng(0).integers(0, 255, (90, 110), np.uint8)
    wall = cv2.GaussianBlur(wall, (0, 0), 2)
    images = [np.ascontiguousarray(wall[i : i + 48, i : i + 64]) for i in range(24)]
    whole: dict[str, bytes] = {}
    for name, (codec, pixels, options, format, container_options) in CODECS.items():
        if codec not in av.codecs_available:
            continue
        path = tmp_path / name
        with av.open(str(path), "w", format=format, options=container_options) as container:
            stream = container.add_stream(codec, rate=25, options=options)
            stream.width, stream.height, stream.pix_fmt = 64, 48, pixels
            for number, image in enumerate(images):
                frame = av.VideoFrame.from_ndarray(image, "gray").reformat(format=pixels)
                frame.pts, frame.time_base = number, Fraction(1, 25)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        assert len(list(read_frames(path, EVERYTHING))) >= 23
        whole[name] = path.read_bytes()
    assert len(whole) > 10
    names = sorted(whole)

    def damaged() -> Iterator[Path]:
        for number in range(INPUTS):
            name = names[number % len(names)]
            path = tmp_path / f"damaged{Path(name).suffix}"
            path.write_bytes(mutated(whole[name], random.Random(number)))
            yield path

    found = outcomes(_READER, damaged(), PATIENCE)
    assert found.died == {}
    assert found.hung == []
    assert len(found.words) == INPUTS
    counts = {word: list(found.words.values()).count(word) for word in set(found.words.values())}
    assert min(counts["read"], counts["damaged"], counts["refused"]) > INPUTS // 10
