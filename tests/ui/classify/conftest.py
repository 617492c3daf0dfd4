"""A batch of three cells in a database in memory, and its bench."""

import pytest

from bloodcell.core.labels import WHITE_CELLS_4
from bloodcell.db.database import open_database
from bloodcell.imaging.boxes import Box
from bloodcell.inference.results import CellResult, ImageResult
from bloodcell.review.batches import create_batch
from bloodcell.review.tables import read_cells_table
from bloodcell.ui.shared.state import Bench
from tests.review.batch import add_image, store_result

SHA = "c0ffee" + "0" * 58


@pytest.fixture
def db():
    """A database in memory with one batch: three monocytes in one image, by doubt 2, 3, 1."""
    database = open_database("sqlite://")
    batch_id = create_batch(database, "Monday", "wbc4", SHA, WHITE_CELLS_4, "Ada")
    image_id = add_image(database, batch_id, "a.jpg", SHA).image_id
    cells = tuple(
        CellResult(Box(0, left, 50, left + 50), "MONOCYTE", (0.0, 1 - confidence, confidence, 0.0), status)
        for left, confidence, status in ((0, 0.9, "confident"), (60, 0.6, "unfamiliar"), (120, 0.7, "check"))
    )
    store_result(database, image_id, ImageResult("cells", cells, "", 100, 200), "wbc4", SHA)
    return database


@pytest.fixture
def bench(db):
    """The bench of that batch, with its three cells in file order and the first one chosen."""
    table = read_cells_table(db, 1).set_index("cell_id")
    order = tuple(int(cell_id) for cell_id in table.index)
    return Bench(1, table, order=order, chosen=order[0], page_size=2)
