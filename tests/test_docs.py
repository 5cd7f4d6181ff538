"""The documents say what the code does: tables, settings, links and names."""

import ast
import re
from pathlib import Path

import numpy as np
import pytest

import dollygrip
from dollygrip.classifiers.labels import BY_NAME, COMBINED, DEFINITIONS, Definition
from dollygrip.classifiers.reliability import Reason
from dollygrip.classifiers.threshold import ThresholdSettings
from dollygrip.classifiers.visibility import visible_units
from dollygrip.geometry.profile import AXES
from dollygrip.geometry.trajectory import FOCAL_PRIOR
from dollygrip.runners.formats.catalog import names, pose_format
from dollygrip.runners.registry import KINDS, choose, read_settings

ROOT = Path(__file__).resolve().parents[1]
LABELS = ROOT / "docs" / "labels.md"
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(ROOT.glob("docs/*.md"))]
by_name = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)


# Pictures in tables shrink to what the header needs, so the header needs their width.
PICTURE = "picture" + 50 * "&nbsp;"


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


def test_the_label_document_has_one_table_of_all_there_is_to_know():
    header = "label", PICTURE, "what the camera does", "sign and axis", "names elsewhere"
    rows = table(LABELS, *header, "clearly visible from")
    visible = clearly_visible(ThresholdSettings())
    assert rows == [
        [
            f"`{d.name}`",
            f"![{d.name}: two frames and the camera](pictures/labels/{d.name}.png)",
            d.meaning,
            ", ".join(direction(BY_NAME[part]) for part in COMBINED.get(d.name, (d.name,))),
            "; ".join([f"CameraBench: {d.camerabench}"] * bool(d.camerabench) + [*d.synonyms]),
            visible[d.name],
        ]
        for d in DEFINITIONS
    ]


def clearly_visible(settings: ThresholdSettings) -> dict[str, str]:
    """From when on each label is named: in the picture, and in everyday amounts.

    The amounts are those at the field of view that is assumed where the pictures do not tell.
    """
    view = float(np.degrees(2.0 * np.arctan(0.5 / FOCAL_PRIOR)))
    units = visible_units((view, view))
    told = {}
    for axis, least, unit in zip(AXES, settings.thresholds, units, strict=True):
        amount = least / unit
        for d in DEFINITIONS:
            if d.axis == axis:
                if axis in ("pan", "tilt", "roll"):
                    said = f"a turn of {amount:.1f} degrees"
                elif axis == "zoom":
                    grown = abs(np.expm1(d.sign * amount))
                    changed = "longer" if d.sign > 0 else "shorter"
                    said = f"a focal length {percent(grown, 2)} {changed}"
                else:
                    said = f"travel by {percent(amount, 2)} of the distance to the scene"
                told[d.name] = f"{percent(least)} of the picture: {said}"
    for name, (first, second) in COMBINED.items():
        if name.startswith("dolly_zoom"):
            both = f"{percent(np.expm1(settings.combined), 2)} of focal length"
        else:
            both = f"{np.degrees(settings.combined):.1f} degrees"
        parts = " and ".join(part.replace("_", " ") for part in (first, second))
        told[name] = (
            f"{parts}, each clearly visible; at the same time about {both} and "
            f"{percent(settings.combined)} of the distance"
        )
    told["static"] = (
        f"every move under {percent(settings.still_share)} of what is clearly visible, and shake "
        f"under {percent(settings.still_shake)} of the picture"
    )
    told["shaky"] = f"shake of {percent(settings.shake)} of the picture"
    return told


def percent(share: float, digits: int = 3) -> str:
    return f"{100.0 * share:.{digits}g} percent"


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
