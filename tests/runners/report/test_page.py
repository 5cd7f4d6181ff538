"""The folder of a report: its page, its Markdown and its tables."""

import base64
import csv
import hashlib
import json
import math
import os
import re
import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dollygrip.classifiers.labels import PRIMITIVES
from dollygrip.runners.comparison import Comparison, compare_systems
from dollygrip.runners.formats.published import FOOTNOTES, PublishedRow, published
from dollygrip.runners.formats.truth import LabelledClip, Question
from dollygrip.runners.report.charts import COLORS, chart_data, costs, marks
from dollygrip.runners.report.origins import Made
from dollygrip.runners.report.tables import DASH, agreements, by_group, by_label, percent, summary
from dollygrip.runners.report.words import headline, note, verdict, warnings
from dollygrip.runners.report.writing import write_report
from dollygrip.runners.systems import Answer, System

HOSTILE = '<script>alert("&1")</script><img src=x onerror=alert(1)>.mp4'
FORMULA = "=HYPERLINK(1)"
MADE = Made(
    command="dollygrip compare RUN",
    when=datetime(2030, 1, 2, 3, 4, tzinfo=UTC),
    labels="labels.csv",
    versions={"dollygrip": "0"},
    resamples=20,
    seed=7,
)
MOVES = ("pan_left", "tilt_up", "zoom_in", "static")


def clips(count: int = 12, **names: str) -> tuple[LabelledClip, ...]:
    """Each clip has the next one of the moves."""
    return tuple(
        LabelledClip(
            names.get(f"c{i}", f"c{i}.mp4"),
            {name: name == MOVES[i % len(MOVES)] for name in PRIMITIVES},
            extra={"kind": "real" if i % 3 else "drawn"},
            where="labels.csv:2",
        )
        for i in range(count)
    )


def answers(truths: tuple[LabelledClip, ...], seed: int, noise: float) -> tuple[Answer, ...]:
    """Right but for noise; the higher half of the scores is named."""
    rng = np.random.default_rng(seed)
    found = []
    for i, clip in enumerate(truths):
        scores = {
            name: float(np.clip(0.75 * bool(told) + noise * rng.random(), 0.0, 1.0))
            for name, told in clip.answers.items()
        }
        named = frozenset(name for name, score in scores.items() if score > 0.5)
        found.append(Answer(f"id{i}", clip.clip, scores, labels=named))
    return tuple(found)


def failed(truths: tuple[LabelledClip, ...]) -> tuple[Answer, ...]:
    errors = dict.fromkeys(PRIMITIVES, "the file cannot be read")
    return tuple(
        Answer(f"id{i}", clip.clip, errors=errors, labels=frozenset())
        for i, clip in enumerate(truths)
    )


def system(name: str, found: tuple[Answer, ...], run: str = "", classifier: str = "") -> System:
    return System(name, Path(run or name), found, run, classifier)


def ranks_only(name: str, found: tuple[Answer, ...]) -> System:
    return system(name, tuple(Answer(a.clip_id, a.path, a.scores) for a in found))


def comparison(rows: tuple[PublishedRow, ...] = (), **names: str) -> Comparison:
    truths = clips(**names)
    good = answers(truths, 0, 0.3)
    systems = [
        system("flow + learned", good, "flow", "learned"),
        system("flow + rules", answers(truths, 1, 0.9), "flow", "rules"),
        ranks_only("talker", answers(truths, 2, 1.2)[:-2]),
        system("broken + learned", failed(truths), "broken", "learned"),
    ]
    return compare_systems(systems, truths, published=rows, resamples=20)


@pytest.fixture(scope="module")
def rows() -> tuple[PublishedRow, ...]:
    return published()


@pytest.fixture(scope="module")
def folder(rows: tuple[PublishedRow, ...], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of hostile clips and systems."""
    found = comparison(rows, c1=HOSTILE, c2=FORMULA, c3="|pipe\n*star*")
    first, *others = found.systems
    evil = System(HOSTILE, Path(FORMULA), first.answers)
    truths = tuple(clip.truth for clip in found.clips if clip.truth)
    found = compare_systems([first, *others, evil], truths, published=rows, resamples=20)
    folder = tmp_path_factory.mktemp("report") / "new" / "folder"
    assert write_report(folder, found, MADE, 5) == folder / "report.html"
    return folder


class Page(HTMLParser):
    """What a browser would meet: elements with attributes, texts, and tags that do not match."""

    VOID = frozenset(["meta", "img", "input", "br", "hr", "link"])

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "script":
            self.scripts.append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts[-1] += data


@pytest.fixture(scope="module")
def page(folder: Path) -> Page:
    return Page((folder / "report.html").read_text("utf-8"))


def test_every_tag_is_closed_and_every_id_is_there_once(page: Page) -> None:
    assert (page.wrong, page.open) == ([], [])
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = {str(a["href"])[1:] for tag, a in page.elements if tag == "a"}
    assert targets <= set(ids)


def test_nothing_is_fetched(folder: Path, page: Page) -> None:
    for tag, attributes in page.elements:
        assert tag not in ("link", "iframe", "object", "embed", "base", "form")
        for name in ("src", "href", "srcset", "poster", "data"):
            value = attributes.get(name) or ""
            assert not value or value.startswith(("#", "data:image/")), (tag, name, value[:60])
    styles = re.findall(r"<style>(.*?)</style>", (folder / "report.html").read_text("utf-8"), re.S)
    assert styles
    assert not any("url(" in style or "@import" in style for style in styles)


def test_only_the_scripts_of_the_package_may_run(page: Page) -> None:
    policy = next(a["content"] for t, a in page.elements if t == "meta" and "http-equiv" in a)
    assert policy is not None
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    kinds = [a.get("type") for tag, a in page.elements if tag == "script"]
    for kind, script in zip(kinds, page.scripts, strict=True):
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert (f"'sha256-{digest}'" in policy) == (kind is None)
    assert not any(name.startswith("on") for _, a in page.elements for name in a)


def test_names_are_text_and_never_markup(folder: Path, page: Page) -> None:
    assert not [a for tag, a in page.elements if tag == "img" and a.get("src") == "x"]
    text = (folder / "report.html").read_text("utf-8")
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert" in text
    markdown = (folder / "report.md").read_text("utf-8")
    assert "<script" not in markdown
    assert "<img" not in markdown


def test_data_of_the_charts_is_json_without_what_is_not_a_number(page: Page) -> None:
    kinds = [a.get("type") for tag, a in page.elements if tag == "script"]
    found = [s for k, s in zip(kinds, page.scripts, strict=True) if k == "application/json"]
    assert len(found) == 1 + 5  # of the charts, and of each clip

    def refuse(name: str) -> None:
        raise AssertionError(name)

    for script in found:
        assert "<" not in script
        json.loads(script, parse_constant=refuse)


def cells(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_no_cell_of_a_table_is_a_formula(folder: Path) -> None:
    for name in ("systems.csv", "labels.csv", "clips.csv"):
        with (folder / name).open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file))
        assert not [c for row in rows for c in row if c.startswith(("=", "+", "@", "\t"))]
        assert {len(row) for row in rows} == {len(rows[0])}
    assert f"'{FORMULA}" in [row["clip"] for row in cells(folder / "clips.csv")]


def test_tables_hold_what_was_evaluated(rows: tuple[PublishedRow, ...], tmp_path: Path) -> None:
    found = comparison(rows)
    write_report(tmp_path, found, MADE, 1)
    systems = {row["system"] + row["version"]: row for row in cells(tmp_path / "systems.csv")}
    for evaluation in found.evaluations:
        row = systems[evaluation.system]
        assert float(row["mean_ap"]) == pytest.approx(evaluation.mean_ap.value, abs=1e-6)
        assert float(row["failure_rate"]) == pytest.approx(evaluation.failure_rate, abs=1e-6)
        assert (row["exact"] == "") == math.isnan(evaluation.exact.value)
    for published_row in rows:
        row = systems[published_row.model + published_row.version]
        assert float(row["mean_ap"]) == pytest.approx(published_row.average / 100.0)
    labels = {(r["system"], r["version"], r["label"]): r for r in cells(tmp_path / "labels.csv")}
    label = found.evaluations[0].labels[7]
    assert float(labels["flow + learned", "", label.label]["ap"]) == pytest.approx(
        label.ap.value, abs=1e-6
    )
    told = {row["clip"]: row for row in cells(tmp_path / "clips.csv")}
    assert told["c0.mp4"]["truth"] == "pan_left"
    assert told["c0.mp4"]["broken + learned"] == "failed: the file cannot be read"
    assert told["c11.mp4"]["talker"] == "missing"
    assert told["c0.mp4"]["talker"] == ""
    named = found.systems[0].answers[4].labels
    assert named is not None
    assert set(told["c4.mp4"]["flow + learned"].split()) == named
    markdown = (tmp_path / "report.md").read_text("utf-8")
    best = max(found.evaluations, key=lambda e: e.mean_ap.value)
    line = next(line for line in markdown.splitlines() if line.startswith("| 1. flow"))
    assert percent(best.mean_ap.value) in line
    assert percent(best.mean_ap.low) in line


def test_naming_nothing_is_not_the_same_as_only_ranking(tmp_path: Path) -> None:
    truths = clips(2)
    scores = dict.fromkeys(PRIMITIVES, 0.1)
    said = [Answer(f"id{i}", clip.clip, scores) for i, clip in enumerate(truths)]
    still = system("still", tuple(replace(a, labels=frozenset[str]()) for a in said))
    found = compare_systems([still, system("ranks", tuple(said))], truths, resamples=2)
    write_report(tmp_path, found, MADE, 1)
    told = [(row["still"], row["ranks"]) for row in cells(tmp_path / "clips.csv")]
    assert told == [("none", "")] * 2


def test_the_summary_is_sorted_and_sets_published_rows_apart(
    rows: tuple[PublishedRow, ...],
) -> None:
    found = comparison(rows)
    table = summary(found)
    kinds = [row.kind for row in table.rows]
    assert kinds == ["system"] * 4 + ["published"] * len(rows)
    ours = [found.evaluations[row.number - 1].mean_ap.value for row in table.rows[:4]]
    assert ours == sorted(ours, reverse=True)
    assert [row.cells[-1].text for row in table.rows].count("best") == 1
    theirs = [float(row.cells[0].text) for row in table.rows[4:]]
    assert theirs == sorted(theirs, reverse=True)
    # What they have not measured is a dash.
    assert {c.text for row in table.rows[4:] for c in row.cells[1:]} == {DASH}
    talker = next(row for row in table.rows if row.head == "talker")
    assert [talker.cells[i].text for i in (2, 3)] == [DASH, DASH]
    assert talker.cells[4].small == "2 missing"
    broken = next(row for row in table.rows if row.head.startswith("broken"))
    assert (broken.cells[4].text, broken.cells[4].small) == ("100.0", "12 failed")


def test_labels_that_no_clip_has_are_dashes() -> None:
    (table,) = by_label(comparison())
    place = table.columns.index("Roll CCW") - 1
    cells = [row.cells[place].text for row in table.rows]
    assert cells == ["0", "12", DASH, DASH, DASH, DASH]


def test_groups_that_say_nothing_are_left_out() -> None:
    truths = (*clips(11), *clips(12)[11:])
    tagged = tuple(
        LabelledClip(c.clip, c.answers, {**c.extra, "tags": "odd"} if i == 3 else c.extra)
        for i, c in enumerate(truths)
    )
    found = compare_systems([system("one", answers(tagged, 0, 0.5))], tagged, resamples=2)
    assert set(found.evaluations[0].groups) == {"kind: real", "kind: drawn", "tag: odd"}
    assert [table.columns[1:] for table in by_group(found)] == [("kind: drawn", "kind: real")]


def test_agreement_is_a_dash_for_systems_that_name_nothing() -> None:
    named, ranked = agreements(comparison())
    talker = next(row for row in named.rows if row.head == "talker")
    assert {cell.text for cell in talker.cells} == {DASH}
    assert ranked.rows[0].cells[0].text == "100"
    broken = next(row for row in ranked.rows if row.head.startswith("broken"))
    assert {cell.text for cell in broken.cells} == {DASH}


def test_published_rows_of_other_clips_are_warned_of(rows: tuple[PublishedRow, ...]) -> None:
    assert any("cannot be compared" in warning for warning in warnings(comparison(rows)))
    assert warnings(comparison()) == ()


def test_published_rows_compare_with_nearly_all_of_the_benchmark() -> None:
    questions = {"static": Question(1, "Is the camera still?")}

    def comparable(count: int, of: int) -> bool:
        truths = tuple(
            LabelledClip(f"c{i}.mp4", {"static": i % 2 == 0}, questions=questions)
            for i in range(of)
        )
        said = tuple(Answer(f"c{i}", f"c{i}.mp4", {"static": 0.5}) for i in range(count))
        return compare_systems([system("one", said)], truths, resamples=1).on_camerabench

    assert comparable(969, 969)
    assert comparable(950, 969)
    assert not comparable(900, 969)
    assert not comparable(500, 500)


def test_footnotes_of_published_rows_are_explained(folder: Path) -> None:
    markdown = (folder / "report.md").read_text("utf-8")
    marks = set(re.findall(r"<sup>(.*?)</sup>", markdown))
    letters = {letter for mark in marks for letter in mark.split(", ")}
    explained = set(re.findall(r"^- ([a-z]+): ", markdown, re.M))
    assert letters <= explained
    assert len(explained) <= len(FOOTNOTES)


def test_the_headline_names_the_best_and_says_when_chance_may_explain_it() -> None:
    truths = clips()
    same = answers(truths, 0, 0.3)
    found = compare_systems([system("one", same), system("two", same)], truths, resamples=20)
    assert headline(found).startswith("one does best: mean average precision ")
    assert "may be chance" in headline(found)
    assert "Without labels" in headline(compare_systems([system("one", same)]))
    unknown = tuple(LabelledClip(c.clip, {"static": True}) for c in truths)
    nothing = compare_systems([system("one", same)], unknown, resamples=2)
    assert "nothing to rank" in headline(nothing)


def test_verdicts_tell_wrong_failed_missing_and_unknown_apart() -> None:
    truth = clips(1)[0]
    right = Answer("id", "c0.mp4", {"pan_left": 0.9}, labels=frozenset(["pan_left"]))
    wrong = Answer("id", "c0.mp4", {"pan_left": 0.9}, labels=frozenset(["tilt_up"]))
    silent = Answer("id", "c0.mp4", {"pan_left": 0.9})
    told = [verdict(truth, a) for a in (right, wrong, failed((truth,))[0], None, silent)]
    assert told == ["right", "wrong", "failed", "missing", ""]
    assert verdict(None, right) == ""
    found = comparison()
    assert note(found, found.clips[0]).startswith("flow + learned: ")


def test_systems_of_one_run_share_a_color_and_of_one_classifier_a_symbol() -> None:
    looks = {mark.name: mark for mark in marks(comparison())}
    assert looks["flow + learned"].color == looks["flow + rules"].color
    assert looks["flow + learned"].symbol == looks["broken + learned"].symbol
    assert looks["flow + learned"].symbol != looks["flow + rules"].symbol
    assert len({looks[n].color for n in ("flow + learned", "talker", "broken + learned")}) == 3
    assert looks["flow + learned"].shown
    assert not looks["flow + rules"].shown
    assert all(0 <= mark.color < COLORS for mark in looks.values())


def test_curves_have_the_area_that_the_table_says() -> None:
    found = comparison()
    data = chart_data(found)
    for look in data["marks"]:
        for ap, curve in zip(look["ap"], look["curves"], strict=True):
            if curve is None:
                continue
            recall, precision = (np.array(values) / 100.0 for values in curve)
            area = float(np.sum(np.diff(recall, prepend=0.0) * precision))
            assert 100.0 * area == pytest.approx(ap[0], abs=0.02)
    assert any(curve for look in data["marks"] for curve in look["curves"])


def test_what_is_not_known_has_no_bar() -> None:
    failures, seconds, _ = costs(comparison())
    assert [bar.text for bar in failures.bars] == ["0.0", "100.0", "16.7"]
    assert {(bar.share, bar.text) for bar in seconds.bars} == {(0.0, DASH)}


@pytest.mark.parametrize("kind", ["failed", "unlabelled", "one clip"])
def test_thin_comparisons_make_a_report(kind: str, tmp_path: Path) -> None:
    truths = clips(1 if kind == "one clip" else 4)
    said = failed(truths) if kind == "failed" else answers(truths, 0, 0.1)
    labels = () if kind == "unlabelled" else truths
    found = compare_systems([system("only", said)], labels, resamples=3)
    page = Page(write_report(tmp_path, found, MADE, 2).read_text("utf-8"))
    assert (page.wrong, page.open) == ([], [])
    text = (tmp_path / "report.html").read_text("utf-8")
    assert "nan" not in re.sub(r"<script.*?</script>|<style.*?</style>", "", text, flags=re.S)
    assert ("chart-data" in text) == (kind != "unlabelled")


def test_a_name_that_is_not_text_is_shown_with_a_question_mark(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.mp4")
    found = comparison(c1=name)
    write_report(tmp_path, found, MADE, 12)
    for file in ("report.html", "report.md", "clips.csv"):
        assert (tmp_path / file).read_text("utf-8")
    assert "caf?.mp4" in (tmp_path / "report.html").read_text("utf-8")


@pytest.mark.slow
def test_a_browser_draws_the_charts_without_a_complaint(folder: Path, tmp_path: Path) -> None:
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no Chromium here to draw the page")
    command: list[Any] = [
        program,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={tmp_path}",
        "--window-size=360,800",
        "--enable-logging=stderr",
        "--virtual-time-budget=5000",
        "--dump-dom",
        (folder / "report.html").as_uri(),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    complaints = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    assert complaints == []
    drawn = Page(done.stdout)
    points = [a for tag, a in drawn.elements if tag == "path" and a.get("class") == "point"]
    lines = [a for tag, a in drawn.elements if tag == "path" and a.get("class") == "js-line"]
    assert len(points) > 10
    assert lines
    assert not [a for tag, a in drawn.elements if tag == "img" and a.get("src") == "x"]
