import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloodcell.core.errors import DatasetError
from bloodcell.datasets.labels import csv_tables
from bloodcell.datasets.labels.csv_tables import read_table
from bloodcell.datasets.labels.image_names import ImageNames
from bloodcell.datasets.labels.tables import TableChoice, list_table_options, read_table_column, read_table_labels
from bloodcell.datasets.sources.contents import Contents, Problem
from tests.datasets.made import in_folder

PICTURES = ["img/Blood_00000.jpg", "img/Blood_00001.jpg", "img/Blood_00002.jpg"]
CHOICE = TableChoice("labels.csv", "Image", "Category")


def table_of(tmp_path, data, name="labels.csv"):
    with Contents(in_folder(tmp_path, {name: data})) as contents:
        return read_table(contents, name)


def labels_of(tmp_path, data, choice=CHOICE, images=PICTURES):
    with Contents(in_folder(tmp_path, {"labels.csv": data})) as contents:
        return read_table_labels(contents, images, choice)


def options_of(tmp_path, data, images=PICTURES):
    with Contents(in_folder(tmp_path, {"labels.csv": data})) as contents:
        return list_table_options(contents, images)


@pytest.mark.parametrize("sign", [",", ";", "\t"])
def test_any_usual_sign_between_columns(sign, tmp_path):
    data = f'\ufeffFilename{sign} class \r\n"a{sign}1.png"{sign} Band cell \r\n\r\nb.png\r\n'.encode()
    table = table_of(tmp_path, data)
    assert table.columns == ("Filename", "class")
    assert table.rows == (
        (2, {"Filename": f"a{sign}1.png", "class": "Band cell"}),
        (4, {"Filename": "b.png", "class": ""}),
    )


def test_columns_without_a_name_and_rows_that_are_too_long(tmp_path):
    table = table_of(tmp_path, b",Image\n,0,NEUTROPHIL,x\n,1\n")
    assert table.columns == ("column 1", "Image")
    assert table.problems == (Problem("labels.csv, row 2", "The row has 4 cells where the header has 2."),)
    assert table.rows == ((3, {"column 1": "", "Image": "1"}),)


def test_our_own_exports_lose_the_quote_before_a_formula(tmp_path):
    rows = table_of(tmp_path, b"Filename,Prediction\n'=1.jpg,'quoted\n").rows
    assert rows == ((2, {"Filename": "=1.jpg", "Prediction": "'quoted"}),)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"file,label\n\xff,1\n", "labels.csv must be UTF-8 text; save it as CSV UTF-8"),
        (b"", r"at least two columns of different names. Received: the columns \[\], 0 rows"),
        (b"label\nx\n", r"the columns \['label'\], 1 rows"),
        (b"file,label\n", r"the columns \['file', 'label'\], 0 rows"),
        (b"a,b,a\n1,2,3\n", "two columns named 'a'"),
        (b'a,b\n1,2\n"3,4\n', r"labels\.csv is not a valid CSV from line 3 on"),
    ],
)
def test_tables_that_cannot_be_read(data, message, tmp_path):
    with pytest.raises(DatasetError, match=message):
        table_of(tmp_path, data)


def test_a_table_that_is_too_large_or_not_there(tmp_path, monkeypatch):
    monkeypatch.setattr(csv_tables, "MAX_TABLE_BYTES", 3)
    with pytest.raises(DatasetError, match=r"A table may have at most 3 bytes. Received: labels.csv with 4\."):
        table_of(tmp_path, b"a,b\n")
    with Contents(tmp_path / "set") as contents:
        with pytest.raises(DatasetError, match=r"There is no table other\.csv in"):
            read_table(contents, "other.csv")
        with pytest.raises(DatasetError, match=r"other\.csv cannot be read: No such file"):
            read_table(contents, str(tmp_path / "other.csv"))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a/x_7.png", {"a/x_7.png"}),
        (".\\A\\X_7.PNG", {"a/x_7.png"}),
        ("sub/x_7.png", {"a/sub/x_7.png"}),  # from the table's own folder
        ("x_7.png", {"a/x_7.png"}),  # beside the table, so a/sub/x_7.png is not meant
        ("y", {"a/y.bmp", "b/y.png"}),
        ("b/y", {"b/y.png"}),
        ("007", {"a/x_7.png", "a/sub/x_7.png"}),
        ("25", set()),  # _25_1734.jpeg has two numbers
        ("0", {"b/z000.png"}),
        ("other/y.bmp", set()),
        ("²", set()),
    ],
)
def test_what_a_table_may_call_an_image(text, found):
    images = ["a/x_7.png", "a/sub/x_7.png", "a/y.bmp", "b/y.png", "b/_25_1734.jpeg", "b/z000.png"]
    assert ImageNames(images, "a/labels.csv").find(text) == found


def test_blank_quoted_and_double_labels_are_reported_as_in_the_labels_of_bccd(tmp_path):
    data = b',Image,Category\r\n,0,NEUTROPHIL\r\n,1,"NEUTROPHIL, NEUTROPHIL"\r\n,2,\r\n,3,MONOCYTE\r\n'
    labels, problems = labels_of(tmp_path, data)
    assert labels == {"img/Blood_00000.jpg": ("NEUTROPHIL", "")}
    assert problems == [
        Problem("labels.csv, row 5", "The row names '3', but there is no such image."),
        Problem("img/Blood_00001.jpg", "Row 3 of labels.csv gives more than one label: 'NEUTROPHIL, NEUTROPHIL'."),
        Problem("img/Blood_00002.jpg", "Row 4 of labels.csv gives no label."),
    ]


def test_commas_in_a_label_if_the_user_says_so(tmp_path):
    choice = TableChoice("labels.csv", "Image", "Category", may_hold_commas=True)
    labels, _ = labels_of(tmp_path, b'Image,Category\n0,"NEUTROPHIL, BAND"\n', choice)
    assert labels == {"img/Blood_00000.jpg": ("NEUTROPHIL, BAND", "")}


def test_rows_that_name_an_image_twice(tmp_path):
    data = b"Image,Category\n0,A\nBlood_00000,a\n1,A\n1,B\n2,A\n2,A;B\n"
    labels, problems = labels_of(tmp_path, data)
    assert labels == {"img/Blood_00000.jpg": ("A", "")}
    assert problems == [
        Problem("img/Blood_00002.jpg", "Row 7 of labels.csv gives more than one label: 'A;B'."),
        Problem("img/Blood_00000.jpg", "Rows 2, 3 all name it as A; it is counted once."),
        Problem("img/Blood_00001.jpg", "Rows 4, 5 contradict each other (A / B); it is left out."),
    ]


def test_rows_without_a_name_or_with_two_images_and_images_without_a_row(tmp_path):
    labels, problems = labels_of(tmp_path, b"Image,Category\n,A\nx,B\n", images=["a/x.png", "b/x.png"])
    assert labels == {}
    assert problems == [
        Problem("labels.csv, row 2", "The row names no image: 'Image' is blank."),
        Problem("labels.csv, row 3", "The row names 'x', which fits 2 images: a/x.png, b/x.png."),
        Problem("a/x.png", "No row of labels.csv names it."),
        Problem("b/x.png", "No row of labels.csv names it."),
    ]


def test_splits_of_a_column(tmp_path):
    choice = TableChoice("labels.csv", "Image", "Category", split_column="split")
    labels, problems = labels_of(tmp_path, b"Image,Category,split\n0,A,train\n1,A,\n2,A,train\n2,A,test\n", choice)
    assert labels == {"img/Blood_00000.jpg": ("A", "train"), "img/Blood_00001.jpg": ("A", "")}
    assert [problem.file for problem in problems] == ["img/Blood_00002.jpg"]
    assert "(A in test / A in train)" in problems[0].reason


def test_a_column_that_is_not_there(tmp_path):
    with pytest.raises(DatasetError, match=r"labels.csv has no column 'Category'. Its columns: \['Image', 'kind'\]"):
        labels_of(tmp_path, b"Image,kind\n0,A\n")


def test_patients_of_a_column(tmp_path):
    data = b"Image,Category,patient\n0,A,p1\n0,A,p1\n1,B,p2\n2,B,\n"
    with Contents(in_folder(tmp_path, {"labels.csv": data})) as contents:
        found = read_table_column(contents, PICTURES, CHOICE, "patient")
    assert found == {"img/Blood_00000.jpg": "p1", "img/Blood_00001.jpg": "p2"}
    with Contents(in_folder(tmp_path, {"labels.csv": data.replace(b"0,A,p1\n1", b"0,A,p3\n1")})) as contents:
        with pytest.raises(DatasetError, match=r"one value for each image.* 'p1' and, in row 3, 'p3'"):
            read_table_column(contents, PICTURES, CHOICE, "patient")
        with pytest.raises(DatasetError, match="has no column 'slide'"):
            read_table_column(contents, PICTURES, CHOICE, "slide")


def test_the_columns_that_are_meant(tmp_path):
    (option,) = options_of(tmp_path, b",Image,Category\n,0,A\n,1,B\n,2,A\n")
    assert option.get_only_choice() == CHOICE
    (option,) = options_of(tmp_path, b"Filename,width,Class label,Split\nBlood_00000.jpg,640,A,test\n1,640,B,train\n")
    assert option.get_only_choice() == TableChoice("labels.csv", "Filename", "Class label", "Split")
    assert option.label_columns == ("Class label", "width")


def test_columns_that_could_mean_several_things(tmp_path):
    (option,) = options_of(tmp_path, b"Filename,colour,shape\n0,red,round\n1,blue,round\n")
    assert (option.get_only_choice(), option.label_columns) == (None, ("colour", "shape"))
    (option,) = options_of(tmp_path, b"id,number,class\n0,2,A\n1,0,B\n2,1,A\n")
    assert (option.get_only_choice(), option.file_columns) == (None, ("id", "number"))


def test_masks_beside_images_ask_for_the_suffix(tmp_path):
    images = ["images/001.bmp", "images/001.png", "images/002.bmp", "images/002.png"]
    data = b"image ID,class label\n1,2\n2,1\n"
    (option,) = options_of(tmp_path, data, images)
    assert (option.get_only_choice(), option.suffixes) == (None, (".bmp", ".png"))


def test_tables_that_name_no_images_are_no_options(tmp_path):
    assert options_of(tmp_path, b"patient,age\nAda,36\nBob,40\n") == []
    assert options_of(tmp_path, b"broken") == []


@given(st.lists(st.text(max_size=8), min_size=1, max_size=5), st.text(max_size=8))
def test_any_text_fits_a_listed_image_or_none(stems, text):
    images = [f"a/{stem}.png" for stem in stems]
    assert ImageNames(images, "labels.csv").find(text) <= set(images)
