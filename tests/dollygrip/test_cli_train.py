"""The command that fits the learned classifier to somebody's own labels."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dollygrip.classifiers.features import LABEL_FEATURES
from dollygrip.classifiers.network import Network, from_bytes
from dollygrip.cli import main
from dollygrip.geometry.synthetic import Move, camera_path
from dollygrip.runners import training
from dollygrip.runners.formats.catalog import pose_format
from dollygrip.runners.formats.path import CameraPath

MOVES = ("pan_left", "pan_right", "tilt_up", "dolly_in")
TUM = pose_format("tum")


def stand_in() -> tuple[dict[str, Network], dict[str, int]]:
    """Networks that say what the threshold classifier says."""
    width = len(LABEL_FEATURES)
    network = Network(
        mean=np.zeros(width, np.float32),
        scale=np.full(width, 4.0, np.float32),
        shift=np.where(np.arange(width) == LABEL_FEATURES.index("score"), 4.0, 0.0),
        weights=(np.zeros((1, width, 1), np.float32),),
        biases=(np.zeros((1, 1), np.float32),),
    )
    return {"labels": network}, {}


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run of 12 camera paths in ``run``, and their labels in ``labels.csv``."""
    folder = tmp_path_factory.mktemp("labelled")
    poses = folder / "poses"
    poses.mkdir()
    lines = ["clip," + ",".join(MOVES)]
    for i in range(12):
        move = MOVES[i % 4]
        amount = 0.1 + 0.02 * i if move == "dolly_in" else 8.0 + i
        path = camera_path([Move(move, amount)], duration=2.0, rate=8.0)
        TUM.write(poses / f"c{i}.txt", CameraPath.of(path), TUM.convention)
        lines.append(f"c{i}.txt," + ",".join("yes" if m == move else "no" for m in MOVES))
    (folder / "labels.csv").write_text("\n".join([*lines, "gone.txt,no,no,no,no", ""]))
    run = str(folder / "run")
    assert main(["label", "--poses", str(poses), "-o", run, "--jobs", "1"]) == 0
    return folder


def test_writes_weights_and_says_how_to_use_them(
    labelled: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(training, "shipped", stand_in)
    monkeypatch.chdir(labelled)
    out = tmp_path / "mine.safetensors"
    assert main(["train", "--labels", "labels.csv", "--run", "run", "-o", str(out)]) == 0
    said = capsys.readouterr()
    networks, recipe = from_bytes(out.read_bytes(), out.name)
    assert "labels" in networks
    assert recipe["clips"] == 12
    assert recipe["answers"] == 48
    for name in (
        "as shipped",
        "calibrated",
        "refitted",
        "pan_left",
        f"{recipe['labels']} (chosen)",
    ):
        assert name in said.out
    assert "left out: 1 clip not in the run" in said.err
    assert "12 clips: 12 times yes, 36 times no" in said.err
    lines = [line.strip() for line in said.err.splitlines()]
    settings = tomllib.loads("\n".join(lines[-3:-1]))
    assert settings == {"classifier": {"learned": {"weights": str(out)}}}
    assert lines[-1].startswith("then: dollygrip classify --classifier learned --settings ")
    assert lines[-1].endswith(" run")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--labels", "labels.csv", "--run", "poses"], "holds no run"),
        (["--labels", "none.csv", "--run", "run"], "none.csv: No such file"),
        (["--labels", "labels.csv", "--run", "run", "-o", "labels.csv"], "named something"),
        (["--labels", "few.csv", "--run", "run"], "1 of the 2 clips in few.csv, 10 are needed"),
        (["--labels", "bad.csv", "--run", "run"], "bad.csv:2: pan_left is 'perhaps'"),
    ],
    ids=["no run", "no labels", "name", "few", "bad labels"],
)
def test_what_cannot_be_learned_from_is_one_line(
    labelled: Path,
    options: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(training, "shipped", stand_in)
    monkeypatch.chdir(labelled)
    (labelled / "few.csv").write_text("clip,pan_left\nc0.txt,yes\nd.txt,no\n")
    (labelled / "bad.csv").write_text("clip,pan_left\nc0.txt,perhaps\n")
    before = (labelled / "labels.csv").read_bytes()
    assert main(["train", *options]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert message in line
    assert (labelled / "labels.csv").read_bytes() == before
    assert not list(labelled.glob("*.safetensors"))


@pytest.fixture(scope="module")
def faint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run of 30 camera paths: pans that hardly show, clear ones, and stills.

    Whoever labelled them calls every pan a pan.
    """
    folder = tmp_path_factory.mktemp("faint")
    poses = folder / "poses"
    poses.mkdir()
    lines = ["clip,pan_left,pan_right"]
    for i in range(30):
        kind, way = ("still", "faint", "clear")[i % 3], "pan_left" if i % 2 else "pan_right"
        moves = [] if kind == "still" else [Move(way, 1.3 if kind == "faint" else 15.0 + 0.5 * i)]
        path = camera_path(moves, duration=2.0, rate=8.0)
        TUM.write(poses / f"{kind}{i}.txt", CameraPath.of(path), TUM.convention)
        said = [kind != "still" and name == way for name in ("pan_left", "pan_right")]
        lines.append(f"{kind}{i}.txt," + ",".join("yes" if yes else "no" for yes in said))
    (folder / "labels.csv").write_text("\n".join([*lines, ""]))
    assert main(["label", "--poses", str(poses), "-o", str(folder / "run"), "--jobs", "1"]) == 0
    return folder


@pytest.mark.slow
def test_what_was_learned_is_what_answers_from_then_on(
    faint: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(faint)
    capsys.readouterr()
    before = records("classify", "run", capsys=capsys)
    assert main(["train", "--labels", "labels.csv", "--run", "run", "-o", "own.safetensors"]) == 0
    said = capsys.readouterr()
    assert "as shipped (chosen)" not in said.out
    lines = [line.strip() for line in said.err.splitlines()]
    (faint / "learned.toml").write_text("\n".join(lines[-3:-1]))

    command = lines[-1].removeprefix("then: dollygrip ").split()
    assert command[0] == "classify"
    after = records(*command, capsys=capsys)
    assert records("show", "run", capsys=capsys) == after
    assert {*before} == {*after}
    (shipped,), (own,) = (
        {told["provenance"]["classifier"]["hash"] for told in some.values()}
        for some in (before, after)
    )
    assert shipped != own
    for name, record in after.items():
        way = "pan_left" if int(name.strip("stilfancer")) % 2 else "pan_right"
        old, new = before[name]["scores"][way], record["scores"][way]
        if name.startswith("faint"):
            assert new > old + 0.1
        else:
            assert record["labels"] == ([way] if name.startswith("clear") else ["static"])

    # Weights that are no longer there are one line, and the run stays as it is.
    (faint / "own.safetensors").unlink()
    assert main(command) == 1
    gone = capsys.readouterr()
    assert gone.out == ""
    (line,) = gone.err.splitlines()
    assert "own.safetensors cannot be read" in line
    assert records("show", "run", capsys=capsys) == after


def records(*command: str, capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, Any]]:
    """What a command prints, all of it records, by the name of the clip."""
    assert main([*command, "--json"]) == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(told) == 30
    return {Path(record["path"]).stem: record for record in told}


def test_labels_have_to_be_given(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["train"])
    assert end.value.code == 1
    assert "--labels" in capsys.readouterr().err


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys, dollygrip.cli\n"
        "try: dollygrip.cli.main(['train', '--help'])\n"
        "except SystemExit as end: assert not end.code\n"
        "assert not {'numpy', 'torch', 'sklearn', 'safetensors'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
