"""The images of a batch: adding them as they arrive, and storing the results of the pipeline."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Engine, bindparam, func, select

from bloodcell.core.clock import now_utc
from bloodcell.core.errors import StoreError
from bloodcell.core.labels import PLATELET, RBC, UNREADABLE
from bloodcell.core.text import clean_text
from bloodcell.db.database import begin_read, begin_write
from bloodcell.db.schema import batches, cells, images, predictions
from bloodcell.inference.results import CellResult, ImageResult, OtherCells
from bloodcell.review.batches import read_batch

_BOX_COLUMNS = ("box_top", "box_left", "box_bottom", "box_right")  # in the order of Box


@dataclass(frozen=True)
class Arrival:
    """One file that arrived.

    Attributes
    ----------
    file_name : str
    sha256 : str or None
        Of its bytes; None if it has none.
    problem : str, default ""
        Why it has none, in a plain sentence.
    """

    file_name: str
    sha256: str | None
    problem: str = ""


@dataclass(frozen=True)
class AddedImage:
    """The image that a file became.

    Attributes
    ----------
    image_id : int
    is_new : bool
        False if the batch already had an exact duplicate of it.
    """

    image_id: int
    is_new: bool


def add_images(db: Engine, batch_id: int, arrivals: Sequence[Arrival]) -> list[AddedImage]:
    """Add files to a batch in one transaction, in their order.

    Exact duplicates within a batch are one image: the second name is stored beside the first. A file without bytes
    becomes a row of its own, already marked as unreadable with its reason.

    Returns
    -------
    list of AddedImage
        One per arrival.

    Raises
    ------
    StoreError
        If there is no such batch, or an arrival has neither bytes nor a problem.
    """
    for arrival in arrivals:
        if arrival.sha256 is None and not arrival.problem:
            raise StoreError(f"A file needs its bytes or a problem. Received neither: {arrival.file_name!r}.")
    arrivals = [replace(arrival, file_name=clean_text(arrival.file_name)) for arrival in arrivals]
    # One key per image: its bytes; each file without bytes is an image of its own.
    keys: list[str | int] = [arrival.sha256 or index for index, arrival in enumerate(arrivals)]
    with begin_write(db) as connection:
        read_batch(connection, batch_id)
        _lock_batch(connection, batch_id)
        ids = _find_images(connection, batch_id, [key for key in keys if isinstance(key, str)])
        new: dict[str | int, Arrival] = {}
        for key, arrival in zip(keys, arrivals, strict=True):
            if key not in ids:
                new.setdefault(key, arrival)
        ids |= dict(zip(new, _insert_images(connection, batch_id, list(new.values())), strict=True))
        added = [
            AddedImage(ids[key], is_new=new.get(key) is arrival) for key, arrival in zip(keys, arrivals, strict=True)
        ]
        _store_names(
            connection,
            [
                (image.image_id, arrival.file_name)
                for image, arrival in zip(added, arrivals, strict=True)
                if not image.is_new
            ],
        )
    return added


def list_waiting_images(db: Engine, batch_id: int) -> list[tuple[int, str]]:
    """Return (image_id, sha256) of the images that arrived but are not analysed yet, in input order."""
    query = (
        select(images.c.id, images.c.sha256)
        .where(images.c.batch_id == batch_id, images.c.status == "")
        .order_by(images.c.position)
    )
    with begin_read(db) as connection:
        return [(row.id, row.sha256) for row in connection.execute(query)]


def store_results(db: Engine, results: Sequence[tuple[int, ImageResult]], model_name: str, model_sha256: str) -> int:
    """Store the results of some images, all or none.

    An image that has a result keeps it: when two pages analyse one batch at once, the first one counts.

    Parameters
    ----------
    db : Engine
    results : sequence of (int, ImageResult)
        With the id of each image.
    model_name, model_sha256 : str
        Of the model that predicted them.

    Returns
    -------
    int
        How many images had been waiting.
    """
    with begin_write(db) as connection:
        waiting = _lock_waiting(connection, [image_id for image_id, _ in results])
        results = [(image_id, result) for image_id, result in results if image_id in waiting]
        if not results:
            return 0
        connection.execute(
            images.update().where(images.c.id == bindparam("image_id")),
            [
                {
                    "image_id": image_id,
                    "status": result.status,
                    "message": result.message,
                    "height_px": int(result.height_px),
                    "width_px": int(result.width_px),
                    **_describe_others(result.other_cells),
                }
                for image_id, result in results
            ],
        )
        numbered = [
            (image_id, number, cell)
            for image_id, result in results
            for number, cell in enumerate(result.cells, start=1)
        ]
        insert_cells(connection, numbered, model_name, model_sha256)
    return len(results)


def _lock_batch(connection: Connection, batch_id: int) -> None:
    """Wait for others that add to the batch, whose images and positions are then seen here."""
    connection.execute(select(batches.c.id).where(batches.c.id == batch_id).with_for_update(key_share=True))


def _find_images(connection: Connection, batch_id: int, sha256s: Sequence[str]) -> dict[str | int, int]:
    """Return the ids of this batch's images that have one of these bytes."""
    query = select(images.c.sha256, images.c.id)
    query = query.where(images.c.batch_id == batch_id, images.c.sha256.in_(sha256s))
    return {row.sha256: row.id for row in connection.execute(query)}


def _store_names(connection: Connection, repeated: Sequence[tuple[int, str]]) -> None:
    """Add further names of images that came again; a name that an image has already is not added."""
    if not repeated:
        return
    query = select(images.c.id, images.c.file_name, images.c.further_names)
    rows = connection.execute(query.where(images.c.id.in_({image_id for image_id, _ in repeated}))).all()
    names = {row.id: [row.file_name, *row.further_names] for row in rows}
    for image_id, file_name in repeated:
        if file_name not in names[image_id]:
            names[image_id].append(file_name)
            values = {"further_names": names[image_id][1:]}
            connection.execute(images.update().where(images.c.id == image_id).values(values))


def _insert_images(connection: Connection, batch_id: int, arrivals: Sequence[Arrival]) -> Sequence[int]:
    """Append images behind those that the batch has, and return their ids in the same order."""
    if not arrivals:
        return []
    highest = connection.scalar(select(func.max(images.c.position)).where(images.c.batch_id == batch_id))
    first = 0 if highest is None else highest + 1
    rows: list[dict[str, Any]] = [
        {
            "batch_id": batch_id,
            "position": position,
            "file_name": arrival.file_name,
            "further_names": [],
            "sha256": arrival.sha256,
            "problem": arrival.problem,
            "status": UNREADABLE if arrival.sha256 is None else "",
            "message": arrival.problem,
            "height_px": 0,
            "width_px": 0,
        }
        for position, arrival in enumerate(arrivals, start=first)
    ]
    with_ids = images.insert().returning(images.c.id, sort_by_parameter_order=True)
    return connection.execute(with_ids, rows).scalars().all()


def _lock_waiting(connection: Connection, image_ids: Sequence[int]) -> set[int]:
    """Return those images that have no result yet, and keep others from giving them one meanwhile."""
    query = select(images.c.id).where(images.c.id.in_(image_ids), images.c.status == "")
    query = query.order_by(images.c.id).with_for_update()  # in one order, or two could wait for each other
    return set(connection.execute(query).scalars())


def _describe_others(others: OtherCells | None) -> dict[str, Any]:
    """Return the columns for red cells and platelets."""
    if others is None:
        return dict.fromkeys(("red_cell_px", "n_red_cells", "n_platelets", "sharpness", "other_boxes"))
    boxes = {RBC: others.red_cells, PLATELET: others.platelets}
    return {
        "red_cell_px": float(others.red_cell_px),
        "n_red_cells": len(others.red_cells),
        "n_platelets": len(others.platelets),
        "sharpness": float(others.sharpness),
        "other_boxes": {name: [list(map(int, box)) for box in of_class] for name, of_class in boxes.items()},
    }


def insert_cells(
    connection: Connection,
    numbered: Sequence[tuple[int, int, CellResult]],
    model_name: str,
    model_sha256: str,
) -> Sequence[int]:
    """Insert cells with their predictions inside an open transaction.

    Parameters
    ----------
    connection : Connection
    numbered : sequence of (int, int, CellResult)
        Id of the image, number in it, and the cell; one without a class has no prediction.
    model_name, model_sha256 : str
        Of the model that predicted them.

    Returns
    -------
    sequence of int
        The ids of the cells, in the same order.
    """
    if not numbered:
        return []
    rows: list[dict[str, Any]] = [
        {"image_id": image_id, "number": number, **dict(zip(_BOX_COLUMNS, map(int, cell.box), strict=True))}
        for image_id, number, cell in numbered
    ]
    with_ids = cells.insert().returning(cells.c.id, sort_by_parameter_order=True)
    cell_ids = connection.execute(with_ids, rows).scalars().all()
    now = now_utc()
    rows = [
        {
            "cell_id": cell_id,
            "model_name": model_name,
            "model_sha256": model_sha256,
            "class_name": cell.class_name,
            "probs": [float(prob) for prob in cell.probs],
            "status": cell.status,
            "created_at": now,
        }
        for cell_id, (_, _, cell) in zip(cell_ids, numbered, strict=True)
        if cell.class_name
    ]
    if rows:
        connection.execute(predictions.insert(), rows)
    return cell_ids
