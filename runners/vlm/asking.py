"""Making the requests of a plan: how many at a time, how fast, for how much, until when."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from dollygrip.runners.video import VideoError
from dollygrip.runners.vlm.answers import Reply
from dollygrip.runners.vlm.cache import AnswerCache
from dollygrip.runners.vlm.cost import Prices, Usage
from dollygrip.runners.vlm.endpoint import Endpoint
from dollygrip.runners.vlm.errors import NoLogProbabilities, Refused, Trouble, VlmError
from dollygrip.runners.vlm.frames import pictures
from dollygrip.runners.vlm.planning import REJECTED, Plan, Request
from dollygrip.runners.vlm.prompt import messages

# One bad request costs itself; as many in a row mean that the endpoint is down.
_MOST_IN_A_ROW = 5


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
        except Refused as refusal:
            self.asked.troubles[request.key] = str(refusal)
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
        method, known = self._plan.method, self._endpoint.known
        try:
            reply = await self._endpoint.ask(said, method.parameters)
        except NoLogProbabilities:
            self._keep(request, Reply("", REJECTED, tokens_in=0, tokens_out=0))
            raise
        # A refusal may come without them, and says nothing of the endpoint.
        if method.needs_alternatives and reply.text and reply.alternatives is None:
            if known:
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
