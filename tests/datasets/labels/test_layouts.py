import pytest

from bloodcell.core.errors import DatasetError
from bloodcell.datasets.labels.layouts import FOLDERS, TABLE, LayoutChoice, extract_split
from bloodcell.datasets.labels.listing import list_images
from bloodcell.datasets.labels.recognition import recognise_layout
from bloodcell.datasets.labels.records import Record
from bloodcell.datasets.labels.tables import TableChoice
from bloodcell.datasets.sources.contents import Problem
from tests.datasets.made import in_folder, in_zip

stored = pytest.mark.parametrize("stored", [in_folder, in_zip])


def empty(*names):
    return dict.fromkeys(names, b"")


@stored
def test_a_folder_per_class(stored, tmp_path):
    path = stored(tmp_path, empty("Band cell/10.png", "Band cell/2.PNG", "=x/1.jpg", "Band cell/notes.txt"))
    listing = list_images(path)
    assert listing.images == (
        Record("=x/1.jpg", "=x"),
        Record("Band cell/2.PNG", "Band cell"),
        Record("Band cell/10.png", "Band cell"),
    )
    assert listing.class_names == ("=x", "Band cell")
    assert (listing.problems, listing.splits, listing.n_other_files) == ((), (), 1)
    assert listing.choice == LayoutChoice(FOLDERS, level=1)
    assert listing.is_zip == (stored is in_zip)


@stored
def test_train_and_test_folders(stored, tmp_path):
    names = ("set/TRAIN/A/1.png", "set/TRAIN/B/1.png", "set/TEST_SIMPLE/A/1.png", "set/TEST_SIMPLE/B/1.png")
    listing = list_images(stored(tmp_path, empty(*names)))
    assert listing.choice == LayoutChoice(FOLDERS, level=2)  # `set` is level 1
    assert [(image.label, image.split) for image in listing.images] == [
        ("A", "TEST_SIMPLE"),
        ("B", "TEST_SIMPLE"),
        ("A", "TRAIN"),
        ("B", "TRAIN"),
    ]
    assert listing.splits == ("TEST_SIMPLE", "TRAIN")


@pytest.mark.parametrize(
    ("file", "split"),
    [
        ("train/A/1.png", "train"),
        ("a/Validation set/B/1.png", "Validation set"),
        ("A/valid/1.png", "valid"),
        ("train/test2/1.png", "train/test2"),
        ("testis/1.png", ""),
        ("train.png", ""),
    ],
)
def test_names_of_splits(file, split):
    assert extract_split(file) == split


def test_classes_below_or_above_the_split_are_the_same(tmp_path):
    listing = list_images(in_folder(tmp_path, empty("A/train/1.png", "A/test/2.png", "B/train/3.png")))
    assert [(image.label, image.split) for image in listing.images] == [("A", "test"), ("A", "train"), ("B", "train")]


def test_capitals_make_no_class(tmp_path):  # two images say Mono, one says MONO
    names = ("train/Mono/1.png", "train/Mono/2.png", "test/MONO/3.png", "test/b/4.png")
    listing = list_images(in_folder(tmp_path, empty(*names)))
    assert listing.class_names == ("Mono", "b")
    assert listing.problems == (Problem("", "'MONO' and 'Mono' are treated as one class, 'Mono'."),)


def test_what_lies_beside_the_class_folders_is_listed(tmp_path):
    names = [f"{label}/{number}.png" for label in "AB" for number in range(10)]
    listing = list_images(in_folder(tmp_path, empty(*names, "loose.png", "A/x.gif", "more.zip", "A/deep/11.png")))
    assert len(listing.images) == 21  # A/deep/11.png is one of class A
    assert listing.problems == (
        Problem("loose.png", "It is not in a class folder."),
        Problem("A/x.gif", "This image format is not supported; save the image as JPEG, PNG, BMP or TIFF."),
        Problem("more.zip", "A zip inside a dataset is not opened; register it as a separate dataset."),
    )
    assert len(listing.stored_files) == 23  # 22 readable by name and the GIF
    assert listing.n_other_files == 1


@stored
def test_images_with_a_table(stored, tmp_path):
    files = empty("1.png", "2.png", "readme.txt") | {"labels.csv": b"Filename,label\n1.png, Eo \n2.png,\n"}
    listing = list_images(stored(tmp_path, files))
    assert listing.choice == LayoutChoice(TABLE, table=TableChoice("labels.csv", "Filename", "label"))
    assert listing.images == (Record("1.png", "Eo"),)
    assert listing.problems == (Problem("2.png", "Row 3 of labels.csv gives no label."),)
    assert [one.file for one in listing.stored_files] == ["1.png", "2.png", "labels.csv"]
    assert listing.n_other_files == 1


def test_a_table_from_elsewhere_and_splits_from_the_folders(tmp_path):
    path = in_folder(tmp_path, empty("train/1.png", "test/2.png"))
    table = tmp_path / "mine.csv"
    table.write_text("file,label\n1,A\n2,B\n")
    choice = recognise_layout(path, str(table)).choice
    assert choice == LayoutChoice(TABLE, table=TableChoice(str(table), "file", "label"))
    listing = list_images(path, choice)
    assert [(image.label, image.split) for image in listing.images] == [("B", "test"), ("A", "train")]
    assert str(table) in [one.file for one in listing.stored_files]
    assert listing.n_other_files == 0


def test_one_suffix_leaves_the_masks_out(tmp_path):
    files = empty("images/1.bmp", "images/1.png", "images/2.bmp", "images/2.png")
    path = in_folder(tmp_path, files | {"classes.csv": b"id,class\n1,A\n2,B\n"})
    assert recognise_layout(path).choice is None
    assert "suffix .bmp or .png" in recognise_layout(path).question
    listing = list_images(path, LayoutChoice(TABLE, table=TableChoice("classes.csv", "id", "class", suffix=".bmp")))
    assert listing.images == (Record("images/1.bmp", "A"), Record("images/2.bmp", "B"))
    assert listing.problems == ()


NESTED = empty("s1/A/1.png", "s1/B/2.png", "s2/A/3.png", "s2/B/4.png")


def test_nested_folders_are_the_users_choice(tmp_path):
    path = in_folder(tmp_path, NESTED)
    with pytest.raises(DatasetError, match=r"more than one way. Choose one: folders at level 1 \(s1, s2\); .*2 \(A, B"):
        list_images(path)
    assert [(level.level, level.names, level.n_images) for level in recognise_layout(path).levels] == [
        (1, ("s1", "s2"), 4),
        (2, ("A", "B"), 4),
    ]
    assert list_images(path, LayoutChoice(FOLDERS, level=1)).class_names == ("s1", "s2")
    assert list_images(path, LayoutChoice(FOLDERS, level=2)).class_names == ("A", "B")


FOLDERS_OF_PATIENTS = empty("p1/1.png", "p2/2.png")


def test_folders_and_a_table_that_disagree_are_the_users_choice(tmp_path):
    path = in_folder(tmp_path, FOLDERS_OF_PATIENTS | {"labels.csv": b"file,label\n1.png,A\n2.png,B\n"})
    with pytest.raises(
        DatasetError, match=r"Choose one: folders at level 1 \(p1, p2\); table labels.csv \(file column f"
    ):
        list_images(path)
    table = TableChoice("labels.csv", "file", "label")
    assert list_images(path, LayoutChoice(TABLE, table=table)).class_names == ("A", "B")


@pytest.mark.parametrize("table", [b"file,label\n1.png,P1\n2.png,p2\n", b"file,width\n1.png,640\n2.png,640\n"])
def test_folders_stand_where_the_table_agrees_or_says_nothing_of_labels(table, tmp_path):
    path = in_folder(tmp_path, FOLDERS_OF_PATIENTS | {"labels.csv": table})
    assert list_images(path).class_names == ("p1", "p2")


@pytest.mark.parametrize("names", [("1.png", "2.png"), ("train/1.png", "test/2.png")])
def test_no_labels_at_all(names, tmp_path):
    with pytest.raises(
        DatasetError, match=r"set has no labels for its images \(2\)\. Supported layouts: a folder per class; "
    ):
        list_images(in_folder(tmp_path, empty(*names)))


@pytest.mark.parametrize("names", [("slide/1.png", "slide/2.png"), ("images/1.png", "masks/1.png")])
def test_folders_that_may_be_no_classes(names, tmp_path):
    path = in_folder(tmp_path, empty(*names))
    with pytest.raises(
        DatasetError, match=r"has no clear labels\. If folders are the labels, choose which: folders at"
    ):
        list_images(path)
    assert len(list_images(path, LayoutChoice(FOLDERS, level=1)).images) == 2


@stored
def test_an_empty_one(stored, tmp_path):
    with pytest.raises(
        DatasetError, match=r"There are no images \(JPEG, PNG, BMP or TIFF\) in .*set.*\. Supported layouts"
    ):
        list_images(stored(tmp_path, {"notes.txt": b""}))


def test_a_zip_of_nothing_but_a_bomb_says_so(tmp_path):
    with pytest.raises(DatasetError, match=r"There are no images .*bomb\.bmp: It unpacks to more than 200 times"):
        list_images(in_zip(tmp_path, {"A/bomb.bmp": bytes(4 * 2**20)}))


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        (LayoutChoice("yolo"), "A layout must be folders with a level of at least 1, or a table. Received"),
        (LayoutChoice(FOLDERS), "A layout must be folders with a level of at least 1"),
        (LayoutChoice(TABLE), "A layout must be folders"),
        (
            LayoutChoice(FOLDERS, level=3),
            r"set has no labelled images when read in this way\. It is not in a class folder\.",
        ),
        (LayoutChoice(TABLE, table=TableChoice("x.csv", "a", "b")), r"There is no table x\.csv in"),
    ],
)
def test_choices_that_cannot_be(choice, message, tmp_path):
    with pytest.raises(DatasetError, match=message):
        list_images(in_folder(tmp_path, NESTED), choice)


@pytest.mark.data
def test_kaggle_wbc(shared_data):
    listing = list_images(shared_data / "kaggle-wbc")
    assert listing.class_names == ("EOSINOPHIL", "LYMPHOCYTE", "MONOCYTE", "NEUTROPHIL")
    counts = {split: sum(image.split == split for image in listing.images) for split in listing.splits}
    assert counts == {"TEST": 2487, "TEST_SIMPLE": 71, "TRAIN": 9957}
    assert listing.problems == ()


@pytest.mark.data
@pytest.mark.parametrize(("name", "n_images", "n_classes"), [("pbc.zip", 7946, 8), ("malaria.zip", 8006, 2)])
def test_zips_with_one_folder_around_the_classes(shared_data, name, n_images, n_classes):
    listing = list_images(shared_data / name)
    assert (len(listing.images), len(listing.class_names), listing.choice.level) == (n_images, n_classes, 2)


@pytest.mark.data
def test_labels_of_bccd(shared_data):
    """411 rows for 364 images: 47 name none, 16 of the others give no label or several."""
    recognition = recognise_layout(shared_data / "bccd", str(shared_data / "kaggle-wbc" / "labels.csv"))
    assert recognition.choice is not None
    listing = list_images(shared_data / "bccd", recognition.choice)
    reasons = [problem.reason for problem in listing.problems]
    assert sum("there is no such image" in reason for reason in reasons) == 411 - 364
    doubtful = sum("gives no label" in reason or "more than one label" in reason for reason in reasons)
    assert len(listing.images) == 364 - doubtful == 348
    assert listing.class_names == ("BASOPHIL", "EOSINOPHIL", "LYMPHOCYTE", "MONOCYTE", "NEUTROPHIL")
