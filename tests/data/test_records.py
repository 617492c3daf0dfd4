import zipfile

import pytest

from bloodcell.data.records import ImageSource, Record, csv_records, folder_records, read_groups
from bloodcell.errors import DatasetError

FILES = {
    "b/Monocyte/2.JPG": b"two",
    "a/eosinophil/1.png": b"one",
    "a/eosinophil/notes.txt": b"no image",
    "loose.png": b"in no folder",
    "__MACOSX/a/eosinophil/._1.png": b"litter",
    "a/eosinophil/._1.png": b"litter",
}


def in_folder(tmp_path, files):
    for name, data in files.items():
        path = tmp_path / "set" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return tmp_path / "set"


def in_zip(tmp_path, files):
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        archive.mkdir("a")
        for name, data in files.items():
            archive.writestr(name, data)
    return tmp_path / "set.zip"


layouts = pytest.mark.parametrize("stored", [in_folder, in_zip])


@layouts
def test_the_folder_is_the_label(stored, tmp_path):
    source = ImageSource(stored(tmp_path, FILES))
    assert folder_records(source) == [
        Record("a/eosinophil/1.png", "EOSINOPHIL"),
        Record("b/Monocyte/2.JPG", "MONOCYTE"),
    ]
    assert source.read("b/Monocyte/2.JPG") == b"two"


@layouts
def test_files_are_sorted_and_folders_are_none(stored, tmp_path):
    assert ImageSource(stored(tmp_path, FILES)).files() == sorted(FILES)


@layouts
def test_a_file_that_is_gone(stored, tmp_path):
    with pytest.raises(DatasetError, match=r"a/3\.png cannot be read from"):
        ImageSource(stored(tmp_path, FILES)).read("a/3.png")


@layouts
def test_a_set_without_class_folders(stored, tmp_path):
    source = ImageSource(stored(tmp_path, {"1.png": b"", "a/readme.txt": b""}))
    with pytest.raises(DatasetError, match="expected one folder per class"):
        folder_records(source)


def test_nothing_there(tmp_path):
    with pytest.raises(DatasetError, match=r"There is no dataset at .*nothing: give a folder or a zip"):
        ImageSource(tmp_path / "nothing")


def test_a_file_that_is_no_zip(tmp_path):
    path = tmp_path / "set.zip"
    path.write_bytes(b"no zip at all")
    with pytest.raises(DatasetError, match=r"set\.zip is neither a folder nor a zip"):
        ImageSource(path)


def records_of(path, labels=None):
    return csv_records(ImageSource(path), "classes.csv", "image", "class", "images/{id:0>3}.bmp", labels)


@layouts
def test_a_table_of_labels(stored, tmp_path):
    table = "\ufeffimage,class\n1, 2\n12,Monocyte\n".encode()  # as Excel saves it
    path = stored(tmp_path, {"classes.csv": table, "images/001.bmp": b"", "images/012.bmp": b""})
    assert records_of(path, {"2": "lymphocyte"}) == [
        Record("images/001.bmp", "LYMPHOCYTE"),
        Record("images/012.bmp", "MONOCYTE"),
    ]
    assert records_of(path)[0].label == "2"


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, r"classes\.csv cannot be read"),
        ({"classes.csv": b"image,kind\n1,2\n"}, r"must have the columns 'image' and 'class'. Found: \['image', 'kind'"),
        ({"classes.csv": b"image,class\n"}, r"must have the columns .* Found: \[\]"),
        ({"classes.csv": b"image,class\n7,2\n"}, r"names images/007\.bmp, which is not in set"),
        ({"classes.csv": b"image,class\n\xff,2\n"}, "must be text in UTF-8"),
    ],
)
def test_tables_that_cannot_be_used(files, message, tmp_path):
    with pytest.raises(DatasetError, match=message):
        records_of(in_folder(tmp_path, {"other.txt": b"", **files}))


def test_a_short_row_has_an_empty_label(tmp_path):
    path = in_folder(tmp_path, {"classes.csv": b"image,class\n1\n", "images/001.bmp": b""})
    assert records_of(path) == [Record("images/001.bmp", "")]


def test_groups_of_files(tmp_path):
    path = tmp_path / "groups.csv"
    path.write_text("file,group\na/1.png,7\na/2.png,7\n", encoding="utf-8-sig")
    assert read_groups(path) == {"a/1.png": "7", "a/2.png": "7"}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, r"The table .*groups\.csv cannot be read: No such file"),
        (b"file,cell\na,1\n", "must have the columns file, group"),
        (b"", "must have the columns file, group"),
        (b"file,group\n\xff,1\n", "must be text in UTF-8"),
        (b"file,group\na,1\na,2\n", "gives a two groups: 1, 2"),
    ],
)
def test_groups_that_cannot_be_used(data, message, tmp_path):
    path = tmp_path / "groups.csv"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(DatasetError, match=message):
        read_groups(path)
