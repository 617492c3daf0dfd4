import pytest

from bloodcell.core.errors import DatasetError
from bloodcell.datasets.copies.groups_file import encode_groups_csv, read_complete_groups, read_groups


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
        (b"file,group\na,1\na,2\n", "gives a two groups: 1, 2"),
        (b"file,group\na,1\nb,\n", "must give every image a group. It gives none for b and 1 others"),
    ],
)
def test_groups_that_cannot_be_used(data, message, tmp_path):
    path = tmp_path / "groups.csv"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(DatasetError, match=message):
        read_complete_groups(path, ["a", "b", "c"])
