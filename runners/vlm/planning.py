"""From questions about clips to the requests that are still to be made, and back from answers."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dollygrip.runners.video import VideoError
from dollygrip.runners.vlm.answers import Method, Outcome, Reply
from dollygrip.runners.vlm.cache import AnswerCache
from dollygrip.runners.vlm.cost import picture_tokens, text_tokens
from dollygrip.runners.vlm.errors import NoLogProbabilities
from dollygrip.runners.vlm.frames import Sample, Sampling, sample
from dollygrip.runners.vlm.prompt import introduction

REJECTED = "log-probabilities rejected"
"""How a reply ends that stands for one where the endpoint would not even take the question so."""

Watch = Callable[[Iterator[Path], int], Iterator[Path]]


@dataclass(frozen=True)
class Query:
    """A question about a clip.

    Attributes:
        path: The clip.
        text: What is asked, without the request to answer in one word.
    """

    path: Path
    text: str


@dataclass(frozen=True)
class Request:
    """One request to an endpoint.

    Attributes:
        query: What it is about.
        text: What is asked, in full.
        key: A hash of everything that the answer depends on.
        tokens: About how many tokens it has.
    """

    query: Query
    text: str
    key: str
    tokens: int


@dataclass(frozen=True)
class Plan:
    """What is to be asked, and how.

    Attributes:
        method: How.
        sampling: Which pictures are sent.
        samples: Those of each clip.
        failures: Clips that cannot be read, and why.
        requests: By question, the requests that answer it; none about clips that cannot be read.
        left: Those that have no answer yet; of one clip together.
        begun: Whether the endpoint has answered one of them before.
    """

    method: Method
    sampling: Sampling
    samples: Mapping[Path, Sample]
    failures: Mapping[Path, str]
    requests: Mapping[Query, tuple[Request, ...]]
    left: tuple[Request, ...]
    begun: bool

    @property
    def answered(self) -> int:
        """How many requests have an answer; what two clips have in common is one."""
        keys = {request.key for group in self.requests.values() for request in group}
        return len(keys) - len(self.left)

    @property
    def tokens_in(self) -> int:
        """About how many tokens are to be sent."""
        return sum(request.tokens for request in self.left)

    @property
    def most_tokens_out(self) -> int:
        """How many tokens may come back."""
        return len(self.left) * self.method.most_tokens


def make_plan(
    queries: Iterable[Query],
    method: Method,
    sampling: Sampling,
    endpoint: tuple[str, str],
    cache: AnswerCache,
    watch: Watch = lambda paths, total: paths,
) -> Plan:
    """Look at the clips, and find out what has to be asked.

    Args:
        queries: What to ask; the same question twice is asked once.
        method: How to ask it.
        sampling: Which pictures to send.
        endpoint: Model and address; both are part of a request's key.
        cache: What was answered before.
        watch: Wraps the clips on their way, to show progress.

    Raises:
        NoLogProbabilities: The method needs them, and the endpoint gave none before.
    """
    questions: dict[Path, list[Query]] = {}
    for query in dict.fromkeys(queries):
        questions.setdefault(query.path, []).append(query)
    samples, failures = dict[Path, Sample](), dict[Path, str]()
    requests: dict[Query, tuple[Request, ...]] = {}
    for path in watch(iter(questions), len(questions)):
        try:
            samples[path] = sample(path, sampling)
        except VideoError as error:
            failures[path] = error.failure.message
        for query in questions[path]:
            chosen = samples.get(path)
            requests[query] = _requests(query, chosen, method, endpoint) if chosen else ()
    every = [request for group in requests.values() for request in group]
    replies = [reply for request in every if (reply := cache.get(request.key))]
    if method.needs_alternatives and _without_alternatives(replies):
        raise NoLogProbabilities
    # By key: what two clips have in common is asked once.
    left = {request.key: request for request in every if cache.get(request.key) is None}
    begun = any(reply.text for reply in replies)
    return Plan(method, sampling, samples, failures, requests, tuple(left.values()), begun)


def outcomes(plan: Plan, cache: AnswerCache, troubles: Mapping[str, str]) -> dict[Query, Outcome]:
    """What each question of a plan came to.

    Args:
        plan: What was asked.
        cache: The answers.
        troubles: By the key of a request, why it has none.
    """
    found = {}
    for query, requests in plan.requests.items():
        replies = [reply for request in requests if (reply := cache.get(request.key))]
        why = (troubles[request.key] for request in requests if request.key in troubles)
        error = plan.failures.get(query.path) or next(why, None)
        found[query] = Outcome(error=error) if error else plan.method.read(replies)
    return found


def _requests(
    query: Query, chosen: Sample, method: Method, endpoint: tuple[str, str]
) -> tuple[Request, ...]:
    """The requests that answer a question."""
    text = method.template.format(query.text)
    said = introduction(chosen.times)
    tokens = text_tokens(said + text)
    tokens += len(chosen.times) * picture_tokens(chosen.size, endpoint[0])
    about = [*endpoint, said, chosen.digest, text, dict(method.parameters)]
    return tuple(Request(query, text, _key([*about, i]), tokens) for i in range(method.times))


def _key(about: Sequence[Any]) -> str:
    data = json.dumps(about, sort_keys=True).encode()
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def _without_alternatives(replies: Sequence[Reply]) -> bool:
    """Whether the endpoint has answered, or refused to, without ever giving alternatives."""
    told = any(reply.text or reply.finish == REJECTED for reply in replies)
    return told and all(reply.alternatives is None for reply in replies)
