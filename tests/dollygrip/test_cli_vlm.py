"""``dollygrip vlm`` against a local server that speaks the chat-completions protocol."""

import base64
import io
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from dollygrip.classifiers.labels import PRIMITIVES
from dollygrip.classifiers.questions import LABEL_QUESTIONS
from dollygrip.cli import main
from dollygrip.runners.formats.scores import read_scores

KEY = "sk-never-to-be-seen-0123456789"
SUFFIX = " Please only answer Yes or No."

# Status, body, headers; a body that is no dict is sent as it is.
Answer = tuple[int, Any, dict[str, str]]


def ok(body: Any) -> Answer:
    return 200, body, {}


def refused(status: int, message: str, **more: Any) -> Answer:
    return status, {"error": {"message": message, **more}}, {}


def completion(
    text: str | None = "Yes", alternatives: dict[str, float] | None = None, finish: str = "length"
) -> dict[str, Any]:
    """An answer in the protocol, with the probabilities of its first token."""
    choice: dict[str, Any] = {
        "index": 0,
        "finish_reason": finish,
        "message": {"role": "assistant", "content": text},
    }
    if alternatives is not None:
        top = [{"token": t, "logprob": math.log(p), "bytes": None} for t, p in alternatives.items()]
        choice["logprobs"] = {"content": [{**top[0], "top_logprobs": top}]}
    usage = {"prompt_tokens": 1000, "completion_tokens": 1, "total_tokens": 1001}
    return {"object": "chat.completion", "choices": [choice], "usage": usage}


GOOD = completion("No", {"No": 0.9, "Yes": 0.1})


@dataclass
class Server:
    """What was asked, and what to answer to it.

    Attributes:
        url: Where the API begins.
        answer: From a request's body and its number, counted from 0, to the answer.
        seen: The bodies of all requests.
        headers: Their headers.
        most: How many requests were under way at one time.
        times: When they came.
    """

    url: str = ""
    answer: Callable[[dict[str, Any], int], Answer] = field(
        default=lambda body, number: ok(completion("Yes", {"Yes": 0.6, "No": 0.2}))
    )
    seen: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    most: int = 0
    under_way: int = 0

    @property
    def questions(self) -> list[str]:
        """The last text of each request."""
        return [body["messages"][0]["content"][-1]["text"] for body in self.seen]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    state, lock = Server(), threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Head and body in one packet: the client's system would wait 40 ms before it asks for more.
        wbufsize = -1

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            assert self.path == "/v1/chat/completions"
            with lock:
                number = len(state.seen)
                state.seen.append(body)
                state.headers.append({k.lower(): v for k, v in self.headers.items()})
                state.times.append(time.monotonic())
                state.under_way += 1
                state.most = max(state.most, state.under_way)
            try:
                status, answer, headers = state.answer(body, number)
            except ConnectionError:
                self.connection.close()
                return
            finally:
                with lock:
                    state.under_way -= 1
            data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            for name, value in {"content-type": "application/json", **headers}.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *arguments: object) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, *arguments: object) -> None:  # of clients that hang up
            pass

    httpd = Quiet(("127.0.0.1", 0), Handler)
    threading.Thread(target=httpd.serve_forever, args=(0.02,), daemon=True).start()
    state.url = f"http://127.0.0.1:{httpd.server_port}/v1"
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield state
    httpd.shutdown()
    httpd.server_close()


@pytest.fixture
def clip(write_clip, tmp_path: Path) -> Path:
    """A clip of 15 pictures that say their number by their grey level."""
    (tmp_path / "clips").mkdir()
    images = [np.full((48, 64), 40 + 10 * number, np.uint8) for number in range(15)]
    return write_clip(tmp_path / "clips" / "a.mp4", images)


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    """Two questions about the clip."""
    file = tmp_path / "labels.csv"
    file.write_text("clip,pan_left,zoom_in,static\na.mp4,yes,no,unsure\n")
    return file


@pytest.fixture
def vlm(server: Server, clip: Path, tmp_path: Path) -> Callable[..., int]:
    """``vlm(options...)`` scores the clip; the exit code."""

    def run(*options: str, out: str = "out", yes: bool = True) -> int:
        arguments = ["vlm", str(clip.parent), "--model", "some-model", "--base-url", server.url]
        arguments += ["-o", str(tmp_path / out), *(["--yes"] if yes else []), *options]
        return main(arguments)

    return run


def scores(folder: Path) -> dict[tuple[str, str], tuple[float | None, str | None]]:
    """By split and clip: score and error."""
    return {
        (file.metadata.split_name, sample.video_path): (sample.score, sample.error)
        for file in read_scores(folder)
        for sample in file.scores
    }


def untold(tmp_path: Path, captured: Any) -> None:
    """The key is in no file and was not printed."""
    assert KEY not in captured.out + captured.err
    for file in tmp_path.rglob("*"):
        assert not file.is_file() or KEY.encode() not in file.read_bytes()


# --- what is sent, what is written ----------------------------------------------------------


def test_a_request(vlm, server, labels):
    assert vlm("--labels", str(labels), "--frames", "3", "--size", "64") == 0
    assert sorted(server.questions) == sorted(
        LABEL_QUESTIONS[label] + SUFFIX for label in ("pan_left", "zoom_in")
    )
    body = server.seen[0]
    assert body["model"] == "some-model"
    assert (body["max_tokens"], body["logprobs"], body["top_logprobs"]) == (1, True, 20)
    (message,) = body["messages"]
    first, *images, _ = message["content"]
    assert (
        first["text"] == "These are 3 frames of one video, in order, at 0.00, 0.58, 1.17 seconds."
    )
    assert [image["type"] for image in images] == ["image_url"] * 3
    numbers = []
    for image in images:
        head, data = image["image_url"]["url"].split(",")
        assert head == "data:image/jpeg;base64"
        pixels = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)
        assert pixels.shape == (48, 64, 3)
        numbers.append(round((float(pixels.mean()) - 40) / 10))
    assert numbers == [0, 7, 14]
    assert server.headers[0]["authorization"] == f"Bearer {KEY}"


def test_scores_are_official_files(vlm, server, labels, tmp_path, capsys):
    def answer(body: dict[str, Any], number: int) -> Answer:
        pans = "pan" in body["messages"][0]["content"][-1]["text"]
        return ok(completion("Yes", {"Yes": 0.6, "No": 0.2} if pans else {"No": 0.9, "yes": 0.1}))

    server.answer = answer
    assert vlm("--labels", str(labels)) == 0
    found = scores(tmp_path / "out")
    assert found[("Pan_Left", "a.mp4")] == (pytest.approx(0.75), None)
    assert found[("Zoom_In", "a.mp4")] == (pytest.approx(0.1), None)
    assert len(found) == 2
    (file,) = (tmp_path / "out").glob("classification_scores_*Pan_Left.json")
    data = json.loads(file.read_text())
    assert data["metadata"]["model_name"] == "some-model"
    assert data["scores"][0]["ground_truth_label"] == "yes"
    assert data["scores"][0]["question"] == LABEL_QUESTIONS["pan_left"]
    method = "some-model, 8 frames of 512 px, P(Yes) from log-probabilities"
    assert data["scores"][0]["method"] == method
    said = capsys.readouterr()
    assert str(file) in said.out.splitlines()
    assert "2 requests took 2,000 tokens in and 2 out (as the endpoint counts)" in said.err
    assert f"next: dollygrip compare RUN {tmp_path / 'out'} --labels {labels}" in said.err


def test_without_labels_all_primitives_are_asked(vlm, server):
    assert vlm() == 0
    assert sorted(server.questions) == sorted(LABEL_QUESTIONS[p] + SUFFIX for p in PRIMITIVES)


@pytest.mark.slow
@pytest.mark.parametrize("asked_for", [True, False])
def test_a_model_is_compared_like_a_run(vlm, labels, tmp_path, asked_for):
    assert vlm(*(["--labels", str(labels)] if asked_for else [])) == 0
    report = tmp_path / "report"
    arguments = [str(tmp_path / "out"), "--labels", str(labels), "-o", str(report)]
    assert main(["compare", *arguments, "--resamples", "2"]) == 0
    assert "some-model" in (report / "report.md").read_text()


def test_json(vlm, labels, capsys):
    assert vlm("--labels", str(labels), "--json", "--price-in", "2.5", "--price-out", "10") == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["answered"], summary["failed"], summary["requests"]) == (2, 0, 2)
    assert summary["dollars"] == pytest.approx((2000 * 2.5 + 2 * 10) / 1e6)
    assert all(Path(file).is_file() for file in summary["files"])


@pytest.fixture
def camerabench(tmp_path: Path, clip: Path, write_clip) -> Path:
    """A folder like CameraBench's, with one pair and two captions."""
    write_clip(clip.with_name("b.mp4"), [np.full((48, 64), 99, np.uint8)] * 5)
    folder = tmp_path / "camerabench"
    (folder / "vqa_and_retrieval" / "has_motion").mkdir(parents=True)
    pair = {"pos_video": "a.mp4", "neg_video": "b.mp4"}
    pair |= {"pos_question": "Does it fade?", "neg_question": "Is it grey?"}
    (folder / "vqa_and_retrieval" / "has_motion" / "fades.jsonl").write_text(json.dumps(pair))
    captions = [{"video": f"{v}.mp4", "question": "Describe it.", "answer": "Fades."} for v in "ab"]
    (folder / "caption_data.json").write_text(json.dumps(captions))
    return folder


def test_pairs(vlm, server, camerabench, tmp_path):
    assert vlm("--task", "vqa", "--labels", str(camerabench)) == 0
    assert sorted(server.questions) == sorted(
        ["Does it fade?" + SUFFIX, "Is it grey?" + SUFFIX] * 2
    )
    (file,) = read_scores(tmp_path / "out")
    (sample,) = file.scores
    assert sample.yes_scores.pos_text_pos_image == pytest.approx(0.75)
    assert sample.no_scores.neg_text_neg_image == pytest.approx(0.25)


def test_captions(vlm, server, camerabench, tmp_path):
    server.answer = lambda body, number: ok(completion("It fades.", finish="stop"))
    assert vlm("--task", "captions", "--labels", str(camerabench), "--limit", "1") == 0
    assert server.questions == ["Describe it."]
    assert server.seen[0]["max_tokens"] == 256
    assert "logprobs" not in server.seen[0]
    (file,) = read_scores(tmp_path / "out")
    (caption,) = file.captions
    assert (caption.generated_caption, caption.error) == ("It fades.", None)


def first_good(then: Callable[[int], Answer]) -> Callable[[dict[str, Any], int], Answer]:
    """An endpoint that answers the first request, and has trouble after it."""
    good = ok(completion("Yes", {"Yes": 0.9, "No": 0.1}))
    return lambda body, number: good if number == 0 else then(number)


# --- endpoints without log-probabilities ----------------------------------------------------


def without(body: dict[str, Any], number: int) -> Answer:
    """An endpoint that passes over what it does not know, and says no to every third question."""
    return ok(completion("No" if number % 3 == 2 else "Yes"))


def rejecting(body: dict[str, Any], number: int) -> Answer:
    """An endpoint that does not take them."""
    if "logprobs" in body:
        return refused(400, "Logprobs is not enabled for models/some-model")
    return without(body, number)


def alone(body: dict[str, Any], number: int) -> Answer:
    """An endpoint that tells how likely the answer was, but not what else it might have been."""
    status, answer, headers = without(body, number)
    if "logprobs" in body:
        said = {"token": "Yes", "logprob": -0.1}
        answer["choices"][0]["logprobs"] = {"content": [{**said, "top_logprobs": [said]}]}
    return status, answer, headers


@pytest.mark.parametrize("answer", [without, rejecting, alone])
def test_repeated_answers_take_their_place(vlm, server, labels, tmp_path, capsys, answer):
    server.answer = answer
    assert vlm("--labels", str(labels)) == 0
    repeated = [body for body in server.seen if "logprobs" not in body]
    assert len(repeated) == 10
    assert len(server.seen) - len(repeated) <= 2  # found out once, and no more
    assert {body["temperature"] for body in repeated} == {1.0}
    for score, error in scores(tmp_path / "out").values():
        assert error is None
        assert score in {0.4, 0.6, 0.8}
    (file, *_) = (tmp_path / "out").glob("*Pan_Left.json")
    assert "share of Yes in 5 answers" in json.loads(file.read_text())["scores"][0]["method"]
    assert "gives no log-probabilities" in capsys.readouterr().err

    asked = len(server.seen)
    assert vlm("--labels", str(labels), yes=False) == 0
    assert len(server.seen) == asked  # nor is that found out twice


def test_repeats_can_be_asked_for(vlm, server, labels):
    assert vlm("--labels", str(labels), "--repeats", "3") == 0
    assert len(server.seen) == 6
    assert all("logprobs" not in body and body["max_tokens"] == 16 for body in server.seen)


def test_fewer_alternatives_and_another_word_for_the_limit(vlm, server, labels, tmp_path):
    def answer(body: dict[str, Any], number: int) -> Answer:
        if "max_tokens" in body:
            return refused(400, "Unsupported: 'max_tokens'. Use 'max_completion_tokens' instead.")
        if body["top_logprobs"] > 5:
            return refused(422, "top_logprobs must be at most 5")
        return ok(completion("No", {"No": 0.8, "Yes": 0.1}))

    server.answer = answer
    assert vlm("--labels", str(labels)) == 0
    assert len(server.seen) == 4  # each is found out once
    assert server.seen[-1]["max_completion_tokens"] == 1
    assert all(score == pytest.approx(1 / 9) for score, _ in scores(tmp_path / "out").values())


def test_an_answer_that_lacks_them_among_others_is_an_error(vlm, server, labels, tmp_path):
    good = completion("Yes", {"Yes": 0.9, "No": 0.1})
    server.answer = lambda body, number: ok(good if number == 0 else completion("Yes"))
    assert vlm("--labels", str(labels)) == 2
    errors = [error for _, error in scores(tmp_path / "out").values() if error]
    assert errors == ["the answer came without log-probabilities"]


def test_one_that_gave_them_before_is_not_asked_otherwise(vlm, server, labels, tmp_path):
    server.answer = first_good(lambda number: refused(400, "no logprobs for this one"))
    for _ in range(2):
        assert vlm("--labels", str(labels)) == 2
    assert all("logprobs" in body for body in server.seen)
    found = scores(tmp_path / "out").values()
    assert sum("no logprobs for this one" in (error or "") for _, error in found) == 1


def test_a_model_that_thinks_first(vlm, server, labels):
    server.answer = lambda body, number: ok(
        completion("Yes" if body["max_tokens"] > 1000 else "", finish="length")
    )
    assert vlm("--labels", str(labels), "--repeats", "1") == 2
    assert vlm("--labels", str(labels), "--repeats", "1", "--answer-tokens", "2000") == 0


# --- trouble --------------------------------------------------------------------------------


SOON = {"retry-after-ms": "5"}


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
def test_a_busy_endpoint_is_asked_again(vlm, server, labels, tmp_path, status):
    good = ok(completion("Yes", {"Yes": 0.9, "No": 0.1}))
    server.answer = lambda body, number: (status, {}, SOON) if number % 3 else good
    assert vlm("--labels", str(labels), "--jobs", "1") == 0
    assert len(server.seen) == 4  # good, busy, busy, good
    assert all(score == pytest.approx(0.9) for score, _ in scores(tmp_path / "out").values())


@pytest.mark.slow
def test_retry_after_is_waited_for(vlm, server, labels):
    server.answer = first_good(
        lambda number: (429, {}, {"retry-after": "0.7"}) if number == 1 else ok(GOOD)
    )
    assert vlm("--labels", str(labels)) == 0
    assert server.times[2] - server.times[1] >= 0.69


@pytest.mark.slow
def test_dropped_connections_and_timeouts_are_tried_again(vlm, server, labels):
    def answer(number: int) -> Answer:
        if number == 1:
            raise ConnectionResetError
        if number == 2:
            time.sleep(0.5)
        return ok(GOOD)

    server.answer = first_good(answer)
    assert vlm("--labels", str(labels), "--timeout", "0.3") == 0
    assert len(server.seen) == 4


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (ok(b"<html>"), "no answer of a chat-completions endpoint"),
        (ok(b'{"choices": ['), "no answer of a chat-completions endpoint"),
        (ok({"choices": []}), "no answer of a chat-completions endpoint"),
        (ok({"choices": [{"message": {"content": 7}}]}), "no answer of a chat-completions"),
        (ok([1, 2]), "no answer of a chat-completions endpoint"),
        (ok(b"[" * 100_000), "nested too deeply"),
        (ok(completion("I cannot help", {"I": 0.99, "Yes": 0.01})), "neither yes nor no"),
        (ok(completion(None, finish="content_filter")), "nothing was said (content_filter)"),
        (refused(400, "too many images"), "400: too many images"),
        (
            refused(400, "unsafe", code="content_policy_violation"),
            "does not take the request (400: unsafe)",
        ),
        (refused(413, "too large"), "413: too large"),
    ],
)
def test_one_bad_answer_costs_one_question(vlm, server, labels, tmp_path, capsys, answer, message):
    server.answer = first_good(lambda number: answer)
    assert vlm("--labels", str(labels)) == 2
    found = sorted(scores(tmp_path / "out").values(), key=lambda pair: pair[1] is not None)
    assert found[0] == (pytest.approx(0.9), None)
    assert found[1][0] is None
    assert message in found[1][1]
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (refused(401, f"bad key {KEY}"), "does not accept the key in OPENAI_API_KEY (401)"),
        (refused(403, f"bad key {KEY}"), "does not accept the key in OPENAI_API_KEY (403)"),
        (refused(404, "no such model"), "has no model 'some-model'"),
        (refused(400, f"bad request by {KEY}"), "400: bad request by [key]"),
        (refused(429, "pay", code="insufficient_quota"), "wants to be paid first (429: pay)"),
        (ok(b"<html>it works</html>"), "no answer of a chat-completions endpoint"),
    ],
)
def test_what_is_wrong_with_the_first_is_wrong_with_all(
    vlm, server, labels, tmp_path, capsys, answer, message
):
    server.answer = lambda body, number: (answer[0], answer[1], {"x-should-retry": "false"})
    assert vlm("--labels", str(labels)) == 1
    assert len(server.seen) == 1
    said = capsys.readouterr()
    (line,) = (line for line in said.err.splitlines() if line.startswith("error: "))
    assert message in line
    assert not list((tmp_path / "out").glob("*.json"))
    untold(tmp_path, said)


@pytest.mark.parametrize("code", ["content_filter", "content_policy_violation"])
def test_a_clip_that_is_refused_first_does_not_stop_the_others(vlm, server, tmp_path, code):
    server.answer = lambda body, number: ok(GOOD) if number >= 8 else refused(400, "no", code=code)
    assert vlm() == 2
    errors = [error for _, error in scores(tmp_path / "out").values() if error]
    assert len(errors) == 8


def test_what_was_rejected_in_one_run_does_not_stop_the_next(vlm, server, tmp_path):
    bad = refused(400, "image too strange")
    server.answer = first_good(lambda number: bad if number < 4 else ok(GOOD))
    assert vlm("--jobs", "1") == 2
    server.answer = lambda body, number: bad
    assert vlm("--jobs", "1") == 2
    assert len(server.seen) == len(PRIMITIVES) + 3
    server.answer = lambda body, number: ok(GOOD)
    assert vlm() == 0


def test_an_endpoint_that_breaks_down_is_left_alone(vlm, server, capsys):
    server.answer = first_good(lambda number: (500, {}, {"x-should-retry": "false"}))
    assert vlm("--jobs", "1") == 1
    assert len(server.seen) == 6
    assert "5 requests in a row" in capsys.readouterr().err


def test_one_that_stumbles_now_and_then_is_not(vlm, server, tmp_path):
    broken = (500, {}, {"x-should-retry": "false"})
    server.answer = lambda body, number: broken if number % 2 else ok(GOOD)
    assert vlm("--jobs", "1") == 2
    errors = [error for _, error in scores(tmp_path / "out").values() if error]
    assert len(errors) == 7
    assert all("500" in error for error in errors)


def test_a_key_that_is_sent_back_stays_unseen(vlm, server, labels, tmp_path, capsys):
    server.answer = lambda body, number: ok(
        completion(f"Your key is {KEY}", {KEY: 0.9, "Yes": 0.1}, finish=KEY)
    )
    assert vlm("--labels", str(labels)) == 2
    assert "Your key is [key]" in capsys.readouterr().err
    untold(tmp_path, capsys.readouterr())


# --- nothing twice --------------------------------------------------------------------------


def test_what_was_answered_is_not_asked_again(vlm, server, labels, tmp_path, capsys):
    assert vlm("--labels", str(labels)) == 0
    before = scores(tmp_path / "out")
    server.answer = lambda body, number: pytest.fail("asked again")
    assert vlm("--labels", str(labels), yes=False) == 0
    assert scores(tmp_path / "out") == before
    assert len(server.seen) == 2
    assert "requests" not in capsys.readouterr().err.splitlines()[-2]


def test_copies_of_a_clip_are_asked_about_once(vlm, server, clip, tmp_path, capsys):
    shutil.copy(clip, clip.with_name("copy.mp4"))
    assert vlm() == 0
    assert len(server.seen) == len(PRIMITIVES)
    assert "15 requests to some-model, about" in capsys.readouterr().err
    assert len(scores(tmp_path / "out")) == 2 * len(PRIMITIVES)


@pytest.mark.parametrize(
    "other", [("--frames", "3"), ("--size", "64"), ("--answer-tokens", "2"), ("--model", "other")]
)
def test_what_an_answer_depends_on_asks_anew(vlm, server, labels, other):
    assert vlm("--labels", str(labels), "--size", "65") == 0
    asked = len(server.seen)
    assert vlm("--labels", str(labels), "--size", "65", *other) == 0
    # Frames that are no larger than 64 pixels are the same ones.
    assert len(server.seen) == asked + (0 if other[0] == "--size" else 2)


def test_only_what_failed_is_asked_again(vlm, server, tmp_path):
    bad = refused(400, "not now")
    server.answer = first_good(lambda number: bad if number in (3, 7) else ok(GOOD))
    assert vlm("--jobs", "1") == 2
    server.answer = lambda body, number: ok(GOOD)
    assert vlm("--jobs", "1") == 0
    assert len(server.seen) == len(PRIMITIVES) + 2


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_stopped_in_the_middle(vlm, server, clip, tmp_path, number):
    held = threading.Event()

    def answer(body: dict[str, Any], n: int) -> Answer:
        if n >= 5:
            held.wait(20)
        return ok(GOOD)

    server.answer = answer
    command = [sys.executable, "-m", "dollygrip", "vlm", str(clip.parent), "--yes", "--jobs", "2"]
    command += ["--model", "some-model", "--base-url", server.url, "-o", str(tmp_path / "out")]
    process = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        text=True,
        # Where tests run in the background, Ctrl-C is ignored, and so it would be here.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    answers = tmp_path / "out" / "answers.jsonl"
    deadline = time.monotonic() + 20
    while not (answers.exists() and answers.read_text().count("\n") == 5 and len(server.seen) == 7):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(process.pid, number)
    started = time.monotonic()
    _, said = process.communicate(timeout=20)
    assert time.monotonic() - started < 5
    assert process.returncode == (130 if number == signal.SIGINT else -number)
    assert "Traceback" not in said
    held.set()
    asked = len(server.seen)
    assert vlm("--jobs", "2") == 0
    assert len(server.seen) - asked == len(PRIMITIVES) - 5
    assert len(scores(tmp_path / "out")) == len(PRIMITIVES)


# --- how fast, for how much -----------------------------------------------------------------


def test_no_more_at_one_time_than_jobs(vlm, server):
    def answer(body: dict[str, Any], number: int) -> Answer:
        time.sleep(0.03)
        return ok(GOOD)

    server.answer = answer
    assert vlm("--jobs", "3") == 0
    assert server.most == 3


# A request is estimated to have about 2,100 tokens.
@pytest.mark.parametrize(
    "limit", [("--requests-per-minute", "120"), ("--tokens-per-minute", str(120 * 2100))]
)
def test_no_faster_than_allowed(vlm, server, labels, limit):
    assert vlm("--labels", str(labels), *limit) == 0
    # Half a second, less what the first one took to get there.
    assert server.times[1] - server.times[0] > 0.25


def test_nothing_is_sent_without_a_yes(vlm, server, labels, capsys, monkeypatch):
    assert vlm("--labels", str(labels), "--price-in", "2", "--price-out", "8", yes=False) == 1
    said = capsys.readouterr().err
    assert "2 requests" in said
    assert "about $0.01" in said
    assert "--yes" in said
    assert not server.seen


@pytest.mark.parametrize(("reply", "sent"), [("y\n", 2), ("n\n", 0), ("", 0)])
def test_on_a_terminal_it_asks_first(vlm, server, labels, monkeypatch, reply, sent):
    monkeypatch.setattr(sys, "stdin", terminal := io.StringIO(reply))
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert vlm("--labels", str(labels), yes=False) == (0 if sent else 1)
    assert len(server.seen) == sent


def test_a_price_that_is_not_known_is_not_made_up(vlm, labels, capsys):
    assert vlm("--labels", str(labels)) == 0
    said = capsys.readouterr().err
    assert "cost unknown" in said
    assert "$" not in said


def test_more_than_the_most_is_not_begun(vlm, server, capsys):
    prices = ("--price-in", "1000", "--price-out", "1000")
    assert vlm("--max-cost", "1", *prices) == 1
    assert not server.seen
    assert "more than --max-cost" in capsys.readouterr().err


def test_spending_stops_before_the_most(vlm, server, capsys):
    # Ten times what the estimate says.
    server.answer = lambda body, number: ok(
        {**GOOD, "usage": {"prompt_tokens": 21_000, "completion_tokens": 1}}
    )
    prices = ("--price-in", "10", "--price-out", "10")
    assert vlm("--max-cost", "0.7", "--jobs", "1", *prices) == 1
    assert len(server.seen) == 4  # 0.21 dollars each
    assert "exceed --max-cost" in capsys.readouterr().err
    assert vlm() == 0
    assert len(server.seen) == len(PRIMITIVES)


def test_the_most_needs_prices(vlm, capsys):
    with pytest.raises(SystemExit) as end:
        vlm("--max-cost", "1")
    assert end.value.code == 1
    assert "--price-in" in capsys.readouterr().err


# --- wrong use ------------------------------------------------------------------------------


def test_a_clip_that_cannot_be_read_is_an_error_and_others_go_on(vlm, clip, tmp_path):
    clip.with_name("bad.mp4").write_text("text")
    assert vlm() == 2
    found = scores(tmp_path / "out")
    assert len(found) == 2 * len(PRIMITIVES)
    for (_, name), (score, error) in found.items():
        assert (score is None) == ("bad" in name) == bool(error and "bad.mp4" in error)


def test_no_clip_that_can_be_read(server, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    common = ["--model", "m", "--base-url", server.url, "--yes", "-o", str(tmp_path / "out")]
    assert main(["vlm", str(tmp_path / "empty"), *common]) == 1
    assert "no clip found" in capsys.readouterr().err
    assert main(["vlm", str(tmp_path / "none.mp4"), *common]) == 1
    assert "none.mp4 does not exist" in capsys.readouterr().err
    assert not server.seen


def test_labels_of_other_clips(vlm, server, tmp_path, capsys):
    (tmp_path / "other.csv").write_text("clip,static\nz.mp4,yes\n")
    assert vlm("--labels", str(tmp_path / "other.csv")) == 1
    assert "nothing to ask" in capsys.readouterr().err
    assert not server.seen


def test_captions_are_not_repeated(vlm, camerabench, capsys):
    with pytest.raises(SystemExit) as end:
        vlm("--task", "captions", "--labels", str(camerabench), "--repeats", "3")
    assert end.value.code == 1
    assert "--repeats" in capsys.readouterr().err


def test_pairs_need_camerabench(vlm, capsys):
    with pytest.raises(SystemExit):
        vlm("--task", "vqa")
    assert "--labels" in capsys.readouterr().err


def test_no_key(clip, tmp_path, monkeypatch, capsys):
    for variable in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(variable, raising=False)
    assert main(["vlm", str(clip), "--model", "gpt-4o", "-o", str(tmp_path / "out")]) == 1
    assert "OPENAI_API_KEY" in capsys.readouterr().err


def test_a_server_that_needs_no_key(vlm, server, labels, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY")
    assert vlm("--labels", str(labels)) == 0
    assert KEY not in str(server.headers)


def test_a_key_of_another_name(vlm, server, labels, monkeypatch):
    monkeypatch.setenv("OTHER_KEY", "other-key-0123456789")
    assert vlm("--labels", str(labels), "--key-variable", "OTHER_KEY") == 0
    assert {headers["authorization"] for headers in server.headers} == {
        "Bearer other-key-0123456789"
    }


def test_a_key_in_place_of_a_name_is_not_repeated(vlm, tmp_path, capsys):
    assert vlm("--key-variable", KEY) == 1
    untold(tmp_path, capsys.readouterr())


@pytest.mark.parametrize(
    "url",
    ["localhost:8000", "ftp://a/v1", "http://", f"http://user:{KEY}@a/v1", f"http://a/v1?k={KEY}"],
)
def test_addresses_that_are_none(clip, server, tmp_path, capsys, url):
    out = str(tmp_path / "out")
    assert main(["vlm", str(clip), "--model", "m", "--base-url", url, "-o", out, "--yes"]) == 1
    said = capsys.readouterr()
    assert said.err.startswith("error: --base-url")
    untold(tmp_path, said)


@pytest.mark.slow
def test_nobody_at_the_address(clip, server, tmp_path, capsys):
    arguments = ["--base-url", "http://127.0.0.1:9/v1", "-o", str(tmp_path / "out"), "--yes"]
    assert main(["vlm", str(clip), "--model", "m", *arguments]) == 1
    assert "error: 127.0.0.1:9 gives no answer: " in capsys.readouterr().err


def test_without_the_client(vlm, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "openai", None)
    assert vlm() == 1
    assert capsys.readouterr().err == (
        "error: the openai client is not installed: pip install 'dollygrip[vlm]'\n"
    )
