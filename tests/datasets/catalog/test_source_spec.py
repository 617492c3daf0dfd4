"""Sources as training settings describe them: which images they list, and which of them show one cell."""

import json

import numpy as np
import pytest

from bloodcell.core.errors import DatasetError, SpecError
from bloodcell.datasets.catalog.source_spec import (
    SourceSpec,
    assign_source_cells,
    list_source_records,
    open_source_file,
)
from bloodcell.datasets.labels.records import Record
from bloodcell.datasets.sources.contents import Contents
from bloodcell.imaging.read import encode_png
from bloodcell.synthetic.gallery import draw_field
from tests.datasets.made import in_folder, in_zip

FILES = {
    "b/Monocyte/2.JPG": b"two",
    "a/eosinophil/1.png": b"one",
    "a/eosinophil/notes.txt": b"no image",
    "loose.png": b"in no folder",
    "__MACOSX/a/eosinophil/._1.png": b"litter",
    "a/eosinophil/._1.png": b"litter",
}
FOLDERS = SourceSpec("set", "set")

stored = pytest.mark.parametrize("stored", [in_folder, in_zip])


@stored
def test_the_folder_is_the_label(stored, tmp_path):
    with Contents(stored(tmp_path, FILES)) as images:
        assert list_source_records(FOLDERS, images) == [
            Record("a/eosinophil/1.png", "EOSINOPHIL"),
            Record("b/Monocyte/2.JPG", "MONOCYTE"),
        ]


@stored
def test_a_set_without_class_folders(stored, tmp_path):
    with (
        Contents(stored(tmp_path, {"1.png": b"", "a/readme.txt": b""})) as images,
        pytest.raises(DatasetError, match="must have one folder of images per class"),
    ):
        list_source_records(FOLDERS, images)


def records_of(path, *labels):
    source = SourceSpec("set", "set", "csv", "classes.csv", "image", "class", "images/{id:0>3}.bmp", labels)
    with Contents(path) as images:
        return list_source_records(source, images)


@stored
def test_a_table_of_labels(stored, tmp_path):
    table = "\ufeffimage,class\n1, 2\n12,Monocyte\n".encode()  # as Excel saves it
    path = stored(tmp_path, {"classes.csv": table, "images/001.bmp": b"", "images/012.bmp": b""})
    assert records_of(path, ("2", "lymphocyte")) == [
        Record("images/001.bmp", "LYMPHOCYTE"),
        Record("images/012.bmp", "MONOCYTE"),
    ]
    assert records_of(path)[0].label == "2"


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, r"There is no table classes\.csv in"),
        (
            {"classes.csv": b"image,kind\n1,2\n"},
            r"must have the columns 'image' and 'class'. Received: \['image', 'kind'",
        ),
        ({"classes.csv": b"image,class\n1,2,3\n4,5\n"}, r"classes\.csv, row 2: The row has 3 cells"),
        ({"classes.csv": b"image,class\n7,2\n"}, r"names images/007\.bmp, which is not in set"),
    ],
)
def test_tables_that_cannot_be_used(files, message, tmp_path):
    with pytest.raises(DatasetError, match=message):
        records_of(in_folder(tmp_path, {"other.txt": b"", **files}))


def test_a_short_row_has_an_empty_label(tmp_path):
    path = in_folder(tmp_path, {"classes.csv": b"image,class\n1\n", "images/001.bmp": b""})
    assert records_of(path) == [Record("images/001.bmp", "")]


def test_a_described_source_starts_from_its_own_folder(tmp_path):
    path = in_folder(tmp_path, {"a/1.png": b"one", "other/2.png": b"two"}) / "source.json"
    path.write_text(json.dumps({"name": "s", "path": ".", "labels": [["OTHER", "GREEN"]]}))
    images, records = open_source_file(path)
    assert records == [Record("a/1.png", "A"), Record("other/2.png", "GREEN")]
    assert images.read("other/2.png") == b"two"


def test_descriptions_that_cannot_be_used(tmp_path):
    with pytest.raises(DatasetError, match=r"The dataset .*none\.json cannot be read: No such file"):
        open_source_file(tmp_path / "none.json")
    (tmp_path / "bad.json").write_text('{"name": "s", "path": ".", "lables": []}')
    with pytest.raises(SpecError, match=r"Unknown settings \['lables'\]"):
        open_source_file(tmp_path / "bad.json")


def test_source_cells_each(tmp_path):
    with Contents(in_folder(tmp_path, FILES)) as images:
        assert assign_source_cells("each", images, list_source_records(FOLDERS, images)).tolist() == [0, 1]


def test_source_cells_from_pixels(tmp_path):
    """The same image turned is the same cell, another image is not."""
    fields = {"10.png": (1, 0), "12.png": (1, 2), "20.png": (2, 0)}
    drawn = {
        name: encode_png(np.ascontiguousarray(np.rot90(draw_field(seed, 1, 240, 320).rgb, turns)))
        for name, (seed, turns) in fields.items()
    }
    with Contents(in_folder(tmp_path, drawn)) as images:
        groups = assign_source_cells("pixels", images, [Record(name, "A") for name in drawn])
    assert groups[0] == groups[1] != groups[2]


def test_source_cells_from_a_file(tmp_path):
    path = tmp_path / "groups.csv"
    path.write_text("file,group\na/eosinophil/1.png,x\nb/Monocyte/2.JPG,x\n")
    with Contents(in_folder(tmp_path, FILES)) as images:
        records = list_source_records(FOLDERS, images)
        assert assign_source_cells(str(path), images, records).tolist() == [0, 0]
        path.write_text("file,group\nb/Monocyte/2.JPG,x\n")
        with pytest.raises(DatasetError, match=r"There is none for a/eosinophil/1\.png\."):
            assign_source_cells(str(path), images, records)
