"""A child process ends, fails, hangs or eats memory; nothing of it is left."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from dollygrip.classifiers.reliability import Reason
from dollygrip.runners.children import Ended, Limits, run
from dollygrip.runners.memory import forget_peak, peak_mb

AMPLE = Limits(seconds=30, memory_mb=2000)
# Starts a process that leaves the session and outlives its parent, and says its number.
DAEMON = """
import subprocess, sys
child = subprocess.Popen(
    [sys.executable, "-c", "import time; time.sleep(600)"],
    start_new_session=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
)
print(child.pid, flush=True)
"""

Python = Callable[..., Ended]


@pytest.fixture
def python(tmp_path: Path) -> Python:
    """Runs a few lines of Python as a child."""

    def start(code: str, limits: Limits = AMPLE, **how) -> Ended:
        return run([sys.executable, "-c", code], folder=tmp_path, limits=limits, **how)

    return start


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """No test leaves a process behind."""
    before = set(psutil.pids())
    yield
    own = psutil.Process().children(recursive=True)
    assert not [child for child in own if child.pid not in before]


def gone(pid: int, patience: float = 5.0) -> bool:
    """Whether a process ends soon."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.02)
    return False


def test_a_command_that_ends_well_is_no_failure(python, tmp_path):
    ended = python("import os; print('one'); print(os.getcwd())")
    assert (ended.how, ended.code) == ("ended", 0)
    assert ended.log == f"one\n{tmp_path}\n"
    assert 0 < ended.seconds < 30
    assert ended.failure("It") is None


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells of a process")
def test_the_memory_of_a_program_counts_with_that_of_the_process(python):
    forget_peak()
    before = peak_mb()
    python("held = b'x' * (200 << 20)")
    after = peak_mb()
    assert before is not None and after is not None
    assert 200 < after - before < 400
    forget_peak()
    assert (peak_mb() or 0.0) < before + 100


def test_variables_are_added_to_those_there_are(python, monkeypatch):
    monkeypatch.setenv("OLD", "1")
    ended = python(
        "import os; print(os.environ['OLD'], os.environ['NEW'])", environment={"NEW": "2"}
    )
    assert ended.log == "1 2\n"


def test_a_command_that_fails_is_quoted(python):
    ended = python("print('loading'); raise SystemExit('no weights found\\n')")
    failure = ended.failure("megasam")
    assert ended.code == 1
    assert failure is not None and failure.reason is Reason.ESTIMATOR_CRASHED
    assert failure.message.startswith("megasam failed with code 1;")
    assert failure.message.endswith("no weights found")


def test_an_abort_names_the_signal_and_what_was_said_before_the_stack(python):
    ended = python(
        "import os; print('what(): bad camera\\n    @ 0x7f abort\\n', flush=True); os.abort()"
    )
    failure = ended.failure("colmap")
    assert ended.code == -signal.SIGABRT
    assert failure is not None and failure.reason is Reason.ESTIMATOR_CRASHED
    assert "SIGABRT" in failure.message
    assert failure.message.endswith("what(): bad camera")


def test_a_hang_is_cut_off(python):
    ended = python("import time; print('started', flush=True); time.sleep(600)", Limits(0.7, 2000))
    failure = ended.failure("It")
    assert ended.how == "timed_out"
    assert 0.7 < ended.seconds < 10
    assert failure is not None and failure.reason is Reason.TIMED_OUT
    assert failure.message.endswith("started")


def test_a_child_that_heeds_no_signal_is_killed_all_the_same(python):
    ended = python(
        "import signal, time\n"
        "for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):\n"
        "    signal.signal(number, signal.SIG_IGN)\n"
        "time.sleep(600)",
        Limits(0.7, 2000),
    )
    assert (ended.how, ended.code) == ("timed_out", -signal.SIGKILL)


def test_memory_is_limited(python):
    ended = python(
        "import time\nheld = []\n"
        "while True:\n    held.append(bytearray(b'x' * (10 << 20))); time.sleep(0.01)",
        Limits(30, 150),
    )
    failure = ended.failure("It")
    assert ended.how == "out_of_memory"
    assert failure is not None and failure.reason is Reason.OUT_OF_MEMORY
    assert "memory_mb" in failure.message


def test_memory_of_grandchildren_counts(python):
    ended = python(
        "import subprocess, sys\n"
        "subprocess.run([sys.executable, '-c', "
        "\"held = b'x' * (200 << 20); import time; time.sleep(600)\"])",
        Limits(30, 150),
    )
    assert ended.how == "out_of_memory"


def test_death_from_outside_is_taken_for_lack_of_memory(python):
    failure = python("import os, signal; os.kill(os.getpid(), signal.SIGKILL)").failure("It")
    assert failure is not None and failure.reason is Reason.OUT_OF_MEMORY
    assert "killed from outside" in failure.message


def test_a_grandchild_that_outlives_its_parent_is_killed(python):
    ended = python(DAEMON)
    assert ended.how == "ended" and ended.code == 0
    assert gone(int(ended.log))


def test_what_hangs_takes_its_descendants_along(python):
    ended = python(DAEMON + "import time; time.sleep(600)", Limits(1.0, 2000))
    assert ended.how == "timed_out"
    assert gone(int(ended.log))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_nothing_survives_the_process_that_asked(tmp_path, number):
    note = tmp_path / "pids"
    child = (
        DAEMON + "import os, time\nprint('a' * 100_000, flush=True)\n"
        f"open({str(note)!r}, 'w').write(f'{{os.getpid()}} {{child.pid}} \\n'); time.sleep(600)"
    )
    asks = (
        "import signal, sys\nfrom pathlib import Path\n"
        "from dollygrip.runners.children import Limits, run\n"
        # Where tests run in the background, Ctrl-C is ignored, and so it would be here.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"run([sys.executable, '-c', {child!r}], folder=Path({str(tmp_path)!r}),"
        " limits=Limits(60, 2000))"
    )
    worker = subprocess.Popen([sys.executable, "-c", asks], stderr=subprocess.DEVNULL)
    while not (note.exists() and note.read_text().endswith("\n")):
        assert worker.poll() is None
        time.sleep(0.02)
    (supervisor,) = psutil.Process(worker.pid).children()
    os.kill(worker.pid, number)
    assert worker.wait(timeout=10) != 0
    assert all(gone(int(pid)) for pid in [supervisor.pid, *note.read_text().split()])


@pytest.mark.skipif(sys.platform != "linux", reason="prctl")
def test_the_command_does_not_survive_its_supervisor(python):
    ended = python(
        "import os, signal, time\n"
        "print(os.getpid(), flush=True)\n"
        "os.kill(os.getppid(), signal.SIGKILL); time.sleep(600)"
    )
    assert ended.failure("It") is not None


@pytest.mark.parametrize(
    "command", [["no-such-program-anywhere"], ["/"], ["a\0b"], ["/bin/ls/x", "y"]]
)
def test_what_cannot_be_started_is_missing(command, tmp_path):
    ended = run(command, folder=tmp_path, limits=AMPLE)
    failure = ended.failure("vipe")
    assert ended.how == "not_started"
    assert failure is not None and failure.reason is Reason.ESTIMATOR_MISSING
    assert failure.message.startswith("vipe cannot be started (")


def test_a_missing_folder_is_named(tmp_path):
    ended = run([sys.executable, "-c", ""], folder=tmp_path / "none", limits=AMPLE)
    failure = ended.failure("It")
    assert failure is not None and str(tmp_path / "none") in failure.message


def test_endless_output_fills_nothing(python, tmp_path):
    ended = python(
        "import os\nblock = b'0123456789abcde\\n' * 65536\n"
        "for _ in range(400):\n    os.write(1, block)\n"
        "print('the end')",
        Limits(120, 300),
    )
    assert ended.how == "ended" and ended.code == 0
    assert len(ended.log) <= 65536
    assert ended.log.endswith("the end\n")
    assert list(tmp_path.iterdir()) == []


def test_the_log_can_be_shown_anywhere(python):
    ended = python(
        "import os; os.write(2, b'\\x1b[31mred\\x1b[0m 10%\\r20%\\r\\n\\xff\\x00\\x07\\tend')"
    )
    assert ended.log == "red 10%\n20%\n\ufffd??\tend"


def test_no_shell_reads_the_words(python, tmp_path):
    words = ["$(touch made)", "`touch made`", "; touch made", "*", "a b", "'", "\n", "-c", ""]
    code = "import sys; print(sys.argv[1:])"
    ended = run([sys.executable, "-c", code, *words], folder=tmp_path, limits=AMPLE)
    assert ended.log == f"{words}\n"
    assert list(tmp_path.iterdir()) == []


def test_names_that_are_not_utf8_arrive(tmp_path):
    code = "import os, sys; print(os.fsencode(sys.argv[1]))"
    word = os.fsdecode(b"\xff.mp4")
    ended = run([sys.executable, "-c", code, word], folder=tmp_path, limits=AMPLE)
    assert ended.log == "b'\\xff.mp4'\n"


def test_modules_in_the_folder_are_not_imported_by_the_supervisor(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("psutil", "json", "dollygrip"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('taken in')")
    ended = run([sys.executable, "-P", "-c", "print(1)"], folder=tmp_path, limits=AMPLE)
    assert ended.log == "1\n"


@pytest.mark.parametrize("seconds, memory_mb", [(0, 1), (1, 0), (-1, 1), (float("nan"), 1)])
def test_limits_must_allow_something(seconds, memory_mb):
    with pytest.raises(ValueError, match="limits"):
        Limits(seconds, memory_mb)
