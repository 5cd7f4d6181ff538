"""Arrays of untrusted files: no pickle, no more than they say, nothing that nobody asks for."""

import io
import os
import pickle
import random
import re
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from dollygrip.runners.formats.arrays import (
    layout,
    median_depth,
    names_in,
    read_npy,
    read_npz,
    shape_in,
    some_frames,
)
from dollygrip.runners.formats.path import MOST_BYTES, PoseError

PLAIN = st.one_of(
    npst.integer_dtypes(), npst.unsigned_integer_dtypes(), npst.floating_dtypes(), st.just("bool")
)
ARRAYS = npst.arrays(PLAIN, npst.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))


def npy(array: object, **how: bool) -> bytes:
    file = io.BytesIO()
    np.save(file, array, **how)
    return file.getvalue()


def header(shape: str, descr: str = "'<f8'", fortran: str = "False") -> bytes:
    """A header of numpy's, with anything in it."""
    text = f"{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


def packed(path: Path, how: int = zipfile.ZIP_STORED, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", how) as archive:
        for name, data in members.items():
            archive.writestr(f"{name}.npy", data)
    return path


@given(array=ARRAYS, fortran=st.booleans(), deflated=st.booleans())
def test_arrays_come_back_as_numpy_wrote_them(tmp_path_factory, array, fortran, deflated):
    folder = tmp_path_factory.mktemp("arrays")
    given_ = np.asarray(array, order="F" if fortran else "C")
    np.save(folder / "a.npy", given_)
    (np.savez_compressed if deflated else np.savez)(folder / "a.npz", b=given_)
    for back in (read_npy(folder / "a.npy"), read_npz(folder / "a.npz", ["b"])["b"]):
        assert back.dtype == array.dtype and back.shape == array.shape
        np.testing.assert_array_equal(back, array)
    assert shape_in(folder / "a.npy") == shape_in(folder / "a.npz", "b") == array.shape


def test_arrays_that_are_lacking_are_named_or_left_out(tmp_path):
    np.savez(tmp_path / "a.npz", here=np.eye(4))
    assert set(read_npz(tmp_path / "a.npz", ["here"], optional=["gone"])) == {"here"}
    assert shape_in(tmp_path / "a.npz", "gone") is None
    assert shape_in(tmp_path / "gone.npy") is None
    with pytest.raises(PoseError, match=r"a\.npz: lacks the array 'gone'"):
        read_npz(tmp_path / "a.npz", ["here", "gone"])


class Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (str(self.path), "w")


def test_pickles_are_refused_and_not_run(tmp_path):
    sprung = tmp_path / "sprung"
    trap = np.array([Trap(sprung), None])
    np.savez(tmp_path / "a.npz", poses=trap)
    np.save(tmp_path / "a.npy", trap)
    (tmp_path / "b.npy").write_bytes(pickle.dumps(Trap(sprung)))
    with zipfile.ZipFile(tmp_path / "b.npz", "w") as archive:
        archive.writestr("poses.npy", pickle.dumps(Trap(sprung)))
    for read in (
        lambda: read_npz(tmp_path / "a.npz", ["poses"]),
        lambda: read_npy(tmp_path / "a.npy"),
        lambda: shape_in(tmp_path / "a.npy"),
    ):
        with pytest.raises(PoseError, match=r"a\.np.*a pickle.*never read"):
            read()
    for read in (
        lambda: read_npz(tmp_path / "b.npz", ["poses"]),
        lambda: read_npy(tmp_path / "b.npy"),
    ):
        with pytest.raises(PoseError, match="no array file"):
            read()
    assert not sprung.exists()
    np.load(tmp_path / "a.npy", allow_pickle=True)
    assert sprung.exists(), "the trap is no trap"


@pytest.mark.parametrize(
    ("head", "message"),
    [
        (header("(1000000000000,)"), "too large"),
        (header("(100000, 100000, 100000)"), "too large"),
        (header("(3, 4)"), "less than the 96 bytes"),
        (header("(1,)") + bytes(80), "more than the 8 bytes"),
        (header("(-1, 4)"), "no plain array"),
        (header("(4,)", descr="[('a', '<f8')]"), "no plain array"),
        (header("(4,)", descr="'|O'"), "pickle"),
        (header("(4,)", descr="'<M8[s]'"), "no plain array"),
        (header("(4,)", descr="'<f3'"), "unknown kind"),
        (header("__import__('os').abort()"), "no plain array"),
        (b"\x93NUMPY\x02\x00" + b"\xff" * 4 + bytes(99), "too long"),
        (b"\x93NUMPY", "no array file"),
        (b"", "no array file"),
    ],
)
def test_headers_that_lie(tmp_path, head, message):
    (tmp_path / "a.npy").write_bytes(head)
    packed(tmp_path / "a.npz", poses=head)
    tracemalloc.start()
    with pytest.raises(PoseError, match=rf"a\.npy: .*{message}"):
        read_npy(tmp_path / "a.npy")
    with pytest.raises(PoseError, match=rf"a\.npz: the array 'poses' .*{message}"):
        read_npz(tmp_path / "a.npz", ["poses"])
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()


def test_a_bomb_is_not_unpacked(tmp_path):
    zeros = bytes(64 * 2**20)
    bombs = {
        "small": header("(4, 4)") + zeros,
        "large": header(f"({MOST_BYTES // 8 + 1},)") + zeros,
    }
    path = packed(tmp_path / "a.npz", zipfile.ZIP_DEFLATED, **bombs)
    assert path.stat().st_size < 2**20
    tracemalloc.start()
    for name in bombs:
        with pytest.raises(PoseError, match=r"more than|too large"):
            read_npz(path, [name])
    assert tracemalloc.get_traced_memory()[1] < 4 * 2**20
    tracemalloc.stop()


@pytest.mark.parametrize("how", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_packings_that_unpack_all_at_once_are_refused(tmp_path, how):
    path = packed(tmp_path / "a.npz", how, poses=npy(np.eye(4)))
    with pytest.raises(PoseError, match="unusual"):
        read_npz(path, ["poses"])


def test_directories_that_lie(tmp_path):
    whole = packed(tmp_path / "a.npz", poses=npy(np.eye(4))).read_bytes()
    end = whole.rindex(b"PK\x05\x06")
    # How large the directory is, and where an even larger one would be.
    large = whole[:end] + b"PK\x06\x07" + bytes(16) + whole[end:]
    for data in (whole[: end + 12] + b"\xff\xff\xff\xff" + whole[end + 16 :], large):
        (tmp_path / "b.npz").write_bytes(data)
        with pytest.raises(PoseError, match=r"b\.npz: is too large"):
            read_npz(tmp_path / "b.npz", ["poses"])
        assert names_in(tmp_path / "b.npz", data[:4096]) == frozenset()


def test_an_encrypted_member_is_an_error(tmp_path):
    path = packed(tmp_path / "a.npz", poses=npy(np.eye(4)))
    data = bytearray(path.read_bytes())
    directory = data.rindex(b"PK\x01\x02")
    data[6] |= 1
    data[directory + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(PoseError, match="encrypted"):
        read_npz(path, ["poses"])


def test_only_what_is_asked_for_is_read(tmp_path):
    path = packed(tmp_path / "a.npz", poses=npy(np.eye(4)), images=npy(np.zeros((9, 80, 70), "u1")))
    data = bytearray(path.read_bytes())
    data[data.index(b"images.npy") + 40_000] ^= 0xFF
    path.write_bytes(data)
    np.testing.assert_array_equal(read_npz(path, ["poses"])["poses"], np.eye(4))
    assert shape_in(path, "images") == (9, 80, 70)
    with pytest.raises(PoseError, match="CRC"):
        read_npz(path, ["images"])


@pytest.mark.parametrize("count", [1, 5, 100])
def test_some_frames_are_spread_over_all(tmp_path, count):
    depths = np.arange(count, dtype=np.float16)[:, None, None] + np.zeros((3, 4), np.float16)
    np.save(tmp_path / "a.npy", depths)
    np.savez(tmp_path / "a.npz", depths=depths)
    np.savez_compressed(tmp_path / "b.npz", depths=depths)
    for found in (
        some_frames(tmp_path / "a.npy", count),
        some_frames(tmp_path / "a.npz", count, "depths"),
        some_frames(tmp_path / "b.npz", count, "depths"),
    ):
        assert found is not None
        assert len(found) == 12 * min(count, 8)
        assert (found.min(), found.max()) == (0, count - 1)
    assert some_frames(tmp_path / "a.npy", 7 * count) is None
    assert some_frames(tmp_path / "gone.npy", count) is None


def test_median_depth_leaves_out_what_is_none():
    assert median_depth(np.array([np.nan, -5.0, 0.0, np.inf, 2.0, 4.0])) == 3.0
    assert np.isnan(median_depth(np.array([0.0, np.nan])))
    assert np.isnan(median_depth(None))


@given(head=st.binary(max_size=300))
def test_any_bytes_are_an_array_or_none(tmp_path_factory, head):
    path = tmp_path_factory.mktemp("bytes") / "a.npz"
    path.write_bytes(b"PK\x03\x04" + head)
    assert names_in(path, b"PK\x03\x04" + head) == frozenset()
    for data in (head, b"\x93NUMPY\x01\x00" + head):
        try:
            layout(data)
        except ValueError as error:
            assert re.match(r"(is|has|holds) ", str(error))


def test_a_pipe_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "a.npy")
    for read in (read_npy, lambda path: read_npz(path, ["poses"])):
        with pytest.raises(PoseError, match=r"a\.npy: no regular file"):
            read(tmp_path / "a.npy")


@pytest.mark.parametrize("deflated", [False, True])
def test_damaged_files_are_errors(tmp_path, deflated):
    rng = random.Random(1)
    file = io.BytesIO()
    (np.savez_compressed if deflated else np.savez)(file, a=np.eye(4), b=np.zeros((5, 6, 7)))
    whole = file.getvalue()
    path = tmp_path / "a.npz"
    errors = 0
    for _ in range(400):
        data = bytearray(whole)
        for _ in range(rng.choice((1, 2, 8))):
            data[rng.randrange(len(data))] = rng.randrange(256)
        path.write_bytes(data[: rng.choice((len(data), rng.randrange(len(data))))])
        names_in(path, bytes(data[:4096]))
        try:
            assert read_npz(path, ["a"])["a"].shape
            shape_in(path, "b")
            some_frames(path, 5, "b")
        except PoseError as error:
            errors += 1
            assert str(error).startswith(f"{path}: ") and "\n" not in str(error)
    assert errors > 200
