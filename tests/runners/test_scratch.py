"""Scratch folders are gone afterwards, whatever ends the process that made them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dollygrip.runners.scratch import scratch_folder

_HOLDS_ONE = """
import sys, tempfile
from pathlib import Path
tempfile.tempdir = sys.argv[1]
from dollygrip.runners.scratch import scratch_folder
with scratch_folder() as folder:
    (folder / "pictures").mkdir()
    (folder / "pictures" / "000000.png").write_bytes(b"picture")
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def test_a_folder_is_there_and_then_gone(temporary):
    with scratch_folder() as first, scratch_folder() as second:
        assert first != second
        assert first.is_dir() and first.is_absolute()
        assert list(first.iterdir()) == []
        (first / "file").write_text("x")
    assert list(temporary.iterdir()) == []


def test_an_error_inside_comes_out_and_leaves_nothing(temporary):
    with pytest.raises(OSError, match="disk full"), scratch_folder():
        raise OSError("disk full")
    assert list(temporary.iterdir()) == []


def test_what_a_killed_process_left_is_removed_and_what_is_in_use_stays(temporary):
    command = [sys.executable, "-c", _HOLDS_ONE, str(temporary)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as killed, subprocess.Popen(command, **pipes) as alive:
        left, used = (Path(process.stdout.readline().strip()) for process in (killed, alive))
        killed.kill()
        killed.wait()
        stranger = temporary / "dollygrip-of-somebody"
        stranger.mkdir()
        # A folder is made, and a moment later it is locked: young ones are let be.
        with scratch_folder():
            assert left.is_dir()
        for folder in (left, used, stranger):
            os.utime(folder, (0, 0))
        with scratch_folder():
            assert not left.exists()
            assert (used / "pictures" / "000000.png").exists()
            assert stranger.is_dir()
        alive.stdin.close()
        alive.wait()
    assert list(temporary.iterdir()) == [stranger]
