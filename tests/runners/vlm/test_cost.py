"""What asking costs, before and after."""

import pytest

from dollygrip.runners.vlm.cost import Prices, picture_tokens, text_tokens


@pytest.mark.parametrize(
    ("size", "model", "tokens"),
    [
        # OpenAI's own examples: 1024 x 1024 is shrunk to 768 x 768, 2048 x 4096 to 768 x 1536.
        ((1024, 1024), "gpt-4o", 85 + 4 * 170),
        ((2048, 1024), "gpt-4o", 85 + 6 * 170),
        ((512, 288), "gpt-4o", 85 + 170),
        ((512, 288), "gpt-4o-mini-2024-07-18", 2833 + 5667),
        ((512, 288), "Qwen/Qwen2.5-VL-7B-Instruct", 85 + 170),
    ],
)
def test_tokens_of_a_picture(size: tuple[int, int], model: str, tokens: int):
    assert picture_tokens(size, model) == tokens


def test_longer_texts_have_more_tokens():
    assert text_tokens("a" * 400) - text_tokens("") == 100


def test_dollars_are_known_only_with_both_prices():
    assert Prices(2.5, 10.0).dollars(1_000_000, 100_000) == pytest.approx(3.5)
    assert Prices(0.0, 0.0).said(1000, 1000) == "$0.00"
    for prices in (Prices(), Prices(2.5), Prices(None, 1.0)):
        assert prices.dollars(1, 1) is None
        assert "unknown" in prices.said(1, 1)
