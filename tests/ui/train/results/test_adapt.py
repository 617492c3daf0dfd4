"""The verdict of an adaptation in words, and the table behind its chart, without a page."""

from dataclasses import replace

import numpy as np
import pytest

from bloodcell.experiments.results.adapt_report import Share, read_comparison
from bloodcell.ui.train.results.adapt import describe_verdict, make_recall_table
from tests.experiments.results.adapt_reports import write_report


@pytest.fixture
def comparison(tmp_path):
    """Balanced accuracy 0.5 before, 0.75 after; difference +0.25, interval 0.05 to 0.4; 4 cells fixed, 1 broken."""
    return read_comparison(write_report(tmp_path / "job"))


def test_an_interval_above_zero_is_more_than_chance(comparison):
    assert describe_verdict(comparison) == (
        "The adapted model is better on the held-out cells, and **the difference is more than chance explains**: its "
        "interval does not include 0. 4 held-out cells are correct only after, 1 only before."
    )


def test_an_interval_around_zero_may_be_chance(comparison):
    verdict = describe_verdict(replace(comparison, difference=Share(-0.1, -0.3, 0.1)))
    assert verdict.startswith("The adapted model is worse on the held-out cells, but **the difference may be chance**")


def test_one_cell_and_no_cell(comparison):
    one_cell = replace(comparison, mended=1, spoiled=0, difference=Share(0.0, 0.0, 0.0))
    assert describe_verdict(one_cell) == (
        "Both models have the same balanced accuracy on the held-out cells. 1 held-out cell is correct only after, 0 "
        "only before."
    )
    assert describe_verdict(replace(one_cell, mended=0)).endswith("Both are correct on the same cells.")


def test_a_class_without_held_out_cells_has_no_recall(comparison):
    table = make_recall_table(comparison).set_index("class_name")
    assert table.loc["EOSINOPHIL"].tolist() == [2, 0.5, 0.0, 1.0, 1.0, 1.0, 1.0]
    assert table.loc["MONOCYTE", "n_cells"] == 0
    assert np.isnan(table.loc["MONOCYTE", ["before", "after"]].to_numpy(float)).all()
