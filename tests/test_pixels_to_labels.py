"""From pixels to labels: rendered clips whose motion is known exactly.

Most clips are handed to the default estimator as pictures; what depends on reading a file
(frame rates, sizes, codecs) goes through one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path

import cv2
import numpy as np
import pytest

import dollygrip
from dollygrip.classifiers.labels import PRIMITIVES
from dollygrip.classifiers.records import ClipLabels, ShotLabels
from dollygrip.classifiers.reliability import Reason
from dollygrip.classifiers.threshold import ThresholdClassifier
from dollygrip.geometry.synthetic import (
    SIGNED_AXES,
    Motion,
    Move,
    Shake,
    camera_path,
    named_motions,
)
from dollygrip.geometry.trajectory import Trajectory
from dollygrip.runners.estimators.flow import FlowEstimator
from dollygrip.runners.rendering import Look, render, write_video
from dollygrip.runners.scenery import Actor, Scene, car, person, scene
from dollygrip.runners.video import Frame

SECONDS, RATE, SIZE = 2.5, 12.0, (320, 180)

CANONICAL = named_motions(SECONDS)
# Pictures of a camera that stands still differ: without noise they would be one picture.
SENSOR = Look(noise=1.5)

SIDES = {"left": "right", "right": "left", "cw": "ccw", "ccw": "cw"}
SIGNS = SIDES | {"up": "down", "down": "up", "in": "out", "out": "in"}

WALKERS = (
    person(1, 0.4, start=(-0.3, 0.2, 0.7), velocity=(0.22, 0.0, 0.0)),
    person(2, 0.3, start=(0.25, 0.15, 0.55), velocity=(-0.15, 0.0, 0.0), cadence=1.3),
)
# Close, and moves about: covers a good half of the picture.
FILLING = (person(3, 0.95, start=(0.0, 0.62, 0.5), sway=0.05, cadence=0.6),)
CAR = (car(4, 0.14, start=(-0.55, 0.15, 0.6), velocity=(0.5, 0.0, 0.0)),)
APPROACHING = (person(5, 0.35, start=(0.05, 0.2, 0.95), velocity=(0.0, 0.0, -0.2)),)
ACCOMPANIED = (person(6, 0.35, start=(0.02, 0.2, 0.6), tracked=True, sway=0.008, cadence=1.4),)


@lru_cache(maxsize=6)
def world(name: str) -> Scene:
    return scene(name, seed=3)


def path_of(
    *moves: Motion,
    duration: float = SECONDS,
    rate: float = RATE,
    size: tuple[int, int] = SIZE,
) -> Trajectory:
    return camera_path(moves, duration=duration, rate=rate, size=size)


def filmed(
    path: Trajectory,
    place: str = "street",
    cast: Sequence[Actor] = (),
    look: Look | None = None,
) -> list[Frame]:
    """What the reader would hand to the estimator."""
    shown = render(path, world(place).with_actors(*cast), look)
    return [
        Frame(index, time, cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.uint8))
        for index, (time, picture) in enumerate(zip(path.times.tolist(), shown, strict=True))
    ]


def labelled(frames: Sequence[Frame]) -> ShotLabels:
    estimate = FlowEstimator().estimate(frames)
    assert estimate.failure is None
    return ThresholdClassifier().classify(
        estimate.hypotheses, start=frames[0].time, end=frames[-1].time
    )


@cache
def canonical(name: str) -> tuple[tuple[Frame, ...], ShotLabels]:
    """One of the canonical motions: its pictures and its answer."""
    frames = tuple(filmed(path_of(*CANONICAL[name]), look=SENSOR))
    return frames, labelled(frames)


def renamed(labels: Sequence[str], words: dict[str, str]) -> set[str]:
    return {"_".join(words.get(word, word) for word in label.split("_")) for label in labels}


def recorded(
    folder: Path, path: Trajectory, keep: Sequence[int] | None = None, crf: int = 20
) -> ClipLabels:
    """The answer for a video file, of all pictures or of some."""
    times = path.times if keep is None else path.times[list(keep)]
    shown = list(render(path, world("street"), SENSOR))
    kept = shown if keep is None else [shown[index] for index in keep]
    file = folder / "clip.mp4"
    write_video(file, kept, times, crf)
    record = dollygrip.label_clip(file)
    assert record.failure is None
    return record


# --- every primitive ------------------------------------------------------------------------


@pytest.mark.parametrize("name", PRIMITIVES)
def test_every_primitive_is_told(name):
    assert set(canonical(name)[1].labels) == {name}


@pytest.mark.parametrize(
    ("name", "amount"),
    [
        ("pan_right", "pan_deg"),
        ("pan_left", "pan_deg"),
        ("tilt_up", "tilt_deg"),
        ("tilt_down", "tilt_deg"),
        ("roll_cw", "roll_deg"),
        ("roll_ccw", "roll_deg"),
        ("zoom_in", "zoom_log"),
        ("zoom_out", "zoom_log"),
    ],
)
def test_how_much_is_measured(name, amount):
    (move,) = CANONICAL[name]
    true = SIGNED_AXES[name][1] * move.amount
    assert canonical(name)[1].attributes["net"][amount] == pytest.approx(true, rel=0.1)


def test_a_still_camera_stays_still_when_others_move():
    still = path_of()
    for cast in (WALKERS, FILLING):
        assert labelled(filmed(still, cast=cast, look=SENSOR)).labels == ("static",)


def test_a_shaking_hand_goes_nowhere():
    assert canonical("handheld")[1].labels == ("shaky",)


def test_moves_at_the_same_time():
    assert set(canonical("pan_right+tilt_up")[1].labels) == {"pan_right", "tilt_up"}


def test_moves_one_after_the_other(tmp_path):
    moves = (
        Move("pan_left", 16.0, end=1.5, eased=True),
        Move("tilt_up", 10.0, start=1.5, eased=True),
    )
    record = recorded(tmp_path, path_of(*moves, duration=3.0, rate=15.0))
    assert set(record.labels) == {"pan_left", "tilt_up"}
    first, second = record.segments
    assert (first.motion, second.motion) == ("pan_left", "tilt_up")
    assert first.start == pytest.approx(0.0, abs=0.4)
    assert first.end == pytest.approx(1.5, abs=0.4)
    assert second.start == pytest.approx(1.5, abs=0.4)
    assert second.end == pytest.approx(3.0, abs=0.4)


# --- laws -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["pan_left", "truck_right", "roll_cw"])
def test_a_mirror_swaps_left_and_right(name):
    frames, answer = canonical(name)
    mirrored = [
        Frame(frame.index, frame.time, np.ascontiguousarray(frame.image[:, ::-1]))
        for frame in frames
    ]
    assert set(labelled(mirrored).labels) == renamed(answer.labels, SIDES)


@pytest.mark.parametrize("name", ["tilt_up", "dolly_in", "zoom_out"])
def test_time_run_backwards_flips_every_sign(name):
    frames, answer = canonical(name)
    reversed_ = [
        Frame(index, frames[-1].time - frame.time, frame.image)
        for index, frame in enumerate(reversed(frames))
    ]
    assert set(labelled(reversed_).labels) == renamed(answer.labels, SIGNS)


@pytest.mark.parametrize("name", ["pedestal_up", "roll_ccw", "truck_left"])
@pytest.mark.parametrize("rate", [10.0, 30.0])
def test_the_frame_rate_changes_nothing(name, rate, tmp_path):
    record = recorded(tmp_path, path_of(*CANONICAL[name], rate=rate))
    assert record.labels == canonical(name)[1].labels


def test_uneven_frame_times_change_nothing(tmp_path):
    path = path_of(*CANONICAL["pan_right"], rate=24.0)
    some = np.flatnonzero(np.random.default_rng(0).random(len(path)) < 0.6)
    keep = np.union1d(some, [0, len(path) - 1]).tolist()
    record = recorded(tmp_path, path, keep)
    assert record.labels == canonical("pan_right")[1].labels
    assert record.whole.attributes["net"]["pan_deg"] == pytest.approx(15.0, rel=0.1)


@pytest.mark.parametrize("name", ["dolly_in", "tilt_down"])
def test_the_length_changes_nothing(name):
    slower = labelled(filmed(path_of(*CANONICAL[name], duration=2 * SECONDS)))
    assert slower.labels == canonical(name)[1].labels


@pytest.mark.parametrize("size", [(240, 134), (960, 540)])
def test_the_resolution_changes_nothing(size, tmp_path):
    record = recorded(tmp_path, path_of(*CANONICAL["zoom_in"], size=size))
    assert record.labels == canonical("zoom_in")[1].labels


# --- pictures that tell nothing -------------------------------------------------------------


def pictures(
    grey: int, count: int = 20, size: tuple[int, int] = SIZE, noise: float = 0.0
) -> list[Frame]:
    rng = np.random.default_rng(0)
    shape = size[::-1]
    return [
        Frame(
            index,
            index / RATE,
            np.clip(grey + noise * rng.standard_normal(shape), 0, 255).astype(np.uint8),
        )
        for index in range(count)
    ]


@pytest.mark.parametrize(
    ("frames", "reason"),
    [
        pytest.param(pictures(0), Reason.TOO_DARK, id="black"),
        pytest.param(pictures(4, noise=0.5), Reason.TOO_DARK, id="cap on the lens"),
        pytest.param(pictures(128), Reason.NO_TEXTURE, id="one grey"),
        pytest.param(pictures(255), Reason.NO_TEXTURE, id="white"),
        pytest.param([], Reason.TOO_SHORT, id="nothing"),
        pytest.param(pictures(128, 1, noise=40.0), Reason.TOO_SHORT, id="one picture"),
        pytest.param(pictures(128, 2, noise=40.0), Reason.TOO_SHORT, id="two pictures"),
        pytest.param(pictures(128, size=(16, 16), noise=40.0), Reason.TOO_SMALL, id="16x16"),
    ],
)
def test_what_tells_nothing_says_why(frames, reason):
    estimate = FlowEstimator().estimate(frames)
    assert not estimate.hypotheses
    assert estimate.failure.reason == reason
    assert estimate.failure.message


def test_a_frozen_picture_is_a_still_camera_in_doubt(tmp_path):
    picture = cv2.cvtColor(next(iter(render(path_of(), world("street")))), cv2.COLOR_RGB2BGR)
    for number in range(10):
        cv2.imwrite(str(tmp_path / f"{number}.png"), picture)
    record = dollygrip.label_clip(tmp_path)
    assert record.labels == ("static",)
    assert Reason.FROZEN in {doubt.reason for doubt in record.whole.doubts}


# --- harder pictures ------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """One harder clip.

    Attributes:
        moves: What the camera does.
        labels: What must be named.
        place: Where.
        cast: Who moves.
        look: What happens to the picture.
        tolerated: What may be named as well.
        duration: Seconds.
        size: (width, height) in pixels.
    """

    moves: tuple[Motion, ...]
    labels: set[str]
    place: str = "street"
    cast: tuple[Actor, ...] = ()
    look: Look = field(default_factory=Look)
    tolerated: set[str] = field(default_factory=set)
    duration: float = SECONDS
    size: tuple[int, int] = (480, 270)


NOISE = Look(noise=10.0)
LOW_LIGHT = Look(exposure=0.18, noise=4.0)
BARS = Look(letterbox=0.24)
GATE = Look(gate=True, noise=5.0, flicker=0.03, vignette=0.5)
WRITING = Look(logo=True, subtitles=True)
RAIN = Look(rain=80)
FLICKER = Look(flicker=0.06)
EXPOSURE = Look(drift=0.5)

CASES = {
    "noise": Case((Move("truck_right", 0.3),), {"truck_right"}, look=NOISE),
    "whip pan": Case(
        (Move("pan_right", 60.0, 0.7, 1.5),), {"pan_right"}, look=Look(shutter=0.8), duration=2.2
    ),
    "low light": Case((Move("roll_cw", 18.0),), {"roll_cw"}, "room", look=LOW_LIGHT),
    "bars": Case((Move("tilt_down", 9.0),), {"tilt_down"}, "nature", look=BARS),
    "gate": Case((Move("pan_left", 12.0),), {"pan_left"}, "landscape", look=GATE),
    "writing": Case((Move("dolly_in", 0.35),), {"dolly_in"}, look=WRITING),
    "rain": Case((Move("truck_left", 0.3),), {"truck_left"}, "nature", look=RAIN),
    "flicker": Case((Move("zoom_in", 0.35),), {"zoom_in"}, "room", look=FLICKER),
    "exposure": Case((Move("tilt_up", 9.0),), {"tilt_up"}, look=EXPOSURE),
    "vertical truck": Case((Move("truck_left", 0.25),), {"truck_left"}, "room", size=(270, 480)),
    "vertical tilt": Case((Move("tilt_up", 12.0),), {"tilt_up"}, size=(270, 480)),
    "crowd": Case((Move("pan_left", 12.0),), {"pan_left"}, cast=WALKERS),
    "dolly in, pan left": Case(CANONICAL["dolly_in+pan_left"], {"dolly_in", "pan_left"}),
    "in the hand": Case(
        (Move("dolly_in", 0.4), Shake(0.5, 0.004, 7)), {"dolly_in"}, tolerated={"shaky"}
    ),
    "lead": Case((Move("dolly_out", 0.6),), {"dolly_out"}, cast=ACCOMPANIED),
    "tail": Case((Move("dolly_in", 0.6),), {"dolly_in"}, "corridor", cast=ACCOMPANIED),
    "arc_cw": Case(
        (Move("arc_cw", 30.0),), {"arc_cw", "truck_left"}, "nature", tolerated={"pan_right"}
    ),
    "arc_ccw": Case(
        (Move("arc_ccw", 30.0),), {"arc_ccw", "truck_right"}, tolerated={"pan_left"}
    ),
    "crane_down": Case(
        (Move("crane_down", 15.0),), {"crane_down", "pedestal_down"}, tolerated={"tilt_up"}
    ),
    "crane_up": Case(
        (Move("crane_up", 20.0),), {"crane_up", "pedestal_up"}, tolerated={"tilt_down"}
    ),
    "dolly_zoom_in": Case(
        (Move("dolly_zoom_in", 0.4),), {"dolly_zoom_in", "dolly_out", "zoom_in"}
    ),
    # In a street: where depths vary less, the scene inside out with both signs changed looks alike.
    "dolly_zoom_out": Case(
        (Move("dolly_zoom_out", 0.4),), {"dolly_zoom_out", "dolly_in", "zoom_out"}
    ),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_harder_pictures(case):
    path = path_of(*case.moves, duration=case.duration, size=case.size)
    labels = set(labelled(filmed(path, case.place, case.cast, case.look)).labels)
    assert case.labels <= labels <= case.labels | case.tolerated


@pytest.mark.slow
@pytest.mark.parametrize("name", SIGNED_AXES)
@pytest.mark.parametrize("place", ["room", "nature", "landscape"])
def test_every_move_in_other_places(name, place):
    frames = filmed(path_of(*CANONICAL[name], size=(480, 270)), place)
    assert set(labelled(frames).labels) == {name}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("look", "cast"),
    [
        pytest.param(NOISE, (), id="noise"),
        pytest.param(LOW_LIGHT, (), id="low light"),
        pytest.param(BARS, WALKERS, id="bars"),
        pytest.param(GATE, (), id="gate"),
        pytest.param(WRITING, WALKERS, id="writing"),
        pytest.param(RAIN, WALKERS, id="rain"),
        pytest.param(FLICKER, (), id="flicker"),
        pytest.param(EXPOSURE, (), id="exposure"),
        pytest.param(Look(noise=2.0), WALKERS, id="crowd"),
        pytest.param(Look(), FILLING, id="subject fills the picture"),
        pytest.param(Look(), CAR, id="car"),
        pytest.param(Look(), APPROACHING, id="somebody comes nearer"),
    ],
)
@pytest.mark.parametrize("place", ["street", "room"])
def test_nothing_makes_a_still_camera_move(look, cast, place):
    frames = filmed(path_of(size=(480, 270)), place, cast, look)
    assert labelled(frames).labels == ("static",)


@pytest.mark.slow
def test_a_poor_codec_changes_nothing(tmp_path):
    record = recorded(
        tmp_path, path_of(*CANONICAL["dolly_out"], rate=24.0, size=(480, 270)), crf=36
    )
    assert set(record.labels) == {"dolly_out"}
