import json

from benchmarks.tables import comparison, listing, mean, number, table, write_csv, write_json


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


def test_json_has_null_where_there_is_no_number(tmp_path) -> None:
    write_json(tmp_path / "a.json", {"scores": [mean([]), mean([1.0]), (1, "a")]})
    assert json.loads((tmp_path / "a.json").read_text()) == {"scores": [None, 1.0, [1, "a"]]}
    assert number(mean([])) == "-"


def test_rows_may_have_other_columns(tmp_path) -> None:
    write_csv(tmp_path / "a.csv", [{"a": 1}, {"b": 2, "a": 3}])
    assert (tmp_path / "a.csv").read_text().split() == ["a,b", "1,", "3,2"]
