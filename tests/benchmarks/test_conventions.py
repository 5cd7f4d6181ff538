"""Poses read in a wrong convention: the benchmark counts what is found out."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.conventions import WRONG, readings
from dollygrip.geometry.synthetic import Move, camera_path
from dollygrip.runners.rendering import Look, render, write_video
from dollygrip.runners.scenery import scene


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip that pans left and tilts up, with its exact path beside it."""
    file = tmp_path_factory.mktemp("clips") / "crane.mp4"
    path = camera_path(
        [Move("pan_left", 15.0), Move("tilt_up", 9.0)], duration=1.2, rate=12.0, size=(480, 270)
    )
    write_video(file, render(path, scene("street", seed=3), Look()), path.times)
    np.savez(
        file.with_suffix(".npz"),
        times=path.times,
        rotations=path.rotations,
        centers=path.centers,
        focals=path.focals,
        size=np.array(path.size),
        scene_depth=1.0,
    )
    return file


def test_wrong_conventions_that_matter_are_found_and_the_right_one_is_not_blamed(
    clip: Path,
) -> None:
    found = {reading.convention: reading for reading in readings(clip)}
    assert list(found) == ["as written", *WRONG]
    right = found.pop("as written")
    assert not right.matters
    assert not right.blamed
    assert right.explained > 0.9
    assert all(reading.matters and reading.named for reading in found.values())


@pytest.mark.slow
def test_without_a_focal_length_too(clip: Path) -> None:
    found = {reading.convention: reading for reading in readings(clip, focal_known=False)}
    assert not found["as written"].blamed
    assert found["camera_from_world"].named
