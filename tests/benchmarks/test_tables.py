import json

from benchmarks.tables import comparison, listing, mean, number, table, to_json


def test_a_table_is_markdown_with_even_columns() -> None:
    text = table(["name", "n"], [["a", "10"], ["longer", "2"]])
    assert text.splitlines() == [
        "| name   | n  |",
        "| ------ | -- |",
        "| a      | 10 |",
        "| longer | 2  |",
    ]


def test_cells_are_rows_of_a_comparison_and_columns_of_a_listing() -> None:
    cells = (("half", lambda n: number(n / 2, 1)), ("double", lambda n: number(n * 2, 0)))
    assert listing(cells, [3]) == table(["half", "double"], [["1.5", "6"]])
    rows = [["half", "1.5"], ["double", "6"]]
    assert comparison("of", cells, {"three": 3}) == table(["of", "three"], rows)


def test_json_has_null_where_there_is_no_number() -> None:
    plain = to_json({"scores": [mean([]), mean([1.0])]})
    assert json.loads(json.dumps(plain, allow_nan=False)) == {"scores": [None, 1.0]}
    assert number(mean([])) == "-"
