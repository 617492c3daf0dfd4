"""What becomes of the events that the field editor sends."""

import pytest

from bloodcell.imaging.boxes import Box
from bloodcell.inference.results import CellResult
from bloodcell.review.box_edits import read_field_boxes
from bloodcell.review.scale import read_scale
from bloodcell.review.tables import read_cells_table
from bloodcell.ui.classify.field_editor import make_box_key
from bloodcell.ui.classify.field_events import apply_field_events
from bloodcell.ui.shared.state import FieldBench


@pytest.fixture
def fields():
    return FieldBench(1, image_id=1)


def send(fields, db, *events):
    numbered = [
        {"session": fields.session, "client": "tab", "number": number, "image": 1, **event}
        for number, event in enumerate(events, start=fields.acknowledged + 1)
    ]
    apply_field_events(fields, numbered, db, "Ada", classify)


def classify(_image_id, box):
    return CellResult(box, "NEUTROPHIL", (0.0, 0.0, 0.1, 0.9), "check")


def boxes(db):
    return [tuple(box.box) for box in read_field_boxes(db, 1)]


def test_a_box_is_drawn_moved_removed_and_brought_back(db, fields):
    send(fields, db, {"kind": "add", "of": "WBC", "boxes": [[0, 150, 40, 190]]})
    assert (fields.problem, boxes(db)[3]) == ("", (0, 150, 40, 190))
    assert read_cells_table(db, 1)["prediction"].tolist()[3] == "NEUTROPHIL"
    key = make_box_key(read_field_boxes(db, 1)[3])
    send(fields, db, {"kind": "replace", "key": key, "boxes": [[5, 150, 45, 190]]})
    assert boxes(db)[3] == (5, 150, 45, 190)
    send(fields, db, {"kind": "remove", "key": make_box_key(read_field_boxes(db, 1)[3])})
    assert len(boxes(db)) == 3
    send(fields, db, {"kind": "undo"}, {"kind": "undo"})
    assert boxes(db)[3] == (0, 150, 40, 190)
    assert fields.acknowledged == 5


def test_a_box_is_split_in_two(db, fields):
    key = make_box_key(read_field_boxes(db, 1)[0])
    send(fields, db, {"kind": "replace", "key": key, "boxes": [[0, 0, 50, 25], [0, 25, 50, 50]]})
    assert boxes(db) == [(0, 60, 50, 110), (0, 120, 50, 170), (0, 0, 50, 25), (0, 25, 50, 50)]


def test_a_number_key_gives_a_class(db, fields):
    send(fields, db, {"kind": "label", "cell": 2, "label": "EOSINOPHIL"})
    assert read_cells_table(db, 1)["correction"].tolist() == ["", "EOSINOPHIL", ""]


def test_an_error_says_how_many_changes_are_lost(db, fields):
    send(
        fields,
        db,
        {"kind": "remove", "key": "cell-99"},
        {"kind": "add", "of": "RBC", "boxes": [[0, 0, 20, 20]]},
        {"kind": "hello"},
    )
    assert fields.problem == "This box has been changed meanwhile: look at the field again. (2 changes not saved.)"
    assert len(boxes(db)) == 3


@pytest.mark.parametrize(
    "value", [None, [], [[1, 2, 3]], [["a", 0, 9, 9]], [[0, 0, 9.5, 9]], "boxes", [[0, 0, 9, 9]] * 21]
)
def test_what_is_no_box_is_refused(db, fields, value):
    send(fields, db, {"kind": "add", "of": "RBC", "boxes": value})
    assert "needs boxes of four whole numbers" in fields.problem


def test_undo_without_a_change_says_so(db, fields):
    send(fields, db, {"kind": "undo"})
    assert fields.problem == "You have no change of boxes to undo in this batch."


def test_undo_opens_the_field_that_it_changes(db, fields):
    send(fields, db, {"kind": "add", "of": "RBC", "boxes": [list(Box(0, 0, 20, 20))]})
    fields.image_id = 7
    send(fields, db, {"kind": "undo"})
    assert fields.image_id == 1


def test_a_measured_red_cell_sets_the_scale(db, fields):
    send(fields, db, {"kind": "scale", "px": 74.5})
    assert fields.problem == ""
    assert read_scale(db, 1).red_cell_px == 74.5
    send(fields, db, {"kind": "scale", "px": 2})
    assert "from 6 to 600 pixels" in fields.problem
    send(fields, db, {"kind": "scale", "px": "wide"})
    assert "needs the diameter of a red cell" in fields.problem
