"""Correcting, stepping back, and what stands afterwards."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bloodcell.core.errors import StoreError
from bloodcell.core.labels import EXTRA_DECISIONS, WHITE_CELLS_4
from bloodcell.review.batches import list_batches
from bloodcell.review.corrections import add_correction, list_corrections, undo_last_correction
from bloodcell.review.tables import read_cells_table
from tests.review.batch import SMALL_BOX, analysed, cell, image, new_batch
from tests.review.test_batches import noted


@pytest.fixture
def batch_id(db):
    """A batch with two cells in one image and one in another; cell ids 1, 2 and 3."""
    batch_id = new_batch(db)
    analysed(db, batch_id, "a.jpg", 1, image(cell("MONOCYTE"), cell("NEUTROPHIL", SMALL_BOX)))
    analysed(db, batch_id, "b.jpg", 2, image(cell("LYMPHOCYTE")))
    return batch_id


def standing(db, batch_id):
    return read_cells_table(db, batch_id)["correction"].tolist()


@pytest.mark.parametrize("label", [*WHITE_CELLS_4, *EXTRA_DECISIONS])
def test_every_allowed_label(db, batch_id, label):
    add_correction(db, 1, label, "Ada")
    assert standing(db, batch_id) == [label, "", ""]


def test_confirming_counts_as_looked_at(db, batch_id):
    add_correction(db, 1, "MONOCYTE", "Ada")
    assert standing(db, batch_id) == ["MONOCYTE", "", ""]
    assert list_batches(db)[0].n_corrected == 1


@pytest.mark.usefixtures("batch_id")
@pytest.mark.parametrize("label", ["", "monocyte", "BASOPHIL", "=cmd"])
def test_labels_that_are_not_allowed(db, label):
    with pytest.raises(StoreError, match=f"must be one of EOSINOPHIL, .*NOT_A_CELL. Received: '{label}'"):
        add_correction(db, 1, label, "Ada")
    assert list_corrections(db, 1) == []


@pytest.mark.usefixtures("batch_id")
def test_no_such_cell(db):
    with pytest.raises(StoreError, match="There is no cell 99 in this workspace"):
        add_correction(db, 99, "OTHER", "Ada")


def test_undo_of_a_second_correction_restores_the_first(db, batch_id):
    add_correction(db, 1, "OTHER", "Ada")
    add_correction(db, 1, "NOT_A_CELL", "Ada")
    assert undo_last_correction(db, batch_id, "Ada") == 1
    assert standing(db, batch_id) == ["OTHER", "", ""]
    assert undo_last_correction(db, batch_id, "Ada") == 1
    assert standing(db, batch_id) == ["", "", ""]
    assert undo_last_correction(db, batch_id, "Ada") is None
    assert [(one.label, one.who, bool(one.undone_when)) for one in list_corrections(db, 1)] == [
        ("OTHER", "Ada", True),
        ("NOT_A_CELL", "Ada", True),
    ]


def test_undo_steps_back_through_the_cells_in_order(db, batch_id):
    for cell_id in (2, 3, 1):
        add_correction(db, cell_id, "OTHER", "Ada")
    assert [undo_last_correction(db, batch_id, "Ada") for _ in range(4)] == [1, 3, 2, None]


def test_undo_is_for_this_person_and_this_batch(db, batch_id):
    other_batch = new_batch(db)
    analysed(db, other_batch, "a.jpg", 1, image(cell("MONOCYTE")))
    add_correction(db, 1, "OTHER", "Ada")
    add_correction(db, 1, "NOT_A_CELL", "Bob")
    add_correction(db, 4, "OTHER", "Ada")
    assert undo_last_correction(db, batch_id, "Ada") == 1
    assert standing(db, batch_id) == ["NOT_A_CELL", "", ""]  # Bob's stands
    assert standing(db, other_batch) == ["OTHER"]
    assert undo_last_correction(db, batch_id, "Ada") is None


def test_corrections_and_undos_are_in_the_audit(db, batch_id):
    add_correction(db, 2, "OTHER", "Bob")
    undo_last_correction(db, batch_id, "Bob")
    assert noted(db)[1:] == [
        ("Bob", "cell corrected", {"cell_id": 2, "label": "OTHER"}),
        ("Bob", "correction undone", {"cell_id": 2, "label": "OTHER"}),
    ]


moves = st.lists(
    st.tuples(st.sampled_from([1, 2, 3]), st.sampled_from(["OTHER", "NOT_A_CELL", "MONOCYTE", None])), max_size=12
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moves)
def test_any_order_of_corrections_and_undos(db, moves):
    batch_id = new_batch(db)
    analysed(db, batch_id, "a.jpg", 1, image(cell(), cell(box=SMALL_BOX), cell()))
    cell_ids = read_cells_table(db, batch_id)["cell_id"].tolist()
    done = []  # the model of it: a stack
    for number, label in moves:
        if label is None:
            expected = cell_ids[done.pop()[0] - 1] if done else None
            assert undo_last_correction(db, batch_id, "Ada") == expected
        else:
            add_correction(db, cell_ids[number - 1], label, "Ada")
            done.append((number, label))
    latest = dict(done)
    assert standing(db, batch_id) == [latest.get(number, "") for number in (1, 2, 3)]
