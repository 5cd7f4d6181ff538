"""The display of a run at work, and its log for programs."""

import errno
import json
import logging
import re
import sys
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import jsonschema
import pytest

from dollygrip import console
from dollygrip.classifiers.records import ClipLabels, ShotLabels
from dollygrip.classifiers.reliability import Failure, Reason
from dollygrip.cli import main
from dollygrip.progress import progress
from dollygrip.runners.recipe import Task

BAD_NAME = "a[red]b\x1b[31m\n\u202e\udcff.mp4"
TASKS = (Task("clips/" + "deep/" * 50 + "end.mp4", "deep"), Task(BAD_NAME, "bad"))

_DISPLAY = """
import sys, time
from types import SimpleNamespace
from dollygrip.console import say
from dollygrip.progress import progress
from dollygrip.runners.recipe import Task
tasks = [Task(*pair) for pair in {tasks}]
tasks += [Task(f"{{i}}.mp4", f"{{i}}") for i in range(60)]
record = SimpleNamespace(failure="yes")
with progress(total=1234, kept=1000, running=lambda: tuple(tasks)) as seen:
    for i in range(3):
        seen(record)
        time.sleep({pause})
    say("a word in between")
    print("a record", flush=True)
"""


@pytest.fixture
def display(on_a_terminal) -> Callable[..., str]:
    """What a run shows on a terminal of 80 columns, where its output may go elsewhere."""

    def shown(stdout: int | None = None, pause: float = 0.15, **environment: str) -> str:
        code = _DISPLAY.format(tasks=[(t.path, t.clip_id) for t in TASKS], pause=pause)
        return on_a_terminal(["-c", code], stdout=stdout, **environment)[0]

    return shown


def test_json_on_a_terminal_is_not_wrapped(on_a_terminal, tmp_path):
    label = ["-m", "dollygrip", "label", "no such clip.mp4", "-o", "run", "--json", "--jobs", "1"]
    first = on_a_terminal(label, cwd=tmp_path)[0].splitlines()[0]
    assert json.loads(first)["failure"]["reason"] == "missing"


def test_the_display_tells_how_far_and_at_what(display):
    drawn = display(pause=0.4)
    assert re.search(r"1,003/1,234, 3 failed, \d+ a minute, \d+ .*left", drawn)
    assert re.search(r"…[deep/]+/end\.mp4", drawn)
    assert "a[red]b\\x1b[31m\\n\\u202e\\udcff.mp4" in drawn  # as text
    assert "\x1b[31m\n" not in drawn
    assert "and 57 more" in drawn
    assert drawn.count("a word in between") == 1
    # No line is wider than the terminal, where it would leave its mark.
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", drawn)
    assert max(map(len, re.split(r"[\r\n]+", plain))) <= 80
    # A run that is killed must not leave a terminal without a cursor.
    assert drawn.index("\x1b[?25h") < drawn.index("1,001/1,234")


def test_what_goes_into_a_file_stays_there(display, tmp_path):
    with (tmp_path / "out").open("wb") as file:
        drawn = display(file.fileno())
    assert (tmp_path / "out").read_text() == "a record\n"
    assert "a record" not in drawn


@pytest.mark.parametrize("name", ["", "dumb"])
def test_a_terminal_that_cannot_redraw_is_spared(display, name):
    assert display(TERM=name).splitlines() == ["a word in between", "a record"]


def test_a_pipe_gets_no_display(capsys):
    with progress(total=2, kept=0, running=lambda: TASKS) as seen:
        seen(record())
    assert capsys.readouterr().err == ""


def record(path: str = "clip.mp4", failure: Failure | None = None) -> ClipLabels:
    labels = () if failure else ("pan_left", "shaky")
    whole = ShotLabels(0.0, 1.0, labels=labels, failure=failure)
    return ClipLabels("clip", path, whole, provenance={"seconds": 1.25})


# The events


class Log:
    """What stderr got so far."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self._text = ""

    def lines(self) -> list[str]:
        self._text += self._capsys.readouterr().err
        return self._text.splitlines()

    def events(self) -> list[dict]:
        assert self._text.isascii()
        found = [json.loads(line) for line in self.lines()]
        for event in found:
            jsonschema.validate(event, _SCHEMA)
        return found


@pytest.fixture
def log(capsys) -> Iterator[Log]:
    """Logging as JSON."""
    console.log_as("json")
    yield Log(capsys)
    console.log_as("text")


_COUNT = {"type": "integer", "minimum": 0}
_NUMBER = {"type": ["number", "null"], "minimum": 0}
_FACTS = {
    "clip": {
        "path": {"type": "string"},
        "clip_id": {"type": "string"},
        "labels": {"type": "array", "items": {"type": "string"}},
        "failure": {
            "type": ["object", "null"],
            "required": ["reason", "message"],
            "additionalProperties": {"type": "string"},
        },
        "seconds": _NUMBER,
        "done": _COUNT,
        "total": _COUNT,
    },
    "progress": {
        "done": _COUNT,
        "failed": _COUNT,
        "total": _COUNT,
        "clips_per_hour": _NUMBER,
        "seconds_left": _NUMBER,
        "running": {
            "type": "array",
            "items": {"required": ["path", "seconds"], "properties": {"seconds": _NUMBER}},
        },
    },
    "note": {"message": {"type": "string"}},
    "error": {"message": {"type": "string"}},
}
_SCHEMA = {
    "oneOf": [
        {
            "required": ["time", "event", *facts],
            "additionalProperties": False,
            "properties": {
                "time": {"pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$"},
                "event": {"const": name},
                **facts,
            },
        }
        for name, facts in _FACTS.items()
    ]
}


def test_a_finished_clip_is_an_event(log):
    crash = Failure(Reason.TIMED_OUT, "too long\x1b[5m")
    with progress(total=1000, kept=7, running=tuple) as seen:
        seen(record())
        seen(record(BAD_NAME, crash))
    good, bad = log.events()
    assert (good["event"], good["path"], good["clip_id"]) == ("clip", "clip.mp4", "clip")
    assert (good["labels"], good["failure"]) == (["pan_left", "shaky"], None)
    assert (good["seconds"], good["done"], good["total"]) == (1.25, 8, 1000)
    assert (bad["path"], bad["done"]) == (BAD_NAME, 9)
    assert bad["failure"] == {"reason": "timed_out", "message": "too long\x1b[5m"}


def watched(monkeypatch, log: Log, steps: list[tuple[float, int]], kept: int = 1000) -> dict:
    """The progress that is told at last, when so many clips are finished after so many seconds."""
    clock = [0.0]
    monkeypatch.setattr("dollygrip.progress._LOG_SECONDS", 0.01)
    monkeypatch.setattr("dollygrip.progress.time", SimpleNamespace(monotonic=lambda: clock[0]))

    def told() -> int:
        return sum('"event":"progress"' in line for line in log.lines())

    with progress(total=1100, kept=kept, running=lambda: TASKS[:1]) as seen:
        for now, clips in steps:
            for _ in range(clips):
                seen(record())
            clock[0] = now
            count, limit = told(), time.monotonic() + 5
            while told() < count + 2:  # the first may have been begun before
                assert time.monotonic() < limit
                time.sleep(0.01)
    return [event for event in log.events() if event["event"] == "progress"][-1]


def test_the_rate_is_that_of_new_clips(monkeypatch, log):
    last = watched(monkeypatch, log, [(36.0, 10)])
    assert (last["done"], last["failed"], last["total"]) == (1010, 0, 1100)
    assert last["clips_per_hour"] == 1000
    assert last["seconds_left"] == 324
    assert last["running"] == [{"path": TASKS[0].path, "seconds": 36.0}]


def test_nothing_is_foretold_before_a_clip_is_finished(monkeypatch, log):
    last = watched(monkeypatch, log, [(36.0, 0)])
    assert (last["clips_per_hour"], last["seconds_left"]) == (None, None)


def test_the_rate_forgets_what_is_long_ago(monkeypatch, log):
    # 30 clips at once, then one a minute.
    last = watched(monkeypatch, log, [(1.0, 30), *((1.0 + 60 * i, 1) for i in range(1, 15))])
    assert last["clips_per_hour"] == pytest.approx(60, rel=0.12)


def test_the_rate_of_slow_clips_is_that_of_several(monkeypatch, log):
    last = watched(monkeypatch, log, [(300.0, 1), (1000.0, 1), (1200.0, 1), (2400.0, 1)])
    assert last["clips_per_hour"] == 6


def test_notes_and_errors_are_events_too(log, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    console.say("two\nlines")
    console.complain(f"{BAD_NAME}: broken")
    note, error = log.events()
    assert (note["event"], note["message"]) == ("note", "two\nlines")
    assert (error["event"], error["message"]) == ("error", f"{BAD_NAME}: broken")


def test_an_error_of_a_command_is_in_the_chosen_form(log, monkeypatch):
    from dollygrip.commands import schema

    def add(commands) -> None:
        parser = console.command(commands, "schema", fails, "fail")
        console.add_log_format(parser)

    def fails(options) -> int:
        raise FileNotFoundError(2, "No such file", "none.txt")

    monkeypatch.setattr(schema, "add", add)
    assert main(["schema", "--log-format", "json"]) == 1
    [error] = log.events()
    assert (error["event"], error["message"]) == ("error", "none.txt: No such file")
    assert main(["schema"]) == 1
    assert log.lines()[-1] == "error: none.txt: No such file"


def test_words_that_nobody_hears_do_not_end_a_run(monkeypatch):
    tried = []

    def write(text: str) -> None:
        tried.append(text)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(sys, "stderr", SimpleNamespace(write=write))
    console.say("on a full disk")
    assert tried == ["on a full disk\n"]


@pytest.mark.parametrize("form", ["json", "text"])
def test_what_the_package_logs_is_one_line_among_the_others(capsys, form):
    console.log_as(form)
    try:
        logging.getLogger("dollygrip.runners.cluster").warning("waiting for %s\x1b", "Ray")
    finally:
        console.log_as("text")
    said = capsys.readouterr().err
    if form == "json":
        event = json.loads(said)
        assert (event["event"], event["message"]) == ("note", "waiting for Ray\x1b")
    else:
        assert said == "waiting for Ray\\x1b\n"
