import time

import pytest

from bloodcell.core.errors import DatasetError
from bloodcell.datasets.copies.known_groups import (
    encode_groups_csv,
    group_by_name,
    preview_name_groups,
    read_column_groups,
    read_complete_groups,
    read_groups,
)

MALARIA = [
    "malaria/Parasitized/C33P1thinF_IMG_20150619_114756a_cell_179.png",
    "malaria/Parasitized/C101P62ThinF_IMG_20150918_151006_cell_61.png",
    "malaria/Uninfected/C33P1thinF_IMG_20150619_115740a_cell_162.png",
    "malaria/Uninfected/C220ThinF_IMG_20151115_154538_cell_2.png",
    "malaria/Uninfected/thumbs_12.png",
]


@pytest.mark.process
def test_patients_of_malaria():
    preview = preview_name_groups(r"^C(\d+)", MALARIA)
    assert preview.group_of == dict(zip(MALARIA[:4], ["33", "101", "33", "220"], strict=True))
    assert preview.unmatched == (MALARIA[4],)
    assert preview.sizes == {"33": 2, "101": 1, "220": 1}
    assert preview.pick_examples(2) == [(MALARIA[1], "101"), (MALARIA[0], "33")]
    assert group_by_name(r"^C(\d+)", MALARIA[:4]) == preview.group_of


@pytest.mark.process
def test_several_brackets_are_joined_and_optional_ones_may_be_empty():
    preview = preview_name_groups(r"^C(\d+)(?:P(\d+))?", MALARIA)
    assert list(preview.sizes) == ["33-1", "101-62", "220-"]


@pytest.mark.process
def test_a_pattern_with_a_slash_sees_the_folders():
    assert preview_name_groups("patient_(.)/", ["patient_1/a.png", "patient_2/a.png"]).sizes == {"1": 1, "2": 1}
    assert preview_name_groups("patient_(.)", ["patient_1/a.png"]).unmatched == ("patient_1/a.png",)


@pytest.mark.process
def test_brackets_that_hold_nothing_match_nothing():
    assert preview_name_groups("(x*)", MALARIA).unmatched == tuple(sorted(MALARIA))


@pytest.mark.process
def test_a_file_that_does_not_match():
    with pytest.raises(
        DatasetError, match=r"must match every file. It does not match malaria/Uninfected/thumbs_12\.png\."
    ):
        group_by_name(r"^C(\d+)", MALARIA)
    with pytest.raises(DatasetError, match=r"does not match .*C101.* and 4 others"):
        group_by_name("(nothing)", MALARIA)


@pytest.mark.process
@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("", "must have 1 to 500 characters. Received: 0"),
        ("(a)" * 200, "must have 1 to 500 characters. Received: 600"),
        ("C(", r"is not a regular expression: missing \)"),
        ("(a){99999999999999}", "is not a regular expression: "),
        (r"^C\d+", "must mark the group with round brackets"),
    ],
)
def test_wrong_patterns(pattern, message):
    with pytest.raises(DatasetError, match=message):
        preview_name_groups(pattern, MALARIA)


@pytest.mark.process
@pytest.mark.parametrize("pattern", [r"^(a|aa)+$", r"(a+)+$", "^(a|a)*!", "(a*a*a*a*a*a*a*b)"])
def test_a_pattern_that_never_ends_is_stopped(pattern):
    started = time.monotonic()
    with pytest.raises(DatasetError, match=r"takes more than 0\.5 s on these names"):
        preview_name_groups(pattern, ["a" * 300 + "!.png"] * 100 + ["a" * 40 + ".!"], time_limit_s=0.5)
    assert time.monotonic() - started < 5


@pytest.mark.process
def test_names_in_any_writing():
    assert preview_name_groups("(🩸.)", ['🩸1 "x"\n.png', "b/🩸2.png"]).sizes == {"🩸1": 1, "🩸2": 1}


def write_csv(tmp_path, text):
    (tmp_path / "p.csv").write_text(text, encoding="utf-8")
    return tmp_path / "p.csv"


def test_a_column_of_a_table(tmp_path):
    path = write_csv(tmp_path, "Filename,patient\nA/1.png,x\n2.png, y \nnot_ours.png,z\n")
    assert read_column_groups(path, "patient", ["A/1.png", "B/2.png"]) == {"A/1.png": "x", "B/2.png": "y"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,who\na.png,1\n", "must have the columns patient. Received: file, who"),
        ("name,patient\na.png,1\n", "must have one column named file, filename, image. Found: name, patient"),
        ("file,image,patient\na,a,1\n", "must have one column named"),
        ("file,patient\n", "Found: no rows"),
        ("file,patient\nA/1.png,x\n", "There is none for B/1.png and 1 other"),
        ("file,patient\nA/1.png,x\nB/1.png,x\nC/2.png,\n", r"There is none for C/2\.png\."),
        ("file,patient\n1.png,x\n", "1.png fits 2 files, among them A/1.png and B/1.png"),
        ("file,patient\nA/1.png,x\nA/1.png,y\n", "gives A/1.png two groups: x and y"),
    ],
)
def test_tables_that_give_no_groups(tmp_path, text, message):
    with pytest.raises(DatasetError, match=message):
        read_column_groups(write_csv(tmp_path, text), "patient", ["A/1.png", "B/1.png", "C/2.png"])


def test_groups_of_files(tmp_path):
    path = tmp_path / "groups.csv"
    path.write_text("file,group\na/1.png,7\na/2.png,7\n", encoding="utf-8-sig")
    assert read_groups(path) == {"a/1.png": "7", "a/2.png": "7"}
    assert read_complete_groups(path, ["a/2.png"]) == {"a/2.png": "7"}


def test_what_is_written_is_read_again(tmp_path):
    group_of = {"b.png": "=1", "a.png": "2"}
    (tmp_path / "groups.csv").write_bytes(encode_groups_csv(group_of))
    assert list(read_groups(tmp_path / "groups.csv").items()) == list(group_of.items())


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, r"The table .*groups\.csv cannot be read: No such file"),
        (b"file,cell\na,1\n", "must have the columns file, group"),
        (b"", "must have the columns file, group"),
        (b"file,group\n\xff,1\n", "must be text in UTF-8"),
        (b"file,group\na,1\na,2\n", "gives a two groups: 1 and 2"),
        (b"file,group\na,1\nb,\n", "must give every image a group. There is none for b and 1 other"),
    ],
)
def test_groups_that_cannot_be_used(data, message, tmp_path):
    path = tmp_path / "groups.csv"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(DatasetError, match=message):
        read_complete_groups(path, ["a", "b", "c"])
