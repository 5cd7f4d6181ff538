"""Answers stay, whatever happens to the file."""

import json
import math
from pathlib import Path

import pytest

from dollygrip.runners.vlm.answers import Reply
from dollygrip.runners.vlm.cache import ANSWERS, AnswerCache
from dollygrip.runners.vlm.errors import VlmError

REPLY = Reply("Yes", "length", (("Yes", -0.1), ("No", -math.inf)), 1200, 1)


def test_what_was_added_is_there_again(tmp_path: Path):
    replies = {"a": REPLY, "b": Reply("Ünïcode \ud83d", "stop")}
    with AnswerCache(tmp_path / "new" / "folder") as cache:
        for key, reply in replies.items():
            cache.add(key, reply, {"clip": "a.mp4"})
            assert cache.get(key) == reply
    with AnswerCache(tmp_path / "new" / "folder") as cache:
        assert {key: cache.get(key) for key in replies} == replies
        assert cache.get("c") is None


def test_an_answer_is_in_the_file_at_once(tmp_path: Path):
    with AnswerCache(tmp_path) as cache:
        cache.add("a", REPLY, {"clip": "a.mp4", "question": "why?"})
        line = json.loads((tmp_path / ANSWERS).read_text())
    assert (line["key"], line["clip"], line["question"]) == ("a", "a.mp4", "why?")


@pytest.mark.parametrize("cut", range(1, 40, 6))
def test_a_torn_line_costs_only_itself(tmp_path: Path, cut: int):
    with AnswerCache(tmp_path) as cache:
        cache.add("a", REPLY, {})
        cache.add("b", REPLY, {})
    file = tmp_path / ANSWERS
    file.write_bytes(file.read_bytes()[:-cut])
    with AnswerCache(tmp_path) as cache:
        assert cache.get("a") == REPLY
        assert cache.get("b") is None
        cache.add("c", REPLY, {})
    with AnswerCache(tmp_path) as cache:
        assert cache.get("a") == cache.get("c") == REPLY


def test_lines_of_another_kind_are_passed_over(tmp_path: Path):
    lines = ["", "{}", "[]", "null", '{"key": "a"}', "{" * 5000, '{"key": "a", "text": 1}']
    lines.append('{"key":"b","text":"","finish":"","alternatives":3,"tokens_in":1,"tokens_out":1}')
    (tmp_path / ANSWERS).write_text("\n".join(lines))
    with AnswerCache(tmp_path) as cache:
        assert cache.get("a") is cache.get("b") is None


def test_two_at_once_are_refused(tmp_path: Path):
    with AnswerCache(tmp_path), pytest.raises(VlmError, match="another run"):
        AnswerCache(tmp_path)
