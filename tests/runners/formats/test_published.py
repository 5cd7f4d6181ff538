"""The published table is whole, adds up, and says what to know of each row."""

import pytest

from dollygrip.classifiers.labels import PRIMITIVES
from dollygrip.runners.formats.published import (
    CHANCE,
    FOOTNOTES,
    PublishedRow,
    published,
    published_vqa,
)
from dollygrip.runners.formats.truth import LabelError

ROWS = {(row.model, row.version): row for row in published()}
# How many pairs each skill has; published overall numbers count every pair the same.
PAIRS = {
    "motion_and_steadiness": 296,
    "scene_dynamics": 87,
    "motion_speed": 87,
    "motion_direction": 447,
    "confusable_motion": 75,
    "has_motion": 1011,
    "tracking_shot": 330,
    "only_motion": 139,
    "complex_description": 1071,
}


def test_every_row_has_all_primitives_and_is_there_once():
    assert len(ROWS) == len(published()) == 34
    assert [row.version for row in published()] == ["2025-04"] * 20 + ["2025-10"] * 14
    for row in published():
        assert set(row.ap) == set(PRIMITIVES)
        assert all(0.0 < value < 100.0 for value in (*row.ap.values(), row.average))


@pytest.mark.parametrize("key", sorted(ROWS))
def test_averages_are_those_of_the_columns_but_where_a_footnote_says_so(key):
    row = ROWS[key]
    difference = abs(sum(row.ap.values()) / 15 - row.average)
    assert (difference > 0.1) == ("average" in row.notes)


def test_nothing_but_chance_is_without_the_footnote_on_noise():
    assert [row.model for row in published() if "noise" not in row.notes] == [CHANCE]


def test_footnotes_say_what_is_so():
    chance = ROWS[CHANCE, "2025-04"].ap
    for row in published():
        zooms = all(row.ap[zoom] == chance[zoom] for zoom in ("zoom_in", "zoom_out"))
        assert zooms == ("constant zoom" in row.notes or row.model == CHANCE)
        assert (row.ap["static"] < chance["static"]) == ("low static" in row.notes)
        assert ("SFT" in row.model) == ("shared" in row.notes)
        versions = [other for other in published() if other.model == row.model]
        moved = {other.ap["static"] for other in versions}
        if "scale" in row.notes:
            assert len(moved) == len(versions) == 2
    for larger, smaller in (
        ("Qwen2.5-VL-32B", "Qwen2.5-VL-7B"),
        ("Qwen2.5-VL-72B", "Qwen2.5-VL-32B"),
        ("Qwen2.5-VL-32B SFT", "Qwen2.5-VL-7B SFT"),
        ("Qwen2.5-VL-72B SFT", "Qwen2.5-VL-32B SFT"),
    ):
        row, other = ROWS[larger, "2025-10"], ROWS[smaller, "2025-10"]
        steps = [row.ap[label] - other.ap[label] for label in PRIMITIVES]
        assert max(steps) - min(steps) < 0.7
        assert "offset" in row.notes


def test_the_row_that_was_run_again_has_the_average_that_is_said():
    row = ROWS["Qwen2.5-VL-7B SFT", "2025-10"]
    left_out = {"pedestal_down", "truck_right", "tilt_down", "roll_cw"}
    again = [value for label, value in row.ap.items() if label not in left_out]
    assert "rerun" in row.notes
    assert round(sum(again) / len(again), 1) == 62.2


@pytest.mark.parametrize("row", published_vqa(), ids=lambda row: row.model)
def test_overall_answers_to_pairs_add_up_but_where_a_footnote_says_so(row):
    assert row.skills.keys() == PAIRS.keys()
    total = sum(PAIRS.values())
    gaps = [
        abs(sum(PAIRS[skill] * both[i] for skill, both in row.skills.items()) / total - overall)
        for i, overall in enumerate(row.overall)
    ]
    assert (max(gaps) > 1.0) == ("overall" in row.notes)


def test_rows_with_a_namesake_are_the_same_twice():
    rows = {row.model: row for row in published_vqa()}
    assert len(rows) == len(published_vqa()) == 18
    for size in (8, 26):
        one, other = (rows[f"InternVL{version}-{size}B"] for version in ("2.5", "3"))
        assert (one.skills, one.overall) == (other.skills, other.overall)
        assert "same row" in one.notes and "same row" in other.notes


def test_every_footnote_is_about_some_row():
    used = {key for row in (*published(), *published_vqa()) for key in row.notes}
    assert used == set(FOOTNOTES)


# --- tables of others -----------------------------------------------------------------------


def test_a_table_of_somebody_else_is_read(tmp_path):
    path = tmp_path / "published_ap.csv"
    path.write_text("model,version,pan_left,zoom_in,average\nA,2026-01,50,30.5,41\nB,,20,,\n")
    rows = (
        PublishedRow("A", "2026-01", {"pan_left": 50.0, "zoom_in": 30.5}, 41.0),
        PublishedRow("B", "", {"pan_left": 20.0}, 20.0),
    )
    assert published(str(path)) == published(str(tmp_path)) == rows
    assert published_vqa(str(path)) == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "its first line names no model"),
        ("model,average\nA,3\n", "no label"),
        ("pan_left\n3\n", "names no model"),
        ("model,pan_left,pan_left\nA,3,3\n", "twice"),
        ("model,pan_left\nA\n", "row 2 has 1 columns, not 2"),
        ("model,pan_left\nA,high\n", "row 2: pan_left is 'high', not 0 to 100"),
        ("model,pan_left\nA,nan\n", "row 2: pan_left is 'nan', not 0 to 100"),
        ("model,pan_left\nA,101\n", "row 2: pan_left is '101', not 0 to 100"),
        ('model,pan_left\n"A,3\n', "no CSV"),
    ],
)
def test_a_table_that_is_none_is_refused(tmp_path, text, said):
    path = tmp_path / "table.csv"
    path.write_text(text)
    with pytest.raises(LabelError, match=said) as refused:
        published(str(path))
    assert str(refused.value).startswith(str(path))


def test_a_table_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(LabelError, match="No such file"):
        published(str(tmp_path / "none.csv"))
