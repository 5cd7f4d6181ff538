"""Questions about clips, to requests that are still to be made, to answers."""

import asyncio
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from dollygrip.runners.video import VideoError
from dollygrip.runners.vlm.answers import Method, Outcome, Reply
from dollygrip.runners.vlm.cache import AnswerCache
from dollygrip.runners.vlm.cost import Prices, Usage, picture_tokens, text_tokens
from dollygrip.runners.vlm.endpoint import Endpoint
from dollygrip.runners.vlm.errors import NoLogProbabilities, Trouble, VlmError
from dollygrip.runners.vlm.frames import Sample, Sampling, pictures, sample
from dollygrip.runners.vlm.prompt import introduction, messages

# One bad request costs itself; as many in a row mean that the endpoint is down.
_MOST_IN_A_ROW = 5
# Kept in place of a reply where the endpoint would not even take the question so.
_REJECTED = "log-probabilities rejected"

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
    """

    method: Method
    sampling: Sampling
    samples: Mapping[Path, Sample]
    failures: Mapping[Path, str]
    requests: Mapping[Query, tuple[Request, ...]]
    left: tuple[Request, ...]

    @property
    def tokens_in(self) -> int:
        """About how many tokens are to be sent."""
        return sum(request.tokens for request in self.left)

    @property
    def most_tokens_out(self) -> int:
        """How many tokens may come back."""
        return len(self.left) * self.method.most_tokens


@dataclass(frozen=True)
class Limits:
    """What the asking must not exceed.

    Attributes:
        jobs: Requests at one time.
        requests_per_minute: Infinite for no limit.
        tokens_per_minute: Tokens sent, by estimate; infinite for no limit.
        dollars: Infinite for no limit.
        prices: What dollars are counted by.
    """

    jobs: int = 4
    requests_per_minute: float = float("inf")
    tokens_per_minute: float = float("inf")
    dollars: float = float("inf")
    prices: Prices = field(default_factory=Prices)


@dataclass
class Asked:
    """What came of the asking.

    Attributes:
        troubles: By the key of a request, why it has no answer.
        usage: What it took.
    """

    troubles: dict[str, str] = field(default_factory=dict)
    usage: Usage = field(default_factory=Usage)


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
    left = tuple(request for request in every if cache.get(request.key) is None)
    return Plan(method, sampling, samples, failures, requests, left)


async def ask(
    plan: Plan,
    endpoint: Endpoint,
    cache: AnswerCache,
    limits: Limits,
    advance: Callable[[], object] = lambda: None,
) -> Asked:
    """Make the requests that are left. Every answer is kept the moment it comes.

    Until one has been answered they go one by one, since whatever is wrong with the first is wrong
    with all: a key, a name, a parameter.

    Args:
        plan: What to ask.
        endpoint: Whom.
        cache: Where answers go.
        limits: How fast and for how much.
        advance: Called after each request.

    Raises:
        NoLogProbabilities: The method needs them, and the endpoint gives none.
        VlmError: Nothing more can be asked.
    """
    asker = _Asker(plan, endpoint, cache, limits, advance)
    try:
        async with asyncio.TaskGroup() as tasks:
            for path, group in groupby(plan.left, lambda request: request.query.path):
                await asker.ask_about(path, tuple(group), tasks)
    except BaseExceptionGroup as group:
        # The first one stopped the others.
        raise group.exceptions[0] from None
    if asker.too_dear:
        raise VlmError("the next request may exceed --max-cost; what was answered is kept")
    return asker.asked


def outcomes(plan: Plan, cache: AnswerCache, asked: Asked) -> dict[Query, Outcome]:
    """What each question of a plan came to."""
    found = {}
    for query, requests in plan.requests.items():
        replies = [reply for request in requests if (reply := cache.get(request.key))]
        troubles = (asked.troubles[r.key] for r in requests if r.key in asked.troubles)
        error = plan.failures.get(query.path) or next(troubles, None)
        found[query] = Outcome(error=error) if error else plan.method.read(replies)
    return found


class _Asker:
    """The state of the asking: how much is under way, what it has cost, what went wrong."""

    def __init__(
        self,
        plan: Plan,
        endpoint: Endpoint,
        cache: AnswerCache,
        limits: Limits,
        advance: Callable[[], object],
    ) -> None:
        self.asked = Asked()
        self.too_dear = False
        self._plan = plan
        self._endpoint = endpoint
        self._cache = cache
        self._limits = limits
        self._advance = advance
        self._slots = asyncio.Semaphore(limits.jobs)
        self._next_start = 0.0
        self._in_a_row = 0
        self._promised = 0.0

    async def ask_about(
        self, path: Path, requests: Sequence[Request], tasks: asyncio.TaskGroup
    ) -> None:
        """Start the requests about one clip, each as soon as there is room."""
        chosen = self._plan.samples[path]
        try:
            shown = await asyncio.to_thread(pictures, path, chosen, self._plan.sampling)
        except VideoError as error:
            self.asked.troubles.update((r.key, error.failure.message) for r in requests)
            return
        for request in requests:
            await self._slots.acquire()
            if self.too_dear or not self._promise(request):
                self._slots.release()
                return
            await self._pace(request)
            work = self._one(request, messages(chosen.times, shown, request.text))
            if self._endpoint.proven:
                tasks.create_task(work)
            else:
                await work

    async def _one(self, request: Request, said: Sequence[Mapping[str, Any]]) -> None:
        try:
            reply = await self._reply(request, said)
            self._keep(request, reply)
            self._in_a_row = 0
        except Trouble as trouble:
            self.asked.troubles[request.key] = str(trouble)
            self._in_a_row += 1
            if self._in_a_row >= _MOST_IN_A_ROW:
                raise VlmError(
                    f"stopped: {self._in_a_row} requests in a row had no answer, the last because "
                    f"{trouble}; what was answered is kept"
                ) from trouble
        finally:
            self._promised -= self._dollars(request)
            self._slots.release()
            self._advance()

    async def _reply(self, request: Request, said: Sequence[Mapping[str, Any]]) -> Reply:
        """The endpoint's reply; one that is of no use to the method is kept, too, if it is the
        first: the next run need not find out again.
        """
        method, first = self._plan.method, not self._endpoint.proven
        try:
            reply = await self._endpoint.ask(said, method.parameters)
        except NoLogProbabilities:
            self._keep(request, Reply("", _REJECTED, tokens_in=0, tokens_out=0))
            raise
        # A refusal may come without them, and says nothing of the endpoint.
        if method.needs_alternatives and reply.text and reply.alternatives is None:
            if not first:
                raise Trouble("the answer came without log-probabilities")
            self._keep(request, reply)
            raise NoLogProbabilities
        return reply

    def _keep(self, request: Request, reply: Reply) -> None:
        about = {"clip": str(request.query.path), "question": request.text}
        self._cache.add(request.key, reply, about)
        usage = self.asked.usage
        usage.requests += 1
        usage.tokens_in += request.tokens if reply.tokens_in is None else reply.tokens_in
        usage.tokens_out += reply.tokens_out or 0
        usage.estimated += reply.tokens_in is None

    def _promise(self, request: Request) -> bool:
        """Set aside what a request may cost; False where that is more than is left."""
        limits, usage = self._limits, self.asked.usage
        spent = limits.prices.dollars(usage.tokens_in, usage.tokens_out) or 0.0
        self.too_dear = spent + self._promised + self._dollars(request) > limits.dollars
        if not self.too_dear:
            self._promised += self._dollars(request)
        return not self.too_dear

    def _dollars(self, request: Request) -> float:
        """What a request may cost; nothing where that is not known."""
        prices, most = self._limits.prices, self._plan.method.most_tokens
        return prices.dollars(request.tokens, most) or 0.0

    async def _pace(self, request: Request) -> None:
        """Wait until the limits by the minute allow another request."""
        now = asyncio.get_running_loop().time()
        start = max(now, self._next_start)
        limits = self._limits
        minutes = max(1 / limits.requests_per_minute, request.tokens / limits.tokens_per_minute)
        self._next_start = start + 60.0 * minutes
        await asyncio.sleep(start - now)


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
    told = any(reply.text or reply.finish == _REJECTED for reply in replies)
    return told and all(reply.alternatives is None for reply in replies)
