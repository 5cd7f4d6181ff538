"""Tables as Markdown, in which no cell is taken for markup."""

import html
import re
from collections.abc import Iterable, Sequence

_MARKUP = re.compile(r"([\\`*_\[\]|~#])")


def escaped(text: str) -> str:
    """A text that Markdown shows as it is, on one line."""
    return _MARKUP.sub(r"\\\1", html.escape(" ".join(text.split()), quote=False))


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table: words on the left, numbers, which are all but the first column, on the right."""
    lines = [map(escaped, head), ("---" if i == 0 else "---:" for i in range(len(head)))]
    lines += [map(escaped, row) for row in rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
