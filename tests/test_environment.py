"""conda users get what pip users get."""

import re
from configparser import ConfigParser
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]


def _required() -> set[str]:
    config = ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    options = config["options"]
    lines = options["install_requires"].strip().splitlines()
    return {line.lower() for line in lines} | {f"python{options['python_requires']}"}


def test_environment_yml_and_setup_cfg_agree() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    dependencies = environment["dependencies"]
    (by_pip,) = [entry["pip"] for entry in dependencies if isinstance(entry, dict)]
    listed = {entry for entry in dependencies if isinstance(entry, str)} | set(by_pip)
    assert listed - {"pip", "-e ."} == _required()


def test_every_requirement_is_pinned_to_one_tested_version_in_its_range() -> None:
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    pins = dict(line.lower().split("==") for line in lines)
    assert len(pins) == len(lines)
    for requirement in _required():
        name, least = requirement.split(">=")
        if name != "python":
            assert _number(pins[name]) >= _number(least), name


def test_constraints_name_no_place_only_versions() -> None:
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert [line for line in lines if not re.fullmatch(r"[\w.-]+==[\w.!]+", line)] == []


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))
