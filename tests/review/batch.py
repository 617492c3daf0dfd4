"""Batches, images and cells made in code for the review tests."""

from sqlalchemy import Engine

from bloodcell.core.labels import WHITE_CELLS_4
from bloodcell.imaging.boxes import Box
from bloodcell.inference.results import CellResult, ImageResult
from bloodcell.review.batches import create_batch
from bloodcell.review.images import AddedImage, Arrival, add_images, store_results

MODEL = "wbc4"
MODEL_SHA = "c0ffee" + "0" * 58
BIG_BOX = Box(10, 20, 110, 120)  # 100 * 100 px
SMALL_BOX = Box(200, 300, 230, 340)  # 30 * 40 px


def sha(number: int) -> str:
    """A made-up SHA-256."""
    return f"{number:064x}"


def new_batch(db: Engine, name: str = "Monday", who: str = "Ada") -> int:
    return create_batch(db, name, MODEL, MODEL_SHA, WHITE_CELLS_4, who)


def cell(class_name: str = "MONOCYTE", box: Box = BIG_BOX, status: str = "confident") -> CellResult:
    """A cell with 0.7 for its class and 0.1 for each of the other three."""
    probs = tuple(0.7 if name == class_name else 0.1 for name in WHITE_CELLS_4)
    return CellResult(box, class_name, probs, status)


def image(*cells: CellResult, status: str = "", message: str = "") -> ImageResult:
    """A 480 x 640 image; its status follows from its cells unless it is given."""
    return ImageResult(status or ("cells" if cells else "no white cell"), cells, message, 480, 640)


def add_image(db: Engine, batch_id: int, file_name: str, sha256: str | None, problem: str = "") -> AddedImage:
    """Take note of one file."""
    return add_images(db, batch_id, [Arrival(file_name, sha256, problem)])[0]


def store_result(db: Engine, image_id: int, result: ImageResult, model_name: str, model_sha256: str) -> bool:
    """Keep the result of one image; False if it had one already."""
    return store_results(db, [(image_id, result)], model_name, model_sha256) == 1


def analysed(db: Engine, batch_id: int, name: str, number: int, result: ImageResult) -> int:
    """Add one image with its result; return the image's id."""
    image_id = add_image(db, batch_id, name, sha(number)).image_id
    store_result(db, image_id, result, MODEL, MODEL_SHA)
    return image_id
