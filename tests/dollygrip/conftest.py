"""A batch of tiny clips, labelled by the command as people run it, and what it leaves behind."""

import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

# The number of a clip is told by the grey of the upper and of the lower half of its pictures.
_STEP, _LEVELS = 20, 12

# Keeps a journal of what it begins, and waits while a file ``hold`` says so.
_TALLIED = """
import os, time
from dataclasses import dataclass
from pathlib import Path
import numpy as np
from dollygrip.geometry.rotations import rotation_from_pan_tilt_roll
from dollygrip.geometry.trajectory import Hypothesis, Trajectory
from dollygrip.runners.estimators.base import Estimate
from dollygrip.runners.video import FrameRequest

STEP, LEVELS = {step}, {levels}
FOLDER = Path({folder!r})

@dataclass(frozen=True)
class TalliedSettings:
    seconds: float = 0.005

class TalliedEstimator:
    name = "tallied"
    frame_request = FrameRequest(long_side=64)

    def __init__(self, settings: TalliedSettings = TalliedSettings()):
        self.settings = settings

    def estimate(self, frames):
        frames = list(frames)
        image = frames[0].image
        upper, lower = np.median(image[:20]), np.median(image[-20:])
        number = round(upper / STEP) + LEVELS * round(lower / STEP)
        with open(FOLDER / "journal", "a") as journal:
            journal.write(f"{{number}}\\n")
        time.sleep(self.settings.seconds)
        while (FOLDER / "hold").exists() and number >= int((FOLDER / "hold").read_text()):
            time.sleep(0.01)
        times = np.array([frame.time for frame in frames])
        angles = np.zeros((len(times), 3))
        angles[:, 0] = 30.0 * (times - times[0]) / (times[-1] - times[0])
        poses = np.tile(np.eye(4), (len(times), 1, 1))
        poses[:, :3, :3] = rotation_from_pan_tilt_roll(angles)
        path = Trajectory.from_poses(times, poses, size=(64, 48), scene_depth=1.0)
        return Estimate((Hypothesis("rotation", 1.0, path),))
"""


def _heed() -> None:
    """Tests that run in the background ignore Ctrl-C, and so would what they start."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


class Batch:
    """Clips, a run of them, and the processes that make it."""

    def __init__(self, folder: Path, write_clip: Callable[..., Path]) -> None:
        self.folder = folder
        self.clips = folder / "clips"
        self.run = folder / "run"
        self.scratch = folder / "tmp"
        self.results = self.run / "results.jsonl"
        self._write_clip = write_clip
        self._mark = f"DOLLYGRIP_TEST_MARK={folder}".encode()
        site = folder / "site"
        about = site / "tallied-1.0.dist-info"
        for made in (self.clips, self.scratch, about):
            made.mkdir(parents=True)
        code = _TALLIED.format(step=_STEP, levels=_LEVELS, folder=os.fspath(folder))
        (site / "tallied_estimator.py").write_text(code)
        (about / "METADATA").write_text("Metadata-Version: 2.1\nName: tallied\nVersion: 1.0\n")
        (about / "entry_points.txt").write_text(
            "[dollygrip.estimators]\ntallied = tallied_estimator:TalliedEstimator\n"
        )
        self.environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH")])),
            "TMPDIR": os.fspath(self.scratch),
            "DOLLYGRIP_TEST_MARK": os.fspath(folder),
        }

    def add(self, numbers: range) -> None:
        """Write clips."""
        for number in numbers:
            image = np.empty((48, 64), np.uint8)
            image[:24] = _STEP * (number % _LEVELS)
            image[24:] = _STEP * (number // _LEVELS)
            self._write_clip(self.clips / f"{number}.mp4", [image] * 3)

    def command(self, *options: str) -> list[str]:
        """``label`` over the clips."""
        fast = ["--estimator", "tallied", "--classifier", "threshold", "--jobs", "2"]
        return ["label", os.fspath(self.clips), "-o", os.fspath(self.run), *fast, *options]

    def popen(self, *arguments: str, **given: Any) -> "subprocess.Popen[str]":
        """Start ``dollygrip`` as the leader of a process group."""
        usual = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "preexec_fn": _heed}
        return subprocess.Popen(
            [sys.executable, "-m", "dollygrip", *arguments],
            env=self.environment,
            text=True,
            start_new_session=True,
            **{**usual, **given},
        )

    def start(self, *options: str, **given: Any) -> "subprocess.Popen[str]":
        """Start to label the clips."""
        return self.popen(*self.command(*options), **given)

    def ended(self, process: "subprocess.Popen[str]") -> tuple[int, list[str]]:
        """Wait for the end of a command: its exit code and what it said."""
        _, said = process.communicate(timeout=60)
        assert "Traceback" not in said, said
        return process.returncode, said.splitlines()

    def dollygrip(self, *arguments: str) -> tuple[int, list[str]]:
        """Run a command to its end: its exit code and what it said."""
        return self.ended(self.popen(*arguments))

    def label(self, *options: str) -> tuple[int, list[str]]:
        """Label the clips: the exit code and what was said."""
        return self.dollygrip(*self.command(*options))

    def hold(self, first: int = 0) -> None:
        """Make the estimator wait in each clip from a number on."""
        (self.folder / "hold").write_text(str(first))

    def release(self) -> None:
        """Let the estimator go on."""
        (self.folder / "hold").unlink(missing_ok=True)

    def begun(self) -> list[int]:
        """The numbers of the clips that the estimator began, in that order."""
        path = self.folder / "journal"
        lines = path.read_text().splitlines() if path.exists() else []
        return [int(line) for line in lines]

    def lines(self) -> bytes:
        """The whole lines of ``results.jsonl``."""
        data = self.results.read_bytes() if self.results.exists() else b""
        return data[: data.rfind(b"\n") + 1]

    def records(self) -> list[dict[str, Any]]:
        """What these lines hold."""
        return [json.loads(line) for line in self.lines().splitlines()]

    def recorded(self) -> list[int]:
        """The numbers of the clips that have a record, as often as they have one."""
        return [int(Path(record["path"]).stem) for record in self.records()]

    def processes(self) -> dict[int, str]:
        """The living processes of this batch, and their command lines."""
        found = {}
        for entry in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if self._mark in (entry / "environ").read_bytes().split(b"\0"):
                    found[int(entry.name)] = (entry / "cmdline").read_text()
        return found

    def workers(self) -> list[int]:
        """Those of them that label clips."""
        return [pid for pid, line in self.processes().items() if "spawn_main" in line]

    def wait_until(self, true: Callable[[], object], seconds: float = 30.0) -> bool:
        """Wait for something; whether it came about."""
        end = time.monotonic() + seconds
        while not true():
            if time.monotonic() > end:
                return False
            time.sleep(0.001)
        return True

    def check_nothing_runs(self) -> None:
        """Processes are gone within two seconds of the one that started them."""
        assert self.wait_until(lambda: not self.processes(), 2.0), self.processes()


@pytest.fixture
def batch(tmp_path: Path, write_clip: Callable[..., Path]) -> Iterator[Batch]:
    """A batch without clips yet; nothing of it is left running."""
    made = Batch(tmp_path / "batch", write_clip)
    try:
        yield made
    finally:
        for pid in made.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@pytest.fixture
def on_a_terminal() -> Callable[..., tuple[str, int]]:
    """Runs Python with arguments on a terminal; what it prints there, and its exit code."""

    def run(
        arguments: list[str],
        columns: int = 80,
        stdout: int | None = None,
        cwd: Path | None = None,
        **environment: str,
    ) -> tuple[str, int]:
        parent, child = pty.openpty()
        fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        plain = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES", "NO_COLOR")}
        with subprocess.Popen(
            [sys.executable, *arguments],
            stdout=child if stdout is None else stdout,
            stderr=child,
            cwd=cwd,
            env={**plain, "TERM": "xterm", **environment},
        ) as process:
            os.close(child)
            printed = b""
            try:
                while chunk := os.read(parent, 65536):
                    printed += chunk
            except OSError:  # how Linux says that the other end is closed
                pass
        os.close(parent)
        return printed.decode(), process.returncode

    return run
