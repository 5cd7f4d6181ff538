"""One model behind one address that speaks the chat-completions protocol."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, Self
from urllib.parse import urlsplit

from dollygrip.runners.vlm.answers import Reply
from dollygrip.runners.vlm.errors import NoLogProbabilities, Refused, Trouble, VlmError

if TYPE_CHECKING:
    from openai import APIStatusError

OPENAI = "https://api.openai.com/v1"
"""Where OpenAI is."""

KEY_VARIABLE = "OPENAI_API_KEY"
"""The environment variable that has the key, unless another one is named."""

# The client waits 0.5 s, then twice as long each time up to 8 s, or as long as Retry-After says.
_RETRIES = 8
# A wrong address need not be waited for as long as a busy one.
_FIRST_RETRIES = 2
# Some endpoints give five alternatives, where others give twenty.
_FEWER_ALTERNATIVES = 5
_BUSY = (408, 409, 429)
_LONGEST_ANSWER = 8 * 2**20
_LONGEST_MESSAGE = 300
# Shorter ones are placeholders for servers that need none, and may be words of an answer.
_SHORTEST_KEY = 8
_HIDDEN = "[key]"


@dataclass(frozen=True)
class Address:
    """Where an endpoint is, and what opens it.

    Attributes:
        url: Where its API begins, without a slash at the end.
        variable: The environment variable for the key.
        key: The key; empty for none. Not in the text of an address.
    """

    url: str
    variable: str
    key: str

    def __repr__(self) -> str:
        """Without the key, wherever it may be printed."""
        return f"Address({self.url!r}, {self.variable!r})"

    @property
    def host(self) -> str:
        """Name and port of the machine."""
        return urlsplit(self.url).netloc

    def cleaned(self, text: str) -> str:
        """A text of the endpoint's without the key: some send back what they were sent."""
        return text.replace(self.key, _HIDDEN) if len(self.key) >= _SHORTEST_KEY else text


def address(url: str | None = None, variable: str | None = None) -> Address:
    """Find an endpoint.

    Args:
        url: Where its API begins; by default what OPENAI_BASE_URL says, else OpenAI's.
        variable: The environment variable that has the key; :data:`KEY_VARIABLE` by default.

    Raises:
        VlmError: The address is none, or has a secret in it, or there is no key where one is
            needed.
    """
    given = (url or os.environ.get("OPENAI_BASE_URL") or OPENAI).rstrip("/")
    try:
        parts = urlsplit(given)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good:
        raise VlmError("--base-url is no address such as http://localhost:8000/v1")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise VlmError(
            "--base-url has more than an address; a key goes into an environment variable, which"
            " --key-variable names"
        )
    name = variable or KEY_VARIABLE
    key = os.environ.get(name, "").strip()
    if variable and not key:
        # Its name is not repeated: it may be the key itself, given by mistake.
        raise VlmError("--key-variable names no environment variable that is set")
    if not key and given == OPENAI:
        raise VlmError(f"{parts.hostname} needs a key: put it into the environment variable {name}")
    if not key.isascii() or not key.isprintable():
        raise VlmError(f"the environment variable {name} holds no key, but other characters")
    return Address(given, name, key)


def check_client() -> None:
    """See whether the client is installed, without loading it.

    Raises:
        VlmError: It is not.
    """
    if find_spec("openai") is None:
        raise VlmError("the openai client is not installed: pip install 'dollygrip[vlm]'")


class Unreadable(Exception):
    """The body of an answer cannot be used."""


class Endpoint:
    """Asks one model; an asynchronous context manager, since connections are kept open.

    Attributes:
        proven: Whether it has answered now. Until then, a problem to reach it concerns all.
        known: Whether it has ever answered such requests. Until then, what it rejects in one, it
            rejects in all.
    """

    def __init__(self, model: str, where: Address, timeout: float, *, known: bool = False) -> None:
        """Nothing is sent yet.

        Args:
            model: Its name at the endpoint.
            where: The endpoint.
            timeout: Seconds that one request may take.
            known: Whether it has answered requests of this kind before.
        """
        from openai import AsyncOpenAI

        self.proven = False
        self.known = known
        self._model = model
        self._where = where
        self._timeout = timeout
        self._limit = "max_tokens"
        self._alternatives: int | None = None
        # The client wants a key even where the server does not.
        key = where.key or "none"
        self._client = AsyncOpenAI(api_key=key, base_url=where.url, timeout=timeout)

    async def __aenter__(self) -> Self:
        """Use as a context manager."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connections."""
        await self._client.close()

    async def ask(
        self, messages: Sequence[Mapping[str, Any]], parameters: Mapping[str, Any]
    ) -> Reply:
        """Send one request, again and again where the endpoint is busy or does not answer.

        Raises:
            Refused: The endpoint does not take this request.
            Trouble: It does not answer it.
            NoLogProbabilities: They were asked for, and the endpoint gives none.
            VlmError: No request will have an answer.
        """
        try:
            reply = _reply(await self._send(messages, parameters), self._where)
        except Unreadable as error:
            self._give_up(f"gives {error}", error)
        if reply.text or reply.alternatives:
            self.proven = self.known = True
        return reply

    async def _send(
        self, messages: Sequence[Mapping[str, Any]], parameters: Mapping[str, Any]
    ) -> bytes:
        """The body of the endpoint's answer; parameters that it rejects are put otherwise."""
        import openai

        retries = _RETRIES if self.proven else _FIRST_RETRIES
        create: Any = self._client.with_options(max_retries=retries).chat.completions
        while True:
            sent = self._spelt(parameters)
            try:
                answer = await create.with_raw_response.create(
                    model=self._model, messages=messages, **sent
                )
            except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
                self._adapt(error, sent)
            except openai.APIStatusError as error:
                self._refuse(error)
            except openai.APITimeoutError as error:
                self._give_up(f"gives no answer within {self._timeout:g} s (--timeout)", error)
            except openai.APIConnectionError as error:
                self._give_up(f"gives no answer: {_cause(error)}", error)
            else:
                return bytes(answer.content)

    def _spelt(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """The parameters as this endpoint takes them."""
        sent = {self._limit if k == "max_tokens" else k: v for k, v in parameters.items()}
        if "top_logprobs" in sent and self._alternatives is not None:
            sent["top_logprobs"] = self._alternatives
        return sent

    def _adapt(self, error: "APIStatusError", sent: Mapping[str, Any]) -> None:
        """Find another way to say what was rejected; raises where there is none."""
        said = str(error.message)
        if "max_completion_tokens" in said and "max_tokens" in sent:
            self._limit = "max_completion_tokens"
        elif "logprob" not in said.lower() or "logprobs" not in sent:
            self._refuse(error)
        elif sent["top_logprobs"] > _FEWER_ALTERNATIVES:
            self._alternatives = _FEWER_ALTERNATIVES
        elif self.known:
            self._refuse(error)
        else:
            raise NoLogProbabilities from error

    def _refuse(self, error: "APIStatusError") -> NoReturn:
        """Raise what an error status means: for this request, or for all."""
        status, said = error.status_code, self._said(error)
        if status in (401, 403):
            # What it says of a key may have parts of the key in it.
            raise VlmError(f"{self._where.host} {self._key_problem()} ({status})") from error
        if status == 404:
            raise VlmError(
                f"{self._where.host} has no model {self._model!r}, or its API does not begin at "
                f"{self._where.url} (404: {said})"
            ) from error
        if error.code == "insufficient_quota" or status == 402:
            raise VlmError(
                f"{self._where.host} wants to be paid first ({status}: {said})"
            ) from error
        if status in _BUSY or status >= 500:
            self._give_up(f"gives no answer ({status}: {said})", error)
        # What is in the pictures is a matter of the clip, the first one or not.
        about_content = str(error.code).startswith("content_")
        kind = Refused if self.known or about_content else VlmError
        raise kind(f"{self._where.host} does not take the request ({status}: {said})") from error

    def _give_up(self, what: str, error: Exception) -> NoReturn:
        problem = f"{self._where.host} {self._where.cleaned(what)}"
        raise (Trouble if self.proven else VlmError)(problem) from error

    def _key_problem(self) -> str:
        name = self._where.variable
        if self._where.key:
            return f"does not accept the key in {name}"
        return f"asks for a key: put it into {name}, or name another variable with --key-variable"

    def _said(self, error: "APIStatusError") -> str:
        """What an error says of itself, in one short line without the key."""
        body: Any = error.body
        # Gemini puts its error into a list.
        if isinstance(body, list) and body:
            body = body[0]
        if isinstance(body, dict):
            body = body.get("error", body)
        message = body.get("message") if isinstance(body, dict) else body
        text = message if isinstance(message, str) and message.strip() else "no reason given"
        return " ".join(self._where.cleaned(text).split())[:_LONGEST_MESSAGE]


def _cause(error: Exception) -> str:
    """Why a connection failed, as the system says it."""
    inner: BaseException = error
    while inner.__cause__ or inner.__context__:
        inner = inner.__cause__ or inner.__context__ or inner
    return " ".join(str(inner).split())[:_LONGEST_MESSAGE] or type(inner).__name__


def _reply(body: bytes, where: Address) -> Reply:
    """The reply in the body of an answer, which may be anything.

    Raises:
        Unreadable: It is no answer in the chat-completions protocol.
    """
    try:
        if len(body) > _LONGEST_ANSWER:
            raise Unreadable(f"more than {_LONGEST_ANSWER // 2**20} MB")
        data = json.loads(body)
        choice, usage = data["choices"][0], data.get("usage") or {}
        message = choice["message"]
        text = message.get("content") or message.get("refusal") or ""
        return Reply(
            text=where.cleaned(_text(text)),
            finish=where.cleaned(_text(choice.get("finish_reason") or "")),
            alternatives=_alternatives(choice, where),
            tokens_in=_count(usage.get("prompt_tokens")),
            tokens_out=_count(usage.get("completion_tokens")),
        )
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError) as error:
        raise Unreadable("what is no answer of a chat-completions endpoint") from error
    except RecursionError as error:
        raise Unreadable("JSON that is nested too deeply") from error


def _alternatives(
    choice: Mapping[str, Any], where: Address
) -> tuple[tuple[str, float], ...] | None:
    """What the first token might have been; None where the endpoint does not say.

    A token alone says nothing of the others: its share would be all or nothing.
    """
    tokens = (choice.get("logprobs") or {}).get("content")
    given = (tokens[0].get("top_logprobs") if tokens else None) or ()
    if len(given) < 2:
        return None
    return tuple((where.cleaned(_text(t["token"])), float(t["logprob"])) for t in given)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _count(value: Any) -> int | None:
    """A number of tokens, where it is one."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
