"""A CSV with a row a box, cells cut out of images with boxes, and what a dataset of boxes says of itself."""

import numpy as np
import pytest

from bloodcell.cli import main
from bloodcell.core.errors import DatasetError, StoppedError
from bloodcell.datasets.boxes.cut_cells import cut_cells
from bloodcell.datasets.boxes.read_boxes import find_box_format, read_box_set
from bloodcell.datasets.labels.recognition import recognise_layout
from bloodcell.datasets.sources.contents import Contents
from bloodcell.imaging.boxes import Box
from bloodcell.imaging.read import encode_png, read_rgb
from tests.places import SHARED_DATA

CASES = SHARED_DATA.parent / "cases" / "18-box-annotations"
HEADER = "filename,width,height,class,xmin,ymin,xmax,ymax\n"


def draw(seed):
    return np.random.default_rng(seed).integers(0, 256, (100, 200, 3), dtype=np.uint8)


@pytest.fixture
def folder(tmp_path):
    """Two images in a part, three boxes, as Roboflow writes them."""
    part = tmp_path / "set" / "train"
    part.mkdir(parents=True)
    for name, seed in (("a.png", 1), ("b.png", 2)):
        (part / name).write_bytes(encode_png(draw(seed)))
    rows = "a.png,200,100,WBC,10,20,50,60\na.png,200,100,RBC,100,20,140,60\nb.png,200,100,RBC,0,0,40,40\n"
    (part / "_annotations.csv").write_text(HEADER + rows)
    return tmp_path / "set"


def read(folder):
    with Contents(folder) as contents:
        return read_box_set(contents)


def test_a_csv_of_boxes_is_read(folder):
    boxes = read(folder)
    assert boxes.kind == "CSV of boxes"
    assert [[(box.label, box.box) for box in image.boxes] for image in boxes.images] == [
        [("WBC", Box(20, 10, 60, 50)), ("RBC", Box(20, 100, 60, 140))],
        [("RBC", Box(0, 0, 40, 40))],
    ]


def test_missing_images_and_numbers_that_are_none_are_told(folder):
    path = folder / "train" / "_annotations.csv"
    path.write_text(path.read_text() + "c.png,200,100,RBC,0,0,40,40\n")
    assert [(problem.file, problem.reason) for problem in read(folder).problems] == [
        ("c.png", "The image that train/_annotations.csv names is not in this dataset.")
    ]
    path.write_text(HEADER + "a.png,200,100,RBC,zero,0,40,40\n")
    with pytest.raises(DatasetError, match="could not convert string to float: 'zero'"):
        read(folder)


def test_a_table_of_labels_is_no_table_of_boxes(tmp_path):
    (tmp_path / "a.png").write_bytes(encode_png(draw(1)))
    (tmp_path / "labels.csv").write_text("filename,class\na.png,WBC\n")
    with Contents(tmp_path) as contents:
        assert find_box_format(contents) is None


def test_cells_are_cut_with_their_surroundings(folder, tmp_path):
    out = tmp_path / "cells"
    with Contents(folder) as contents:
        n_cells, problems = cut_cells(contents, read_box_set(contents), out)
    assert (n_cells, problems) == (3, [])
    (white,) = (out / "WBC").iterdir()
    # 2.25 * 40 = 90 px about (40, 30): rows -5 to 85, columns -15 to 75, cut to the image
    assert np.array_equal(read_rgb(white.read_bytes()), draw(1)[0:85, 0:75])
    lines = (out / "cells.csv").read_text(encoding="utf-8-sig").splitlines()
    assert lines[0] == "file,group,label,image,top,left,bottom,right"
    groups = [line.split(",")[1] for line in lines[1:]]
    assert groups[0] == groups[1] != groups[2]


def test_cutting_can_be_stopped_and_refuses_a_full_folder(folder, tmp_path):
    out = tmp_path / "cells"
    with Contents(folder) as contents:
        boxes = read_box_set(contents)
        with pytest.raises(StoppedError, match="Stopped after 0 of 2 images"):
            cut_cells(contents, boxes, out, should_stop=lambda: True)
        cut_cells(contents, boxes, out)
        with pytest.raises(DatasetError, match="is not empty"):
            cut_cells(contents, boxes, out)


def test_the_command_renames_and_leaves_out(folder, tmp_path, capsys):
    out = tmp_path / "cells"
    assert main.main(["cut-cells", str(folder), "--out", str(out), "--label", "WBC=Leukocyte", "--only"]) == 0
    assert [path.name for path in out.iterdir() if path.is_dir()] == ["Leukocyte"]
    assert "1 cell of CSV of boxes written" in capsys.readouterr().err
    assert main.main(["cut-cells", str(folder), "--out", str(tmp_path / "x"), "--label", "WBC"]) == 1
    assert "--label must be OLD=NEW. Received: 'WBC'" in capsys.readouterr().err


def test_a_dataset_of_boxes_says_what_to_do(folder):
    recognition = recognise_layout(folder)
    assert recognition.choice is None
    assert recognition.has_boxes
    assert (
        "has boxes (CSV of boxes), not one label an image. Cut its cells with `bloodcell cut-cells`"
        in recognition.question
    )


@pytest.mark.parametrize(("name", "kind", "counts"), [("voc", "Pascal VOC", 72), ("rf", "CSV of boxes", 5)])
def test_the_shared_case(name, kind, counts):
    if not CASES.is_dir():
        pytest.skip(f"the shared cases are absent: no {CASES}")
    boxes = read(CASES / name)
    assert (boxes.kind, boxes.label_counts.total()) == (kind, counts)
    assert recognise_layout(CASES / name).has_boxes
