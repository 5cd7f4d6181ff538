"""The tables of a comparison, for the page and as Markdown; what they hold is said once, here."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from dollygrip.classifiers.labels import PRIMITIVES
from dollygrip.runners.comparison import Comparison, Confusion
from dollygrip.runners.evaluation import Score
from dollygrip.runners.formats.markdown import escaped
from dollygrip.runners.formats.published import FOOTNOTES, PublishedRow
from dollygrip.runners.report.origins import settings_hash

DASH = "\u2013"
"""What is not known is a dash, never a zero."""

MINUS = "\u2212"
_UNBROKEN = "\u2011"

_COSTS = "Seconds are those of the median clip, memory is that of the largest."
_BEFORE = {"published": "published: "}
# As many columns as go on a sheet of paper.
_MOST_GROUPS = 14
_CHANCE = "chance"


@dataclass(frozen=True)
class Cell:
    """One number, or a dash.

    Attributes:
        text: As it is shown.
        small: What stands below it in small type, as its 95% interval; mostly nothing.
        heat: 0 to 1, how deep its ground is; None for no ground.
        best: Whether no system does better.
    """

    text: str
    small: str = ""
    heat: float | None = None
    best: bool = False


@dataclass(frozen=True)
class Row:
    """One row.

    Attributes:
        head: What it is about.
        cells: One a column.
        kind: "system", "published" or "counts".
        number: A system's number on the page, from 1; 0 for other rows.
        notes: Marks of footnotes.
    """

    head: str
    cells: tuple[Cell, ...]
    kind: str = "system"
    number: int = 0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """One table.

    Attributes:
        key: A word that names it in links.
        title: Its caption.
        text: How to read it.
        columns: Heads, of the column of row heads first.
        rows: All rows.
        spans: Heads above the heads: text and how many columns they span; none mostly.
    """

    key: str
    title: str
    text: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    spans: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Footnote:
    """What to know of published rows.

    Attributes:
        mark: A letter.
        text: One or a few sentences.
    """

    mark: str
    text: str


def in_words(label: str) -> str:
    """A label as people write it: "roll_cw" is "Roll CW"."""
    words = label.split("_")
    turned = [word.upper() if word in ("cw", "ccw") else word for word in words]
    return " ".join([words[0].capitalize(), *turned[1:]])


def percent(share: float) -> str:
    """A share as a percentage with one decimal."""
    return DASH if math.isnan(share) else f"{100.0 * share:.1f}"


def summary(comparison: Comparison) -> Table:
    """Every system, best first, then the published ones."""
    rows = [_summary_row(comparison, index) for index in ranking(comparison)]
    costs = ("No answer", "Seconds a clip", "Memory, MB")
    if not comparison.ranked:
        text = f"{_COSTS} Without labels nobody knows how often a system is right."
        return Table("summary", "All systems", text, ("System", *costs), tuple(rows))
    rows += [
        _published(row, _blank(heat(row.average / 100.0), 8)) for row in _best_first(comparison)
    ]
    return Table(
        key="summary",
        title="All systems, best first",
        text=(
            "Percent, with 95% intervals below. A clip without an answer ranks last in the first "
            "column, which is the rule of CameraBench's paper, and is left out in the second, "
            "which is that of its public evaluator. Macro F1 and exact match need a yes or no, so "
            f"systems that only rank have {DASH}. {_COSTS} p is the chance of a difference from "
            "the best in mean AP at least as large as this one, were there none."
        ),
        columns=(
            "System",
            "Mean AP, failed last",
            "Mean AP, failed left out",
            "Macro F1",
            "Exact match",
            *costs,
            "p against the best",
        ),
        rows=tuple(rows),
    )


def by_label(comparison: Comparison) -> tuple[Table, ...]:
    """Average precision of every label: of the primitives, and of the others if there are any."""
    labels = [label.label for label in comparison.evaluations[0].labels]
    text = (
        "Percent; a clip without an answer ranks last. Where few clips have a label, one of them "
        f"moves it by many points. A label that all clips have, or none, is {DASH}."
    )
    tables = [
        _label_table(
            comparison,
            "labels",
            "Average precision of the primitives",
            text,
            range(len(PRIMITIVES)),
        )
    ]
    if others := range(len(PRIMITIVES), len(labels)):
        text = "Percent. People spoke of these labels, too; they are no part of the mean."
        title = "Average precision of other labels"
        tables.append(_label_table(comparison, "other-labels", title, text, others))
    return tuple(tables)


def by_group(comparison: Comparison) -> tuple[Table, ...]:
    """Mean average precision of the clips of each group of which it can be told."""
    names = [
        name
        for name in comparison.evaluations[0].groups
        if not all(math.isnan(found.groups[name].mean_ap) for found in comparison.evaluations)
    ]
    parts = [names[i : i + _MOST_GROUPS] for i in range(0, len(names), _MOST_GROUPS)]
    return tuple(_group_table(comparison, part, i) for i, part in enumerate(parts))


def confusions(comparison: Comparison) -> tuple[Table, ...]:
    """For each pair of look-alikes, which was ranked higher."""
    names = comparison.confusions[0] if comparison.confusions else ()
    return tuple(_confusion(comparison, name) for name in names)


def agreements(comparison: Comparison) -> tuple[Table, ...]:
    """How alike systems are: what they name, and how they rank; nothing of one system alone."""
    if len(comparison.systems) < 2:
        return ()
    return (
        _matrix(
            comparison,
            "same-labels",
            "How often two systems name the same primitives",
            "Percent of the clips that both answer, rounded. Columns are numbered like rows. "
            f"Systems that only rank have {DASH}.",
            comparison.agreement.named,
        ),
        _matrix(
            comparison,
            "same-ranks",
            "How alike two systems rank the clips",
            "Spearman's rank correlation of their scores times 100, in the mean of the primitives: "
            "100 is the same order, 0 is no relation, less is the opposite.",
            comparison.agreement.ranked,
        ),
    )


def settings(comparison: Comparison) -> Table:
    """With which settings every system answered."""
    return Table(
        key="settings",
        title="Settings",
        text="A hash names an entry of the run's manifest.json; equal hashes are equal settings.",
        columns=("System", "Estimator", "Classifier", "From"),
        rows=tuple(
            _system_row(
                comparison,
                index,
                (
                    Cell(settings_hash(system, "estimator") or DASH),
                    Cell(settings_hash(system, "classifier") or DASH),
                    Cell(str(system.source)),
                ),
            )
            for index, system in enumerate(comparison.systems)
        ),
    )


def ranking(comparison: Comparison) -> tuple[int, ...]:
    """Systems from the highest mean average precision down; as given where there is none."""

    def key(index: int) -> float:
        value = comparison.evaluations[index].mean_ap.value
        return math.inf if math.isnan(value) else -value

    count = range(len(comparison.systems))
    return tuple(sorted(count, key=key) if comparison.evaluations else count)


def newest(comparison: Comparison) -> tuple[PublishedRow, ...]:
    """The published systems of the newest table, best first, and chance."""
    version = max((row.version for row in comparison.published), default="")
    ranked = [row for row in _best_first(comparison) if row.model.lower() != _CHANCE]
    chance = [row for row in comparison.published if row.model.lower() == _CHANCE]
    return (*(row for row in ranked if row.version == version), *chance[:1])


def footnotes(published: Iterable[PublishedRow]) -> dict[str, Footnote]:
    """The footnotes that some rows need, by key, lettered in the order of the list of all."""
    needed = {key for row in published for key in row.notes}
    keys = [key for key in FOOTNOTES if key in needed]
    return {key: Footnote(_letters(i), FOOTNOTES[key]) for i, key in enumerate(keys)}


def published_name(row: PublishedRow) -> str:
    """A published system and the table that it is from."""
    return f"{row.model}, {row.version.replace('-', _UNBROKEN)}"


def heat(share: float) -> Cell:
    """A share as a percentage on a ground that is the deeper the more it is."""
    return Cell(percent(share), heat=None if math.isnan(share) else min(max(share, 0.0), 1.0))


def to_markdown(table: Table, marks: dict[str, Footnote]) -> str:
    """A table as GitHub's Markdown, with its title and text."""
    above = [text for text, count in table.spans for _ in range(count)] or [""] * len(table.columns)
    heads = [f"{a}: {b}" if a else b for a, b in zip(above, table.columns, strict=True)]
    lines = [
        f"### {escaped(table.title)}",
        "",
        escaped(table.text),
        "",
        _line(map(escaped, heads)),
        _line("---" if i == 0 else "---:" for i in range(len(heads))),
    ]
    for row in table.rows:
        known = ", ".join(marks[key].mark for key in row.notes if key in marks)
        number = f"{row.number}. " if row.number else _BEFORE.get(row.kind, "")
        name = f"{number}{escaped(row.head)}" + (f" <sup>{known}</sup>" if known else "")
        lines.append(_line([name, *(_text(cell) for cell in row.cells)]))
    return "\n".join(lines) + "\n"


def _text(cell: Cell) -> str:
    shown = f"**{escaped(cell.text)}**" if cell.best else escaped(cell.text)
    return f"{shown} ({cell.small})" if cell.small else shown


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _summary_row(comparison: Comparison, index: int) -> Row:
    evaluation, test = comparison.evaluations[index], comparison.tests[index]
    lost = ((evaluation.failed, "failed"), (evaluation.missing, "missing"))
    costs = (
        Cell(
            percent(evaluation.failure_rate),
            ", ".join(f"{count} {what}" for count, what in lost if count),
        ),
        Cell(number(evaluation.seconds, 2)),
        Cell(number(evaluation.peak_memory_mb, 0)),
    )
    if not comparison.ranked:
        return _system_row(comparison, index, costs)
    accuracy = (
        evaluation.mean_ap,
        evaluation.mean_ap_dropped,
        evaluation.macro_f1,
        evaluation.exact,
    )
    best = test is None and not math.isnan(evaluation.mean_ap.value)
    p = Cell("best" if best else number(test.mean_ap.p if test else math.nan, 3))
    first, *rest = map(_scored, accuracy)
    first = replace(first, heat=heat(evaluation.mean_ap.value).heat)
    return _system_row(comparison, index, (first, *rest, *costs, p))


def number(value: float, digits: int) -> str:
    """A number, or a dash."""
    return DASH if math.isnan(value) else f"{value:,.{digits}f}"


def _scored(score: Score) -> Cell:
    ends = (score.low, score.high)
    known = not any(map(math.isnan, (score.value, *ends)))
    return Cell(percent(score.value), f"{percent(score.low)}{DASH}{percent(score.high)}" * known)


def _blank(first: Cell, count: int) -> tuple[Cell, ...]:
    return (first, *[Cell(DASH)] * (count - 1))


def _published(row: PublishedRow, cells: tuple[Cell, ...]) -> Row:
    return Row(published_name(row), cells, "published", notes=row.notes)


def _system_row(comparison: Comparison, index: int, cells: tuple[Cell, ...]) -> Row:
    return Row(comparison.systems[index].name, cells, number=index + 1)


def _label_table(comparison: Comparison, key: str, title: str, text: str, places: range) -> Table:
    labels = [comparison.evaluations[0].labels[i] for i in places]
    systems = [
        (index, [comparison.evaluations[index].labels[i].ap.value for i in places])
        for index in ranking(comparison)
    ]
    counts = {"Clips with it": "positives", "Clips without it": "negatives"}
    rows = [
        Row(head, tuple(Cell(str(getattr(label, count))) for label in labels), "counts")
        for head, count in (counts if comparison.labelled else {}).items()
    ]
    rows += _system_rows(comparison, systems)
    for row in _best_first(comparison) if places.start == 0 else ():
        found = (row.ap.get(label.label, math.nan) / 100.0 for label in labels)
        rows.append(_published(row, tuple(map(heat, found))))
    columns = ("System", *(in_words(label.label) for label in labels))
    return Table(key, title, text, columns, tuple(rows))


def _best_first(comparison: Comparison) -> list[PublishedRow]:
    return sorted(comparison.published, key=lambda row: -row.average)


def _group_table(comparison: Comparison, names: Sequence[str], part: int) -> Table:
    groups = comparison.evaluations[0].groups
    systems = [
        (index, [comparison.evaluations[index].groups[name].mean_ap for name in names])
        for index in ranking(comparison)
    ]
    counts = Row("Clips", tuple(Cell(str(groups[name].clips)) for name in names), "counts")
    return Table(
        key=f"groups-{part + 1}",
        title="Mean average precision by group of clips" + (", continued" if part else ""),
        text="Percent, over the primitives that some clips of the group have and some have not; "
        "groups without any are left out. Small groups say little.",
        columns=("System", *names),
        rows=(counts, *_system_rows(comparison, systems)),
    )


def _system_rows(
    comparison: Comparison, systems: Sequence[tuple[int, Sequence[float]]]
) -> Iterator[Row]:
    """Rows of shares, with the best of each column marked."""
    columns = list(zip(*(shares for _, shares in systems), strict=True))
    # Where all are alike, none is best.
    best = [max(column) if len(set(column)) > 1 else math.nan for column in map(_known, columns)]
    for index, shares in systems:
        cells = [
            replace(heat(share), best=share == most)
            for share, most in zip(shares, best, strict=True)
        ]
        yield _system_row(comparison, index, tuple(cells))


def _known(shares: Iterable[float]) -> list[float]:
    return [share for share in shares if not math.isnan(share)]


def _confusion(comparison: Comparison, name: str) -> Table:
    some = comparison.confusions[0][name]
    first, second = in_words(some.first), in_words(some.second)
    columns = (f"{first} higher", f"{second} higher", "alike", "no answer")
    rows = tuple(
        _system_row(comparison, index, _counts(comparison.confusions[index][name]))
        for index in ranking(comparison)
    )
    told = [sum(row) for row in some.counts]
    return Table(
        key=name.replace(" ", "-"),
        title=f"{first} or {some.second}",
        text=(
            f"Clips that have one and surely not the other, the same way round: {told[0]} have the "
            f"{some.first}, {told[1]} the {some.second}. Shaded is what is right."
        ),
        columns=("System", *columns, *columns),
        rows=rows,
        spans=(("", 1), (f"{first} is there", 4), (f"{second} is there", 4)),
    )


def _counts(confusion: Confusion) -> tuple[Cell, ...]:
    cells = []
    for right, row in enumerate(confusion.counts):
        total = sum(row)
        for column, count in enumerate(row):
            shaded = column == right and count
            cells.append(Cell(str(count), heat=count / total if shaded else None))
    return tuple(cells)


def _matrix(
    comparison: Comparison,
    key: str,
    title: str,
    text: str,
    values: Sequence[Sequence[float]],
) -> Table:
    rows = tuple(
        _system_row(comparison, index, tuple(_rounded(value) for value in row))
        for index, row in enumerate(values)
    )
    return Table(key, title, text, ("System", *(str(row.number) for row in rows)), rows)


def _rounded(share: float) -> Cell:
    cell = heat(share)
    whole = DASH if cell.heat is None else f"{round(100.0 * share)}".replace("-", MINUS)
    return replace(cell, text=whole)


def _letters(index: int) -> str:
    """a, b, … z, aa, ab, …"""
    more, last = divmod(index, 26)
    return (_letters(more - 1) if more else "") + chr(ord("a") + last)
