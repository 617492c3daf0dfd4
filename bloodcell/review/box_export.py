"""The boxes of a stored batch, as they stand, with their images, for annotation tools and trainers of detectors."""

import io
from collections.abc import Callable

from sqlalchemy import Engine

from bloodcell.core.labels import DETECTED, HAS_CELLS, NO_WHITE_CELL, NOT_A_CELL, PLATELET, RBC, WBC
from bloodcell.datasets.boxes.box_sets import BoxedImage, LabelledBox
from bloodcell.datasets.boxes.write_boxes import write_box_archive
from bloodcell.db.database import begin_write
from bloodcell.review.batches import get_batch, write_audit
from bloodcell.review.box_edits import FieldBox, read_field_boxes
from bloodcell.review.tables import read_cells_table, read_images_table


def export_boxes(
    db: Engine, read_blob: Callable[[str], bytes], batch_id: int, kind: str, by_class: bool = False, who: str = ""
) -> bytes:
    """Write the boxes and images of a batch as a zip.

    Parameters
    ----------
    db : Engine
    read_blob : callable
        From the SHA-256 of an image to its bytes.
    batch_id : int
    kind : str
        One of `datasets.boxes.write_boxes.FORMATS`.
    by_class : bool, default False
        Whether white cells are called by their class in place of "WBC"; those without one stay "WBC".
    who : str, default ""
        Who exports, for the audit; "" leaves no note.

    Returns
    -------
    bytes
        Boxes that people added are in it, removed ones and those called "not a white cell" are not.

    Raises
    ------
    StoreError
        If there is no such batch.
    DatasetError
        If no image of it shows a field.
    """
    batch = get_batch(db, batch_id)
    label_of = read_cells_table(db, batch_id).set_index("cell_id")["label"].to_dict()
    images, sha256_of = [], {}
    for image in read_images_table(db, batch_id).itertuples(index=False):
        if image.image_status not in (HAS_CELLS, NO_WHITE_CELL) or not image.sha256:
            continue
        boxes = [_label(box, label_of, by_class) for box in read_field_boxes(db, image.image_id)]
        kept = tuple(box for box in boxes if box is not None)
        name = f"{image.position:06d}/{image.file_name}"  # two images of a batch may have one name
        images.append(BoxedImage(name, image.height_px, image.width_px, kept))
        sha256_of[name] = image.sha256
    used = {box.label for image in images for box in image.boxes}
    class_names = (*DETECTED, *sorted(used - set(DETECTED))) if by_class else DETECTED
    stream = io.BytesIO()
    write_box_archive(kind, images, lambda name: read_blob(sha256_of[name]), class_names, stream)
    if who:
        with begin_write(db) as connection:
            write_audit(connection, batch.id, who, "boxes exported", {"kind": kind, "by_class": by_class})
    return stream.getvalue()


def _label(box: FieldBox, label_of: dict[int, str], by_class: bool) -> LabelledBox | None:
    if box.kind in (RBC, PLATELET) or box.cell_id is None:
        return LabelledBox(box.kind, box.box)
    label = label_of.get(box.cell_id, "")
    if label == NOT_A_CELL:
        return None
    return LabelledBox(label if by_class and label else WBC, box.box)
