"""One clip of the report: numbers of the run, sentences where there are none, text that is text."""

import json
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from jinja2 import Environment, FileSystemLoader, StrictUndefined

import dollygrip.runners.report as report
from dollygrip.classifiers.labels import BY_NAME
from dollygrip.classifiers.records import ClipLabels, Segment, ShotLabels
from dollygrip.classifiers.reliability import Failure, Reason
from dollygrip.geometry.profile import AXES, motion_profile
from dollygrip.geometry.synthetic import camera_path, named_motions
from dollygrip.geometry.trajectory import Hypothesis, Trajectory
from dollygrip.runners.content import content_of
from dollygrip.runners.formats.trajectories import ShotMotion, trajectories_npz
from dollygrip.runners.report.filmstrip import PICTURES, filmstrip
from dollygrip.runners.report.panels import panel
from dollygrip.runners.report.paths import drawn_motion
from dollygrip.runners.store import TRAJECTORIES
from dollygrip.runners.systems import Answer, System

PAN, ROLL = AXES.index("pan"), AXES.index("roll")
HOSTILE = '<script>alert("1")</script> \'&amp; =1+1'


def moved(name: str, duration: float = 2.0, **more) -> Trajectory:
    return replace(camera_path(named_motions(duration)[name], duration=duration), **more)


def shot(path: Trajectory, start: float = 0.0) -> ShotMotion:
    path = replace(path, times=path.times + start)
    return ShotMotion(start, float(path.times[-1]), (Hypothesis("all", 0.9, path),))


def record(clip_id: str = "a", path: str = "a.mp4", labels=("pan_right",), **more) -> ClipLabels:
    scores = {label: 0.9 if label in labels else 0.1 for label in BY_NAME}
    whole = ShotLabels(**{"start": 0.0, "end": 2.0, "labels": labels, "scores": scores, **more})
    return ClipLabels(clip_id, path, whole, (whole,))


def answer(said: ClipLabels) -> Answer:
    failure = said.failure
    errors = {} if failure is None else dict.fromkeys(BY_NAME, failure.message)
    return Answer(said.clip_id, said.path, said.scores, errors, frozenset(said.labels), said)


def system(source: Path, classifier: str = "learned", estimator: str = "flow") -> System:
    return System(f"{estimator} + {classifier}", source, (), estimator, classifier)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run that has one clip: a pan to the right."""
    folder = tmp_path / "run"
    (folder / TRAJECTORIES).mkdir(parents=True)
    (folder / TRAJECTORIES / "a.npz").write_bytes(trajectories_npz([shot(moved("pan_right"))]))
    return folder


def only(run: Path, said: ClipLabels, truth=None):
    return panel("a", [system(run)], [answer(said)], truth)


def is_small_json(data) -> bool:
    text = json.dumps(data, allow_nan=False)
    text.encode("utf-8")
    return json.loads(text) == data and len(text) < 60_000


# --- rates and path -------------------------------------------------------------------------


@pytest.mark.parametrize("duration", [2.0, 12.0])
def test_the_rates_are_those_of_the_profile(duration):
    path = moved("pan_right", duration)
    profile = motion_profile(path)
    drawn = drawn_motion([shot(path)])["shots"][0]
    assert len(drawn["times"]) <= 80
    rows = [int(np.abs(profile.times - time).argmin()) for time in drawn["times"]]
    assert (rows[0], rows[-1]) == (0, len(profile.times) - 1)
    assert np.allclose(np.transpose(drawn["rates"]), profile.rates[rows], atol=0.006)
    assert np.all(np.array(drawn["full_scale"]) >= np.abs(profile.rates).max(axis=0) - 1e-4)


def turned(camera) -> np.ndarray:
    """Where the middle of a camera's picture is: right, up, forward."""
    return np.mean(camera["rays"], axis=0)


@pytest.mark.parametrize(
    ("move", "axis", "side", "sign"),
    [("pan_right", "pan", 0, 1), ("pan_left", "pan", 0, -1), ("tilt_up", "tilt", 1, 1)],
)
def test_a_turn_has_its_sign_in_rates_and_cameras(move, axis, side, sign):
    drawn = drawn_motion([shot(moved(move))])["shots"][0]
    assert sign * drawn["rates"][AXES.index(axis)][len(drawn["times"]) // 2] > 1.0
    first, *_, last = drawn["path"]["cameras"]
    assert turned(first) == pytest.approx([0.0, 0.0, 1.0], abs=1e-3)
    assert sign * turned(last)[side] > 0.1


def test_a_clockwise_roll_lowers_the_right_of_the_picture():
    drawn = drawn_motion([shot(moved("roll_cw"))])["shots"][0]
    top_left, top_right, *_ = drawn["path"]["cameras"][-1]["rays"]
    assert drawn["rates"][ROLL][len(drawn["times"]) // 2] > 1.0
    assert top_right[1] < top_left[1]


@pytest.mark.parametrize(
    ("move", "place"),
    [("truck_right", 0), ("pedestal_up", 1), ("dolly_in", 2)],
)
@pytest.mark.parametrize("depth", [1.0, 4.0])
def test_a_path_is_in_scene_depths_from_its_first_camera(move, place, depth):
    path = moved(move)
    turn = camera_path(named_motions()["pan_left"]).rotations[-1]
    elsewhere = replace(
        path,
        rotations=turn @ path.rotations,
        centers=depth * path.centers @ turn.T + 7.0,
        scene_depth=depth * path.scene_depth,
    )
    drawn = drawn_motion([shot(elsewhere)])["shots"][0]["path"]
    expected = np.zeros(3)
    expected[place] = np.linalg.norm(path.centers[-1]) / path.scene_depth
    assert drawn["unit"] == "depths"
    assert drawn["centers"][0] == [0.0, 0.0, 0.0]
    assert drawn["centers"][-1] == pytest.approx(expected, abs=2e-3)
    assert drawn["cameras"][-1]["center"] == drawn["centers"][-1]


@pytest.mark.parametrize(("metric", "unit"), [(True, "metres"), (False, "unknown")])
def test_an_assumed_scale_is_said(metric, unit):
    path = moved("truck_right", scene_depth=float("nan"), metric=metric)
    assert drawn_motion([shot(path)])["shots"][0]["path"]["unit"] == unit


def test_shots_share_the_points_and_too_many_are_said_to_be_left_out():
    piece = moved("pan_right", 0.5)
    drawn = drawn_motion([shot(piece, start=0.6 * i) for i in range(30)])
    assert [s["start"] for s in drawn["shots"]] == pytest.approx([0.6 * i for i in range(24)])
    assert drawn["note"] == "The last 6 of 30 shots are not drawn."
    assert sum(len(s["times"]) for s in drawn["shots"]) <= 96
    assert drawn_motion([shot(piece)])["note"] == ""


def test_a_failed_shot_has_its_reason_and_nothing_to_draw():
    failed = ShotMotion(0.0, 1.0, failure=Failure(Reason.TOO_DARK, "It is too dark."))
    few = moved("pan_right", valid=np.arange(48) == 3)
    for motion, reason in ((failed, "It is too dark."), (shot(few), "Fewer than two")):
        (drawn,) = drawn_motion([motion])["shots"]
        assert reason in drawn["failure"]
        assert "rates" not in drawn


# --- pictures -------------------------------------------------------------------------------


def test_pictures_are_spread_over_the_time(make_clip, numbered):
    film = filmstrip(make_clip("a.mp4", numbered(50, (320, 180)), rate=25))
    times = [picture["time"] for picture in film["pictures"]]
    assert times == pytest.approx((np.arange(PICTURES) + 0.5) / PICTURES * 49 / 25, abs=0.09)
    assert (film["width"], film["height"], film["note"]) == (160, 90, "")
    assert all(p["source"].startswith("data:image/jpeg;base64,") for p in film["pictures"])


def test_a_clip_of_two_pictures_has_two(make_clip, numbered):
    film = filmstrip(make_clip("a.mp4", numbered(2), rate=5))
    assert [picture["time"] for picture in film["pictures"]] == [0.0, 0.2]


def test_noise_is_small_too(make_clip):
    noise = np.random.default_rng(0).integers(0, 255, (10, 180, 320, 3), np.uint8)
    film = filmstrip(make_clip("a.mp4", list(noise)))
    assert sum(len(picture["source"]) for picture in film["pictures"]) < 60_000


def test_a_clip_that_is_gone_or_broken_is_a_sentence(tmp_path, make_clip, numbered):
    assert "in which it was labelled" in filmstrip(Path("no-such-clip.mp4"))["note"]
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"not a video")
    for path, words in ((tmp_path / "gone.mp4", "does not exist"), (broken, "not a video")):
        film = filmstrip(path)
        assert film["pictures"] == []
        assert words in film["note"]


def test_a_clip_that_is_cut_short_shows_what_there_is(make_clip, numbered):
    clip = make_clip("a.mkv", numbered(50), options={"g": "5"})
    clip.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    film = filmstrip(clip)
    assert film["pictures"]
    assert "cut short" in film["note"]


def test_pictures_of_another_file_are_not_shown(make_clip, numbered):
    clip = make_clip("a.mp4", numbered(10))
    known = content_of(clip)
    assert filmstrip(clip, known)["pictures"]
    make_clip("a.mp4", numbered(11))
    film = filmstrip(clip, known)
    assert film["pictures"] == []
    assert "no longer the file" in film["note"]


def test_a_clip_that_takes_too_long_is_said_to_be_shown_in_part(make_clip, numbered, monkeypatch):
    clip = make_clip("a.mp4", numbered(50))
    monkeypatch.setattr("dollygrip.runners.report.filmstrip._PATIENCE", -1.0)
    assert "takes too long" in filmstrip(clip)["note"]


# --- a panel --------------------------------------------------------------------------------


def test_a_panel_has_pictures_motion_and_words(run, make_clip, numbered):
    clip = make_clip("a.mp4", numbered(50, (320, 180)))
    said = record(
        path=str(clip),
        segments=(Segment("pan_right", 0.25, 1.5, 0.9),),
        caption="The camera pans right.",
        trust=0.8,
    )
    data = only(run, said, {"pan_right": True, "tilt_up": None, "zoom_in": False})
    assert is_small_json(data)
    assert data["path"] == str(clip)
    assert data["truth"] == {"yes": ["pan_right"], "no": ["zoom_in"], "unsure": ["tilt_up"]}
    assert len(data["film"]["pictures"]) == PICTURES
    (sentence,) = data["sentences"]
    assert sentence == {"systems": ["flow"], "kind": "caption", "text": "The camera pans right."}
    assert data["said"][0]["trust"] == 0.8
    drawing = data["drawing"]
    assert drawing["end"] == 2.0
    assert drawing["motions"][0]["name"] == "flow"
    (moving,) = drawing["motions"][0]["shots"]
    assert max(moving["rates"][PAN]) > 5.0
    assert (moving["model"], moving["probability"]) == ("all", 0.9)
    assert drawing["systems"][0]["segments"] == [
        {"motion": "pan_right", "axis": "pan", "start": 0.25, "end": 1.5}
    ]


def test_classifiers_share_the_motion_of_a_run_and_runs_of_one_name_are_told_apart(run, tmp_path):
    other = tmp_path / "other"
    systems = [
        system(run),
        system(other),
        system(run, "threshold"),
        replace(system(run), estimator=""),
    ]
    data = panel("a", systems, [answer(record()), None, answer(record()), None])
    assert [motion["name"] for motion in data["drawing"]["motions"]] == [
        "flow (run)",
        "flow (other)",
    ]
    assert [one["motion"] for one in data["drawing"]["systems"]] == [0, 1, 0, None]


def test_mistakes_are_too_much_and_left_out_and_nobody_errs_where_nobody_knows(run):
    said = record(labels=("pan_right", "roll_cw", "zoom_in"))
    truth = {
        "pan_right": True,
        "roll_cw": False,
        "zoom_in": None,
        "dolly_in": True,
        "static": False,
    }
    data = only(run, said, truth)
    marks = {cell["label"]: cell["mark"] for cell in data["said"][0]["cells"]}
    assert marks == {
        "dolly_in": "left_out",
        "pan_right": "named",
        "roll_cw": "too_much",
        "zoom_in": "unsure",
    }
    assert list(marks) == data["columns"]
    assert {c["mark"] for c in only(run, said)["said"][0]["cells"]} == {"named"}


def test_a_system_that_only_ranks_makes_no_mistakes():
    ranks = System("vlm", Path("scores"), ())
    said = Answer("a", "a.mp4", {"pan_left": 3.0, "zoom_in": -2.0}, {"tilt_up": "refused"})
    data = panel("a", [ranks], [said], {"tilt_up": True, "pan_left": False})
    (row,) = data["said"]
    assert row["ranks_only"]
    assert row["trust"] is None
    assert row["cells"] == [
        {"label": "pan_left", "score": 3.0, "why": "", "mark": ""},
        {"label": "tilt_up", "score": None, "why": "refused", "mark": ""},
    ]
    assert data["drawing"]["motions"] == []


def test_who_says_the_same_stands_together_and_all_of_a_run_are_the_run(run, tmp_path):
    systems = [system(run), system(run, "threshold"), system(tmp_path, estimator="dense")]
    systems.append(system(tmp_path, "threshold", "dense"))
    unclear = Failure(Reason.UNCLEAR, "Nothing is clear.")
    pan = record(caption="It pans.", doubts=(unclear,), ambiguous=(("pan_right", "truck_right"),))
    roll = record(caption="It rolls.", doubts=(unclear,))
    data = panel("a", systems, [answer(said) for said in (pan, pan, pan, roll)])
    assert [(one["kind"], one["text"], one["systems"]) for one in data["sentences"]] == [
        ("caption", "It pans.", ["flow", "dense + learned"]),
        ("doubt", "Cannot tell pan right from truck right.", ["flow", "dense + learned"]),
        ("doubt", "Nothing is clear.", ["flow", "dense"]),
        ("caption", "It rolls.", ["dense + threshold"]),
    ]


def test_failed_absent_and_unreadable_are_told_apart(run):
    failed = record(labels=(), scores={}, failure=Failure(Reason.TIMED_OUT, "It took too long."))
    failed = replace(failed, shots=())
    systems = [system(run), system(run, "threshold"), system(run.parent, estimator="dense")]
    data = panel("a", systems, [answer(failed), None, answer(record("no-such-motion"))], {})
    assert [row["failed"] for row in data["said"]] == [True, False, False]
    assert [row["absent"] for row in data["said"]] == [False, True, False]
    assert data["sentences"][0]["kind"] == "failure"
    assert data["sentences"][0]["text"] == "It took too long."
    flow, dense = data["drawing"]["motions"]
    assert flow == {"name": "flow", "note": "", "shots": []}
    assert "no-such-motion.npz holds no trajectories" in dense["note"]
    assert is_small_json(data)


def test_four_runs_of_two_shots_are_small(run, make_clip, numbered):
    clip = str(make_clip("a.mp4", numbered(50, (320, 180))))
    systems = []
    for number in range(4):
        folder = run.parent / str(number)
        (folder / TRAJECTORIES).mkdir(parents=True)
        shots = [shot(moved("handheld", 5.0)), shot(moved("arc_cw", 5.0), start=5.1)]
        (folder / TRAJECTORIES / "a.npz").write_bytes(trajectories_npz(shots))
        systems += [system(folder, name) for name in ("learned", "threshold")]
    data = panel("a", systems, [answer(record(path=clip))] * 8, {})
    assert is_small_json(data)
    assert [len(motion["shots"]) for motion in data["drawing"]["motions"]] == [2] * 4


# --- as HTML --------------------------------------------------------------------------------


class Page(HTMLParser):
    """Elements that a page has, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        assert all(not name.startswith("on") for name, _ in attrs)

    def handle_data(self, data):
        self.text.append(data)


def written(data) -> Page:
    templates = Environment(
        loader=FileSystemLoader(Path(report.__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
    )
    macro = '{% from "panels.html.jinja" import clip_panel %}{{ clip_panel(data, 1, note) }}'
    return Page(templates.from_string(macro).render(data=data, note="a note"))


def test_a_panel_says_mistakes_in_words(run):
    said = record(labels=("pan_right", "roll_cw"))
    page = written(only(run, said, {"pan_right": True, "roll_cw": False, "dolly_in": True}))
    text = " ".join(" ".join(page.text).split())
    assert "+ too much" in text
    assert "\N{MINUS SIGN} missing" in text
    assert "Truth: dolly in, pan right" in text


def test_hostile_names_stay_text(run, tmp_path):
    path = tmp_path / "\udcff<b>.mp4"
    said = record(
        path=str(path),
        caption=HOSTILE,
        doubts=(Failure(Reason.UNCLEAR, HOSTILE),),
        segments=(Segment(HOSTILE, 0.0, 1.0, 0.5),),
    )
    named = replace(system(run), name=HOSTILE)
    data = panel(HOSTILE + "\udcff", [named], [answer(said)], {HOSTILE: True})
    assert is_small_json(data)
    page = written(data)
    assert page.tags.count("script") == 1
    assert page.tags.count("b") == 1  # of "Truth:"
    assert any(HOSTILE in text for text in page.text)
    (drawing,) = [text for text in page.text if text.startswith("{")]
    assert "<" not in drawing
    assert json.loads(drawing)["systems"][0]["name"] == HOSTILE


@pytest.mark.parametrize("truth", [None, {}, {"static": None}])
def test_nothing_known_is_a_page_too(truth):
    page = written(panel("a", [system(Path("no-run"))], [None], truth))
    assert any("does not have this clip" in text for text in page.text)
