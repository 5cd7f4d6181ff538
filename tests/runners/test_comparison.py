"""Systems side by side, on answers made by hand."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from dollygrip.classifiers.labels import PRIMITIVES
from dollygrip.cli import main
from dollygrip.geometry.synthetic import Move, camera_path
from dollygrip.runners.comparison import compare_systems, disagreement, gather
from dollygrip.runners.formats.catalog import pose_format
from dollygrip.runners.formats.path import CameraPath
from dollygrip.runners.formats.scores import (
    ClassificationSample,
    ClassificationScores,
    Metadata,
    ScoreError,
    write_scores,
)
from dollygrip.runners.formats.truth import LabelError, LabelledClip
from dollygrip.runners.registry import names
from dollygrip.runners.systems import Answer, System

NO = dict.fromkeys(PRIMITIVES, False)
FAILED = "the file cannot be read"


def clip(name: str, *there: str, unsure: tuple[str, ...] = ()) -> LabelledClip:
    return LabelledClip(
        name, {**NO, **dict.fromkeys(there, True), **dict.fromkeys(unsure)}, where="labels.csv:2"
    )


def answer(name: str, *named: str, **scores: float) -> Answer:
    known = {**{n: 0.9 if n in named else 0.1 for n in PRIMITIVES}, **scores}
    return Answer(Path(name).stem, name, known, labels=frozenset(named))


def failed(name: str) -> Answer:
    errors = dict.fromkeys(PRIMITIVES, FAILED)
    return Answer(Path(name).stem, name, errors=errors, labels=frozenset())


def system(name: str, *answers: Answer) -> System:
    return System(name, Path(f"runs/{name}"), answers, name, "rules")


def ten(name: str, *moves: str) -> System:
    """Says of the first ten clips, in turn, each of these moves."""
    return system(name, *(answer(f"{i}.mp4", moves[i % len(moves)]) for i in range(10)))


TRUTHS = [clip(f"{i}.mp4", ("pan_left", "tilt_up")[i % 2]) for i in range(10)]


def test_the_best_is_tested_against_each_other_system() -> None:
    systems = [ten("wrong", "tilt_up", "pan_left"), ten("right", "pan_left", "tilt_up")]
    found = compare_systems(systems, TRUTHS, resamples=200)
    assert found.labelled
    assert [evaluation.exact.value for evaluation in found.evaluations] == [0.0, 1.0]
    against, best = found.tests
    assert best is None
    assert against is not None
    assert against.mean_ap.value > 0.0
    assert against.mean_ap.p < 0.05


def test_without_labels_clips_are_those_of_the_first_system_and_nothing_is_best() -> None:
    first = ten("first", "pan_left")
    other = system("other", *(answer(f"{i}.mp4", "tilt_up") for i in range(3, 12)))
    found = compare_systems([first, other])
    assert not found.labelled
    assert len(found.clips) == 10
    assert sum(c.answers[1] is None for c in found.clips) == 3
    assert found.strangers == (0, 2)
    assert found.tests == (None, None)
    assert all(math.isnan(evaluation.mean_ap.value) for evaluation in found.evaluations)
    assert [evaluation.missing for evaluation in found.evaluations] == [0, 3]


def test_a_system_without_any_of_the_clips_is_an_error_that_names_it() -> None:
    elsewhere = system("elsewhere", answer("zebra.mp4", "pan_left"))
    with pytest.raises(LabelError, match=r"runs/elsewhere: has none of the 10 clips"):
        compare_systems([ten("first", "pan_left"), elsewhere])


def test_agreement_counts_clips_that_both_answer() -> None:
    one = system("one", answer("0.mp4", "pan_left"), answer("1.mp4", "zoom_in"), failed("2.mp4"))
    other = system("other", answer("0.mp4", "pan_left"), answer("1.mp4"), answer("2.mp4"))
    ranks = System(
        "ranks", Path("scores"), tuple(Answer(f"{i}", f"{i}.mp4", {"static": i}) for i in range(3))
    )
    named = compare_systems([one, other, ranks]).agreement.named
    assert named[0][:2] == (1.0, 0.5)
    assert named[1][0] == 0.5
    assert math.isnan(named[0][2])


@settings(max_examples=20)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=3, max_size=12))
def test_ranks_agree_as_scipy_says(scores: list[tuple[int, int]]) -> None:
    systems = [
        System(
            name,
            Path(name),
            tuple(
                Answer(f"{i}", f"{i}.mp4", {"pan_left": pair[k]}) for i, pair in enumerate(scores)
            ),
        )
        for k, name in enumerate(("one", "other"))
    ]
    found = compare_systems(systems).agreement.ranked[0][1]
    columns = np.array(scores).T
    if min(len(set(column)) for column in columns.tolist()) < 2:
        assert math.isnan(found)
    else:
        assert found == pytest.approx(spearmanr(*columns).statistic)


def test_look_alikes_are_counted_by_what_is_there_and_what_ranks_higher() -> None:
    truths = [
        clip("0.mp4", "pan_left"),
        clip("1.mp4", "pan_left"),
        clip("2.mp4", "truck_right"),
        clip("3.mp4", "truck_right"),
        clip("4.mp4", "pan_left", "truck_left"),
        clip("5.mp4", "pan_left", unsure=("truck_left",)),
    ]
    answers = (
        answer("0.mp4", pan_left=0.8, truck_left=0.3),
        answer("1.mp4", pan_left=0.3, truck_left=0.8),
        answer("2.mp4", pan_right=0.5, truck_right=0.5),
        failed("3.mp4"),
        answer("4.mp4"),
        answer("5.mp4"),
    )
    found = compare_systems([system("one", *answers)], truths, resamples=2)
    confusion = found.confusions[0]["pan or truck"]
    assert (confusion.first, confusion.second) == ("pan", "truck")
    assert confusion.counts == ((1, 1, 0, 0), (0, 0, 1, 1))
    assert found.confusions[0]["zoom or dolly"].counts == ((0, 0, 0, 0), (0, 0, 0, 0))


def test_clips_are_sorted_by_disagreement_with_the_first_systems_mistakes_first() -> None:
    truths = [clip(f"{i}.mp4", "pan_left") for i in range(3)]
    told = {
        "first": ("pan_left", "pan_left", "tilt_up"),
        "other": ("pan_left", "tilt_up", "pan_left"),
    }
    first, other = (
        system(name, *(answer(f"{i}.mp4", move) for i, move in enumerate(moves)))
        for name, moves in told.items()
    )
    found = compare_systems([first, other], truths, resamples=2)
    assert [c.name for c in found.clips] == ["2.mp4", "1.mp4", "0.mp4"]
    # The first is 1 from the truth, the pairs are 1, 0, 1; then 0 and 0, 1, 1; then nothing.
    assert [c.disagreement for c in found.clips] == pytest.approx([5 / 6, 1 / 3, 0.0])


@pytest.mark.parametrize(
    ("truth", "said", "expected"),
    [
        ((), ((), ()), 0.0),
        (("pan_left",), (("pan_left", "tilt_up"),), 0.5),
        (("pan_left",), (("tilt_up",), ("tilt_up",)), (1.0 + 2 / 3) / 2),
    ],
)
def test_disagreement_by_hand(
    truth: tuple[str, ...], said: tuple[tuple[str, ...], ...], expected: float
) -> None:
    answers = [answer("0.mp4", *named) for named in said]
    assert disagreement(clip("0.mp4", *truth), answers) == pytest.approx(expected)


def test_failures_differ_from_everything_and_silence_does_not_count() -> None:
    unsaid = LabelledClip("0.mp4", {})
    assert disagreement(clip("0.mp4"), [failed("0.mp4")]) == 1.0
    assert math.isnan(disagreement(unsaid, [answer("0.mp4")]))
    assert math.isnan(disagreement(unsaid, [answer("0.mp4"), None]))
    unsure = clip("0.mp4", "pan_left", unsure=("tilt_up",))
    assert disagreement(unsure, [answer("0.mp4", "pan_left", "tilt_up")]) == 0.0


named = st.frozensets(st.sampled_from(PRIMITIVES[:4]), max_size=3)


@given(named, st.lists(named, min_size=1, max_size=4))
def test_disagreement_is_a_share_and_nothing_only_where_all_say_the_same(
    truth: frozenset[str], said: list[frozenset[str]]
) -> None:
    value = disagreement(clip("0.mp4", *truth), [answer("0.mp4", *names) for names in said])
    assert 0.0 <= value <= 1.0
    assert (value == 0.0) == all(names == truth for names in said)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two camera paths."""
    folder = tmp_path_factory.mktemp("run")
    tum = pose_format("tum")
    for move in ("pan_left", "tilt_up"):
        path = camera_path([Move(move, 12.0)], duration=2.0, rate=8.0)
        tum.write(folder / f"{move}.txt", CameraPath.of(path), tum.convention)
    assert main(["label", "--poses", str(folder), "-o", str(folder / "run"), "--jobs", "1"]) == 0
    return folder / "run"


def test_a_run_is_a_system_under_every_classifier_its_own_first(run: Path) -> None:
    systems = gather([run])
    assert systems[0].classifier == "learned"
    assert sorted(s.classifier for s in systems) == names("classifier")
    assert [s.classifier for s in gather([run], [])] == ["learned"]
    assert [s.classifier for s in gather([run], ["threshold", "learned"])] == [
        "learned",
        "threshold",
    ]


def test_score_files_are_systems_as_they_are_beside_runs(run: Path, tmp_path: Path) -> None:
    sample = ClassificationSample("0", "pan_left.txt", "Does it pan?", "yes", "talker", 0.75)
    scores = ClassificationScores(Metadata("talker", "Pan_Left"), (sample,))
    file = write_scores(tmp_path, scores)
    systems = gather([file, run], ["threshold"])
    assert [s.name for s in systems] == ["talker", "poses + learned", "poses + threshold"]
    found = compare_systems(systems, [clip("pan_left.txt", "pan_left")], resamples=2)
    talker = found.clips[0].answers[0]
    assert talker is not None
    assert (talker.scores, talker.labels) == ({"pan_left": 0.75}, None)


def test_systems_of_one_name_are_told_apart_by_their_folders(run: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    again.symlink_to(run, target_is_directory=True)
    (tmp_path / "copy").mkdir()
    for file in run.iterdir():
        (tmp_path / "copy" / file.name).symlink_to(file)
    told = [system.name for system in gather([run, tmp_path / "copy"], [])]
    assert told == ["poses + learned (run)", "poses + learned (copy)"]
    with pytest.raises(ScoreError, match="given twice"):
        gather([run, again])
