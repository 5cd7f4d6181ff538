"""What an endpoint said, and what it means: the probability of yes, or a caption."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

# The most alternatives of a token that any endpoint gives.
MOST_ALTERNATIVES = 20

_YES, _NO = "yes", "no"
# Less of the probability, or of the answers, on yes and no together is no answer to the question.
_LEAST_ANSWERED = 0.5
_BINARY = "{} Please only answer Yes or No."
# The word itself, alone or before a punctuation mark: "No camera is seen" does not say no.
_WORD = re.compile(r"\W*(yes|no)\s*([^\w\s]|\n|$)", re.IGNORECASE)
# Around a token's letters: spaces, quotes, the mark that some tokenizers put for a space.
_AROUND = re.compile(r"[\W_]+")
# Characters of an answer that go into a message.
_SHOWN = 60


@dataclass(frozen=True)
class Reply:
    """One answer of an endpoint, as it is kept.

    Attributes:
        text: What it said; empty when it said nothing.
        finish: Why it stopped, in the endpoint's words.
        alternatives: What the first token might have been, with natural log-probabilities; None
            where the endpoint gave none.
        tokens_in: Tokens of the request as the endpoint counts them; None when it does not say.
        tokens_out: Tokens of the answer, likewise.
    """

    text: str
    finish: str = ""
    alternatives: tuple[tuple[str, float], ...] | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None


@dataclass(frozen=True)
class Outcome:
    """What a question about a clip came to.

    Attributes:
        score: Probability of yes, 0 to 1; None for captions and errors.
        caption: The caption; empty for questions and errors.
        error: Why there is neither; None when there is.
    """

    score: float | None = None
    caption: str = ""
    error: str | None = None


@dataclass(frozen=True)
class Method:
    """How a question is asked, and how the answers are read.

    Attributes:
        name: For score files.
        template: What is asked, with ``{}`` for the question.
        parameters: Of the request, in the words of the chat-completions protocol.
        times: Requests for each question.
        read: From as many replies to the outcome.
    """

    name: str
    template: str
    parameters: Mapping[str, bool | int | float]
    times: int
    read: Callable[[Sequence[Reply]], Outcome]

    @property
    def needs_alternatives(self) -> bool:
        """Whether it is of no use without log-probabilities."""
        return "logprobs" in self.parameters

    @property
    def most_tokens(self) -> int:
        """Tokens that an answer may have."""
        return int(self.parameters["max_tokens"])


def by_log_probabilities(most_tokens: int = 1) -> Method:
    """P(Yes) as the model has it, from the first token of one answer.

    CameraBench's template, as its scores by VQAScore use it. VQAScore takes the probability of the
    one token "Yes"; here all spellings of yes and of no count, and the two add up to 1.
    """
    parameters = {
        "max_tokens": most_tokens,
        "temperature": 1.0,
        "logprobs": True,
        "top_logprobs": MOST_ALTERNATIVES,
    }
    return Method("P(Yes) from log-probabilities", _BINARY, parameters, 1, _probability)


def by_share(times: int, most_tokens: int = 16) -> Method:
    """P(Yes) as the share of yes among several answers, for endpoints that tell no more."""
    parameters = {"max_tokens": most_tokens, "temperature": 1.0}
    return Method(f"share of Yes in {times} answers", _BINARY, parameters, times, _share)


def by_caption(most_tokens: int = 256) -> Method:
    """One answer in free text, as the endpoint gives it by default."""
    return Method("free answer", "{}", {"max_tokens": most_tokens}, 1, _caption)


def _probability(replies: Sequence[Reply]) -> Outcome:
    (reply,) = replies
    if reply.alternatives is None:
        return Outcome(error=_silence(reply) or "the answer came without log-probabilities")
    if any(math.isnan(value) or value > 1e-3 for _, value in reply.alternatives):
        return Outcome(error="the endpoint's log-probabilities are none")
    mass = partial(_mass, reply.alternatives)
    return _ratio(mass(_YES), mass(_NO), 1.0, reply)


def _share(replies: Sequence[Reply]) -> Outcome:
    said = [_spoken(reply.text) for reply in replies]
    other = next((reply for reply, word in zip(replies, said, strict=True) if not word), replies[0])
    return _ratio(said.count(_YES), said.count(_NO), len(said), other)


def _caption(replies: Sequence[Reply]) -> Outcome:
    (reply,) = replies
    silence = _silence(reply)
    return Outcome(error=silence) if silence else Outcome(caption=reply.text.strip())


def _ratio(yes: float, no: float, whole: float, other: Reply) -> Outcome:
    """The share of yes, where yes and no are most of what was said; ``other`` is what else was."""
    if yes + no >= _LEAST_ANSWERED * whole:
        return Outcome(score=yes / (yes + no))
    shown = " ".join(other.text.split())[:_SHOWN]
    return Outcome(error=_silence(other) or f"neither yes nor no was said, but {shown!r}")


def _mass(alternatives: Sequence[tuple[str, float]], word: str) -> float:
    """The probability of a word in all its spellings."""
    spelt = (math.exp(v) for t, v in alternatives if _AROUND.sub("", t).casefold() == word)
    return sum(spelt)


def _spoken(text: str) -> str:
    """Which of yes and no an answer is; empty for another one."""
    found = _WORD.match(text)
    return found[1].casefold() if found else ""


def _silence(reply: Reply) -> str:
    """Why nothing was said; empty when something was."""
    if reply.text.strip():
        return ""
    if reply.finish == "length":
        return (
            "nothing was said within the tokens allowed; a model that thinks before it answers"
            " needs more: --answer-tokens"
        )
    return f"nothing was said ({reply.finish or 'no reason given'})"
