from dollygrip.runners.formats.markdown import escaped, table


def test_numbers_stand_on_the_right():
    assert table(("", "AP"), [("pan", "0.5")]).splitlines() == [
        "|  | AP |",
        "| --- | ---: |",
        "| pan | 0.5 |",
    ]


def test_no_cell_is_markup():
    assert escaped("a|b\nc") == r"a\|b c"
    assert escaped("<img src=x>") == "&lt;img src=x&gt;"
    assert escaped("[a](javascript:b) *c* `d`") == r"\[a\](javascript:b) \*c\* \`d\`"
