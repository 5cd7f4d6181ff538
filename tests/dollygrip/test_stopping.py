"""Being asked to stop: by whom, when, and how soon."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from dollygrip.stopping import Stopped, stopping

SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)

# A command that does as it is told, run as the real ones are.
_COMMAND = """
import sys, time
from dollygrip.cli import main
from dollygrip.commands import schema
from dollygrip.stopping import stopping

def run(options):
    with stopping() as asked:
        try:
{body}
        finally:
            print("cleaned up")
    print("went on")
    return 0

schema.run = run
sys.exit(main(["schema"]))
"""
BUSY = """
print("ready", flush=True)
time.sleep(30)
"""
ASKING = """
with asked.deferred():
    print("ready", flush=True)
    while not asked():
        time.sleep(0.05)
    time.sleep(0.3)
print("kept")
asked.end()
"""
DEAF = """
with asked.deferred():
    print("ready", flush=True)
    while True:
        time.sleep(0.05)
"""
SAID = "stopping: what is finished is kept; again to stop at once"


@contextmanager
def command(body: str) -> Iterator[subprocess.Popen[str]]:
    """A command that is at its work."""
    indented = "\n".join(f"            {line}" for line in body.splitlines())
    with subprocess.Popen(
        [sys.executable, "-c", _COMMAND.format(body=indented)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=heed,
    ) as process:
        try:
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


def heed() -> None:
    """Tests that run in the background ignore Ctrl-C, and so would what they start."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.mark.parametrize("number", SIGNALS)
def test_what_does_not_ask_is_interrupted(number):
    with command(BUSY) as process:
        process.send_signal(number)
        out, err = process.communicate(timeout=5)
    assert process.returncode == 128 + number
    assert out == "cleaned up\n"
    [line] = err.splitlines()
    assert line.startswith("stopped; ")


@pytest.mark.parametrize("number", SIGNALS)
def test_what_asks_comes_to_its_own_end(number):
    with command(ASKING) as process:
        process.send_signal(number)
        out, err = process.communicate(timeout=5)
    assert process.returncode == 128 + number
    assert out == "kept\ncleaned up\n"
    first, last = err.splitlines()
    assert first == SAID
    assert last.startswith("stopped; ")


def test_the_second_signal_ends_it_at_once():
    with command(DEAF) as process:
        process.send_signal(signal.SIGINT)
        assert process.stderr.readline() == f"{SAID}\n"
        time.sleep(0.6)
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=5)
    assert process.returncode == 128 + signal.SIGTERM
    assert (out, err) == ("", "")


def test_a_signal_that_comes_twice_counts_once():
    # As timeout(1) sends it: to the process, and to its group.
    with command(ASKING) as process:
        process.send_signal(signal.SIGTERM)
        assert process.stderr.readline() == f"{SAID}\n"
        os.killpg(process.pid, signal.SIGTERM)
        out, _ = process.communicate(timeout=5)
    assert process.returncode == 128 + signal.SIGTERM
    assert out == "kept\ncleaned up\n"


def test_a_signal_that_is_ignored_stays_so():
    was = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        with stopping() as asked:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not asked()
            asked.end()
    finally:
        signal.signal(signal.SIGHUP, was)


def test_afterwards_all_is_as_before():
    before = [signal.getsignal(number) for number in SIGNALS]
    with pytest.raises(Stopped) as stop, stopping():
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(1)
    assert stop.value.code == 143
    assert [signal.getsignal(number) for number in SIGNALS] == before


def test_in_another_thread_signals_stay_with_the_main_one():
    before = [signal.getsignal(number) for number in SIGNALS]
    seen = []

    def work() -> None:
        with stopping() as asked, asked.deferred():
            seen.append((asked(), [signal.getsignal(number) for number in SIGNALS]))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [(False, before)]
