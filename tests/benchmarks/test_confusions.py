"""Mistakes are sorted by what was taken for what, and one of each is shown."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.__main__ import main
from benchmarks.confusions import MOST_BYTES, film_strip, kinds_of, small_jpeg, wrong_cases
from benchmarks.labelling import Verdict
from dollygrip.runners.rendering import write_video


@pytest.mark.parametrize(
    ("yes", "labels", "kinds"),
    [
        (("pan_left",), ("pan_left",), ()),
        (("pan_left",), ("truck_left",), ("pan seen as truck",)),
        (
            ("pan_right",),
            ("truck_right", "zoom_in"),
            ("pan seen as truck", "zoom where there is none"),
        ),
        (("dolly_in",), ("dolly_out",), ("dolly seen the other way round",)),
        (("tilt_up",), (), ("tilt missed",)),
        (("static",), ("zoom_in",), ("static seen as zoom",)),
        (("roll_cw",), ("roll_cw", "dolly_in"), ("dolly where there is none",)),
        # A dolly zoom of which a dolly the other way is made: one label explains both.
        (
            ("dolly_out", "zoom_in"),
            ("dolly_in",),
            ("dolly seen the other way round", "zoom seen as dolly"),
        ),
        # The twin explains better than what merely happens to be there.
        (
            ("zoom_out",),
            ("static", "dolly_in"),
            ("zoom seen as dolly", "static where there is none"),
        ),
        (("pan_left", "pan_right"), (), ("pan missed",)),
    ],
)
def test_what_was_taken_for_what(truth, said, yes, labels, kinds) -> None:
    assert kinds_of(truth("a", *yes), said(*labels)) == kinds


def test_what_is_unsure_is_no_mistake_and_no_answer_is_one(truth, said) -> None:
    clip = truth("a", "pan_left", unsure=("truck_left",))
    assert kinds_of(clip, said("pan_left", "truck_left")) == ()
    assert kinds_of(clip, said("truck_left")) == ("pan missed",)
    assert kinds_of(clip, Verdict(failure="too_dark")) == ("no answer",)


def test_the_clearest_case_of_the_commonest_kind_comes_first(truth, said) -> None:
    truths = [truth(name, "tilt_up") for name in "abcd"]
    verdicts = [
        said("zoom_in", "roll_cw", zoom_in=0.9, roll_cw=0.6, trust=0.9),
        said(trust=0.2),
        said(trust=0.6),
        said("tilt_up", trust=0.9),
    ]
    found = wrong_cases(truths, verdicts)
    assert list(found) == ["tilt missed", "roll where there is none", "tilt seen as zoom"]
    assert [case.truth.clip for case in found["tilt missed"]] == ["c", "b"]


@pytest.fixture
def clip(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (480, 270, 3), dtype=np.uint8)
    path = tmp_path / "tall.mp4"
    write_video(path, (np.roll(noise, i, axis=0) for i in range(9)), np.arange(9) / 4.0)
    return path


def test_a_film_strip_is_small_whatever_it_shows(truth, said, clip) -> None:
    shown = replace(truth("tall.mp4", "tilt_up"), path=clip)
    kinds = wrong_cases([shown], [said("pedestal_up", tilt_up=0.2, pedestal_up=0.8)])
    ((kind, (case,)),) = kinds.items()
    picture = film_strip(case, kind)
    height, width = picture.shape[:2]
    assert 200 < height < 330
    assert width == 900
    assert len(small_jpeg(picture)) <= MOST_BYTES
    noise = np.random.default_rng(1).integers(0, 255, (300, 1000, 3), dtype=np.uint8)
    assert len(small_jpeg(noise)) <= MOST_BYTES


def test_five_different_frames_are_shown(truth, said, tmp_path) -> None:
    path = tmp_path / "grey.mp4"
    greys = (np.full((112, 200, 3), 20 * i, np.uint8) for i in range(9))
    write_video(path, greys, np.arange(9) / 4.0, crf=1)
    shown = replace(truth("grey.mp4", "tilt_up"), path=path)
    ((kind, (case,)),) = wrong_cases([shown], [said()]).items()
    picture = film_strip(case, kind)
    middle = picture[-60, 100::204]
    np.testing.assert_allclose(middle[:, 0], [0, 40, 80, 120, 160], atol=4)


@pytest.mark.slow
def test_every_kind_has_a_picture(labels_csv, clip, tmp_path) -> None:
    folder = labels_csv({"clip": "tall.mp4", "roll_cw": "yes"}, {"clip": "none.mp4"})
    out = tmp_path / "out"
    command = ["confusions", str(folder), "--estimator=global2d", "--jobs=1", "--out", str(out)]
    assert main(command) == 0
    index = (out / "index.md").read_text()
    assert "Mistakes in 2 of 2 clips" in index
    assert "| no answer" in index
    # A clip that cannot be read has no picture.
    (picture,) = out.glob("*.jpg")
    assert f"[picture]({picture.name})" in index
