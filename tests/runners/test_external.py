"""Programs described in TOML run for real, as stand-ins that know the path of the camera."""

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dollygrip.classifiers.records import ClipLabels
from dollygrip.classifiers.reliability import Reason
from dollygrip.classifiers.threshold import ThresholdClassifier
from dollygrip.geometry.synthetic import Move, camera_path
from dollygrip.runners.estimators.description import (
    DescriptionError,
    Output,
    description_path,
    digest,
    fill,
    find_description,
    names,
    placeholders,
)
from dollygrip.runners.estimators.external import ExternalEstimator, ExternalSettings
from dollygrip.runners.pipeline import label_clip_file
from dollygrip.runners.rendering import Look, render, write_video
from dollygrip.runners.scenery import scene

STAND_INS = Path(__file__).parent / "stand_ins"
SECONDS, RATE, SIZE = 1.5, 12.0, (256, 144)
MOVES = {
    "pan_right": (Move("pan_right", 15.0),),
    "truck_left": (Move("truck_left", 0.3),),
    "tilt_up+roll_cw": (Move("tilt_up", 10.0), Move("roll_cw", 15.0)),
    "dolly_in+pedestal_up": (Move("dolly_in", 0.35), Move("pedestal_up", 0.22)),
    "zoom_in": (Move("zoom_in", 0.35),),
    "pan_left+dolly_in": (Move("pan_left", 12.0), Move("dolly_in", 0.35)),
}

Film = Callable[[str], Path]
Describe = Callable[..., str]


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Film:
    """A rendered clip of one move, made once; its path lies beside it."""
    folder = tmp_path_factory.mktemp("clips")

    def made(move: str, rate: float = RATE) -> Path:
        clip = folder / f"{move}-{rate:g}.mp4"
        if not clip.exists():
            path = camera_path(MOVES[move], duration=SECONDS, rate=rate, size=SIZE)
            write_video(clip, render(path, scene("street", seed=3), Look(noise=1.5)), path.times)
            poses = np.tile(np.eye(4), (len(path), 1, 1))
            poses[:, :3, :3], poses[:, :3, 3] = path.rotations, path.centers
            # What a system that keeps one focal length sees instead of a zoom.
            poses[:, 2, 3] += 1.0 - path.focals[0] / path.focals
            np.savez(
                clip.with_suffix(".npz"),
                world_from_camera=poses,
                focals=path.focals / path.size[0],
                times=path.times,
            )
        return clip

    return made


def toml(tables: Mapping[str, Any]) -> str:
    """Numbers, texts, lists of texts and tables; JSON writes them as TOML does."""
    plain = {key: value for key, value in tables.items() if not isinstance(value, dict)}
    text = "".join(f"{json.dumps(key)} = {json.dumps(value)}\n" for key, value in plain.items())
    for key, value in tables.items():
        if isinstance(value, dict):
            text += f"\n[{key}]\n{toml(value)}"
    return text


COMMAND = ("{python}", str(STAND_INS / "writes_poses.py"), "--out", "{out}/poses.txt")
ABOUT = {"title": "Stand-in", "homepage": "", "code": "", "weights": ""}


@pytest.fixture
def describe(tmp_path: Path) -> Describe:
    """Writes a description of the stand-in; the path to it."""

    def written(*words: str, name: str = "standin.toml", **changed: Any) -> str:
        tables: dict[str, Any] = {
            **ABOUT,
            "command": [*COMMAND, "--pictures", "{pictures}", *words],
            "seconds": 20,
            "output": {"path": "out/poses.txt", "format": "tum"},
        }
        for key, value in changed.items():
            if isinstance(value, dict):
                tables[key] = {**tables.get(key, {}), **value}
            else:
                tables[key] = value
        path = tmp_path / name
        path.write_text(toml(tables))
        return str(path)

    return written


@pytest.fixture
def label(monkeypatch: pytest.MonkeyPatch) -> Callable[..., ClipLabels]:
    def labelled(clip: Path, system: str, **settings: Any) -> ClipLabels:
        monkeypatch.setenv("STAND_IN_PATH", str(clip.with_suffix(".npz")))
        estimator = ExternalEstimator(ExternalSettings(system=system, **settings))
        return label_clip_file(clip, estimator, ThresholdClassifier()).record

    return labelled


# --- right labels ---------------------------------------------------------------------------


def some_slow(names: Iterable[str], fast: set[str]) -> list[Any]:
    return [name if name in fast else pytest.param(name, marks=pytest.mark.slow) for name in names]


@pytest.mark.parametrize(
    "move", some_slow(sorted(MOVES.keys() - {"zoom_in"}), {"truck_left", "pan_left+dolly_in"})
)
def test_poses_of_a_program_become_labels(move, film, describe, label):
    record = label(film(move), describe())
    assert record.failure is None
    assert set(record.labels) == set(move.split("+"))
    diagnostics = record.shots[0].diagnostics
    assert diagnostics["poses"] == diagnostics["pictures"] == round(SECONDS * RATE)
    assert diagnostics["explained"] > 0.8
    assert record.whole.doubts == ()
    assert diagnostics["program_seconds"] > 0.0


TRAPS = {
    "camera_from_world": ["--inverted"],
    "opengl": ["--axes", "opengl"],
    "camera_from_world opengl": ["--axes", "opengl", "--inverted"],
    "body": ["--axes", "body"],
    "wxyz": ["--wxyz"],
}


@pytest.mark.parametrize("words", some_slow(TRAPS, {"camera_from_world", "wxyz"}))
def test_poses_are_read_in_the_convention_that_is_declared(words, film, describe, label):
    record = label(film("pan_left+dolly_in"), describe(*TRAPS[words], output={"convention": words}))
    assert record.failure is None
    assert set(record.labels) == {"pan_left", "dolly_in"}


@pytest.mark.parametrize("words", some_slow(TRAPS, {"opengl"}))
def test_poses_in_another_convention_than_declared_are_found_out(words, film, describe, label):
    record = label(film("pan_left+dolly_in"), describe(*TRAPS[words]))
    assert record.failure is not None
    assert record.failure.reason == Reason.WRONG_CONVENTION
    assert all(word in record.failure.message for word in words.split()), record.failure.message
    assert "standin.toml" in record.failure.message


def test_the_unit_of_the_poses_does_not_matter(film, describe, label):
    for scale in ("0.001", "1000"):
        assert label(film("truck_left"), describe("--scale", scale)).labels == ("truck_left",)


def test_travel_that_the_pictures_do_not_show_is_noise(film, describe, label):
    # In the unit of a system that sees no depth, such noise may be any size.
    record = label(film("pan_right"), describe("--noise", "0.0001", "--scale", "1000"))
    assert record.labels == ("pan_right",)


def test_a_zoom_that_a_program_takes_for_a_dolly_is_doubted(film, describe, label):
    record = label(film("zoom_in"), describe())
    assert record.labels == ("dolly_in",)
    assert [doubt.reason for doubt in record.whole.doubts] == [Reason.AMBIGUOUS_ZOOM_DOLLY]
    assert "Stand-in keeps one focal length" in record.whole.doubts[0].message


def test_keyframes_are_enough(film, describe, label):
    record = label(film("truck_left"), describe("--every", "4", output={"frame_rate": 30}))
    assert record.failure is None
    assert record.labels == ("truck_left",)
    assert record.shots[0].diagnostics["poses"] == 5
    assert record.shots[0].diagnostics["pictures"] == 18


def test_keyframes_that_cannot_be_placed_are_no_answer(film, describe, label):
    unplaced = label(film("truck_left"), describe("--every", "4"))
    assert "nothing says" in unplaced.failure.message
    other_clock = label(film("truck_left"), describe("--every", "4", output={"frame_rate": 25}))
    assert "25 pictures a second" in other_clock.failure.message
    too_late = label(film("truck_left"), describe(output={"frame_rate": 300}))
    assert "18" in too_late.failure.message
    assert {r.failure.reason for r in (unplaced, other_clock, too_late)} == {
        Reason.ESTIMATOR_CRASHED
    }


@pytest.mark.slow
def test_each_shot_is_a_run_of_its_own(film, describe, label, tmp_path):
    path = camera_path(MOVES["truck_left"], duration=SECONDS, rate=RATE, size=SIZE)
    worlds = [render(path, scene(name, seed=3), Look(noise=1.5)) for name in ("street", "room")]
    clip = tmp_path / "two shots.mp4"
    times = np.arange(2 * len(path)) / RATE
    write_video(clip, [picture for world in worlds for picture in world], times)
    # Either shot has the path of the clip that is one of them.
    shutil.copy(film("truck_left").with_suffix(".npz"), clip.with_suffix(".npz"))
    record = label(clip, describe())
    assert [shot.labels for shot in record.shots] == [("truck_left",)] * 2
    assert [round(shot.start * RATE) for shot in record.shots] == [0, len(path)]
    assert [round(shot.end * RATE) for shot in record.shots] == [len(path) - 1, 2 * len(path) - 1]
    for shot in record.shots:
        assert shot.diagnostics["explained"] > 0.8


def test_a_program_that_reads_a_video_gets_one(film, describe, label):
    record = label(
        film("truck_left"),
        describe(
            command=[*COMMAND, "--video", "{video}", "--every", "3", "--clock", "24"],
            input={"kind": "video"},
        ),
    )
    assert record.failure is None
    assert record.labels == ("truck_left",)


def test_a_program_that_needs_a_lens_gets_a_usual_one(film, describe, label):
    record = label(film("truck_left"), describe("--calib", "{calibration}"))
    assert record.failure is None


# --- programs that misbehave ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "reason", "words"),
    [
        ("crash", Reason.ESTIMATOR_CRASHED, "the matrix is singular"),
        ("abort", Reason.ESTIMATOR_CRASHED, "SIGABRT"),
        ("hang", Reason.TIMED_OUT, "stopped after"),
        ("nothing", Reason.ESTIMATOR_CRASHED, "wrote no out/*.txt"),
        ("gigabytes", Reason.ESTIMATOR_CRASHED, "too large"),
        ("words", Reason.ESTIMATOR_CRASHED, "poses.txt:1"),
        ("link", Reason.ESTIMATOR_CRASHED, "a link"),
        ("linked folder", Reason.ESTIMATOR_CRASHED, "a link"),
        ("link beside", Reason.ESTIMATOR_CRASHED, "'out/intrinsics', which is a link"),
        ("pipe", Reason.ESTIMATOR_CRASHED, "no regular file"),
        ("two", Reason.ESTIMATOR_CRASHED, "'out/another.txt' and 'out/poses.txt'"),
        ("nan", Reason.DID_NOT_CONVERGE, "not finite"),
        ("one pose", Reason.ESTIMATOR_CRASHED, "1 poses for 18 pictures"),
    ],
)
def test_every_way_to_fail_is_told(
    how, reason, words, film, describe, label, tmp_path, monkeypatch
):
    secret = tmp_path / "elsewhere" / "poses.txt"
    secret.parent.mkdir()
    secret.write_text("".join(f"{k} {k} 0 0 0 0 0 1\n" for k in range(18)))
    monkeypatch.setenv("STAND_IN_ELSEWHERE", str(secret))
    seconds = 1.5 if how == "hang" else 20
    system = describe("--do", how, seconds=seconds, output={"path": "out/*.txt"})
    record = label(film("truck_left"), system)
    assert record.failure is not None
    assert record.failure.reason == reason
    assert words in record.failure.message
    assert "\n" not in record.failure.message
    assert str(tmp_path) not in record.failure.message
    assert record.labels == ()


def test_too_few_pictures_are_told_before_anything_runs(film, describe, label, tmp_path):
    clip = tmp_path / "short.mp4"
    write_video(clip, [np.full((64, 64, 3), 90, np.uint8)] * 2, [0.0, 0.1])
    record = label(clip, describe("--do", "crash"))
    assert record.failure.reason == Reason.TOO_SHORT


def test_nothing_is_left_behind_unless_it_is_asked_for(
    film, describe, label, tmp_path, monkeypatch
):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    for how in ("", "crash"):
        label(film("truck_left"), describe("--do", how))
        assert list(temporary.iterdir()) == []
    label(film("truck_left"), describe(), work=str(tmp_path / "kept"))
    label(film("truck_left"), describe("--do", "crash"), work=str(tmp_path / "kept"))
    first, second = sorted((tmp_path / "kept").iterdir(), key=lambda p: p.stat().st_mtime)
    assert (first / "out" / "poses.txt").is_file()
    assert len(list((first / "images").iterdir())) == 18
    assert "looking at 18 pictures" in (first / "log.txt").read_text()
    assert "singular" in (second / "log.txt").read_text()
    assert list(temporary.iterdir()) == []


def test_a_work_folder_that_cannot_be_made_is_told(film, describe, label, tmp_path):
    (tmp_path / "file").write_text("")
    record = label(film("truck_left"), describe(), work=str(tmp_path / "file" / "folder"))
    assert record.failure.reason == Reason.ESTIMATOR_CRASHED
    assert "work folder" in record.failure.message


# --- words stay words -----------------------------------------------------------------------

NASTY = "a b; touch pwned; $(touch pwned) `touch pwned` | & ' \" {out} {{x}} * ~ -rf\n#"


def test_no_shell_reads_a_command(film, describe, label, tmp_path, monkeypatch):
    checkout = tmp_path / NASTY
    checkout.mkdir()
    script = (STAND_INS / "writes_poses.py").read_text()
    (checkout / "run.py").write_text(script)
    monkeypatch.chdir(checkout)
    system = describe(
        command=["{python}", "{checkout}/run.py", *COMMAND[2:], "--pictures", "{pictures}"],
        folder="checkout",
        environment={"NASTY": "{checkout} {{literal}}"},
    )
    record = label(film("truck_left"), system, checkout=str(checkout))
    assert record.failure is None, record.failure
    assert record.labels == ("truck_left",)
    assert [p.name for p in checkout.iterdir()] == ["run.py"]


@given(st.text(), st.text())
@example(NASTY, "{out}")
def test_a_value_stays_as_it_is_and_one_word(value, around):
    quoted = around.replace("{", "{{").replace("}", "}}")
    assert placeholders(f"{quoted}{{name}}") == ["name"]
    assert fill(f"{quoted}{{name}}{quoted}", {"name": value}) == around + value + around


# --- descriptions ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"comand": ["x"]}, "unknown key 'comand'; allowed: title, homepage"),
        ({"command": "vipe infer"}, "command must be a list of texts"),
        ({"command": []}, "command is empty"),
        ({"command": ["x", 3]}, "command[1] must be text, not 3"),
        ({"command": ["x", "{clip}"]}, "there is no {clip}"),
        ({"command": ["x", "{video}"]}, "the input is pictures"),
        ({"command": ["x", "{"]}, "for braces"),
        ({"command": ["x", "{0}"]}, "name of a placeholder"),
        ({"command": ["x", "{name!r}"]}, "name of a placeholder"),
        ({"command": ["x", "{name.__class__}"]}, "name of a placeholder"),
        ({"command": ["x\0y"]}, "command[0] must be text"),
        ({"folder": "/"}, "folder must be 'work' or 'checkout'"),
        ({"seconds": 0}, "seconds and memory_mb must be positive"),
        ({"seconds": True}, "seconds must be a number"),
        ({"memory_mb": 1.5}, "memory_mb must be a whole number"),
        ({"environment": {"A=B": "x"}}, "no name of a variable"),
        ({"environment": {"A": 3}}, "environment.A must be text, not 3"),
        ({"output": "poses.txt"}, "output must be a table"),
        ({"output": {"path": "../poses.txt"}}, "output: path: '../poses.txt' is no path below"),
        ({"output": {"path": "out/../../x"}}, "is no path below"),
        ({"output": {"path": "/etc/passwd"}}, "is no path below"),
        ({"output": {"path": "~/x"}}, "is no path below"),
        ({"output": {"path": ""}}, "is no path below"),
        ({"output": {"path": "**/poses.txt"}}, "is no path below"),
        ({"output": {"format": "tim"}}, "no pose format is called 'tim'"),
        ({"output": {"convention": "c2w"}}, "'c2w' is no word of a pose convention"),
        ({"output": {"frame_rate": -1}}, "frame_rate must be positive"),
        ({"input": {"kind": "frames"}}, "kind must be 'pictures' or 'video'"),
        ({"input": {"rate": 0}}, "input: rate must be positive"),
        ({"needs": {"files": ["/etc/passwd"]}}, "is no path below"),
        ({"needs": {"packages": ["os.path"]}}, "no top-level name"),
        ({"needs": {"gpu": "yes"}}, "gpu must be true or false"),
    ],
)
def test_a_wrong_description_is_told_with_its_file(changed, words, describe):
    with pytest.raises(DescriptionError) as error:
        find_description(describe(**changed))
    assert "standin.toml: " in str(error.value)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_what_is_lacking_is_told(tmp_path):
    path = tmp_path / "x.toml"
    path.write_text('title = "X"\n')
    with pytest.raises(DescriptionError, match=r"x\.toml: lacks 'homepage'"):
        find_description(str(path))


@given(st.text(alphabet="ao/.*?[]!~t\\- \n", max_size=12))
@settings(max_examples=300)
def test_no_path_of_an_output_leads_out(tmp_path_factory, path):
    folder = tmp_path_factory.getbasetemp()
    try:
        Output(path=path, format="tum")
    except ValueError:
        return
    assert all(
        found.is_relative_to(folder) and ".." not in found.parts for found in folder.glob(path)
    )


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scratch") / "fuzzed.toml"


@given(st.data())
@settings(max_examples=150)
def test_no_text_makes_it_crash(scratch, data):
    whole = description_path("mast3r-slam").read_bytes()
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, len(whole)))
    junk = data.draw(st.one_of(st.binary(max_size=20), st.text(max_size=20).map(str.encode)))
    scratch.write_bytes(whole[:start] + junk + whole[end:])
    try:
        find_description(str(scratch))
    except DescriptionError as error:
        assert "fuzzed.toml" in str(error)
        assert str(error).isprintable()


@pytest.mark.parametrize(
    "text",
    [
        b"seconds = 1" + b"0" * 400,
        b"seconds = 1" + b"0" * 9000,
        b"a = " + b"[" * 5000,
        b"x" * (1 << 20),
        b"\xff\xfe",
        b"\0",
        b"title = 1979-05-27",
    ],
)
def test_bombs_are_refused(text, tmp_path):
    path = tmp_path / "bomb.toml"
    path.write_bytes(text)
    with pytest.raises(DescriptionError, match=r"bomb\.toml"):
        find_description(str(path))


def test_descriptions_are_found_by_name_those_of_the_user_first(describe, tmp_path, monkeypatch):
    built_in = {"cut3r", "droid-slam", "mast3r-slam", "vggt", "vipe"}
    monkeypatch.delenv("DOLLYGRIP_EXTERNAL", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "none"))
    assert set(names()) == built_in
    mine, config = tmp_path / "mine", tmp_path / "config" / "dollygrip" / "external"
    for folder in (mine, config):
        folder.mkdir(parents=True)
    text = Path(describe(title="Mine")).read_text()
    (mine / "vipe.toml").write_text(text)
    (mine / "own.toml").write_text(text)
    (mine / "Not A Name.toml").write_text(text)
    (config / "third.toml").write_text(text)
    monkeypatch.setenv("DOLLYGRIP_EXTERNAL", str(mine))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    assert set(names()) == built_in | {"own", "third"}
    assert find_description("vipe").title == "Mine"
    assert find_description(str(mine / "Not A Name.toml")).title == "Mine"
    assert find_description("third").title == "Mine"


@pytest.mark.parametrize("name", ["", "nosuch", "VIPE", ".", "..", "vipe\n", "a\0b", "../vipe"])
def test_a_name_that_there_is_not_is_told(name):
    with pytest.raises(DescriptionError):
        find_description(name)
    with pytest.raises(ValueError):
        ExternalSettings(system=name)


def test_what_is_no_file_is_told(tmp_path):
    os.mkfifo(tmp_path / "pipe.toml")
    (tmp_path / "folder.toml").mkdir()
    for name in ("pipe.toml", "folder.toml", "none.toml"):
        with pytest.raises(DescriptionError, match=name):
            find_description(str(tmp_path / name))


def test_settings_tell_one_text_from_another(describe):
    before = ExternalSettings(system=describe())
    assert ExternalSettings(system=describe()) == before
    after = ExternalSettings(system=describe("--every", "2"))
    assert after.system == before.system
    assert after.description != before.description
    assert digest(after.system) == after.description


# --- what is missing ------------------------------------------------------------------------


def test_all_that_is_missing_is_told_at_once(film, describe, label, monkeypatch):
    monkeypatch.setenv("PATH", "")
    system = describe(
        command=["nosuchprogram", "{pictures}", "{python}"],
        needs={
            "programs": ["another"],
            "packages": ["nosuchpackage"],
            "variables": ["NO_SUCH_TOKEN"],
            "gpu": True,
            "install": "pip install it",
        },
    )
    failure = label(film("truck_left"), system).failure
    assert failure.reason == Reason.ESTIMATOR_MISSING
    for words in ("nosuchprogram", "another", "nosuchpackage", "NO_SUCH_TOKEN", "CUDA GPU"):
        assert words in failure.message
    assert failure.message.count("pip install it") == 2  # for the program; for its Python
    assert "\n" not in failure.message


def test_a_missing_checkout_is_told(film, describe, label, tmp_path, monkeypatch):
    system = describe(
        command=["{python}", "{checkout}/run.py"],
        needs={"files": ["run.py", "weights.pth"], "install": "clone it"},
    )
    monkeypatch.delenv("STANDIN_ROOT", raising=False)
    unset = label(film("truck_left"), system).failure
    assert unset.reason == Reason.ESTIMATOR_MISSING
    assert "STANDIN_ROOT is not set" in unset.message
    assert "clone it; then set checkout, or STANDIN_ROOT" in unset.message
    absent = label(film("truck_left"), system, checkout=str(tmp_path / "none")).failure
    assert "no folder" in absent.message
    monkeypatch.setenv("STANDIN_ROOT", str(tmp_path))
    incomplete = label(film("truck_left"), system).failure
    assert "run.py" in incomplete.message and "weights.pth" in incomplete.message


def test_a_program_that_cannot_start_is_told(film, describe, label, tmp_path):
    program = tmp_path / "broken"
    program.write_text("#!/no/such/interpreter\n")
    program.chmod(0o755)
    failure = label(film("truck_left"), describe(command=[str(program)])).failure
    assert failure.reason == Reason.ESTIMATOR_MISSING


# --- the descriptions that come with dollygrip ----------------------------------------------


@pytest.fixture
def gpu_and_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine that seems to have a GPU and all packages; its folder of programs."""
    programs, packages = tmp_path / "bin", tmp_path / "site"
    programs.mkdir()
    put_program(programs / "nvidia-smi", "print('Stand-in GPU')")
    for name in ("lietorch", "torch_scatter", "droid_backends", "mast3r", "mast3r_slam", "trimesh"):
        (packages / name).mkdir(parents=True)
        (packages / name / "__init__.py").write_text("")
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(packages))
    return programs


def put_program(path: Path, code: str) -> None:
    path.write_text(f"#!{sys.executable}\n{code}\n")
    path.chmod(0o755)


def vipe_checkout(root: Path, programs: Path) -> None:
    put_program(programs / "vipe", (STAND_INS / "vipe.py").read_text())


def vggt_checkout(root: Path, programs: Path) -> None:
    shutil.copy(STAND_INS / "vggt.py", root / "demo_colmap.py")


def cut3r_checkout(root: Path, programs: Path) -> None:
    shutil.copy(STAND_INS / "cut3r.py", root / "demo.py")
    (root / "src").mkdir()
    (root / "src" / "cut3r_512_dpt_4_64.pth").write_bytes(b"weights")
    (root / "add_ckpt_path.py").write_text("def add_path_to_dust3r(path): open(path).close()")
    (root / "viser_utils.py").write_text("import viser_that_is_not_installed_on_servers")


def mast3r_slam_checkout(root: Path, programs: Path) -> None:
    shutil.copy(STAND_INS / "mast3r_slam.py", root / "main.py")
    shutil.copy(STAND_INS / "writes_poses.py", root / "writes_poses.py")
    for name in ("config", "checkpoints"):
        (root / name).mkdir()
    (root / "config" / "base.yaml").write_text("use_calib: False\n")
    weights = "MASt3R_ViTLarge_BaseDecoder_512_catmlpdpt_metric.pth"
    (root / "checkpoints" / weights).write_bytes(b"weights")


def droid_slam_checkout(root: Path, programs: Path) -> None:
    shutil.copy(STAND_INS / "droid_slam.py", root / "demo.py")
    (root / "droid_slam").mkdir()
    shutil.copy(STAND_INS / "writes_poses.py", root / "droid_slam" / "droid.py")
    (root / "droid.pth").write_bytes(b"weights")


READY = {
    "cut3r": cut3r_checkout,
    "droid-slam": droid_slam_checkout,
    "mast3r-slam": mast3r_slam_checkout,
    "vggt": vggt_checkout,
    "vipe": vipe_checkout,
}


@pytest.mark.slow
@pytest.mark.parametrize("system", READY)
def test_a_described_system_is_driven(system, film, label, gpu_and_packages, tmp_path):
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    READY[system](checkout, gpu_and_packages)
    before = sorted(checkout.rglob("*"))
    rate = find_description(system).input.rate
    record = label(film("pan_left+dolly_in", rate), system, checkout=str(checkout))
    assert record.failure is None, record.failure
    assert set(record.labels) == {"pan_left", "dolly_in"}
    assert record.shots[0].doubts == ()
    assert [p for p in sorted(checkout.rglob("*")) if "__pycache__" not in p.parts] == before


@pytest.mark.parametrize("system", READY)
def test_a_system_that_is_not_installed_says_what_to_do(system, film, label, monkeypatch):
    monkeypatch.setenv("PATH", "")
    for known in READY:
        monkeypatch.delenv(f"{known.upper().replace('-', '_')}_ROOT", raising=False)
    description = find_description(system)
    failure = label(film("truck_left"), system).failure
    assert failure.reason == Reason.ESTIMATOR_MISSING
    assert failure.message.startswith(f"{description.title} cannot run here")
    assert description.needs.install in failure.message
    assert "CUDA GPU" in failure.message
