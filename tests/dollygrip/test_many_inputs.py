"""Many clips by every way to name them, in one run or in shards, from the command and Python."""

import io
import json
import shutil
import sys
from pathlib import Path

import pandas as pd
import pytest

import dollygrip
from dollygrip.cli import main
from dollygrip.runners.inputs import InputError

MOODY = ["--estimator", "moody", "--jobs", "1"]
NAMES = ("a/one.mp4", "a/two.mp4", "b/one.mp4", "b/deep/three.mp4", "b/-x=.mp4")


@pytest.fixture
def clips(moody, grey_clip, tmp_path, monkeypatch) -> Path:
    """Five clips, two of them with the same file name, below the working folder."""
    monkeypatch.chdir(tmp_path)
    first = grey_clip(tmp_path / "first.mp4", 170)
    for name in NAMES:
        place = Path("clips", name)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(first, place)
    first.unlink()
    return Path("clips")


def paths(run: str) -> list[str]:
    """Which clips a run has records of, each once."""
    lines = Path(run, "results.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    assert not [record for record in records if record["failure"]]
    assert len({record["clip_id"] for record in records}) == len(records)
    return sorted(record["path"] for record in records)


def test_folders_patterns_and_lists_name_the_same_clips(clips, monkeypatch, capsys):
    expected = sorted(str(clips / name) for name in NAMES)
    Path("list.txt").write_text("".join(f"{path}\n" for path in expected))
    Path("beside.csv").write_text("kind,path\n" + "".join(f"x,{path}\n" for path in expected))
    pd.DataFrame({"shot": expected}).to_parquet("table.parquet")
    (clips / "own.csv").write_text("path\n" + "".join(f"{name}\n" for name in NAMES))
    listed = ["table.parquet", "--column", "shot"]
    given = (["clips"], ["clips/**/*.mp4"], ["list.txt"], ["beside.csv"], listed, ["clips/own.csv"])
    for number, inputs in enumerate(given):
        assert main(["label", *inputs, "-o", f"run{number}", *MOODY]) == 0
        assert paths(f"run{number}") == expected, inputs
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("\0".join(expected).encode())))
    assert main(["label", "-", "-o", "piped", *MOODY]) == 0
    assert paths("piped") == expected
    capsys.readouterr()


def test_all_shards_are_together_what_one_run_would_be(clips, capsys):
    assert main(["label", "clips", "-o", "whole", *MOODY]) == 0
    whole = {r["clip_id"]: r["path"] for r in map(json.loads, open_lines("whole"))}
    parts: dict[str, str] = {}
    for i in (1, 2, 3):
        code = main(["label", "clips", "-o", f"part{i}", "--shard", f"{i}/3", *MOODY])
        assert code == 0  # also where a shard has no clip
        assert Path(f"part{i}", "results.parquet").exists()
        for record in map(json.loads, open_lines(f"part{i}")):
            assert record["clip_id"] not in parts
            parts[record["clip_id"]] = record["path"]
        assert f"only shard {i}/3" in capsys.readouterr().err
    assert parts == whole


def test_what_is_wrong_with_inputs_is_one_line(clips, capsys):
    Path("list.csv").write_text("a,b\n1,2\n")
    for arguments, said in (
        (["clips", "--shard", "4/3"], "no shard 4 of 3"),
        (["clips", "--shard", "half"], "'half' is no shard"),
        (["list.csv"], "--column"),
        (["none.txt"], "none.txt does not exist"),
    ):
        assert main(["label", *arguments, "-o", "run", *MOODY]) == 1
        [line] = capsys.readouterr().err.splitlines()
        assert line.startswith("error: ")
        assert said in line


def test_an_empty_folder_is_nothing_to_do_and_leaves_nothing(clips, capsys):
    Path("empty").mkdir()
    assert main(["label", "empty", "-o", "run", *MOODY]) == 1
    assert "no clip found in empty" in capsys.readouterr().err
    assert not Path("run").exists()


def test_many_clips_from_python(clips):
    options = {"estimator": "moody", "jobs": 1}
    inputs = [clips / "a", clips / "b" / "one.mp4"]
    records = list(dollygrip.label_clips(inputs, "run", **options))
    assert sorted(r.path for r in records) == [
        "clips/a/one.mp4",
        "clips/a/two.mp4",
        "clips/b/one.mp4",
    ]
    again = list(dollygrip.label_clips(inputs, "run", **options))
    assert sorted(r.path for r in again) == sorted(r.path for r in records)
    assert len(open_lines("run")) == 3
    halves = [
        {r.path for r in dollygrip.label_clips("clips", shard=f"{i}/2", **options)} for i in (1, 2)
    ]
    assert not halves[0] & halves[1]
    assert len(halves[0] | halves[1]) == len(NAMES)
    with pytest.raises(InputError, match="no shard"):
        list(dollygrip.label_clips("clips", shard="3/2", **options))
    for wrong in ({"jobs": 0}, {"timeout": -1.0}, {"memory_mb": 0}):
        with pytest.raises(ValueError, match="must be positive"):
            list(dollygrip.label_clips("clips", **{**options, **wrong}))


def open_lines(run: str) -> list[str]:
    return Path(run, "results.jsonl").read_text().splitlines()
