"""What is there and what is missing is told, whatever state the machine is in."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from dollygrip.classifiers.reliability import Reason
from dollygrip.runners import needs
from dollygrip.runners.doctor import Checked, Report, examine, text
from dollygrip.runners.needs import Need
from dollygrip.runners.registry import names


def checked(report: Report, name: str) -> Checked:
    (found,) = [c for c in (*report.estimators, *report.extras) if c.name == name]
    return found


def put_program(path: Path, code: str) -> Path:
    path.write_text(f"#!{sys.executable}\n{code}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for programs, the only one in PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    for name in ("MEGASAM_ROOT", "MEGASAM_PYTHON", "VGGT_ROOT"):
        monkeypatch.delenv(name, raising=False)
    return folder


# --- the report -----------------------------------------------------------------------------


def test_every_estimator_is_looked_at(path):
    report = examine()
    assert [c.name for c in report.estimators] == names("estimator")
    assert checked(report, "flow").ready
    megasam = checked(report, "megasam")
    assert not megasam.ready
    assert any("mega-sam" in step for step in megasam.remedies)
    vggt = checked(report, "external:vggt")
    assert {need.what for need in vggt.lacking} == {"its own folder", "a CUDA GPU"}
    assert "weights: facebook/VGGT-1B: non-commercial" in vggt.about
    assert "Apache-2.0" in megasam.about
    assert [extra.name for extra in report.extras] == ["dense", "usd", "view"]
    assert report.processors >= 1 and report.memory_mb > report.available_mb > 0
    assert report.gpus == ()


def test_the_report_is_data(path):
    report = examine()
    data = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    (megasam,) = [e for e in data["estimators"] if e["name"] == "megasam"]
    assert megasam["ready"] is False
    assert megasam["remedies"] == list(checked(report, "megasam").remedies)
    assert {"what", "there", "detail", "remedy"} == set(megasam["needs"][0])
    assert set(data) == set(Report.__dataclass_fields__)


def test_settings_say_where_programs_are(path, tmp_path):
    report = examine({"megasam": {"checkout": str(tmp_path / "nowhere")}})
    assert str(tmp_path / "nowhere") in checked(report, "megasam").lacking[0].detail
    wrong = examine({"megasam": {"chekout": "x"}, "flow": {"rate": -1.0}})
    assert "chekout" in checked(wrong, "megasam").lacking[0].detail
    assert "rate" in checked(wrong, "flow").lacking[0].detail


def test_a_wrong_description_is_a_finding(path, tmp_path, monkeypatch):
    (tmp_path / "mine.toml").write_text("title = 3")
    monkeypatch.setenv("DOLLYGRIP_EXTERNAL", str(tmp_path))
    mine = checked(examine(), "external:mine")
    assert not mine.ready
    assert "mine.toml" in mine.lacking[0].detail


@pytest.mark.parametrize("code", ["1/0", "import nosuchpackage", "", "raise SystemError"])
def test_an_estimator_that_does_not_load_is_a_finding(code, moody, path):
    site = next(Path(entry) for entry in sys.path if (Path(entry) / "moody_estimator.py").exists())
    (site / "moody_estimator.py").write_text(code)
    sys.modules.pop("moody_estimator", None)
    assert not checked(examine(), moody).ready


def test_packages_are_compared_with_what_is_declared(path, monkeypatch):
    declared = [
        "numpy>=2.0",
        "nosuchpackage",
        "psutil>=99.1",
        'torch>=999; extra == "dense"',
        'usd-core>=1 ; extra == "usd"',
        'pytest; extra == "dev"',
    ]
    monkeypatch.setattr("importlib.metadata.requires", lambda name: declared)
    report = examine()
    assert [p.there for p in report.packages] == [True, False, False]
    assert report.packages[1].remedy == "pip install 'nosuchpackage'"
    assert report.packages[2].detail[0].isdigit()
    assert checked(report, "usd").ready
    # An estimator of the name of an extra needs what the extra installs.
    for found in [c for c in (*report.extras, *report.estimators) if c.name == "dense"]:
        assert "pip install 'dollygrip[dense]'" in found.remedies


def test_the_text_names_everything_and_fits(path):
    report = examine()
    for width in (0, 70, 100, 1000):
        lines = text(report, width).splitlines()
        assert max(map(len, lines[3:])) <= max(60, min(width, 120))
        for found in report.estimators:
            assert any(line.startswith(f"{found.name} ") for line in lines)
    whole = " ".join(text(report, 120).split())
    assert "flow ready" in whole
    assert "-> clone https://github.com/mega-sam/mega-sam" in whole


def test_nothing_heavy_is_imported():
    code = (
        "import sys; from dollygrip.runners.doctor import examine; examine();"
        "print(*{'torch', 'pycolmap', 'rerun', 'pxr', 'pandas'} & set(sys.modules))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.split() == []


# --- needs ----------------------------------------------------------------------------------


def test_a_gpu_is_what_nvidia_smi_lists(path, monkeypatch):
    assert not needs.gpu().there
    put_program(path / "nvidia-smi", "print('NVIDIA A100'); print('NVIDIA A100')")
    assert needs.gpu() == Need("a CUDA GPU", True, "NVIDIA A100, NVIDIA A100", needs.gpu().remedy)
    for hidden in ("", "-1"):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
        assert not needs.gpu().there
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert needs.gpu().there


@pytest.mark.parametrize(
    "code",
    [
        "import sys; print('no driver', file=sys.stderr); sys.exit(9)",
        "",
        "import os; os.write(1, b'\\xff\\xfe')",
        "import time; time.sleep(60)",
        "import os; os.abort()",
    ],
)
def test_a_driver_that_does_not_work_is_no_gpu(code, path, monkeypatch):
    monkeypatch.setattr(needs, "_PATIENCE", 0.5)
    put_program(path / "nvidia-smi", code)
    assert needs.gpus() == ()
    assert not needs.gpu().there


def test_packages_of_another_interpreter_are_asked_of_it(path, tmp_path, monkeypatch):
    there = needs.packages(sys.executable, ["numpy", "json"], "install")
    assert there.there and "numpy" in there.detail
    lacking = needs.packages(sys.executable, ["numpy", "nosuchpackage"], "install them")
    assert not lacking.there
    assert lacking.detail == "it lacks nosuchpackage"
    assert lacking.remedy == "install them"
    assert not needs.packages("nosuchpython", ["numpy"], "install").there
    broken = put_program(tmp_path / "python", "raise SystemExit(3)")
    assert not needs.packages(str(broken), ["numpy"], "install").there
    garbled = put_program(tmp_path / "garbled", "import os; os.write(1, b'\\xff')")
    assert not needs.packages(str(garbled), ["numpy"], "install").there
    monkeypatch.setattr(needs, "_PATIENCE", 0.3)
    slow = put_program(tmp_path / "slow", "import time; time.sleep(60)")
    assert "does not answer" in needs.packages(str(slow), ["numpy"], "install").detail


def test_each_kind_of_need_is_found_or_not(path, tmp_path, monkeypatch):
    put_program(path / "tool", "")
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("A_TOKEN", "x")
    monkeypatch.setenv("EMPTY_TOKEN", "")
    found = [
        needs.package("numpy", ""),
        needs.program("tool", ""),
        needs.file("a file", tmp_path / "file", ""),
        needs.folder("a folder", tmp_path, "ROOT", ""),
        needs.variable("A_TOKEN", ""),
    ]
    assert all(need.there for need in found)
    absent = [
        needs.package("nosuchpackage", "a"),
        needs.program("notool", "b"),
        needs.file("a file", tmp_path / "none", "b"),
        needs.folder("a folder", tmp_path / "file", "ROOT", "b"),
        needs.folder("another folder", None, "ROOT", ""),
        needs.variable("EMPTY_TOKEN", "a"),
    ]
    assert not any(need.there for need in absent)
    assert needs.missing(found, "It") is None
    failure = needs.missing([*found, *absent], "It")
    assert failure is not None and failure.reason == Reason.ESTIMATOR_MISSING
    assert failure.message.startswith("It cannot run here")
    assert failure.message.endswith(" a; b.")
    assert all(need.what in failure.message for need in absent)


def test_an_environment_without_metadata_is_told(path, monkeypatch):
    from importlib.metadata import PackageNotFoundError

    def none(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr("importlib.metadata.version", none)
    monkeypatch.setattr("importlib.metadata.requires", none)
    assert examine().version == "not installed"
