"""Answers that were paid for, kept in a file: nothing is asked twice."""

import fcntl
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

from dollygrip.runners.formats.jsonl import dumps, read_lines
from dollygrip.runners.vlm.answers import Reply
from dollygrip.runners.vlm.errors import VlmError

ANSWERS = "answers.jsonl"
"""The file, in the output folder."""


class AnswerCache:
    """Replies by the key of their requests; a context manager, since the file is held open.

    Each reply is a line of JSON, written through to the disk before another request may rely on
    it. A line that a crash has torn is passed over, and so asked again.
    """

    def __init__(self, folder: Path) -> None:
        """Open the file, or begin it.

        Raises:
            OSError: The folder cannot be written to.
            VlmError: Another run is writing to it.
        """
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / ANSWERS
        self._file = path.open("ab")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._file.close()
            raise VlmError(f"{path}: another run is writing to it; wait, or give -o") from error
        lines = (line for _, line in read_lines(path))
        self._replies = {
            str(line.get("key")): reply for line in lines if (reply := _reply(line)) is not None
        }
        self._mend(path)

    def __enter__(self) -> Self:
        """Use as a context manager."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close."""
        self._file.close()

    def get(self, key: str) -> Reply | None:
        """The reply to a request; None when there is none yet."""
        return self._replies.get(key)

    def add(self, key: str, reply: Reply, about: Mapping[str, str]) -> None:
        """Keep a reply for good.

        Args:
            key: Of its request.
            reply: The reply.
            about: What was asked, for people who read the file.
        """
        self._file.write(dumps({"key": key, **about, **asdict(reply)}).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        self._replies[key] = reply

    def _mend(self, path: Path) -> None:
        """End a torn last line, so that the next one stands for itself."""
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(size - 1, 0))
            if file.read() not in (b"", b"\n"):
                self._file.write(b"\n")


def _reply(line: Mapping[str, Any]) -> Reply | None:
    """The reply in a line; None for anything else."""
    try:
        alternatives = line["alternatives"]
        return Reply(
            text=str(line["text"]),
            finish=str(line["finish"]),
            alternatives=None
            if alternatives is None
            # An impossible token has no finite logarithm, which JSON cannot hold.
            else tuple((str(t), float("-inf") if v is None else float(v)) for t, v in alternatives),
            tokens_in=_count(line["tokens_in"]),
            tokens_out=_count(line["tokens_out"]),
        )
    except (KeyError, TypeError, ValueError):
        return None


def _count(value: Any) -> int | None:
    return None if value is None else int(value)
