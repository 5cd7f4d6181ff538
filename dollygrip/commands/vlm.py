"""``dollygrip vlm``: score clips with a vision-language model."""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dollygrip.console import (
    OK,
    SOME_FAILED,
    USAGE_ERROR,
    add_json,
    argument,
    command,
    positive,
    printable,
    say,
    with_progress,
)

if TYPE_CHECKING:
    from dollygrip.runners.vlm.answers import Method, Outcome
    from dollygrip.runners.vlm.asking import Asked, Limits
    from dollygrip.runners.vlm.cache import AnswerCache
    from dollygrip.runners.vlm.endpoint import Address
    from dollygrip.runners.vlm.planning import Plan, Query
    from dollygrip.runners.vlm.tasks import Task

DEFAULT_FOLDER = "dollygrip-vlm"
TASKS = ("binary", "vqa", "captions")
# Requests for each question where an endpoint gives no log-probabilities.
DEFAULT_REPEATS = 5
# Of each kind of error, since most of many are alike.
MOST_ERRORS = 5


def price(text: str) -> float:
    """A kind of argument that is a finite number, zero for what is free."""
    value = float(text)
    if not 0 <= value < float("inf"):
        raise ValueError
    return value


def add(commands: Any) -> None:
    """Add the command to the parser's."""
    vlm = command(commands, "vlm", run, "score clips with a vision-language model, for comparison")
    vlm.add_argument("inputs", nargs="+", metavar="INPUT", help="a clip, or a folder of clips")
    vlm.add_argument("--model", required=True, metavar="NAME", help="the model to ask")
    vlm.add_argument(
        "-o",
        "--out",
        default=DEFAULT_FOLDER,
        metavar="FOLDER",
        help="for answers and score files; what was answered there is not asked again "
        "(default: %(default)s)",
    )
    _add_endpoint(vlm)
    _add_questions(vlm)
    _add_limits(vlm)
    add_json(vlm, "print what was done as JSON")


def _add_endpoint(vlm: argparse.ArgumentParser) -> None:
    endpoint = vlm.add_argument_group("endpoint: anything that speaks OpenAI's chat completions")
    endpoint.add_argument(
        "--base-url",
        metavar="URL",
        help="where its API begins (default: OPENAI_BASE_URL, else OpenAI's)",
    )
    endpoint.add_argument(
        "--key-variable",
        metavar="NAME",
        help="environment variable with the key (default: OPENAI_API_KEY); "
        "a key is never given as an argument",
    )
    endpoint.add_argument(
        "--timeout",
        type=positive(float),
        default=120.0,
        metavar="S",
        help="seconds that one request may take (default: %(default)g)",
    )


def _add_questions(vlm: argparse.ArgumentParser) -> None:
    questions = vlm.add_argument_group("what is asked")
    questions.add_argument(
        "--labels",
        metavar="SOURCE",
        help="ask only what people have answered: CSV or JSON lines with 'clip' and labels, or "
        "CameraBench's folder (default: the 15 primitives of every clip)",
    )
    questions.add_argument(
        "--task",
        choices=TASKS,
        default="binary",
        help="vqa and captions need CameraBench's folder as --labels (default: %(default)s)",
    )
    questions.add_argument(
        "--frames",
        type=positive(int),
        default=8,
        metavar="N",
        help="of each clip (default: %(default)s)",
    )
    questions.add_argument(
        "--rate", type=positive(float), metavar="N", help="frames a second, instead of --frames"
    )
    questions.add_argument(
        "--size",
        type=positive(int),
        default=512,
        metavar="PX",
        help="long side of the frames (default: %(default)s)",
    )
    questions.add_argument(
        "--repeats",
        type=positive(int),
        metavar="N",
        help="ask every question N times and take the share of yes, instead of log-probabilities "
        f"(done {DEFAULT_REPEATS} times where an endpoint gives none)",
    )
    questions.add_argument(
        "--answer-tokens",
        type=positive(int),
        metavar="N",
        help="tokens that an answer may have; models that think first need many",
    )
    questions.add_argument(
        "--limit", type=positive(int), metavar="N", help="only the first N clips, or pairs"
    )


def _add_limits(vlm: argparse.ArgumentParser) -> None:
    limits = vlm.add_argument_group("cost and speed")
    limits.add_argument("--yes", action="store_true", help="do not ask before money is spent")
    for way, what in (("in", "sent"), ("out", "received")):
        limits.add_argument(
            f"--price-{way}",
            type=price,
            metavar="DOLLARS",
            help=f"price of a million tokens {what}",
        )
    limits.add_argument(
        "--max-cost", type=positive(float), metavar="DOLLARS", help="stop before more is spent"
    )
    limits.add_argument(
        "--jobs",
        type=positive(int),
        default=4,
        metavar="N",
        help="requests at one time (default: %(default)s)",
    )
    for unit in ("requests", "tokens"):
        limits.add_argument(
            f"--{unit}-per-minute",
            type=positive(float),
            default=float("inf"),
            metavar="N",
            help=f"{unit} to send in a minute at most",
        )


def run(options: argparse.Namespace) -> int:
    """Ask, write the score files and report; the exit code."""
    from dollygrip.runners.video import find_clips
    from dollygrip.runners.vlm.answers import by_share
    from dollygrip.runners.vlm.cache import AnswerCache
    from dollygrip.runners.vlm.endpoint import address, check_client
    from dollygrip.runners.vlm.errors import NoLogProbabilities

    if options.max_cost and None in (options.price_in, options.price_out):
        options.parser.error("--max-cost needs --price-in and --price-out")
    if options.repeats and options.task == "captions":
        options.parser.error("--repeats is for questions with yes or no")
    check_client()
    where = address(options.base_url, options.key_variable)
    videos = tuple(dict.fromkeys(find_clips(map(Path, options.inputs))))
    if not videos:
        say(f"no clip found in {', '.join(options.inputs)}; name one, or a folder with some")
        return USAGE_ERROR
    task = _task(options, videos)
    if not task.queries:
        say(f"{options.labels} says nothing of these clips; nothing to ask")
        return USAGE_ERROR
    with AnswerCache(Path(options.out)) as cache:
        try:
            return _work(options, task, _method(options), where, cache)
        except NoLogProbabilities:
            say(
                f"{where.host} gives no log-probabilities for {options.model}, so the share of yes "
                f"in {DEFAULT_REPEATS} answers takes their place"
            )
            method = by_share(DEFAULT_REPEATS, **_tokens(options))
            return _work(options, task, method, where, cache)


def _task(options: argparse.Namespace, videos: tuple[Path, ...]) -> "Task":
    """The questions about the clips."""
    from dollygrip.runners.formats.pairs import read_descriptions, read_pairs
    from dollygrip.runners.formats.truth import read_labels
    from dollygrip.runners.vlm.tasks import binary_task, caption_task, pair_task

    if options.labels is None:
        if options.task != "binary":
            options.parser.error(f"--task {options.task} needs --labels with CameraBench's folder")
        return binary_task(videos, None, options.limit)
    source = Path(options.labels)
    if options.task == "binary":
        return binary_task(videos, read_labels(source), options.limit)
    if options.task == "vqa":
        return pair_task(videos, read_pairs(source), options.limit)
    return caption_task(videos, read_descriptions(source), options.limit)


def _method(options: argparse.Namespace) -> "Method":
    """How to ask them."""
    from dollygrip.runners.vlm.answers import by_caption, by_log_probabilities, by_share

    if options.task == "captions":
        return by_caption(**_tokens(options))
    if options.repeats:
        return by_share(options.repeats, **_tokens(options))
    return by_log_probabilities(**_tokens(options))


def _tokens(options: argparse.Namespace) -> dict[str, int]:
    """The length of an answer, where it is given."""
    return {} if options.answer_tokens is None else {"most_tokens": options.answer_tokens}


def _work(
    options: argparse.Namespace,
    task: "Task",
    method: "Method",
    where: "Address",
    cache: "AnswerCache",
) -> int:
    """Ask by one method; the exit code."""
    from dollygrip.runners.vlm.asking import Asked
    from dollygrip.runners.vlm.frames import Sampling
    from dollygrip.runners.vlm.planning import make_plan, outcomes

    sampling = Sampling(options.frames, options.rate, options.size)
    endpoint = (options.model, where.url)
    plan = make_plan(task.queries, method, sampling, endpoint, cache, with_progress)
    if not plan.samples:
        for message in plan.failures.values():
            say(f"failed: {message}")
        return USAGE_ERROR
    limits = _limits(options)
    asked = Asked()
    if plan.left:
        if not _agreed(options, plan, limits, where):
            return USAGE_ERROR
        asked = _ask(options, plan, limits, where, cache)
    answers = outcomes(plan, cache, asked.troubles)
    files = _write(options, task, plan, answers)
    return _report(options, plan, asked, answers, files)


def _limits(options: argparse.Namespace) -> "Limits":
    from dollygrip.runners.vlm.asking import Limits
    from dollygrip.runners.vlm.cost import Prices

    return Limits(
        jobs=options.jobs,
        requests_per_minute=options.requests_per_minute,
        tokens_per_minute=options.tokens_per_minute,
        dollars=options.max_cost or float("inf"),
        prices=Prices(options.price_in, options.price_out),
    )


def _agreed(options: argparse.Namespace, plan: "Plan", limits: "Limits", where: "Address") -> bool:
    """Say what it will cost, and whether to go on."""
    spent = plan.tokens_in, plan.most_tokens_out
    dollars = limits.prices.dollars(*spent)
    done = f" ({plan.answered:,} are answered already)" if plan.answered else ""
    clips = len({request.query.path for request in plan.left})
    say(f"{where.host} gets to see frames of {_counted(clips, 'clip')}")
    say(
        f"{_counted(len(plan.left), 'request')} to {options.model}{done}, about {spent[0]:,} "
        f"tokens in and at most {spent[1]:,} out, "
        f"{'' if dollars is None else 'about '}{limits.prices.said(*spent)}"
    )
    if dollars is not None and dollars > limits.dollars:
        say("that is more than --max-cost; --limit asks about fewer clips")
        return False
    if options.yes:
        return True
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        say("nothing is sent yet; the same command with --yes goes on")
        return False
    print("go on? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _ask(
    options: argparse.Namespace,
    plan: "Plan",
    limits: "Limits",
    where: "Address",
    cache: "AnswerCache",
) -> "Asked":
    """Make the requests, with a bar on the terminal."""
    import asyncio

    from dollygrip.runners.vlm.asking import ask
    from dollygrip.runners.vlm.endpoint import Endpoint

    bar = with_progress(iter(plan.left), len(plan.left))

    async def work() -> "Asked":
        endpoint = Endpoint(options.model, where, options.timeout, known=plan.begun)
        async with endpoint:
            return await ask(plan, endpoint, cache, limits, lambda: next(bar, None))

    next(bar)
    try:
        return asyncio.run(work())
    finally:
        for _ in bar:  # to its end, whatever happened: it is taken off the terminal there
            pass


def _write(
    options: argparse.Namespace, task: "Task", plan: "Plan", answers: Mapping["Query", "Outcome"]
) -> list[str]:
    """Write the score files; their names."""
    from datetime import UTC, datetime

    from dollygrip.runners.formats.scores import write_scores
    from dollygrip.runners.vlm.tasks import About

    method = f"{options.model}, {plan.sampling}, {plan.method.name}"
    about = About(options.model, method, datetime.now(UTC).isoformat(timespec="seconds"))
    folder = Path(options.out)
    return [str(write_scores(folder, scores)) for scores in task.scores(answers, about)]


def _report(
    options: argparse.Namespace,
    plan: "Plan",
    asked: "Asked",
    answers: Mapping["Query", "Outcome"],
    files: list[str],
) -> int:
    """Say what came of it, and what to do next; the exit code."""
    from collections import Counter

    from dollygrip.runners.formats.jsonl import dumps

    errors = Counter(outcome.error for outcome in answers.values() if outcome.error)
    failed, usage, prices = errors.total(), asked.usage, _limits(options).prices
    if options.json:
        summary = {
            "model": options.model,
            "task": options.task,
            "method": plan.method.name,
            "files": files,
            "answered": len(answers) - failed,
            "failed": failed,
            "requests": usage.requests,
            "tokens_in": usage.tokens_in,
            "tokens_out": usage.tokens_out,
            "dollars": prices.dollars(usage.tokens_in, usage.tokens_out),
        }
        print(dumps(summary))
    else:
        for file in files:
            print(printable(file))
    for error, count in errors.most_common(MOST_ERRORS):
        say(f"failed: {error} ({_counted(count, 'question')})")
    if len(errors) > MOST_ERRORS:
        say(f"and {len(errors) - MOST_ERRORS} other reasons, which the score files give")
    if usage.requests:
        counted = "as the endpoint counts" if not usage.estimated else "in part by estimate"
        say(
            f"{_counted(usage.requests, 'request')} took {usage.tokens_in:,} tokens in and "
            f"{usage.tokens_out:,} out ({counted}), "
            f"{prices.said(usage.tokens_in, usage.tokens_out)}"
        )
    say(
        f"{len(answers) - failed} answered, {failed} failed; by {plan.method.name}; "
        f"scores are in {options.out}"
    )
    labels = argument(options.labels) if options.labels else "LABELS"
    say(f"next: dollygrip compare RUN {argument(options.out)} --labels {labels}")
    return SOME_FAILED if failed else OK


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
