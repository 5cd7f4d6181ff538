"""The command line: exit codes, what goes where, and no tracebacks."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dollygrip import __version__
from dollygrip.cli import main

COMMAND = [sys.executable, "-m", "dollygrip"]


@pytest.fixture
def run(moody, grey_clip, tmp_path: Path) -> Path:
    """A run over two good clips, one of them with a name in rich's markup, and a bad one."""
    folder = tmp_path / "clips"
    folder.mkdir()
    grey_clip(folder / "good.mp4", 170)
    shutil.copy(folder / "good.mp4", folder / "[bold]loud[_bold]\x1b[5m.mp4")
    (folder / "text.mp4").write_text("text")
    assert main(["label", str(folder), "-o", str(tmp_path / "run"), *OPTIONS]) == 2
    return tmp_path / "run"


OPTIONS = ["--estimator", "moody", "--jobs", "1"]


def test_help_and_version_import_nothing_heavy():
    for arguments in (["--help"], ["--version"], ["label", "--help"], ["view", "--help"]):
        code = (
            "import sys, dollygrip.cli\n"
            f"try: dollygrip.cli.main({arguments})\n"
            "except SystemExit as end: assert not end.code\n"
            "heavy = {'numpy', 'scipy', 'cv2', 'av', 'pandas', 'pyarrow', 'pebble', 'rich'}\n"
            "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        )
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_version(capsys):
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert not end.value.code
    assert capsys.readouterr().out == f"dollygrip {__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["lable"],
        ["label"],
        ["label", "x", "--jobs", "0"],
        ["label", "x", "--jobs", "two"],
        ["label", "x", "--timeout", "-1"],
        ["label", "x", "--timeout", "nan"],
        ["label", "--no-such-option", "x"],
    ],
)
def test_a_usage_error_ends_with_1(arguments, capsys):
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 1
    assert "error: " in capsys.readouterr().err.splitlines()[-1]


def test_a_wrong_option_is_answered_with_the_right_ones(capsys):
    with pytest.raises(SystemExit) as end:
        main(["label", "clips", "--estimtor", "flow"])
    said = capsys.readouterr().err
    assert end.value.code == 1
    assert "--estimator NAME" in said
    assert said.endswith("dollygrip label: error: unrecognized arguments: --estimtor flow\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["show", "none"], "dollygrip label"),
        (["export", "none"], "dollygrip label"),
        (["classify", "none"], "dollygrip label"),
        (["label", "x.mp4", "--estimator", "flux"], "flow"),
        (["label", "x.mp4", "--classifier", "guess"], "threshold"),
        (["label", "x.mp4", "--settings", "none.toml"], "none.toml"),
        (["label", "x.mp4", "-o", "file/run"], "file"),
        (["label", "x.mp4", "-o", "full"], "not a run folder"),
        (["samples", "file"], "error: file: File exists"),
    ],
)
def test_an_error_is_one_line_that_says_what_to_do(tmp_path, monkeypatch, capsys, arguments, said):
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("")
    Path("full").mkdir()
    Path("full/mine").write_text("")
    assert main(arguments) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    [line] = captured.err.splitlines()
    assert line.startswith("error: ")
    assert said in line
    assert not Path("none").exists()


def test_label_prints_records_and_where_they_are(moody, grey_clip, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    grey_clip(tmp_path / "-o.mp4", 170)
    assert main(["label", *OPTIONS, "--", "-o.mp4"]) == 0
    first = capsys.readouterr()
    [record] = map(json.loads, first.out.splitlines())
    assert (record["path"], record["labels"]) == ("-o.mp4", ["pan_right"])
    assert "1 labelled, 0 failed; results are in dollygrip-run" in first.err
    assert first.err.splitlines()[-1] == "next: dollygrip show dollygrip-run"

    # Again: the record is printed, the work is not done.
    assert main(["label", *OPTIONS, "--", "-o.mp4"]) == 0
    second = capsys.readouterr()
    assert second.out == first.out
    assert "1 of 1 clips are done already" in second.err


def test_show_classify_and_export(run, tmp_path, capsys):
    capsys.readouterr()
    assert main(["show", str(run), "--json"]) == 0
    shown = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(shown) == 3
    settings = tmp_path / "settings.toml"
    settings.write_text("[classifier.threshold]\nshift = 50\n")
    strict = ["--classifier", "threshold", "--settings", str(settings)]
    assert main(["classify", str(run), *strict]) == 2
    told = capsys.readouterr()
    assert "note:" not in told.err
    again = [json.loads(line) for line in told.out.splitlines()]
    assert {r["clip_id"] for r in again} == {r["clip_id"] for r in shown}
    assert not any("pan_right" in r["labels"] for r in again)
    (run / "results.csv").unlink()
    assert main(["export", str(run)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        str(run / "results.parquet"),
        str(run / "results.csv"),
    ]
    assert (run / "results.csv").exists()


def test_settings_of_another_classifier_are_noticed(run, tmp_path, capsys):
    settings = tmp_path / "settings.toml"
    settings.write_text("[classifier.threshold]\nshift = 50\n")
    main(["classify", str(run), "--settings", str(settings)])
    assert "note:" in (told := capsys.readouterr().err)
    assert "--classifier threshold does" in told


def test_on_a_terminal_a_table_without_tricks(run, on_a_terminal):
    table, _ = on_a_terminal(["-m", "dollygrip", "show", str(run)], columns=1000)
    assert "pan_right" in table
    assert "no_video" in table
    assert "[bold]loud[_bold]" in table  # taken as text
    assert "\x1b[5m" not in table
    lines, _ = on_a_terminal(["-m", "dollygrip", "show", str(run), "--json"])
    assert lines.count('"clip_id"') == 3


def test_show_prints_its_table_into_a_pipe_too(run):
    plain = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    shown = subprocess.run(
        [*COMMAND, "show", str(run)], capture_output=True, text=True, check=True, env=plain
    )
    lines = shown.stdout.splitlines()
    assert "labels" in lines[1]
    assert sum("pan_right" in line for line in lines) == 2
    assert {len(line) for line in lines} == {120}
    assert "\x1b" not in shown.stdout
    assert shown.stderr == ""


def test_samples_and_schema(tmp_path, capsys, monkeypatch):
    made = [(tmp_path / "pan.mp4", ("pan_left",))]
    monkeypatch.setattr("dollygrip.runners.rendering.make_samples", lambda folder: made)
    assert main(["samples", str(tmp_path)]) == 0
    captured = capsys.readouterr()
    assert captured.out == f"{tmp_path / 'pan.mp4'}: pan_left\n"
    assert f"dollygrip label {tmp_path}" in captured.err
    assert main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out)["properties"]["schema_version"] == {"const": 1}


def test_a_reader_that_leaves_is_no_error(run):
    record = json.loads((run / "results.jsonl").read_bytes().splitlines()[0])
    with (run / "results.jsonl").open("ab") as file:
        for i in range(200):  # more than a pipe holds
            file.write(json.dumps({**record, "clip_id": f"x{i}"}).encode() + b"\n")
    process = subprocess.Popen(
        [*COMMAND, "show", str(run), "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout.readline().startswith(b'{"schema_version"')
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(30) == 128 + signal.SIGPIPE
    process.stderr.close()


def test_a_reader_that_was_never_there_is_no_error(run):
    reading, writing = os.pipe()
    os.close(reading)
    shown = subprocess.run([*COMMAND, "show", str(run)], stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    assert (shown.returncode, shown.stderr) == (128 + signal.SIGPIPE, b"")


def test_ctrl_c_stops_promptly_and_keeps_what_is_finished(moody, grey_clip, tmp_path):
    grey_clip(tmp_path / "a.mp4", 170)
    grey_clip(tmp_path / "b_hangs.mp4", 70)
    run = tmp_path / "run"
    process = subprocess.Popen(
        [*COMMAND, "label", str(tmp_path), "-o", str(run), "--estimator", "moody", "--jobs", "1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": sys.path[0]},
        start_new_session=True,
        # Tests that run in the background ignore Ctrl-C, and so would what they start.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert json.loads(process.stdout.readline())["labels"] == ["pan_right"]
    time.sleep(0.3)
    os.killpg(process.pid, signal.SIGINT)
    _, stderr = process.communicate(timeout=20)
    assert process.returncode == 128 + signal.SIGINT
    first, *_, following, last = stderr.decode().splitlines()
    assert first.startswith("stopping: ")
    assert following.startswith("next: dollygrip label ")
    assert last.startswith("stopped; ")
    assert len((run / "results.jsonl").read_text().splitlines()) == 1


def test_view_writes_a_video_and_says_what_it_shows(
    moody, grey_clip, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    grey_clip(Path("a\x1b[5m clip.mp4"), 170)
    assert main(["view", "a\x1b[5m clip.mp4", "--estimator", "moody"]) == 0
    captured = capsys.readouterr()
    assert captured.out == "a\\x1b[5m clip.view.mp4\n"
    assert "labelling a\\x1b[5m clip.mp4" in captured.err
    assert "pans right" in captured.err.splitlines()[-1]
    assert "trust" in captured.err.splitlines()[-1].lower()
    assert Path("a\x1b[5m clip.view.mp4").read_bytes()[4:8] == b"ftyp"

    # A clip without an answer is drawn too, and says why.
    grey_clip(Path("-crash.mp4"), 120)
    assert main(["view", "--estimator", "moody", "-o", "why.mp4", "--", "-crash.mp4"]) == 2
    captured = capsys.readouterr()
    assert captured.out == "why.mp4\n"
    assert captured.err.splitlines()[-1].startswith("failed: the estimator moody crashed")
    assert Path("why.mp4").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["clip.mp4", "-o", "clip.mp4"], "clip.mp4 is the clip itself"),
        (["clip.mp4", "-o", "clip.avi"], ".mp4"),
        (["clip.mp4", "-o", "none/out.mp4"], "none/out.mp4 cannot be written: No such file"),
        (["none.mp4"], "none.mp4 does not exist"),
        (["text.mp4"], "text.mp4 is not a video"),
        (["clip.mp4", "--estimator", "flux"], "flow"),
    ],
)
def test_view_says_in_one_line_what_is_wrong(
    grey_clip, tmp_path, capsys, monkeypatch, arguments, said
):
    monkeypatch.chdir(tmp_path)
    grey_clip(Path("clip.mp4"), 170)
    Path("text.mp4").write_text("text")
    assert main(["view", *arguments]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    [line] = [line for line in captured.err.splitlines() if not line.startswith("labelling ")]
    assert line.startswith("error: ")
    assert said in line
    assert sorted(Path().iterdir()) == [Path("clip.mp4"), Path("text.mp4")]


def test_view_shows_progress_on_a_terminal(on_a_terminal, grey_clip, tmp_path):
    grey_clip(tmp_path / "clip.mp4", 170)
    view = ["view", str(tmp_path / "clip.mp4"), "-o", str(tmp_path / "out.mp4")]
    printed, _ = on_a_terminal(["-m", "dollygrip", *view])
    assert re.search(r"[1-9]/[1-9]", printed)
