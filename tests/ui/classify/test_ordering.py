"""Sorting and filtering; in the fixture cells 1, 2, 3 are 0.9 confident, 0.6 unfamiliar, 0.7 check."""

import pytest

from bloodcell.core.labels import WHITE_CELLS_4
from bloodcell.ui.classify.ordering import BY_CLASS, BY_DOUBT, BY_FILE, order_cells


@pytest.mark.parametrize(
    ("sort", "expected"),
    [(BY_FILE, (1, 2, 3)), (BY_DOUBT, (2, 3, 1)), (BY_CLASS, (2, 3, 1))],
)
def test_sorts(bench, sort, expected):
    assert order_cells(bench.table, sort, WHITE_CELLS_4) == expected


def test_by_class_follows_the_models_order_not_the_alphabet(bench):
    bench.table.loc[1, "prediction"] = "NEUTROPHIL"
    assert order_cells(bench.table, BY_CLASS, ("NEUTROPHIL", "MONOCYTE")) == (1, 2, 3)


def test_a_correction_does_not_move_a_cell(bench):
    before = order_cells(bench.table, BY_CLASS, WHITE_CELLS_4)
    bench.table.loc[3, ["label", "correction"]] = "EOSINOPHIL"
    assert order_cells(bench.table, BY_CLASS, WHITE_CELLS_4) == before


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"statuses": ("check", "unfamiliar")}, (2, 3)),
        ({"labels": ("EOSINOPHIL",)}, (1,)),
        ({"only_unreviewed": True}, (2, 3)),
        ({"labels": ("LYMPHOCYTE",)}, ()),
    ],
)
def test_filters(bench, filters, expected):
    bench.table.loc[1, ["label", "correction"]] = "EOSINOPHIL"
    assert order_cells(bench.table, BY_FILE, WHITE_CELLS_4, **filters) == expected


def test_no_cells(bench):
    assert order_cells(bench.table.iloc[:0], BY_DOUBT, WHITE_CELLS_4) == ()
