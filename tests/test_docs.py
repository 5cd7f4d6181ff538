"""The documents say what the code does: tables, settings, links and names."""

import ast
import re
from pathlib import Path

import numpy as np
import pytest

import dollygrip
from dollygrip.classifiers.labels import DEFINITIONS, Definition
from dollygrip.classifiers.reliability import Reason
from dollygrip.classifiers.threshold import ThresholdSettings
from dollygrip.classifiers.visibility import visible_units
from dollygrip.geometry.profile import AXES
from dollygrip.geometry.trajectory import FOCAL_PRIOR
from dollygrip.runners.formats.catalog import names, pose_format
from dollygrip.runners.registry import KINDS, choose, read_settings

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(ROOT.glob("docs/*.md"))]
by_name = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)


def table(document: Path, *header: str) -> list[list[str]]:
    """Cells of the rows of the table that has this header."""
    lines = document.read_text(encoding="utf-8").splitlines()
    first = lines.index(f"| {' | '.join(header)} |") + 2
    length = next(i for i, line in enumerate([*lines[first:], ""]) if not line.startswith("|"))
    rows = (line.strip("|").split("|") for line in lines[first : first + length])
    return [[cell.strip() for cell in row] for row in rows]


def blocks(document: Path, language: str) -> list[str]:
    text = document.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def direction(label: Definition) -> str:
    return f"{'+' if label.sign > 0 else '-'} {label.axis}" if label.axis else ""


def test_the_readme_lists_the_labels():
    rows = table(ROOT / "README.md", "label", "sign and axis", "what the camera does")
    assert rows == [[f"`{d.name}`", direction(d), d.meaning] for d in DEFINITIONS]


def test_the_label_document_lists_them_with_all_their_names():
    header = "label", "sign and axis", "CameraBench", "what the camera does"
    rows = table(ROOT / "docs" / "labels.md", *header, "other projects' words")
    assert rows == [
        [f"`{d.name}`", direction(d), d.camerabench, d.meaning, "; ".join(d.synonyms)]
        for d in DEFINITIONS
    ]


def test_the_label_document_states_the_least_amounts():
    settings = ThresholdSettings()
    view = float(np.degrees(2.0 * np.arctan(0.5 / FOCAL_PRIOR)))
    least = dict(zip(AXES, settings.thresholds / visible_units((view, view)), strict=True))
    shift, swell = (f"{100.0 * share:.1f} percent" for share in (settings.shift, settings.swell))
    assert table(ROOT / "docs" / "labels.md", "move", "of the picture", "least amount") == [
        ["pan, tilt", shift, f"{least['pan']:.1f} degrees"],
        ["truck, pedestal", shift, f"{least['truck']:.3f} scene depths"],
        ["roll", swell, f"{least['roll']:.1f} degrees"],
        ["dolly", swell, f"{least['dolly']:.3f} scene depths"],
        ["zoom", swell, f"{100.0 * np.expm1(least['zoom']):.1f} percent of focal length"],
    ]


def test_the_record_document_explains_every_reason():
    rows = table(ROOT / "docs" / "records.md", "reason", "what it says")
    told = [reason for row in rows for reason in re.findall(r"`(\w+)`", row[0])]
    assert sorted(told) == sorted(Reason)


def test_the_pose_document_lists_the_formats():
    header = "format", "convention", "unit", "also holds"
    listed = {row[0].strip("`"): row[1:] for row in table(ROOT / "docs" / "poses.md", *header)}
    formats = {name: pose_format(name) for name in names()}
    assert listed == {
        name: [str(found.convention), found.unit, ", ".join(sorted(found.kept))]
        for name, found in formats.items()
    }


@by_name
def test_settings_that_are_shown_work(document, tmp_path):
    for text in blocks(document, "toml"):
        file = tmp_path / "settings.toml"
        file.write_text(text)
        tables = read_settings(file)
        assert any(tables.values())
        for kind in KINDS:
            for name, given in tables[kind].items():
                choose(kind, name, given)


@by_name
def test_python_that_is_shown_names_what_there_is(document):
    for text in blocks(document, "python"):
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "dollygrip":
                assert node.attr in dollygrip.__all__


@by_name
def test_links_lead_somewhere(document):
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text(encoding="utf-8")):
        assert (document.parent / target).exists(), target
