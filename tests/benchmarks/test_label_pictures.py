"""The pictures of the labels show what they say, and are those in the documents."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.__main__ import main
from benchmarks.label_pictures import label_path, label_picture
from dollygrip.classifiers.labels import BY_NAME, COMBINED
from dollygrip.classifiers.threshold import ThresholdClassifier
from dollygrip.geometry.trajectory import Hypothesis

PICTURES = Path(__file__).resolve().parents[2] / "docs" / "pictures" / "labels"
every_label = pytest.mark.parametrize("name", sorted(BY_NAME))


@every_label
def test_an_example_is_one_of_its_label_alone(name):
    path = label_path(name)
    said = ThresholdClassifier().classify(
        [Hypothesis("exact", 1.0, path)], start=0.0, end=float(path.times[-1])
    )
    assert set(said.labels) == {name, *COMBINED.get(name, ())}


@every_label
def test_the_document_has_the_picture_that_is_made(name):
    kept = cv2.imread(str(PICTURES / f"{name}.png"))
    assert kept is not None, "python -m benchmarks label_pictures docs/pictures/labels"
    made = cv2.cvtColor(label_picture(name), cv2.COLOR_RGB2BGR)
    assert kept.shape == made.shape
    # Fonts and rounding differ a little between versions of OpenCV.
    assert np.abs(kept.astype(float) - made).mean() < 4.0


def test_no_two_labels_have_the_same_picture():
    pictures = {name: label_picture(name).astype(float) for name in BY_NAME}
    for name, picture in pictures.items():
        others = [np.abs(picture - other).mean() for n, other in pictures.items() if n != name]
        assert min(others) > 4.0, name


def test_the_pictures_are_small():
    sizes = [file.stat().st_size for file in PICTURES.iterdir()]
    assert max(sizes) < 13_000
    assert sum(sizes) < 300_000


def test_the_command_makes_one_of_each_label(tmp_path):
    assert main(["label_pictures", str(tmp_path / "new")]) == 0
    assert {file.stem for file in (tmp_path / "new").iterdir()} == BY_NAME.keys()
