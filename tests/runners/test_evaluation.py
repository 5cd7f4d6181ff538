"""Systems against made-up truths, with the numbers of scikit-learn beside."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import (
    average_precision_score,
    f1_score,
    precision_score,
    recall_score,
    roc_auc_score,
)

from dollygrip.classifiers.labels import PRIMITIVES
from dollygrip.classifiers.records import ClipLabels, ShotLabels
from dollygrip.classifiers.reliability import Failure, Reason
from dollygrip.runners import evaluation
from dollygrip.runners.evaluation import (
    CONFUSABLE,
    compare,
    curves,
    evaluate,
    evaluate_run,
    groups_of,
    pair_scores,
    read_system,
    read_systems,
)
from dollygrip.runners.formats.jsonl import dumps
from dollygrip.runners.formats.scores import ScoreError
from dollygrip.runners.formats.truth import LabelError, LabelledClip
from dollygrip.runners.store import StoreError
from dollygrip.runners.systems import Answer, System

FEW = 50  # resamples, where their number does not matter


def clip(name, *yes, unsure=(), **extra):
    """A clip of which the named primitives are there, others unsure, the rest not."""
    answers = {label: None if label in unsure else label in yes for label in PRIMITIVES}
    return LabelledClip(name, answers, extra, f"labels.csv:{name}")


def said(name, *labels, ranks_only=False, **scores):
    """An answer; what has no score has 0."""
    full = dict.fromkeys(PRIMITIVES, 0.0) | scores
    return Answer(name, f"{name}.mp4", full, labels=None if ranks_only else frozenset(labels))


def recorded(name, *labels, trust=0.0, ambiguous=(), **scores):
    """The same with a record."""
    full = dict.fromkeys(PRIMITIVES, 0.0) | scores
    whole = ShotLabels(0.0, 1.0, labels, full, ambiguous=ambiguous, trust=trust)
    record = ClipLabels(name, f"{name}.mp4", whole)
    return Answer(name, f"{name}.mp4", full, labels=frozenset(labels), record=record)


def failed(name):
    """An answer that is none."""
    errors = dict.fromkeys(PRIMITIVES, "too dark")
    return Answer(name, f"{name}.mp4", errors=errors, labels=frozenset())


def system(tmp_path, *answers):
    """A system of some answers."""
    return System("ours", tmp_path, answers)


def of_label(evaluation, name):
    """The scores of one label."""
    return next(label for label in evaluation.labels if label.label == name)


@st.composite
def _systems(draw):
    """Clips with an answer each of "pan_left": yes, no or unsure; and a score, or none, or -inf."""
    truth = draw(st.lists(st.sampled_from([True, False, None]), min_size=2, max_size=12))
    values = st.sampled_from([None, -math.inf, -1.0, 0.0, 0.5, math.inf])
    scores = draw(st.lists(values, min_size=len(truth), max_size=len(truth)))
    return truth, scores


def _theirs(score, truth, scores):
    """A score by scikit-learn, which wants finite numbers; NaN where one class is missing."""
    if len(set(truth)) < 2:
        return math.nan
    return score(truth, np.nan_to_num(scores, posinf=1e6, neginf=-1e6))


@given(_systems())
@settings(deadline=None, max_examples=50)
def test_both_rules_are_scikit_learns(drawn):
    truth, scores = drawn
    clips = [LabelledClip(str(i), {"pan_left": answer}) for i, answer in enumerate(truth)]
    answers = [
        Answer(str(i), "", errors={"pan_left": "lost"})
        if score is None
        else Answer(str(i), "", {"pan_left": score})
        for i, score in enumerate(scores)
    ]
    found = of_label(evaluate(clips, System("", "", tuple(answers)), resamples=1), "pan_left")
    items = [(t, s) for t, s in zip(truth, scores, strict=True) if t is not None]
    # The paper's rule: a score below all others.
    ranked = [t for t, _ in items], [-1e10 if s is None else s for _, s in items]
    kept = [t for t, s in items if s is not None], [s for _, s in items if s is not None]
    for value, theirs, (t, s) in (
        (found.ap.value, average_precision_score, ranked),
        (found.ap_dropped.value, average_precision_score, kept),
        (found.roc_auc, roc_auc_score, ranked),
        (found.roc_auc_dropped, roc_auc_score, kept),
    ):
        assert value == pytest.approx(_theirs(theirs, t, s), abs=1e-12, nan_ok=True)
    assert (found.positives, found.negatives) == (truth.count(True), truth.count(False))
    assert found.failed == sum(s is None for _, s in items)


def test_a_failed_clip_ranks_last_or_is_left_out(tmp_path):
    clips = [clip("a", "pan_left"), clip("b"), clip("c"), clip("d", "pan_left")]
    ours = system(tmp_path, failed("a"), said("b"), said("c"), said("d", pan_left=0.9))
    found = evaluate(clips, ours, resamples=FEW)
    pan = of_label(found, "pan_left")
    assert pan.ap.value == found.mean_ap.value == pytest.approx((1 / 1 + 2 / 4) / 2)
    assert pan.ap_dropped.value == found.mean_ap_dropped.value == 1.0
    assert (pan.roc_auc, pan.roc_auc_dropped) == (0.5, 1.0)
    assert (found.clips, found.failed, found.missing, found.failure_rate) == (4, 1, 0, 0.25)


def test_a_missing_clip_counts_as_failed_and_is_told_apart(tmp_path):
    clips = [clip("a", "pan_left"), clip("b"), clip("c"), clip("d", "pan_left")]
    with_failure = system(tmp_path, failed("a"), said("b"), said("c"), said("d", pan_left=0.9))
    without = system(tmp_path, *with_failure.answers[1:])
    one, other = (evaluate(clips, s, resamples=FEW) for s in (with_failure, without))
    assert (other.failed, other.missing, other.failure_rate) == (0, 1, 0.25)
    assert (other.mean_ap, other.mean_ap_dropped) == (one.mean_ap, one.mean_ap_dropped)
    assert other.exact == one.exact


def test_a_score_that_is_not_a_number_is_none(tmp_path):
    clips = [clip("a", "pan_left"), clip("b")]
    ours = system(tmp_path, said("a", pan_left=math.nan), said("b"))
    pan = of_label(evaluate(clips, ours, resamples=FEW), "pan_left")
    assert (pan.failed, pan.ap.value) == (1, 0.5)


def test_what_nobody_can_tell_counts_neither_way(tmp_path):
    clips = [clip("a", "pan_left"), clip("b"), clip("c", unsure=("pan_left",))]
    ours = system(tmp_path, said("a", "pan_left", pan_left=0.5), said("b"), said("c", "pan_left"))
    found = evaluate(clips, ours, resamples=FEW)
    assert (found.mean_ap.value, found.exact.value, found.macro_f1.value) == (1.0, 1.0, 1.0)


def test_a_label_without_positives_or_negatives_is_left_out_of_means(tmp_path):
    clips = [clip("a", "pan_left", "zoom_in"), clip("b", "zoom_in")]
    ours = system(tmp_path, said("a", pan_left=0.1), said("b", pan_left=0.9))
    found = evaluate(clips, ours, resamples=FEW)
    for name in ("zoom_in", "static"):
        label = of_label(found, name)
        assert math.isnan(label.ap.value) and math.isnan(label.ap.low) and math.isnan(label.roc_auc)
    assert found.mean_ap.value == of_label(found, "pan_left").ap.value == 0.5
    assert found.mean_roc_auc == 0.0


def test_named_labels_are_scored_as_scikit_learn_does(tmp_path):
    rng = np.random.default_rng(0)
    truth, named = rng.random((2, 40, len(PRIMITIVES))) < 0.3
    clips, answers = [], []
    for i in range(40):
        yes, claimed = (
            [n for n, there in zip(PRIMITIVES, row, strict=True) if there]
            for row in (truth[i], named[i])
        )
        clips.append(clip(str(i), *yes))
        answers.append(said(str(i), *claimed))
    found = evaluate(clips, system(tmp_path, *answers), resamples=FEW)
    assert found.macro_f1.value == pytest.approx(f1_score(truth, named, average="macro"))
    theirs = zip(
        precision_score(truth, named, average=None),
        recall_score(truth, named, average=None),
        f1_score(truth, named, average=None),
        strict=True,
    )
    for label, numbers in zip(found.labels, theirs, strict=True):
        assert (label.precision, label.recall, label.f1) == pytest.approx(numbers)


def test_exact_means_every_known_primitive(tmp_path):
    clips = [
        clip("right", "pan_left"),
        clip("too much", "pan_left"),
        clip("too little", "pan_left", "zoom_in"),
        clip("unsure", "pan_left", unsure=("zoom_in",)),
        clip("failed"),
        LabelledClip("nothing known", {"shaky": True}),
        LabelledClip("little known", {"pan_left": True, "shaky": False}),
    ]
    answers = [
        said("right", "pan_left"),
        said("too much", "pan_left", "static"),
        said("too little", "pan_left"),
        said("unsure", "pan_left", "zoom_in"),
        failed("failed"),
        said("nothing known"),
        said("little known", "pan_left", "tilt_up", "shaky"),
    ]
    assert evaluate(clips, system(tmp_path, *answers), resamples=FEW).exact.value == 3 / 6


def test_what_only_ranks_has_no_numbers_of_naming(tmp_path):
    clips = [clip("a", "pan_left"), clip("b")]
    answers = [said(n, ranks_only=True, pan_left=s) for n, s in (("a", 0.9), ("b", -3.0))]
    found = evaluate(clips, system(tmp_path, *answers), resamples=FEW)
    pan = of_label(found, "pan_left")
    named = (found.exact.value, found.macro_f1.value, pan.f1, pan.precision, pan.recall)
    assert all(map(math.isnan, named))
    assert found.mean_ap.value == 1.0


def test_a_label_that_the_system_was_not_asked_for_has_no_score(tmp_path):
    clips = [clip("a", "pan_left", "zoom_in"), clip("b"), clip("c", "zoom_in")]
    answers = [Answer(n, "", {"pan_left": s}) for n, s in (("a", 0.9), ("b", 0.1))]
    found = evaluate(clips, system(tmp_path, *answers), resamples=FEW)
    assert math.isnan(of_label(found, "zoom_in").ap.value)
    assert found.mean_ap.value == of_label(found, "pan_left").ap.value == 1.0
    assert math.isnan(found.pairs["zoom or dolly"].right)
    assert found.pairs["zoom or dolly"].told == 0


def test_labels_beyond_the_primitives_are_scored_but_not_averaged(tmp_path):
    clips = [
        LabelledClip("a", {"pan_left": True, "shaky": True}),
        LabelledClip("b", {"pan_left": False, "shaky": False, "arc_cw": None}),
    ]
    ours = system(tmp_path, said("a", pan_left=0.9), said("b", shaky=0.9))
    ours.answers[0].scores["shaky"] = 0.1
    found = evaluate(clips, ours, resamples=FEW)
    assert [label.label for label in found.labels] == [*PRIMITIVES, "shaky"]
    assert of_label(found, "shaky").ap.value == 0.5
    assert found.mean_ap.value == 1.0


def test_a_system_that_knows_none_of_the_clips_is_refused(tmp_path):
    with pytest.raises(LabelError, match=r"none of the 2 labelled clips .*first: a"):
        evaluate([clip("a"), clip("b")], system(tmp_path, said("x")))


def _random(tmp_path, seed, noise, clips):
    rng = np.random.default_rng(seed)
    answers = [
        said(c.clip, pan_left=bool(c.answers["pan_left"]) + noise * rng.normal()) for c in clips
    ]
    return system(tmp_path, *answers)


def test_intervals_are_drawn_over_videos(tmp_path):
    alike = [
        clip(f"v{i}.{k}.0.mp4", *(["pan_left"] if i % 2 else [])) for i in range(12) for k in "0123"
    ]
    # The same truth and scores, but each clip is a video of its own.
    apart = [clip(c.clip.replace(".", "-"), *[n for n, y in c.answers.items() if y]) for c in alike]
    rng = np.random.default_rng(0)
    scores = np.repeat([i % 2 + rng.normal() for i in range(12)], 4)
    found = [
        evaluate(
            clips,
            system(
                tmp_path,
                *(said(c.clip, pan_left=s) for c, s in zip(clips, scores, strict=True)),
            ),
        ).mean_ap
        for clips in (alike, apart)
    ]
    assert found[0].value == found[1].value
    assert all(score.low <= score.value <= score.high for score in found)
    wide, narrow = (score.high - score.low for score in found)
    assert wide > 1.5 * narrow


def test_one_video_has_no_interval(tmp_path):
    clips = [clip("v.0.0.mp4", "pan_left"), clip("v.0.1.mp4")]
    ours = system(tmp_path, said("v.0.0", pan_left=0.9), said("v.0.1"))
    found = evaluate(clips, ours, resamples=FEW).mean_ap
    assert found.value == 1.0
    assert math.isnan(found.low) and math.isnan(found.high)


def test_the_seed_decides_the_interval(tmp_path):
    clips = [clip(str(i), *(["pan_left"] if i % 3 else [])) for i in range(30)]
    ours = _random(tmp_path, 0, 1.0, clips)
    one, again, other = (evaluate(clips, ours, resamples=FEW, seed=s) for s in (1, 1, 2))
    assert one.mean_ap == again.mean_ap
    assert one.mean_ap.low != other.mean_ap.low
    assert one.mean_ap.value == other.mean_ap.value


def test_a_system_does_not_differ_from_itself(tmp_path):
    clips = [clip(str(i), *(["pan_left"] if i % 3 else [])) for i in range(30)]
    ours = _random(tmp_path, 0, 1.0, clips)
    found = compare(clips, ours, ours, resamples=FEW)
    for test in (found.mean_ap, found.mean_ap_dropped, found.exact):
        assert (test.value, test.low, test.high, test.p) == (0.0, 0.0, 0.0, 1.0)


def test_a_clearly_better_system_is_found_to_be_so(tmp_path):
    clips = [clip(str(i), *(["pan_left"] if i % 3 else [])) for i in range(60)]
    good, poor = _random(tmp_path, 0, 0.2, clips), _random(tmp_path, 1, 5.0, clips)
    found = compare(clips, good, poor)
    first, second = (evaluate(clips, s, resamples=FEW).mean_ap.value for s in (good, poor))
    assert found.mean_ap.value == pytest.approx(first - second)
    assert found.mean_ap.low > 0.0
    assert found.mean_ap.p < 0.01
    assert found.exact.value == 0.0


def test_what_only_ranks_is_not_compared_by_names(tmp_path):
    clips = [clip("a", "pan_left"), clip("b")]
    ours = system(tmp_path, said("a", pan_left=0.9), said("b"))
    theirs = system(tmp_path, *(said(n, ranks_only=True) for n in "ab"))
    found = compare(clips, ours, theirs, resamples=FEW)
    assert math.isnan(found.exact.value) and math.isnan(found.exact.p)
    assert found.mean_ap.value == 0.5


def test_the_area_under_the_curve_is_the_average_precision(tmp_path):
    clips = [clip(str(i), *(["pan_left"] if i % 3 else [])) for i in range(30)]
    ours = system(tmp_path, failed("0"), *_random(tmp_path, 0, 1.0, clips).answers[2:])
    recall, precision = curves(clips, ours)["pan_left"]
    area = float(np.sum(np.diff(recall, prepend=0.0) * precision))
    assert area == pytest.approx(
        of_label(evaluate(clips, ours, resamples=1), "pan_left").ap.value, abs=1e-12
    )
    assert recall[-1] == 1.0
    everywhere = [LabelledClip(c.clip, {"pan_left": True}) for c in clips]
    for on, label in ((clips, "zoom_in"), (clips, "shaky"), (everywhere, "pan_left")):
        assert label not in curves(on, ours)


# --- groups ---------------------------------------------------------------------------------


@pytest.mark.parametrize("tags", ["fast dark", "fast;dark", "fast, dark", " dark|fast | fast"])
def test_tags_are_separated_in_several_ways(tags):
    assert sorted(groups_of(clip("a", tags=tags))) == ["tag: dark", "tag: fast"]


def test_groups_come_from_tags_kinds_and_columns():
    one = clip("a", tag="fast", kind="real", licence="MIT", owner="")
    assert groups_of(one) == ("kind: real", "tag: fast")
    assert groups_of(one, ("licence", "owner")) == ("kind: real", "licence: MIT", "tag: fast")
    assert groups_of(clip("b", kind="real", derived="reverse")) == ("derived copies",)


def test_a_group_is_scored_as_its_clips_alone_would_be(tmp_path, monkeypatch):
    monkeypatch.setattr(evaluation, "_MOST_WEIGHTS", 30)  # one group at a time
    clips = [
        clip(str(i), *(["pan_left"] if i % 3 else []), tags="dark" if i % 2 else "light")
        for i in range(20)
    ]
    ours = system(tmp_path, failed("1"), *_random(tmp_path, 0, 1.0, clips).answers[2:])
    groups = evaluate(clips, ours, resamples=FEW).groups
    assert [*groups] == ["tag: dark", "tag: light"]
    group = groups["tag: dark"]
    alone = evaluate(clips[1::2], ours, resamples=FEW)
    assert (group.clips, group.failure_rate) == (alone.clips, alone.failure_rate) == (10, 0.1)
    assert group.mean_ap == pytest.approx(alone.mean_ap.value)
    assert group.exact == pytest.approx(alone.exact.value)


def test_a_column_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(LabelError, match=r"labels.csv: no clip has anything in a column 'owner'"):
        evaluate([clip("a")], system(tmp_path, said("a")), by=["owner"])


# --- look-alikes ----------------------------------------------------------------------------

ZOOM_DOLLY = CONFUSABLE["zoom or dolly"]


def test_pairs_are_told_apart_by_their_scores():
    both = [
        (clip("a", "zoom_in"), recorded("a", zoom_in=0.6, dolly_in=0.5)),
        (
            clip("b", "dolly_in"),
            recorded("b", zoom_in=0.2, dolly_in=0.4, ambiguous=(("dolly_in", "zoom_in"),)),
        ),
        (clip("c", "dolly_out"), recorded("c", zoom_out=0.7, dolly_out=0.7)),
        (clip("d", "zoom_out"), None),
        # Neither tells zoom from dolly: both are there, or neither.
        (clip("e", "zoom_in", "dolly_in"), recorded("e", zoom_in=0.9)),
        (clip("f", "pan_left"), recorded("f", zoom_in=0.9)),
    ]
    told = pair_scores(both, ZOOM_DOLLY)
    assert (told.told, told.right, told.needless) == (4, 2 / 4, 1 / 4)
    assert told.unsure == 0
    assert math.isnan(told.admitted)


def test_what_nobody_can_tell_should_be_called_ambiguous():
    pair = ("zoom_in", "dolly_in")
    claims = ("zoom_in",)
    both = [
        (clip("a", unsure=pair), recorded("a", *claims, zoom_in=0.9, trust=0.9, ambiguous=(pair,))),
        (clip("b", unsure=pair), recorded("b", *claims, zoom_in=0.9, trust=0.9)),
        (clip("c", unsure=pair), recorded("c", *claims, zoom_in=0.9, trust=0.2)),
        (
            clip("d", "zoom_in", unsure=("dolly_in",)),
            recorded("d", *claims, zoom_in=0.9, trust=0.9),
        ),
        # An arc's pan may or may not be named; that is no question of looking alike.
        (clip("e", unsure=claims), recorded("e", *claims, zoom_in=0.9, trust=0.9)),
    ]
    told = pair_scores(both, ZOOM_DOLLY)
    assert (told.told, told.unsure) == (0, 4)
    assert told.admitted == 1 / 4
    assert told.guessed == 1 / 4  # "d" names what is there


def test_scores_alone_cannot_say_that_something_is_ambiguous():
    pair = ("zoom_in", "dolly_in")
    both = [(clip("a", "zoom_in"), said("a", zoom_in=0.9)), (clip("b", unsure=pair), said("b"))]
    told = pair_scores(both, ZOOM_DOLLY)
    assert (told.told, told.right, told.unsure) == (1, 1.0, 1)
    assert all(map(math.isnan, (told.needless, told.admitted, told.guessed)))


# --- from files -----------------------------------------------------------------------------


def _run(folder, *records):
    folder.mkdir(exist_ok=True)
    lines = [dumps(record.to_dict()) + "\n" for record in records]
    (folder / "results.jsonl").write_text("".join(lines))
    return folder


def _record(name, *labels, failure=None, seconds=None, memory=None, **scores):
    about = {
        "estimator": {"name": "flow", "hash": "e0"},
        "classifier": {"name": "learned", "hash": "c0"},
        "content": None,
        "seconds": seconds,
        "peak_memory_mb": memory,
    }
    whole = recorded(name, *labels, **scores).record.whole
    if failure:
        whole = ShotLabels(0.0, 0.0, failure=Failure(Reason.TOO_SHORT, failure))
    return ClipLabels(name, f"/clips/{name}.mp4", whole, provenance=about)


def _score_file(path, model="VLM", split="Pan_Left", scores=(("a.mp4", 0.9), ("b.mp4", 0.2))):
    samples = [
        {
            "sample_id": str(i),
            "video_path": video,
            "question": "?",
            "ground_truth_label": "yes",
            "method": "vlm",
            "score": score,
            "error": None,
        }
        for i, (video, score) in enumerate(scores)
    ]
    about = {"method_type": "vlm", "model_name": model, "checkpoint": "", "split_name": split}
    path.write_text(json.dumps({"metadata": about, "scores": samples}))
    return path


def test_a_run_is_evaluated_with_its_time_and_memory(tmp_path):
    run = _run(
        tmp_path / "run",
        _record("a", "pan_left", seconds=1.0, memory=80.0, pan_left=0.9),
        _record("b", seconds=2.0, memory=120.0),
        _record("c", seconds=9.0),
        _record("d", failure="one frame"),
    )
    labels = tmp_path / "labels.csv"
    labels.write_text("clip,pan_left,kind\na.mp4,yes,real\nb.mp4,no,real\nc.mp4,no,\nd.mp4,no,\n")
    found = evaluate_run(run, labels, by=["kind"], resamples=FEW)
    assert found.system == "flow + learned"
    assert (found.clips, found.failed, found.missing) == (4, 1, 0)
    assert (found.seconds, found.peak_memory_mb) == (2.0, 120.0)
    assert (found.mean_ap.value, found.exact.value) == (1.0, 0.75)
    assert found.groups["kind: real"].clips == 2
    assert evaluate_run(str(run), str(labels), resamples=FEW).mean_ap == found.mean_ap


def test_where_time_is_not_known_there_is_none(tmp_path):
    found = evaluate([clip("a")], system(tmp_path, said("a")), resamples=FEW)
    assert math.isnan(found.seconds) and math.isnan(found.peak_memory_mb)


def test_score_files_are_systems_beside_runs(tmp_path):
    one = _score_file(tmp_path / "any name.json")
    assert [s.name for s in read_systems(one)] == ["VLM"]
    folder = tmp_path / "scores"
    folder.mkdir()
    for split in ("Pan_Left", "Zoom_In"):
        _score_file(folder / f"classification_scores_{split}.json", split=split)
    (ours,) = read_systems(folder)
    assert {name for answer in ours.answers for name in answer.scores} == {"pan_left", "zoom_in"}
    clips = [clip("a.mp4", "pan_left"), clip("b.mp4")]
    assert evaluate(clips, read_system(folder), resamples=FEW).mean_ap.value == 1.0


def test_a_run_that_official_files_were_written_into_is_still_a_run(tmp_path):
    run = _run(tmp_path / "run", _record("a"))
    _score_file(run / "classification_scores_VLM_Pan_Left.json")
    assert read_system(run).name == "flow + learned"


def test_a_folder_of_nothing_is_no_run(tmp_path):
    with pytest.raises(StoreError, match=tmp_path.name):
        read_systems(tmp_path)
    with pytest.raises(StoreError, match="none"):
        read_systems(tmp_path / "none")


def test_one_system_is_evaluated_at_a_time(tmp_path):
    for model in ("one", "two"):
        _score_file(tmp_path / f"classification_scores_{model}.json", model=model)
    with pytest.raises(ScoreError, match=r"several systems \(one, two\)"):
        read_system(tmp_path)
