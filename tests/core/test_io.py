import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloodcell.core.errors import DatasetError
from bloodcell.core.io import (
    encode_csv,
    escape_formula,
    find_data_dir,
    open_atomic,
    read_csv,
    unescape_formula,
    write_atomic,
    write_json,
)

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


@pytest.mark.parametrize("start", FORMULA_STARTS)
def test_formulas_get_a_quote(start):
    assert escape_formula(start + "cmd|' /C calc'!A0") == "'" + start + "cmd|' /C calc'!A0"


@pytest.mark.parametrize("text", ["", "a=1", "'=x", " =x", "1.jpg", "🩸"])
def test_other_text_stays(text):
    assert escape_formula(text) == text


def test_numbers_are_not_text():
    assert encode_csv(["n"], [[-1], [-0.5]], bom=False) == b"n\r\n-1\r\n-0.5\r\n"


texts = st.text(st.characters(codec="utf-8"), max_size=20)


@given(st.lists(st.tuples(texts, texts), max_size=5))
def test_a_table_comes_back_as_it_was(tmp_path_factory, rows):
    rows = [
        row for row in rows if all(unescape_formula(escape_formula(text)) == text for text in row)
    ]  # all but '= and its like
    path = tmp_path_factory.mktemp("csv") / "t.csv"
    path.write_bytes(encode_csv(("a", "b"), rows))
    assert [(row["a"], row["b"]) for row in read_csv(path, ("b", "a"))] == rows


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, r"The table .*t\.csv cannot be read: No such file"),
        (b"\xff", r"t\.csv must be text in UTF-8"),
        (b"", r"t\.csv must have the columns a, b\. Received: none"),
        (b"a,c\n1,2\n", r"must have the columns a, b\. Received: a, c"),
        (b"a,b\n" + b"x" * 200_000 + b",1\n", r"t\.csv is not valid CSV after line 1: field larger than field limit"),
    ],
)
def test_tables_that_cannot_be_read(tmp_path, data, message):
    path = tmp_path / "t.csv"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(DatasetError, match=message):
        read_csv(path, ("a", "b"))


def test_short_and_long_rows(tmp_path):
    (tmp_path / "t.csv").write_bytes(b"a,b\n1\n'=x,2,3\n")
    assert read_csv(tmp_path / "t.csv", ("a",)) == [{"a": "1", "b": ""}, {"a": "=x", "b": "2"}]


def test_json_is_written_whole_with_a_line_end(tmp_path):
    write_json(tmp_path / "a.json", {"n": [1, 2]})
    assert (tmp_path / "a.json").read_text() == '{\n  "n": [\n    1,\n    2\n  ]\n}\n'


def test_a_write_that_fails_leaves_what_was_there_and_no_temporary_file(tmp_path):
    path = tmp_path / "a.txt"
    write_atomic(path, b"before")
    with pytest.raises(TypeError), open_atomic(path) as stream:
        stream.write("text, where bytes are wanted")
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_does_not_exist(tmp_path):
    with pytest.raises(FileNotFoundError):
        write_atomic(tmp_path / "gone" / "a.txt", b"x")


def test_the_data_folder(tmp_path):
    assert find_data_dir(str(tmp_path)) == tmp_path
    with pytest.raises(DatasetError, match=r"^There is no data folder .*gone\.$"):
        find_data_dir(tmp_path / "gone")
