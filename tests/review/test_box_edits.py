"""Boxes that people add, remove, move and split: what stands, what is counted, and undo."""

import pytest

from bloodcell.core.errors import StoreError
from bloodcell.imaging.boxes import Box
from bloodcell.inference.results import CellResult, ImageResult, OtherCells
from bloodcell.review.batches import list_batches
from bloodcell.review.box_edits import FieldBox, NewBox, edit_boxes, read_field_boxes, undo_last_edit
from bloodcell.review.corrections import add_correction
from bloodcell.review.export import export_per_cell
from bloodcell.review.tables import read_cells_table, read_images_table
from tests.review.batch import BIG_BOX, SMALL_BOX, analysed, cell, new_batch

RED, OTHER_RED, PLATELET = Box(0, 0, 90, 90), Box(300, 300, 390, 390), Box(200, 10, 220, 30)


@pytest.fixture
def image_id(db):
    """A field with two white cells, two red cells and a platelet."""
    others = OtherCells((RED, OTHER_RED), (PLATELET,), 90.0, is_own_scale=False, sharpness=0.02)
    result = ImageResult("cells", (cell("MONOCYTE"), cell("NEUTROPHIL", SMALL_BOX)), "", 480, 640, others)
    return analysed(db, new_batch(db), "a.jpg", 1, result)


def white(db, image_id):
    return [box for box in read_field_boxes(db, image_id) if box.kind == "WBC"]


def counts(db):
    row = read_images_table(db, 1).iloc[0]
    return int(row["n_cells"]), int(row["n_red_cells"]), int(row["n_platelets"])


def test_boxes_are_read_as_they_were_found(db, image_id):
    boxes = read_field_boxes(db, image_id)
    assert [(box.kind, box.box) for box in boxes] == [
        ("WBC", BIG_BOX),
        ("WBC", SMALL_BOX),
        ("RBC", RED),
        ("RBC", OTHER_RED),
        ("PLATELET", PLATELET),
    ]
    assert counts(db) == (2, 2, 1)


def test_a_drawn_white_cell_is_classified_listed_and_exported(db, image_id):
    box = Box(400, 500, 460, 560)
    (cell_id,) = edit_boxes(db, image_id, [], [NewBox("WBC", box, cell("EOSINOPHIL", box))], "Ada")
    table = read_cells_table(db, 1).set_index("cell_id")
    assert table.at[cell_id, "prediction"] == "EOSINOPHIL"
    assert table.at[cell_id, "cell_number"] == 3
    assert counts(db) == (3, 2, 1)
    assert list_batches(db)[0].n_cells == 3
    assert b"400,500,460,560,EOSINOPHIL" in export_per_cell(db, 1)
    add_correction(db, cell_id, "MONOCYTE", "Ada")
    assert read_cells_table(db, 1)["label"].tolist() == ["MONOCYTE", "NEUTROPHIL", "MONOCYTE"]


def test_splitting_is_one_step_and_undone_as_one(db, image_id):
    old = white(db, image_id)[0]
    halves = (Box(10, 20, 110, 70), Box(10, 70, 110, 120))
    edit_boxes(db, image_id, [old], [NewBox("WBC", half, cell("LYMPHOCYTE", half)) for half in halves], "Ada")
    assert [box.box for box in white(db, image_id)] == [SMALL_BOX, *halves]
    assert counts(db) == (3, 2, 1)
    assert undo_last_edit(db, 1, "Ada") == image_id
    assert [box.box for box in white(db, image_id)] == [BIG_BOX, SMALL_BOX]
    assert counts(db) == (2, 2, 1)


def test_steps_are_undone_one_after_another_each_by_its_own_person(db, image_id):
    edit_boxes(db, image_id, [FieldBox("RBC", RED)], [], "Ada")
    edit_boxes(db, image_id, [], [NewBox("PLATELET", Box(50, 50, 70, 70))], "Bob")
    edit_boxes(db, image_id, [FieldBox("PLATELET", PLATELET)], [], "Ada")
    assert counts(db) == (2, 1, 1)
    undo_last_edit(db, 1, "Ada")
    assert counts(db) == (2, 1, 2)
    undo_last_edit(db, 1, "Ada")
    assert counts(db) == (2, 2, 2)
    assert undo_last_edit(db, 1, "Ada") is None
    undo_last_edit(db, 1, "Bob")
    assert counts(db) == (2, 2, 1)


def test_an_added_red_cell_can_be_removed_again(db, image_id):
    box = Box(100, 400, 180, 480)
    edit_boxes(db, image_id, [], [NewBox("RBC", box)], "Ada")
    edit_boxes(db, image_id, [FieldBox("RBC", box)], [], "Ada")
    assert counts(db) == (2, 2, 1)


def test_without_a_white_cell_the_image_says_so_and_drawing_one_brings_it_back(db, image_id):
    edit_boxes(db, image_id, white(db, image_id), [], "Ada")
    assert read_images_table(db, 1)["image_status"].tolist() == ["no white cell"]
    edit_boxes(db, image_id, [], [NewBox("WBC", BIG_BOX, CellResult(BIG_BOX, "", (), ""))], "Ada")
    assert read_images_table(db, 1)["image_status"].tolist() == ["cells"]
    assert read_cells_table(db, 1)["prediction"].tolist() == [""]


def test_a_box_that_another_person_changed_is_refused_and_nothing_happens(db, image_id):
    old = white(db, image_id)[0]
    edit_boxes(db, image_id, [old], [], "Ada")
    with pytest.raises(StoreError, match="has been changed meanwhile"):
        edit_boxes(db, image_id, [old], [NewBox("RBC", Box(5, 5, 50, 50))], "Bob")
    assert counts(db) == (1, 2, 1)


@pytest.mark.parametrize(
    ("kind", "box", "message"),
    [
        ("WBC", Box(470, 0, 490, 30), "must lie in the image of 640 x 480 pixels"),
        ("RBC", Box(-1, 0, 30, 30), "must lie in the image"),
        ("RBC", Box(10, 10, 13, 40), "at least 4 on each side. Received: 30 x 3 at 10, 10"),
        ("NEUTROPHIL", Box(10, 10, 40, 40), "one of WBC, RBC, PLATELET. Received: 'NEUTROPHIL'"),
    ],
)
def test_impossible_boxes_are_refused(db, image_id, kind, box, message):
    with pytest.raises(StoreError, match=message):
        edit_boxes(db, image_id, [], [NewBox(kind, box)], "Ada")
    assert counts(db) == (2, 2, 1)


def test_no_such_image(db):
    with pytest.raises(StoreError, match="no image 7"):
        read_field_boxes(db, 7)
    with pytest.raises(StoreError, match="no image 7"):
        edit_boxes(db, 7, [], [NewBox("RBC", RED)], "Ada")
