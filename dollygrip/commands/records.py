"""Records on their way to the screen, and the summary after them."""

import shlex
import shutil
import textwrap
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from dollygrip.classifiers.labels import NO_LABEL
from dollygrip.classifiers.reliability import Reason
from dollygrip.console import (
    OK,
    PIPE_WIDTH,
    SOME_FAILED,
    STDIN,
    argument,
    logs_json,
    print_table,
    printable,
    program,
    put,
    say,
    tell,
)

if TYPE_CHECKING:
    from dollygrip.classifiers.records import ClipLabels

# More than this scrolls away; the files hold everything.
MOST_ROWS = 100
MOST_REASONS = 12
# A longer command is not typed again: it came from a pattern.
LONGEST_COMMAND = 300

# Failures that another try may end otherwise; the rest are the clips' own.
PASSING = (
    Reason.TIMED_OUT,
    Reason.OUT_OF_MEMORY,
    Reason.ESTIMATOR_CRASHED,
    Reason.ESTIMATOR_MISSING,
    Reason.MISSING,
    Reason.NOT_READABLE,
)


@dataclass
class Tally:
    """How the clips of a run ended.

    Attributes:
        kept: Clips whose records are from earlier.
        new: Clips that were counted one by one.
        labels: Clips by label, of both; ``none`` for those with an answer and no label.
        failures: Failed clips by reason, of both.
        examples: For a reason the first new clip that failed so, and why.
    """

    kept: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    new: int = 0
    examples: dict[str, str] = field(default_factory=dict)
    _began: float = field(default_factory=time.monotonic)

    @property
    def failed(self) -> int:
        """Clips that failed."""
        return self.failures.total()

    @property
    def labelled(self) -> int:
        """Clips with an answer."""
        return self.kept + self.new - self.failed

    @property
    def seconds(self) -> float:
        """Since counting began."""
        return time.monotonic() - self._began

    def count(self, record: "ClipLabels") -> None:
        """Count one record."""
        self.new += 1
        if record.failure is None:
            self.labels.update(record.labels or (NO_LABEL,))
            return
        reason = record.failure.reason.value
        self.failures[reason] += 1
        if reason not in self.examples:
            message, path = printable(record.failure.message), printable(record.path)
            self.examples[reason] = message if message.startswith(path) else f"{path}: {message}"


def print_records(
    records: Iterable["ClipLabels"],
    as_json: bool,
    tally: Tally | None = None,
    earlier: Iterable["ClipLabels"] = (),
) -> Tally:
    """JSON lines as they come, or a table when all are there.

    Args:
        records: What is to be printed.
        as_json: As lines.
        tally: Goes on counting.
        earlier: Records for the table that the tally has counted already.
    """
    from dollygrip.runners.formats.jsonl import dumps

    tally = tally or Tally()
    if as_json:
        for record in records:
            tally.count(record)
            put(f"{dumps(record.to_dict())}\n")
        return tally
    rows = [_row(record) for record in islice(earlier, MOST_ROWS)]
    for record in records:
        tally.count(record)
        if len(rows) < MOST_ROWS:
            rows.append(_row(record))
    hidden = tally.kept + tally.new - len(rows)
    print_table(("clip", "labels", "trust", "caption"), sorted(rows), hidden)
    return tally


def _row(record: "ClipLabels") -> tuple[str, str, str, str]:
    path = printable(record.path)
    if record.failure is not None:
        return path, record.failure.reason.value, "", printable(record.failure.message)
    labels = ", ".join(record.labels or (NO_LABEL,))
    return path, labels, f"{record.whole.trust:.2f}", printable(record.caption)


@dataclass(frozen=True)
class Again:
    """The command that made a run, for saying how to go on.

    Attributes:
        typed: Its words after ``dollygrip``.
        timeout: Seconds that a clip was allowed.
        memory_mb: Mebibytes that a clip was allowed.
    """

    typed: Sequence[str]
    timeout: float | None = None
    memory_mb: int | None = None

    def command(self, *more: str) -> str:
        """The same with more options, and without what would begin anew."""
        words = _without([w for w in self.typed if not _is_flag(w, "--restart")], more)
        end = words.index("--") if "--" in words else len(words)
        line = f"{program()} {shlex.join([*words[:end], *more, *words[end:]])}"
        # What was piped in is not known, and without it the command would wait for the keyboard.
        if STDIN in words or len(line) > LONGEST_COMMAND or not line.isprintable():
            return " ".join(["the same command", *(["with", *more] if more else [])])
        return line

    def retry(self, failures: Counter[str]) -> str:
        """The command that tries failed clips again, with what they lacked."""
        more = (
            []
            if any(_is_flag(word, "--retry-failed") for word in self.typed)
            else ["--retry-failed"]
        )
        if failures[Reason.TIMED_OUT] and self.timeout:
            more += ["--timeout", f"{2 * self.timeout:g}"]
        if failures[Reason.OUT_OF_MEMORY] and self.memory_mb:
            more += ["--memory", str(2 * self.memory_mb)]
        return self.command(*more)


def _without(words: Sequence[str], given: Sequence[str]) -> list[str]:
    """The words without the values of options that are given anew."""
    kept: list[str] = []
    left = iter(words)
    for word in left:
        option, equals, _ = word.partition("=")
        if option in given:
            if not equals:
                next(left, None)
            continue
        kept.append(word)
        if word == "--":
            break
    return [*kept, *left]


def _is_flag(word: str, flag: str) -> bool:
    """Whether a word is a flag, which may be cut short: "--re" would be two of them."""
    return len(word) > len("--re") and flag.startswith(word)


def report(
    tally: Tally,
    run: str,
    again: Again | None = None,
    *,
    shard: str = "",
    stopped: bool = False,
    left: int = 0,
) -> int:
    """Tell how the clips ended, and what to do next; the exit code.

    Args:
        tally: The clips.
        run: The run folder.
        again: The command that can be given again; None where that is of no use.
        shard: The part of the clips that was looked at, such as ``2/8``.
        stopped: The command was asked to stop before its end.
        left: Clips that were not looked at because of that.
    """
    following = _next(tally, run, again, stopped)
    if logs_json():
        tell(
            "finished",
            labelled=tally.labelled,
            failed=tally.failed,
            kept=tally.kept,
            labels=dict(tally.labels.most_common()),
            failures=dict(tally.failures.most_common()),
            seconds=round(tally.seconds, 3),
            run=run,
            stopped=stopped,
            next=following,
        )
        return SOME_FAILED if tally.failed else OK
    kept = f" ({tally.kept:,} of them kept from earlier)" if tally.kept else ""
    rest = f", {left:,} left" if left else ""
    say(f"{tally.labelled:,} labelled, {tally.failed:,} failed{kept}{rest}; results are in {run}")
    for line in _folded([f"{name} {clips:,}" for name, clips in tally.labels.most_common()]):
        say(line)
    reasons = tally.failures.most_common()
    for reason, clips in reasons[:MOST_REASONS]:
        example = tally.examples.get(reason)
        say(f"failed: {clips:,} {reason}{f', such as {example}' if example else ''}")
    if len(reasons) > MOST_REASONS:
        say(f"and {len(reasons) - MOST_REASONS} more reasons; see {run}/results.csv")
    if shard:
        say(f"only shard {shard} was looked at; the others need the same command with their number")
    say(f"next: {following}")
    return SOME_FAILED if tally.failed else OK


def _folded(counts: list[str]) -> list[str]:
    """Counts of labels on lines that are not too long, each count whole."""
    glued = ", ".join(count.replace(" ", "\xa0") for count in counts)
    width = min(shutil.get_terminal_size((PIPE_WIDTH, 1)).columns, PIPE_WIDTH)
    head = "labels: "
    lines = textwrap.wrap(glued, width, initial_indent=head, subsequent_indent=" " * len(head))
    return [line.replace("\xa0", " ") for line in lines]


def _next(tally: Tally, run: str, again: Again | None, stopped: bool) -> str:
    if again is not None and stopped:
        return again.command()
    if again is not None and any(tally.failures[reason] for reason in PASSING):
        return again.retry(tally.failures)
    return f"{program()} show {argument(run) if run.isprintable() else 'RUN'}"
