"""Whether a clip is still the same: quickly, and whatever lies where a clip should be."""

import hashlib
import os
import subprocess
import time
from pathlib import Path

import pytest

from dollygrip.runners import content
from dollygrip.runners.content import content_of, stamp_of, unchanged


def blake(data: bytes, size: int = 16) -> str:
    return hashlib.blake2b(data, digest_size=size).hexdigest()


def test_hashes_stay_what_they_were(tmp_path: Path) -> None:
    """Others would have every clip of every run done again."""
    file, folder = tmp_path / "clip.mp4", tmp_path / "take"
    file.write_bytes(bytes(range(256)) * 9000)
    found = content_of(file)
    assert found is not None
    assert (found.size, found.hash) == (256 * 9000, blake(bytes(range(256)) * 9000))
    (folder / "inner").mkdir(parents=True)
    for name, data in (("b.png", b"22"), ("a.png", b"1"), ("inner/c.png", b"333")):
        (folder / name).write_bytes(data)
        os.utime(folder / name, ns=(0, 5))
    pictures = content_of(folder)
    assert pictures is not None
    assert (pictures.size, pictures.hash) == (3, blake(b"a.png\x001\0b.png\x002\0"))
    listed = b"a.png\x001\x005\nb.png\x002\x005\ninner/c.png\x003\x005\n"
    assert stamp_of(folder) == blake(listed, 8)
    assert stamp_of(folder / "a.png") == blake(b".\x001\x005\n", 8)


@pytest.mark.parametrize("name", ["a\0b.mp4", "\ud800.mp4", "x" * 5000, "x\0#camera", "x#a"])
def test_names_that_no_file_can_have(tmp_path: Path, name: str) -> None:
    assert content_of(tmp_path / name) is None
    assert content_of(str(tmp_path / name)) is None
    assert unchanged(tmp_path / name, None)
    assert stamp_of(tmp_path / name) == blake(b"", 8)


def test_a_camera_of_a_file_is_as_old_as_the_file(tmp_path: Path) -> None:
    file = tmp_path / "poses.json"
    file.write_text("{}")
    assert content_of(tmp_path / "poses.json#left") == content_of(file)


def test_links_in_a_folder_of_pictures(tmp_path: Path) -> None:
    folder = tmp_path / "take"
    folder.mkdir()
    (folder / "a.png").write_bytes(b"1")
    before = content_of(folder)
    (folder / "self.png").symlink_to("self.png")
    (folder / "nowhere.png").symlink_to("nothing")
    (folder / "zero.png").symlink_to("/dev/zero")
    (folder / "loop").symlink_to(".")
    os.mkfifo(folder / "pipe.png")
    assert content_of(folder) == before is not None
    (folder / "b.png").symlink_to("a.png")
    assert content_of(folder) != before


@pytest.mark.parametrize("target", ["/dev/zero", "/dev/null", "clip.mp4", "nothing"])
def test_what_is_no_file_has_no_content(tmp_path: Path, target: str) -> None:
    (tmp_path / "clip.mp4").symlink_to(target)
    assert content_of(tmp_path / "clip.mp4") is None


def sparse(path: Path, size: int, **said: bytes) -> Path:
    with path.open("wb") as file:
        file.truncate(size)
        for place, data in said.items():
            file.seek({"head": 0, "tail": size - len(data)}[place])
            file.write(data)
    os.utime(path, ns=(0, 0))
    return path


def test_a_file_of_a_terabyte_is_told_from_another_in_no_time(tmp_path: Path) -> None:
    size = 2**40
    started = time.process_time()
    files = [
        sparse(tmp_path / "zeros.mp4", size),
        sparse(tmp_path / "head.mp4", size, head=b"1"),
        sparse(tmp_path / "tail.mp4", size, tail=b"1"),
        sparse(tmp_path / "longer.mp4", size + 1),
    ]
    found = [content_of(file) for file in files]
    assert time.process_time() - started < 10
    assert len({one.hash for one in found if one}) == len(files)
    again = content_of(sparse(tmp_path / "again.mp4", size))
    assert again == found[0]
    # What changed between the parts that are read, only its time tells.
    os.utime(files[0], ns=(1, 1))
    assert not unchanged(files[0], found[0])


def test_all_of_a_file_counts_up_to_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "clip.mp4"
    monkeypatch.setattr(content, "_MOST_BYTES", 70 * content._PART)
    for size, whole in ((70 * content._PART, True), (70 * content._PART + 1, False)):
        sparse(file, size)
        before = content_of(file)
        with file.open("r+b") as changed:
            changed.seek(int(1.01 * content._PART))  # where no part is read
            changed.write(b"1")
        os.utime(file, ns=(0, 0))
        after = content_of(file)
        assert (before != after) == whole


def test_a_file_that_grows_while_it_is_read_has_an_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one that its reader writes to, such as a log on a disk of its own."""
    file = tmp_path / "clip.mp4"
    file.write_bytes(b"1234")
    status = file.stat()
    file.write_bytes(b"12345678")
    monkeypatch.setattr(content, "_found", lambda path: (path, status))
    found = content_of(file)
    assert found is not None
    assert (found.size, found.hash) == (4, blake(b"1234"))


def test_a_clip_that_stayed_the_same_takes_microseconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "clip.mp4"
    file.write_bytes(b"x" * 100)
    known = content_of(file)
    monkeypatch.setattr(content, "_hash", None)  # a clip of a size and time is not read again
    seconds = []
    for _ in range(5):
        started = time.process_time()
        for _ in range(1000):
            assert unchanged(file, known)
        seconds.append(time.process_time() - started)
    assert min(seconds) / 1000 < 50e-6  # 4 on an idle machine


def test_a_stamp_of_a_folder_that_means_no_good(tmp_path: Path) -> None:
    folder = tmp_path / "poses"
    (folder / "inner").mkdir(parents=True)
    (folder / "inner" / "a.txt").write_text("1")
    before = stamp_of(folder)
    (folder / "up").symlink_to("..")
    (folder / "self").symlink_to("self")
    (folder / "zero").symlink_to("/dev/zero")
    (folder / "all").symlink_to("/")
    os.mkfifo(folder / "pipe")
    (folder / "empty").mkdir()
    assert stamp_of(folder) == before
    (folder / "linked.txt").symlink_to(folder / "inner" / "a.txt")
    assert stamp_of(folder) != before


def test_a_stamp_of_folders_nested_more_deeply_than_pythons_stack(tmp_path: Path) -> None:
    here = os.open(".", os.O_RDONLY)
    try:
        os.chdir(tmp_path)
        for level in range(2500):
            if level == 1500:
                Path("x.txt").touch()
                found = stamp_of(tmp_path)
            Path("d").mkdir()
            os.chdir("d")
        assert stamp_of(tmp_path) == found != blake(b"", 8)
    finally:
        os.fchdir(here)
        os.close(here)
        subprocess.run(["rm", "-rf", str(tmp_path / "d")], check=True)


def test_a_folder_of_many_pictures(tmp_path: Path) -> None:
    for number in range(20_000):
        (tmp_path / f"{number}.png").touch()
    started = time.process_time()
    found = content_of(tmp_path)
    assert found is not None
    assert time.process_time() - started < 2.0  # linear: a million in a few seconds
    assert unchanged(tmp_path, found)
