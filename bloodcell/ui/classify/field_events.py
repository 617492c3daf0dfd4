"""Apply what the field editor sends (box added, removed or replaced, label given, scale measured, undo)."""

from collections.abc import Callable
from typing import Any, Final

from sqlalchemy import Engine as Database

from bloodcell.core.errors import BloodcellError, StoreError
from bloodcell.core.labels import WBC
from bloodcell.imaging.boxes import Box
from bloodcell.inference.results import CellResult
from bloodcell.reports.numbers import format_count
from bloodcell.review.box_edits import FieldBox, NewBox, edit_boxes, read_field_boxes, undo_last_edit
from bloodcell.review.corrections import add_correction
from bloodcell.review.scale import set_scale
from bloodcell.ui.classify.field_editor import make_box_key
from bloodcell.ui.shared.events import read_int, take_new_events
from bloodcell.ui.shared.state import FieldBench

EVENT_KINDS: Final = ("label", "add", "remove", "replace", "scale", "undo", "hello")
MAX_BOXES: Final = 20  # in one event

# From image and box to what the batch's model says of it.
ClassifyBox = Callable[[int, Box], CellResult]


def apply_field_events(bench: FieldBench, sent: list[Any], db: Database, who: str, classify: ClassifyBox) -> None:
    """Apply the new events in their order; an error ends it, says so, and drops the later ones.

    Parameters
    ----------
    bench : FieldBench
        `acknowledged` counts what was taken, `problem` says what went wrong.
    sent : list
        As `state.read_events` returns it.
    db : sqlalchemy.Engine
    who : str
        Initials of the person.
    classify : callable
        Used for white cells that are added.
    """
    bench.problem = ""
    events = take_new_events(bench, sent, EVENT_KINDS)
    for index, event in enumerate(events):
        try:
            _apply_event(bench, event, db, who, classify)
        except BloodcellError as error:
            n_lost = sum(later["kind"] != "hello" for later in events[index:])
            bench.problem = f"{error} ({format_count(n_lost, 'change')} not saved.)"
            return


def _apply_event(bench: FieldBench, event: dict[str, Any], db: Database, who: str, classify: ClassifyBox) -> None:
    kind, image_id = event["kind"], read_int(event.get("image"))
    if kind == "hello":
        return
    if kind == "undo":
        _undo(bench, db, who)
        return
    if kind == "scale":
        length_px = event.get("px")
        if not isinstance(length_px, int | float):
            raise StoreError("A scale needs the diameter of a red cell in pixels.")
        set_scale(db, bench.batch_id, float(length_px), who)
        return
    if kind == "label":
        cell_id = read_int(event.get("cell"))
        if cell_id is not None:
            add_correction(db, cell_id, str(event.get("label", "")), who)
        return
    if image_id is None:
        return
    remove = [] if kind == "add" else [_find_box(db, image_id, str(event.get("key")))]
    of_kind = remove[0].kind if remove else str(event.get("of"))
    boxes = [] if kind == "remove" else _read_boxes(event.get("boxes"))
    add = [NewBox(of_kind, box, classify(image_id, box) if of_kind == WBC else None) for box in boxes]
    edit_boxes(db, image_id, remove, add, who)


def _undo(bench: FieldBench, db: Database, who: str) -> None:
    image_id = undo_last_edit(db, bench.batch_id, who)
    if image_id is None:
        bench.problem = "You have no change of boxes to undo in this batch."
    else:
        bench.image_id = image_id


def _find_box(db: Database, image_id: int, key: str) -> FieldBox:
    for box in read_field_boxes(db, image_id):
        if make_box_key(box) == key:
            return box
    raise StoreError("This box has been changed meanwhile: look at the field again.")


def _read_boxes(value: Any) -> list[Box]:
    """Read boxes as a browser sends them; StoreError where they are none."""
    rows = value if isinstance(value, list) else []
    boxes = [
        Box(*row)
        for row in rows
        if isinstance(row, list) and len(row) == 4 and all(read_int(n) is not None for n in row)
    ]
    if not boxes or len(boxes) != len(rows) or len(boxes) > MAX_BOXES:
        raise StoreError("A change of boxes needs boxes of four whole numbers.")
    return boxes
