"""Records on their way to the screen, and the summary after them."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dollygrip.console import OK, SOME_FAILED, argument, print_table, printable, say

if TYPE_CHECKING:
    from dollygrip.classifiers.records import ClipLabels

# More than this scrolls away; the files hold everything.
MOST_ROWS = 100
MOST_FAILURES = 20


@dataclass
class Tally:
    """What went by on its way to the screen."""

    labelled: int = 0
    failed: int = 0
    failures: list[str] = field(default_factory=list)

    def count(self, record: "ClipLabels") -> None:
        """Count one record."""
        if record.failure is None:
            self.labelled += 1
            return
        self.failed += 1
        if len(self.failures) < MOST_FAILURES:
            message = record.failure.message
            named = message.startswith(printable(record.path))
            self.failures.append(message if named else f"{printable(record.path)}: {message}")


def print_records(records: Iterable["ClipLabels"], as_json: bool) -> Tally:
    """JSON lines as they come, or a table when all are there."""
    from dollygrip.runners.formats.jsonl import dumps

    tally = Tally()
    if as_json:
        for record in records:
            tally.count(record)
            print(dumps(record.to_dict()), flush=True)
        return tally
    rows: list[tuple[str, str, str, str]] = []
    for record in records:
        tally.count(record)
        if len(rows) < MOST_ROWS:
            rows.append(_row(record))
    hidden = tally.labelled + tally.failed - len(rows)
    print_table(("clip", "labels", "trust", "caption"), sorted(rows), hidden)
    return tally


def _row(record: "ClipLabels") -> tuple[str, str, str, str]:
    path = printable(record.path)
    if record.failure is not None:
        return path, record.failure.reason.value, "", printable(record.failure.message)
    labels = ", ".join(record.labels) or "none"
    return path, labels, f"{record.whole.trust:.2f}", printable(record.caption)


def report(tally: Tally, run: str) -> int:
    """Tell how many failed and why, and what to do next; the exit code."""
    for failure in tally.failures:
        say(f"failed: {failure}")
    hidden = tally.failed - len(tally.failures)
    if hidden:
        say(f"and {hidden} more failed")
    say(f"{tally.labelled} labelled, {tally.failed} failed; results are in {run}")
    say(f"next: dollygrip show {argument(run)}")
    return SOME_FAILED if tally.failed else OK
