import io
import json
import re
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bloodcell.core.errors import DatasetError
from bloodcell.datasets.boxes.box_sets import BoxedImage, LabelledBox
from bloodcell.datasets.boxes.read_boxes import read_box_set
from bloodcell.datasets.boxes.write_boxes import FORMATS, MAX_STEM_CHARS, write_box_archive
from bloodcell.datasets.sources.contents import Contents, Problem
from bloodcell.imaging.boxes import Box
from bloodcell.imaging.read import encode_png
from tests.datasets.made import jpeg, png

NAMES = ("Neutrophil", "Eosinophil", "B & <C> \"d\" 'e' ö: #1, [x]")
each_format = pytest.mark.parametrize("kind", FORMATS)


def boxed(file, *boxes, height_px=20, width_px=30):
    return BoxedImage(file, height_px, width_px, tuple(LabelledBox(label, Box(*box)) for label, box in boxes))


# The third has no box; the boxes touch all four sides of the image.
IMAGES = [
    boxed("a/1.png", (NAMES[0], (0, 0, 20, 30)), (NAMES[2], (3, 5, 7, 14)), (NAMES[0], (3, 5, 7, 14))),
    boxed("b/2.jpg", (NAMES[1], (18, 28, 20, 30))),
    boxed("b/3.png"),
]
BYTES = {"a/1.png": png(1), "b/2.jpg": jpeg(2), "b/3.png": png(3)}


def write(path, kind, images=IMAGES, read_image=BYTES.__getitem__, names=NAMES):
    with path.open("wb") as stream:
        return write_box_archive(kind, images, read_image, names, stream)


def read(path):
    with Contents(path) as contents:
        assert contents.problems == []
        return read_box_set(contents)


def list_names(path):
    with zipfile.ZipFile(path) as archive:
        return archive.namelist()


def read_member(path, name):
    with zipfile.ZipFile(path) as archive:
        return archive.read(name)


def list_stems(tmp_path, files):
    """The names, without suffix, that COCO's images get from these files."""
    write(tmp_path / "stems.zip", "COCO", [boxed(file) for file in files], lambda file: png())
    return [Path(name).stem for name in list_names(tmp_path / "stems.zip") if name.startswith("images/")]


@each_format
def test_our_own_reader_reads_the_same_boxes_and_labels(tmp_path, kind):
    assert write(tmp_path / "set.zip", kind) == []
    found = read(tmp_path / "set.zip")
    assert (found.kind, found.problems) == (kind, ())
    assert [Path(image.file).name for image in found.images] == ["1.png", "2.jpg", "3.png"]
    assert [image.boxes for image in found.images] == [image.boxes for image in IMAGES]
    assert {(image.height_px, image.width_px) for image in found.images} == {(20, 30)}


@each_format
def test_images_keep_their_bytes_and_the_zip_is_the_same_again(tmp_path, kind):
    write(tmp_path / "set.zip", kind)
    write(tmp_path / "again.zip", kind)
    assert (tmp_path / "set.zip").read_bytes() == (tmp_path / "again.zip").read_bytes()
    with Contents(tmp_path / "set.zip") as contents:
        kept = {Path(file).name: contents.read(file) for file in contents.files if file.endswith((".png", ".jpg"))}
    assert kept == {"1.png": BYTES["a/1.png"], "2.jpg": BYTES["b/2.jpg"], "3.png": BYTES["b/3.png"]}


def test_the_layouts_are_those_that_tools_expect(tmp_path):
    for kind in FORMATS:
        write(tmp_path / f"{kind}.zip", kind)
    assert list_names(tmp_path / "Pascal VOC.zip") == [
        *("JPEGImages/1.png", "Annotations/1.xml", "JPEGImages/2.jpg", "Annotations/2.xml"),
        *("JPEGImages/3.png", "Annotations/3.xml", "ImageSets/Main/default.txt"),
    ]
    assert list_names(tmp_path / "COCO.zip") == [
        *("images/1.png", "images/2.jpg", "images/3.png", "annotations/instances_default.json")
    ]
    assert list_names(tmp_path / "YOLO.zip") == [
        *("images/train/1.png", "labels/train/1.txt", "images/train/2.jpg", "labels/train/2.txt"),
        *("images/train/3.png", "labels/train/3.txt", "data.yaml", "classes.txt"),
    ]
    assert read_member(tmp_path / "Pascal VOC.zip", "ImageSets/Main/default.txt") == b"1\n2\n3\n"


def test_voc_counts_pixels_from_1_and_includes_the_last(tmp_path):
    write(tmp_path / "set.zip", "Pascal VOC")
    root = ElementTree.fromstring(read_member(tmp_path / "set.zip", "Annotations/1.xml"))
    assert [root.findtext(tag) for tag in ("folder", "filename", "segmented")] == ["JPEGImages", "1.png", "0"]
    assert [root.findtext(f"size/{tag}") for tag in ("width", "height", "depth")] == ["30", "20", "3"]
    boxes = [[int(side.text) for side in box] for box in root.iter("bndbox")]
    # xmin, ymin, xmax, ymax of rows 3..6 and columns 5..13, counted from 0
    assert boxes == [[1, 1, 30, 20], [6, 4, 14, 7], [6, 4, 14, 7]]
    assert [name.text for name in root.iter("name")] == [NAMES[0], NAMES[2], NAMES[0]]


def test_coco_counts_ids_from_1_and_has_what_cvat_asks_for(tmp_path):
    write(tmp_path / "set.zip", "COCO")
    document = json.loads(read_member(tmp_path / "set.zip", "annotations/instances_default.json"))
    assert [(item["id"], item["name"]) for item in document["categories"]] == list(enumerate(NAMES, 1))
    assert document["images"][1] == {"id": 2, "file_name": "2.jpg", "width": 30, "height": 20}
    assert document["annotations"][1] == {
        **{"id": 2, "image_id": 1, "category_id": 3, "iscrowd": 0, "segmentation": []},
        **{"bbox": [5, 3, 9, 4], "area": 36},
    }


def test_yolo_writes_shares_of_the_image_with_6_decimals(tmp_path):
    write(tmp_path / "set.zip", "YOLO")
    # (5 + 14) / 2 / 30 = 0.316667, (3 + 7) / 2 / 20 = 0.25, 9 / 30 = 0.3, 4 / 20 = 0.2
    assert read_member(tmp_path / "set.zip", "labels/train/1.txt").decode().splitlines() == [
        "0 0.500000 0.500000 1.000000 1.000000",
        "2 0.316667 0.250000 0.300000 0.200000",
        "0 0.316667 0.250000 0.300000 0.200000",
    ]
    assert read_member(tmp_path / "set.zip", "labels/train/3.txt") == b""
    assert read_member(tmp_path / "set.zip", "classes.txt").decode().splitlines() == list(NAMES)


def test_yolo_tells_trainers_its_paths_and_names(tmp_path):
    yaml = pytest.importorskip("yaml")
    names = [*NAMES, "no", "1", "back\\slash", "😀"]
    write(tmp_path / "set.zip", "YOLO", names=names)
    config = yaml.safe_load(read_member(tmp_path / "set.zip", "data.yaml"))
    assert config == {"train": "images/train", "val": "images/train", "names": names}


# Public libraries


@pytest.fixture
def unpacked(tmp_path):
    def unpack(kind):
        write(tmp_path / "set.zip", kind)
        with zipfile.ZipFile(tmp_path / "set.zip") as archive:
            archive.extractall(tmp_path / "set")
        return tmp_path / "set"

    return unpack


def compare_with_supervision(dataset):
    found = {}
    for path, _, detections in dataset:
        sides = np.round(detections.xyxy).astype(int)
        assert np.abs(detections.xyxy - sides).max(initial=0) < 0.001
        labels = [dataset.classes[number] for number in detections.class_id]
        found[Path(path).name] = sorted(zip(labels, map(tuple, sides.tolist()), strict=True))
    assert found == {
        Path(image.file).name: sorted(
            (box.label, (box.box.left, box.box.top, box.box.right, box.box.bottom)) for box in image.boxes
        )
        for image in IMAGES
    }


def test_supervision_reads_our_voc(unpacked):
    supervision = pytest.importorskip("supervision")
    folder = unpacked("Pascal VOC")
    compare_with_supervision(
        supervision.DetectionDataset.from_pascal_voc(str(folder / "JPEGImages"), str(folder / "Annotations"))
    )


def test_supervision_reads_our_coco(unpacked):
    supervision = pytest.importorskip("supervision")
    folder = unpacked("COCO")
    dataset = supervision.DetectionDataset.from_coco(
        str(folder / "images"), str(folder / "annotations/instances_default.json")
    )
    assert dataset.classes == list(NAMES)
    compare_with_supervision(dataset)


def test_supervision_reads_our_yolo(unpacked):
    supervision = pytest.importorskip("supervision")
    folder = unpacked("YOLO")
    dataset = supervision.DetectionDataset.from_yolo(
        str(folder / "images/train"), str(folder / "labels/train"), str(folder / "data.yaml")
    )
    assert dataset.classes == list(NAMES)
    compare_with_supervision(dataset)


def test_faster_coco_eval_reads_our_coco(unpacked):
    faster_coco_eval = pytest.importorskip("faster_coco_eval")
    coco = faster_coco_eval.COCO(str(unpacked("COCO") / "annotations/instances_default.json"))
    assert [category["name"] for category in coco.loadCats(coco.getCatIds())] == list(NAMES)
    boxes = {
        image["file_name"]: [
            (annotation["category_id"] - 1, *annotation["bbox"])
            for annotation in coco.loadAnns(coco.getAnnIds(imgIds=image["id"]))
        ]
        for image in coco.loadImgs(coco.getImgIds())
    }
    assert boxes == {
        "1.png": [(0, 0, 0, 30, 20), (2, 5, 3, 9, 4), (0, 5, 3, 9, 4)],
        "2.jpg": [(1, 28, 18, 2, 2)],
        "3.png": [],
    }


# Names of files


def test_images_of_one_name_in_several_folders_are_told_apart_by_their_folders(tmp_path):
    files = ["a/1.png", "b/1.png", "b/2.png", "c\\1.png", "a/1.jpg"]
    assert list_stems(tmp_path, files) == ["a_1", "b_1", "2", "c_1", "a_1_2"]


def test_names_that_differ_in_case_alone_are_numbered(tmp_path):
    assert list_stems(tmp_path, ["Cell.png", "cell.PNG", "CELL_2.png"]) == ["Cell", "cell_2", "CELL_2_2"]


HOSTILE = {
    "../../etc/passwd": "passwd",
    "C:\\Windows\\x.png": "x",
    "/absolute/y.png": "y",
    "..": "image",
    "": "image_2",
    "Zelle Größe Ä.png": "Zelle_Gro_e_A",
    "細胞.png": "image_3",
    "CON.png": "image_CON",
    "lpt1.tar.png": "lpt1_tar",
    "nul": "image_nul",
    "classes.png": "image_classes",
    "images.png": "image_images",
    "-rf.png": "rf",
    ".hidden.png": "hidden",
    "a<b>:c|d?*\"'\0\n.png": "a_b_c_d",
    "slide.7.jpg.rf.12.PNG": "slide_7_jpg_rf_12",
    "evil\u202egnp.exe": "evil_gnp_exe",
    "half\udce4.png": "half",
    "x" * 500 + "end.png": "x" * (MAX_STEM_CHARS - 3) + "end",
    "a" + "\u0301\u0316" * 100_000 + ".png": "image_4",
}


def test_hostile_names_become_plain(tmp_path):
    assert dict(zip(HOSTILE, list_stems(tmp_path, HOSTILE), strict=True)) == HOSTILE


@each_format
def test_images_with_hostile_names_are_read_with_their_boxes(tmp_path, kind):
    images = [
        boxed(file, ("Neutrophil", (1, 2, 3 + number // 3, 4 + number)))
        for number, file in enumerate([*HOSTILE, "labels.png"])
    ]
    assert write(tmp_path / "set.zip", kind, images, lambda file: png()) == []
    found = read(tmp_path / "set.zip")
    assert found.problems == ()
    assert len(found.images) == len(images)
    assert {image.boxes for image in found.images} == {image.boxes for image in images}


@given(
    st.lists(st.text(alphabet=st.one_of(st.sampled_from("aAB12_-./\\ öß"), st.characters()), max_size=12), min_size=1)
)
def test_names_are_plain_and_no_two_are_alike(tmp_path_factory, files):
    stems = list_stems(tmp_path_factory.mktemp("names"), files)
    assert len({stem.lower() for stem in stems}) == len(files)
    for stem in stems:
        assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", stem)


@pytest.mark.parametrize(
    ("image_format", "suffix"), [("JPEG", ".jpg"), ("PNG", ".png"), ("BMP", ".bmp"), ("TIFF", ".tif")]
)
def test_the_suffix_is_that_of_the_content(tmp_path, image_format, suffix):
    image_module = pytest.importorskip("PIL.Image")
    stream = io.BytesIO()
    image_module.new("RGB", (30, 20), "white").save(stream, image_format)
    write(tmp_path / "set.zip", "COCO", [boxed("cell.gif")], lambda file: stream.getvalue())
    assert list_names(tmp_path / "set.zip")[0] == f"images/cell_gif{suffix}"


# What cannot be written


@each_format
def test_an_image_without_boxes_comes_back_as_annotated_and_empty(tmp_path, kind):
    write(tmp_path / "set.zip", kind)
    assert [len(image.boxes) for image in read(tmp_path / "set.zip").images] == [3, 1, 0]


@each_format
def test_no_images_are_refused(tmp_path, kind):
    with pytest.raises(DatasetError, match=r"At least one image is needed to write boxes\. Received: none\."):
        write(tmp_path / "set.zip", kind, [])


@each_format
def test_images_that_cannot_be_read_any_more_are_left_out_and_told(tmp_path, kind):
    def read_image(file):
        if file == "gone.png":
            raise DatasetError("There is no such file in this dataset.")
        if file == "disk.png":
            raise PermissionError(13, "Permission denied")
        return {"text.png": b"no image", "empty.png": b"", "larger.png": png(0, 21, 30)}.get(file, png())

    box = ("Neutrophil", (1, 2, 9, 12))
    images = [boxed(f"{name}.png", box) for name in ("gone", "disk", "text", "empty", "good", "larger")]
    problems = {problem.file: problem.reason for problem in write(tmp_path / "set.zip", kind, images, read_image)}
    assert problems == {
        "gone.png": "The image was left out. There is no such file in this dataset.",
        "disk.png": "The image was left out. The file cannot be read: Permission denied.",
        "text.png": "The image was left out. The file is not an image that Bloodcell can read. Allowed: JPEG, PNG, BMP, TIFF.",
        "empty.png": "The image was left out. The file is empty (0 bytes).",
        "larger.png": "The image was left out. Its boxes are for 30 x 20 pixels. Received: 30 x 21.",
    }
    found = read(tmp_path / "set.zip")
    assert [(Path(image.file).name, image.boxes) for image in found.images] == [("good.png", images[4].boxes)]
    assert found.problems == ()


def test_images_of_which_none_can_be_read_are_an_error(tmp_path):
    with pytest.raises(
        DatasetError, match=r"None of the images can be written\. a\.png: The image was left out\. The file"
    ):
        write(tmp_path / "set.zip", "COCO", [boxed("a.png")], lambda file: b"")


def test_errors_that_are_not_of_one_image_are_not_hidden(tmp_path):
    with pytest.raises(KeyError, match="gone"):
        write(tmp_path / "set.zip", "COCO", [boxed("gone")])


@each_format
def test_boxes_that_reach_out_are_cut_and_those_without_area_left_out(tmp_path, kind):
    boxes = [("Neutrophil", sides) for sides in ((-5, -4, 9, 12), (10, 10, 99, 99), (5, 5, 5, 9), (50, 50, 60, 60))]
    problems = write(tmp_path / "set.zip", kind, [boxed("a/1.png", *boxes)])
    assert problems == [
        Problem("a/1.png", "Boxes without area or outside the image, left out: 2."),
        Problem("a/1.png", "Boxes that reach out of the image, cut to it: 2."),
    ]
    found = read(tmp_path / "set.zip")
    assert [box.box for box in found.images[0].boxes] == [Box(0, 0, 9, 12), Box(10, 10, 20, 30)]
    assert found.problems == ()


def test_an_unknown_format_is_refused(tmp_path):
    with pytest.raises(DatasetError, match=r"Boxes can be written as Pascal VOC, COCO, YOLO\. Received: 'voc'\."):
        write(tmp_path / "set.zip", "voc")


def test_a_box_of_an_unknown_class_is_refused(tmp_path):
    with pytest.raises(DatasetError, match=r"must be one of: 'Neutrophil'\. Received: .*, 'Eosinophil'\."):
        write(tmp_path / "set.zip", "YOLO", names=NAMES[:1])


def test_long_lists_of_classes_are_cut_in_errors(tmp_path):
    with pytest.raises(DatasetError, match=r"one of: 'c0', 'c1', 'c2', 'c3', 'c4', \.\.\.\. Received"):
        write(tmp_path / "set.zip", "YOLO", names=[f"c{number}" for number in range(9)])


@pytest.mark.parametrize(
    "name",
    ["", " ", " a", "a\n", "a\nb", "a\tb", "a\0", "a\x85b", "a\u2028b", "\ud800", "\ufeffa", "a\uffff", "a" * 401],
)
def test_class_names_that_the_formats_cannot_hold_are_refused(tmp_path, name):
    with pytest.raises(DatasetError, match=r"A class name must be one line of text of at most 400 characters"):
        write(tmp_path / "set.zip", "COCO", names=[*NAMES, name])


def test_no_class_names_and_doubled_ones_are_refused(tmp_path):
    with pytest.raises(DatasetError, match=r"At least one class name is needed to write boxes\. Received: none\."):
        write(tmp_path / "set.zip", "COCO", [boxed("a/1.png")], names=[])
    with pytest.raises(DatasetError, match=r"given once\. Received more than once: 'Neutrophil'\."):
        write(tmp_path / "set.zip", "COCO", names=[*NAMES, "Neutrophil"])


def test_a_blank_bmp_is_not_taken_for_a_zip_bomb(tmp_path):
    image_module = pytest.importorskip("PIL.Image")
    stream = io.BytesIO()
    image_module.new("RGB", (1000, 1000), "white").save(stream, "BMP")
    image = boxed("blank.bmp", ("Neutrophil", (1, 2, 900, 1000)), height_px=1000, width_px=1000)
    write(tmp_path / "set.zip", "YOLO", [image], lambda file: stream.getvalue())
    assert read(tmp_path / "set.zip").images[0].boxes == image.boxes


def test_a_stream_that_cannot_seek_is_enough(tmp_path):
    class Pipe(io.RawIOBase):
        def __init__(self):
            self.data = b""

        def writable(self):
            return True

        def write(self, data):
            self.data += bytes(data)
            return len(data)

    pipe = Pipe()
    write_box_archive("YOLO", IMAGES, BYTES.__getitem__, NAMES, pipe)
    (tmp_path / "set.zip").write_bytes(pipe.data)
    assert [image.boxes for image in read(tmp_path / "set.zip").images] == [image.boxes for image in IMAGES]


# Any boxes, any names


@st.composite
def draw_images(draw):
    """One or two images of any size, at least one box in the first: YOLO is not recognised without any."""
    images = []
    for number in range(draw(st.integers(1, 2))):
        height_px, width_px = draw(st.integers(16, 900)), draw(st.integers(16, 900))
        boxes = []
        for _ in range(draw(st.integers(1 - number, 4))):
            top, left = draw(st.integers(0, height_px - 2)), draw(st.integers(0, width_px - 2))
            bottom, right = draw(st.integers(top + 2, height_px)), draw(st.integers(left + 2, width_px))
            boxes.append((draw(st.sampled_from(NAMES)), (top, left, bottom, right)))
        images.append(boxed(f"{number}.png", *boxes, height_px=height_px, width_px=width_px))
    return images


@each_format
@given(images=draw_images())
def test_any_boxes_inside_an_image_come_back_equal(tmp_path_factory, kind, images):
    path = tmp_path_factory.mktemp("boxes") / "set.zip"
    data = {image.file: encode_png(np.zeros((image.height_px, image.width_px, 3), np.uint8)) for image in images}
    assert write(path, kind, images, data.__getitem__) == []
    found = read(path)
    assert found.problems == ()
    assert [image.boxes for image in found.images] == [image.boxes for image in images]


ONE_LINE = st.text(
    st.characters(
        exclude_categories=("Cc", "Cs", "Zl", "Zp"),
        exclude_characters="\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff\ufffe\uffff",
    ),
    max_size=12,
)


@each_format
@given(name=ONE_LINE.map(str.strip).filter(bool))
@example("]]>")
@example("&amp;")
@example("a\u00a0b")
@example("😀")
@example("null")
def test_any_class_name_in_one_line_comes_back_equal(tmp_path_factory, kind, name):
    path = tmp_path_factory.mktemp("names") / "set.zip"
    images = [boxed("a/1.png", (name, (1, 2, 9, 12)), ("other class", (4, 5, 19, 22)))]
    assert write(path, kind, images, names=[name, "other class"]) == []
    assert read(path).images[0].boxes == images[0].boxes
    if kind == "YOLO":
        yaml = pytest.importorskip("yaml")
        assert yaml.safe_load(read_member(path, "data.yaml"))["names"] == [name, "other class"]
