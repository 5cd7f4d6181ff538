"""The page of a comparison: one HTML file that needs nothing else and fetches nothing."""

import base64
import hashlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from dollygrip.runners.comparison import Comparison
from dollygrip.runners.report.charts import chart_data, costs, marks
from dollygrip.runners.report.origins import Made, origins
from dollygrip.runners.report.panels import panel
from dollygrip.runners.report.tables import (
    agreements,
    by_group,
    by_label,
    confusions,
    footnotes,
    settings,
    summary,
)
from dollygrip.runners.report.words import headline, note, warnings

_TEMPLATES = Path(__file__).parent / "templates"

Watch = Callable[[Iterator[Any], int], Iterable[Any]]


def page(
    comparison: Comparison,
    made: Made,
    clips: int,
    watch: Watch = lambda items, total: items,
) -> str:
    """The whole page.

    Args:
        comparison: What is shown.
        made: How it was made.
        clips: How many clips have a panel, most disagreed first.
        watch: Passes the clips on as their panels are made, given how many there are.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    shown = comparison.clips[:clips]
    panels = [
        (
            panel(
                clip.name,
                comparison.systems,
                clip.answers,
                clip.truth.answers if clip.truth else None,
            ),
            note(comparison, clip),
        )
        for clip in watch(iter(shown), len(shown))
    ]
    scripts = _scripts(comparison.labelled)
    templates = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    labelled = comparison.labelled
    return templates.get_template("report.html.jinja").render(
        comparison=comparison,
        made=made,
        policy=_policy(scripts),
        scripts=[Markup(script) for script in scripts],
        headline=headline(comparison),
        warnings=warnings(comparison),
        summary=summary(comparison),
        label_tables=by_label(comparison) if comparison.ranked else (),
        group_tables=by_group(comparison) if labelled else (),
        confusion_tables=confusions(comparison) if labelled else (),
        agreement_tables=agreements(comparison),
        settings=settings(comparison),
        footnotes=footnotes(comparison.published),
        marks=marks(comparison),
        costs=costs(comparison),
        data=chart_data(comparison) if labelled else None,
        panels=panels,
        origins=origins(comparison.systems),
    )


def _scripts(charts: bool) -> list[str]:
    """What runs in the page, in order; the library of charts only where there are charts."""
    own = [(_TEMPLATES / name).read_text("utf-8") for name in ("panels.js",)]
    if not charts:
        return own
    from plotly.offline import get_plotlyjs

    return [get_plotlyjs(), (_TEMPLATES / "report.js").read_text("utf-8"), *own]


def _policy(scripts: Iterable[str]) -> str:
    """A content security policy under which these scripts run and nothing is fetched."""
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
        for script in scripts
    )
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )
