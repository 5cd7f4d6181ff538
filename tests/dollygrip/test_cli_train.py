"""The command that fits the learned classifier to somebody's own labels."""

import subprocess
import sys
import tomllib
from pathlib import Path

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
