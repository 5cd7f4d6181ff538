"""What is sent: the pictures in order, then the question."""

import base64
from collections.abc import Sequence
from typing import Any


def introduction(times: Sequence[float]) -> str:
    """What stands before the pictures: without it, they are no video to most models."""
    shown = ", ".join(f"{time:.2f}" for time in times)
    return f"These are {len(times)} frames of one video, in order, at {shown} seconds."


def messages(
    times: Sequence[float], pictures: Sequence[bytes], question: str
) -> list[dict[str, Any]]:
    """The messages of a request.

    The question comes last: all before it is the same for every question about a clip, and an
    endpoint that keeps what it has read before answers them faster and for less.
    """
    images = (base64.b64encode(picture).decode("ascii") for picture in pictures)
    content = [
        {"type": "text", "text": introduction(times)},
        *(
            {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{image}"}}
            for image in images
        ),
        {"type": "text", "text": question},
    ]
    return [{"role": "user", "content": content}]
