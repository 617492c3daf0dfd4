"""Counts of fields and of a batch: what counts, what is unfit, and the intervals."""

import numpy as np
import pytest

from bloodcell.core.errors import StoreError
from bloodcell.imaging.boxes import Box
from bloodcell.inference.field_scale import BatchScale
from bloodcell.inference.results import ImageResult, OtherCells
from bloodcell.review.corrections import add_correction
from bloodcell.review.field_counts import build_fields_table, compute_field_totals, encode_fields
from bloodcell.review.scale import read_scale, set_scale, store_measured_scale
from bloodcell.review.tables import read_cells_table, read_images_table
from tests.review.batch import analysed, cell, image, new_batch

BOX = Box(0, 0, 10, 10)


def field(n_white, n_red, n_platelets, red_cell_px=80.0, sharpness=0.02):
    others = OtherCells((BOX,) * n_red, (BOX,) * n_platelets, red_cell_px, is_own_scale=False, sharpness=sharpness)
    status = "cells" if n_white else "no white cell"
    return ImageResult(status, tuple(cell() for _ in range(n_white)), "", 480, 640, others)


def tabulate(db, batch_id):
    return build_fields_table(read_images_table(db, batch_id), read_cells_table(db, batch_id))


@pytest.fixture
def batch_id(db):
    batch_id = new_batch(db)
    analysed(db, batch_id, "a.jpg", 1, field(2, 20, 1))
    analysed(db, batch_id, "b.jpg", 2, field(0, 30, 4))
    analysed(db, batch_id, "few.jpg", 3, field(1, 4, 9))
    analysed(db, batch_id, "old.jpg", 4, image(cell()))  # analysed when only white cells were looked for
    analysed(db, batch_id, "cat.jpg", 5, image(status="not a blood smear"))
    return batch_id


def test_each_field_has_its_counts_and_ratios(db, batch_id):
    fields = tabulate(db, batch_id)
    assert fields["file"].tolist() == ["a.jpg", "b.jpg", "few.jpg"]
    assert fields[["white_cells", "red_cells", "platelets"]].to_numpy().tolist() == [[2, 20, 1], [0, 30, 4], [1, 4, 9]]
    assert fields["white_per_100_red"].tolist() == [10, 0, 25]
    assert fields["platelets_per_1000_red"].round(1).tolist() == [50, 133.3, 2250]
    assert fields["doubt"].tolist() == ["", "", "Few red cells: 4."]


def test_totals_leave_unfit_fields_out_of_the_ratios(db, batch_id):
    totals = compute_field_totals(tabulate(db, batch_id), red_cells_per_l=5e12)
    assert (totals.n_fields, totals.n_unfit) == (3, 1)
    assert (totals.white_cells, totals.red_cells, totals.platelets) == (3, 54, 14)
    assert totals.white_per_100_red.value == pytest.approx(100 * 2 / 50)  # of the first two
    assert totals.platelets_per_1000_red.value == pytest.approx(1000 * 5 / 50)
    assert totals.platelets_per_field.value == pytest.approx(2.5)
    assert totals.platelets_per_l.value == pytest.approx(0.1 * 5e12)
    low, high = totals.white_per_100_red.low, totals.white_per_100_red.high
    assert (low, high) == (0, 10)  # both draws may be the same field


def test_a_cell_called_not_a_white_cell_does_not_count(db, batch_id):
    add_correction(db, int(read_cells_table(db, batch_id)["cell_id"].iloc[0]), "NOT_A_CELL", "Ada")
    assert tabulate(db, batch_id)["white_cells"].tolist() == [1, 0, 1]


def test_a_crowded_field_is_unfit(db):
    batch_id = new_batch(db)
    analysed(db, batch_id, "a.jpg", 1, field(1, 40, 0))  # 40 * 5,027 / 307,200 = 65 %
    assert tabulate(db, batch_id)["doubt"].tolist() == ["Crowded: red cells cover 65% of the field."]


def test_a_field_out_of_focus_is_unfit(db):
    batch_id = new_batch(db)
    analysed(db, batch_id, "a.jpg", 1, field(1, 20, 0, sharpness=0.0014))
    assert tabulate(db, batch_id)["doubt"].tolist() == ["Out of focus."]


def test_without_fields_nothing_is_estimated(db):
    fields = tabulate(db, new_batch(db))
    totals = compute_field_totals(fields)
    assert (totals.n_fields, totals.red_cells) == (0, 0)
    assert np.isnan(totals.white_per_l.value)
    assert (
        encode_fields(fields)
        .decode("utf-8-sig")
        .splitlines()[0]
        .startswith("file,sha256,white_cells,red_cells,platelets,")
    )


def test_no_red_cell_gives_empty_ratios(db):
    batch_id = new_batch(db)
    analysed(db, batch_id, "a.jpg", 1, field(1, 0, 2))
    line = encode_fields(tabulate(db, batch_id)).decode("utf-8-sig").splitlines()[1]
    assert line.split(",")[2:7] == ["1", "0", "2", "", ""]


def test_the_scale_of_a_batch_is_measured_once_or_set(db):
    batch_id = new_batch(db)
    assert read_scale(db, batch_id) is None
    store_measured_scale(db, batch_id, None)
    assert read_scale(db, batch_id) is None
    store_measured_scale(db, batch_id, BatchScale(74.0, 12, 0.03))
    store_measured_scale(db, batch_id, BatchScale(90.0, 3, 0.01))  # too late: images were seen at the first
    assert read_scale(db, batch_id) == BatchScale(74.0, 12, 0.03)
    set_scale(db, batch_id, 80.0, "Ada")
    assert read_scale(db, batch_id) == BatchScale(80.0, 0, 0.0)


@pytest.mark.parametrize("px", [5.9, 601.0, float("nan")])
def test_an_impossible_scale_is_refused(db, px):
    batch_id = new_batch(db)
    with pytest.raises(StoreError, match="from 6 to 600 pixels"):
        set_scale(db, batch_id, px, "Ada")
