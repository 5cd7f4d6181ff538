"""What asking will cost, before, and what it did cost, after."""

import math
from dataclasses import dataclass

# OpenAI's rule for GPT-4o and its like: pictures are cut into tiles of 512 pixels after they were
# shrunk to a short side of at most 768. Other models count 190 to 260 tokens for 512 x 288.
_TILE, _SHORT_SIDE = 512, 768
_BASE_TOKENS, _TILE_TOKENS = 85, 170
# GPT-4o mini is billed as many more tokens a picture, at a lower price each.
_MINI, _MINI_BASE, _MINI_TILE = "gpt-4o-mini", 2833, 5667
_LETTERS_A_TOKEN = 4
# Around the text: roles and separators.
_FRAMING = 10
_MILLION = 1e6


@dataclass(frozen=True)
class Prices:
    """Dollars a million tokens; None where they are not known."""

    tokens_in: float | None = None
    tokens_out: float | None = None

    def dollars(self, tokens_in: int, tokens_out: int) -> float | None:
        """What some tokens cost; None when a price is not known."""
        if self.tokens_in is None or self.tokens_out is None:
            return None
        return (tokens_in * self.tokens_in + tokens_out * self.tokens_out) / _MILLION

    def said(self, tokens_in: int, tokens_out: int) -> str:
        """The same in words."""
        dollars = self.dollars(tokens_in, tokens_out)
        return "cost unknown" if dollars is None else f"${dollars:,.2f}"


@dataclass
class Usage:
    """Tokens of the requests that were answered.

    Attributes:
        requests: How many requests there were.
        tokens_in: As the endpoint counts them, or by estimate where it does not say.
        tokens_out: Likewise.
        estimated: How many requests the endpoint said nothing of.
    """

    requests: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    estimated: int = 0


def text_tokens(text: str) -> int:
    """About how many tokens a text is."""
    return _FRAMING + math.ceil(len(text) / _LETTERS_A_TOKEN)


def picture_tokens(size: tuple[int, int], model: str) -> int:
    """About how many tokens a picture is, given its width and height in pixels."""
    shrink = min(1.0, _SHORT_SIDE / min(size))
    tiles = math.prod(math.ceil(side * shrink / _TILE) for side in size)
    mini = model.startswith(_MINI)
    return (_MINI_BASE if mini else _BASE_TOKENS) + tiles * (_MINI_TILE if mini else _TILE_TOKENS)
