"""What ``dollygrip label`` shows, logs and says, from its start to its end."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


@pytest.fixture
def label(moody, grey_clip, tmp_path: Path) -> list[str]:
    """Labels a clip, one that hangs, and one that makes its worker crash."""
    folder = tmp_path / "clips"
    folder.mkdir()
    for name, grey in (("good", 170), ("hangs", 70), ("raises", 120)):
        grey_clip(folder / f"{name}.mp4", grey)
    run = tmp_path / "run"
    options = ["--estimator", "moody", "--jobs", "2", "--timeout", "2"]
    return [sys.executable, "-m", "dollygrip", "label", str(folder), "-o", str(run), *options]


def surroundings(**more: str) -> dict[str, str]:
    plain = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES", "NO_COLOR")}
    return {**plain, "PYTHONPATH": sys.path[0], **more}


def test_on_a_terminal_a_display_then_a_table_then_a_summary(on_a_terminal, label):
    printed, code = on_a_terminal(label[1:], columns=200, PYTHONPATH=sys.path[0])
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", printed)
    assert code == 2
    assert re.search(r"[12]/3, ", text)
    assert re.search(r"[12] s  \S*clips/hangs\.mp4", text)
    after = text[text.index("trust") :]
    *_, counts, labels, first, second, following = after.rstrip().splitlines()
    assert counts.startswith("1 labelled, 2 failed; results are in ")
    assert labels.startswith("labels: pan_right 1")
    told = sorted((first, second))
    assert re.match(r"failed: 1 estimator_crashed, such as \S+/clips/raises\.mp4: ", told[0])
    assert re.match(r"failed: 1 timed_out, such as \S+/clips/hangs\.mp4: ", told[1])
    assert following.endswith(" --jobs 2 --retry-failed --timeout 4")


def test_the_log_tells_all_of_it(label, tmp_path):
    (tmp_path / "clips/hangs.mp4").write_text("no video")
    run = subprocess.run(
        [*label, "--log-format", "json"], capture_output=True, text=True, env=surroundings()
    )
    events = [json.loads(line) for line in run.stderr.splitlines()]
    assert [event["event"] for event in events] == ["started", *["clip"] * 3, "finished"]
    started, *clips, finished = events
    facts = {key: started[key] for key in ("clips", "kept", "todo", "jobs", "estimator")}
    assert facts == {"clips": 3, "kept": 0, "todo": 3, "jobs": 2, "estimator": "moody"}
    assert [clip["done"] for clip in clips] == [1, 2, 3]
    failures = {Path(clip["path"]).name: clip["failure"] for clip in clips}
    assert failures["good.mp4"] is None
    assert failures["hangs.mp4"]["reason"] == "no_video"
    assert finished["failures"] == {"estimator_crashed": 1, "no_video": 1}
    assert (finished["labelled"], finished["failed"], finished["kept"]) == (1, 2, 0)
    assert len(run.stdout.splitlines()) == 3  # the records, as ever


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_says_how_to_go_on(label, number, tmp_path):
    with subprocess.Popen(
        [*label, "--timeout", "60"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=surroundings(),
        # Tests that run in the background ignore Ctrl-C, and so would what they start.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as run:
        seen = [json.loads(run.stdout.readline()), json.loads(run.stdout.readline())]
        run.send_signal(number)
        _, err = run.communicate(timeout=5)
    assert run.returncode == 128 + number
    assert err.splitlines()[0].startswith("stopping: ")
    assert "1 labelled, 1 failed, 1 left; " in err
    assert re.search(r"^next: dollygrip label \S+clips ", err, re.MULTILINE)
    assert err.splitlines()[-1].startswith("stopped; ")
    written = [json.loads(line) for line in (tmp_path / "run/results.jsonl").open()]
    assert {r["path"] for r in written} == {r["path"] for r in seen}
