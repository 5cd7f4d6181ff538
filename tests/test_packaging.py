"""The floors lie at the top of the checkout, are installed inside ``dollygrip``, and only there."""

import ast
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from configparser import ConfigParser
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FLOORS = ("geometry", "classifiers", "runners")
# What needs more than the rest has an extra; the names are those that Python imports.
EXTRAS = ("dense", "ray", "train", "usd", "view", "vlm")
OPTIONAL = ("openai", "pxr", "ray", "rerun", "scipy", "sklearn", "torch", "transformers")
# What a user plugs in, as a depth network into the dense estimator.
PLUGGED_IN = {"transformers"}


CONFIG = ConfigParser()
CONFIG.read(ROOT / "setup.cfg", encoding="utf-8")


def _listed(key: str) -> list[str]:
    return CONFIG["options"][key].strip().splitlines()


def _folder(package: str) -> Path:
    """Where the checkout keeps a package."""
    inside = package.split(".")[1:]
    return (
        ROOT.joinpath(*inside)
        if inside[:1] and inside[0] in FLOORS
        else ROOT / package.replace(".", "/")
    )


def _modules() -> dict[str, Path]:
    """Every module that the package should have, by its path inside a wheel."""
    app = {
        path.relative_to(ROOT).as_posix(): path
        for pattern in ("*.py", "commands/*.py")
        for path in (ROOT / "dollygrip").glob(pattern)
    }
    floors = {
        f"dollygrip/{path.relative_to(ROOT).as_posix()}": path
        for floor in FLOORS
        for path in (ROOT / floor).rglob("*.py")
    }
    return app | floors


def _data() -> set[str]:
    """Files that are no Python, by their path inside a wheel."""
    folders = (
        "classifiers/data",
        "runners/estimators/descriptions",
        "runners/formats/data",
        "runners/report/templates",
    )
    files = {path for folder in folders for path in (ROOT / folder).glob("*") if path.is_file()}
    return {f"dollygrip/{path.relative_to(ROOT).as_posix()}" for path in files} | {
        "dollygrip/py.typed"
    }


def _run(*command: str | Path, cwd: Path, path: Path | None = None) -> str:
    """Output of a command that must succeed, with no Python path but the one given."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    if path is not None:
        environment["PYTHONPATH"] = str(path)
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_folder_with_code_is_a_listed_package() -> None:
    found = {path.rsplit("/", 1)[0].replace("/", ".") for path in _modules()}
    assert found == set(_listed("packages"))


def test_package_dir_says_where_the_floors_are() -> None:
    mapped = dict(line.split(" = ") for line in _listed("package_dir"))
    assert mapped == {"dollygrip": "dollygrip"} | {f"dollygrip.{name}": name for name in FLOORS}
    for package in _listed("packages"):
        assert (_folder(package) / "__init__.py").is_file()


def test_links_inside_the_package_are_relative_and_lead_to_the_floors() -> None:
    links = {p.name: p.readlink() for p in (ROOT / "dollygrip").iterdir() if p.is_symlink()}
    assert links == {name: Path("..") / name for name in FLOORS}


def test_all_data_files_lie_where_package_data_looks() -> None:
    patterns = CONFIG["options.package_data"]
    kept = {
        f"{package.replace('.', '/')}/{path.relative_to(_folder(package)).as_posix()}"
        for package, pattern in patterns.items()
        for path in _folder(package).glob(pattern)
    }
    assert kept >= _data()


def _imported() -> set[str]:
    """Top-level names that the package imports, from anywhere in its code."""
    found: set[str] = set()
    for path in _modules().values():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module.partition(".")[0])
    return found


def _name(requirement: str) -> str:
    return requirement.split(">=")[0].lower()


def test_what_is_imported_is_what_is_required() -> None:
    providers = packages_distributions()
    foreign = _imported() - set(sys.stdlib_module_names) - {"dollygrip"} - PLUGGED_IN
    needed = {providers[name][0].lower() for name in foreign}
    extras = CONFIG["options.extras_require"]
    optional = {_name(line) for extra in EXTRAS for line in extras[extra].strip().splitlines()}
    required = {_name(line) for line in _listed("install_requires")}
    assert not required & optional
    assert needed == required | optional


@pytest.mark.parametrize("estimator", ["flow", "colmap", "poses", "auto"])
def test_what_no_extra_is_for_works_without_any_extra(estimator: str) -> None:
    blocked = sorted(OPTIONAL)
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({blocked}))\n"
        "from dollygrip.runners.registry import choose\n"
        f"choose('estimator', '{estimator}').make()\n"
    )
    _run(sys.executable, "-c", code, cwd=ROOT)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an sdist of the checkout and the wheel made from that sdist."""
    out = tmp_path_factory.mktemp("dist")
    checkout = tmp_path_factory.mktemp("checkout") / "dollygrip"
    left = shutil.ignore_patterns(".*", "*.egg-info", "__pycache__", "build", "demo", "dist")
    shutil.copytree(ROOT, checkout, symlinks=True, ignore=left)
    _run(sys.executable, "-m", "build", "--outdir", out, checkout, cwd=out)
    return out


@pytest.mark.slow
def test_the_wheel_has_every_module_and_data_file_and_nothing_else(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    files = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert files == set(_modules()) | _data()


@pytest.mark.slow
def test_the_sdist_has_each_file_once_and_no_links(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        members = archive.getmembers()
    assert not [member.name for member in members if member.issym() or member.islnk()]
    names = {member.name.partition("/")[2] for member in members}
    assert names >= {path.relative_to(ROOT).as_posix() for path in _modules().values()}
    assert names >= {"LICENSE", "README.md", "CHANGELOG.md", "constraints.txt"}
    assert not [name for name in names if name.startswith(tuple(f"dollygrip/{f}/" for f in FLOORS))]


@pytest.mark.slow
def test_an_installed_wheel_works_from_elsewhere(built: Path, tmp_path: Path) -> None:
    (wheel,) = built.glob("*.whl")
    site = tmp_path / "site"
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", site, wheel)
    _run(*pip, cwd=tmp_path)
    packages = ", ".join(_listed("packages"))
    where = _run(
        sys.executable,
        "-c",
        f"import {packages}; print(dollygrip.__file__)",
        cwd=tmp_path,
        path=site,
    )
    assert Path(where.strip()).is_relative_to(site)
    for floor in FLOORS:
        looked = f"import importlib.util as u; print(u.find_spec('{floor}'))"
        assert _run(sys.executable, "-c", looked, cwd=tmp_path, path=site).strip() == "None"
    assert (site / "bin" / "dollygrip").is_file()
    assert _run(sys.executable, "-m", "dollygrip", "--help", cwd=tmp_path, path=site)


def test_the_checkout_works_without_being_installed() -> None:
    packages = ", ".join(_listed("packages"))
    where = _run(sys.executable, "-c", f"import {packages}; print(dollygrip.__file__)", cwd=ROOT)
    assert Path(where.strip()).is_relative_to(ROOT)


def test_importing_the_package_loads_no_heavy_library() -> None:
    heavy = ("av", "cv2", "matplotlib", "pandas", "pyarrow", "scipy")
    loaded = _run(
        sys.executable, "-c", "import dollygrip, sys; print(*sys.modules)", cwd=ROOT
    ).split()
    assert not set(heavy) & set(loaded)
