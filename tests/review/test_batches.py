"""Batches, their images and their tables."""

import time

import numpy as np
import pytest
from sqlalchemy import select

from bloodcell.core.errors import StoreError
from bloodcell.core.labels import WHITE_CELLS_4
from bloodcell.db.database import begin_read
from bloodcell.db.schema import audit
from bloodcell.inference.results import CellResult
from bloodcell.review.batches import (
    MAX_NAME_CHARS,
    create_batch,
    delete_batch,
    get_batch,
    list_batches,
    rename_batch,
    restore_batch,
)
from bloodcell.review.corrections import add_correction
from bloodcell.review.images import Arrival, add_images, list_waiting_images, store_results
from bloodcell.review.tables import read_cells_table, read_images_table
from tests.review.batch import (
    BIG_BOX,
    MODEL,
    MODEL_SHA,
    SMALL_BOX,
    add_image,
    analysed,
    cell,
    image,
    new_batch,
    sha,
    store_result,
)


def noted(db):
    """(who, what, detail) of every audit line, oldest first."""
    with begin_read(db) as connection:
        rows = connection.execute(select(audit.c.who, audit.c.what, audit.c.detail).order_by(audit.c.id))
        return [tuple(row) for row in rows]


def test_a_new_batch_comes_back_as_it_was(db):
    batch = get_batch(db, new_batch(db, "  Monday \n"))
    assert (batch.name, batch.model_name, batch.model_sha256) == ("Monday", MODEL, MODEL_SHA)
    assert (batch.class_names, batch.created_by) == (WHITE_CELLS_4, "Ada")
    assert time.strptime(batch.created_at, "%Y-%m-%dT%H:%M:%SZ")


def test_list_counts_and_newest_first(db):
    first, second = new_batch(db, "first"), new_batch(db, "second")
    analysed(db, first, "a.jpg", 1, image(cell(), cell(box=SMALL_BOX)))
    add_image(db, first, "b.jpg", sha(2))
    add_image(db, first, "c.jpg", None, "The file is empty.")
    add_correction(db, int(read_cells_table(db, first)["cell_id"][0]), "OTHER", "Ada")
    add_correction(db, int(read_cells_table(db, first)["cell_id"][0]), "MONOCYTE", "Bob")
    summaries = list_batches(db)
    assert [batch.id for batch in summaries] == [second, first]
    counted = summaries[1]
    assert (counted.n_images, counted.n_cells, counted.n_corrected, counted.n_waiting) == (3, 2, 1, 1)
    assert (counted.name, counted.model_name) == ("first", MODEL)
    assert (summaries[0].n_images, summaries[0].n_cells, summaries[0].n_waiting) == (0, 0, 0)


def test_rename_delete_restore_and_their_audit(db):
    batch_id = new_batch(db)
    rename_batch(db, batch_id, "Tuesday", "Bob")
    delete_batch(db, batch_id, "Bob")
    assert list_batches(db) == []
    assert [batch.name for batch in list_batches(db, deleted=True)] == ["Tuesday"]
    restore_batch(db, batch_id, "Ada")
    assert [batch.name for batch in list_batches(db)] == ["Tuesday"]
    assert noted(db) == [
        ("Ada", "batch created", {"name": "Monday", "model": MODEL}),
        ("Bob", "batch renamed", {"before": "Monday", "after": "Tuesday"}),
        ("Bob", "batch deleted", {}),
        ("Ada", "batch restored", {}),
    ]


@pytest.mark.parametrize(
    ("name", "match"),
    [
        (" \t ", "A batch needs a name. Received: an empty one"),
        ("x" * (MAX_NAME_CHARS + 1), "at most 200 characters. Received: 201"),
    ],
)
def test_impossible_names(db, name, match):
    with pytest.raises(StoreError, match=match):
        new_batch(db, name)
    batch_id = new_batch(db)
    with pytest.raises(StoreError, match=match):
        rename_batch(db, batch_id, name, "Ada")
    assert get_batch(db, batch_id).name == "Monday"


def test_a_batch_without_classes(db):
    with pytest.raises(StoreError, match=r"needs the class names of its model. Received: none"):
        create_batch(db, "b", MODEL, MODEL_SHA, [], "Ada")


@pytest.mark.parametrize(
    "act",
    [
        get_batch,
        read_cells_table,
        read_images_table,
        lambda db, number: rename_batch(db, number, "x", "Ada"),
        lambda db, number: delete_batch(db, number, "Ada"),
        lambda db, number: restore_batch(db, number, "Ada"),
        lambda db, number: add_image(db, number, "a.jpg", sha(1)),
    ],
)
def test_no_such_batch(db, act):
    with pytest.raises(StoreError, match="There is no batch 7 in this workspace"):
        act(db, 7)


def test_the_same_bytes_twice_are_one_image_with_two_names(db):
    batch_id = new_batch(db)
    first = add_image(db, batch_id, "a/1.jpg", sha(1))
    again = add_image(db, batch_id, "b/1.jpg", sha(1))
    assert (first.is_new, again.is_new, again.image_id) == (True, False, first.image_id)
    for name in ("b/1.jpg", "a/1.jpg"):  # known names are not repeated
        assert not add_image(db, batch_id, name, sha(1)).is_new
    table = read_images_table(db, batch_id)
    assert table["file_name"].tolist() == ["a/1.jpg"]
    assert table["further_names"].tolist() == [["b/1.jpg"]]
    assert add_image(db, new_batch(db), "a/1.jpg", sha(1)).is_new  # in another batch it is new


def test_doubles_inside_one_chunk(db):
    batch_id = new_batch(db)
    add_image(db, batch_id, "old.jpg", sha(9))
    names = ["a", "b", "c", "d", "e", "f"]
    shas = [sha(1), sha(9), None, sha(1), None, sha(1)]
    added = add_images(
        db, batch_id, [Arrival(name, s, "" if s else "empty") for name, s in zip(names, shas, strict=True)]
    )
    assert [one.is_new for one in added] == [True, False, True, False, True, False]
    table = read_images_table(db, batch_id)
    assert table["file_name"].tolist() == ["old.jpg", "a", "c", "e"]
    assert table["further_names"].tolist() == [["b"], ["d", "f"], [], []]
    assert table["position"].tolist() == [0, 1, 2, 3]


def test_two_files_of_one_name_are_two_images(db):
    batch_id = new_batch(db)
    assert add_image(db, batch_id, "1.jpg", sha(1)).is_new
    assert add_image(db, batch_id, "1.jpg", sha(2)).is_new
    assert len(read_images_table(db, batch_id)) == 2


def test_a_file_without_bytes_has_its_own_row_with_the_reason(db):
    batch_id = new_batch(db)
    add_image(db, batch_id, "x.jpg", None, "The file is empty.")
    row = read_images_table(db, batch_id).iloc[0]
    assert (row["image_status"], row["message"], row["sha256"]) == ("unreadable", "The file is empty.", "")
    assert list_waiting_images(db, batch_id) == []


def test_a_file_needs_bytes_or_a_problem(db):
    with pytest.raises(StoreError, match=r"needs its bytes or a problem. Received neither: 'x.jpg'"):
        add_image(db, new_batch(db), "x.jpg", None)


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("=cmd|' /C calc'!A0", "=cmd|' /C calc'!A0"),
        ('say "hi"\n<script>alert(1)</script> 🩸.png', 'say "hi"\n<script>alert(1)</script> 🩸.png'),
        ("nul\0.jpg", "nul\ufffd.jpg"),
        ("latin\udce9.jpg", "latin?.jpg"),
    ],
)
def test_strange_names_are_kept(db, name, kept):
    batch_id = new_batch(db)
    add_image(db, batch_id, name, sha(1))
    add_image(db, batch_id, "2" + name, sha(1))
    table = read_images_table(db, batch_id)
    assert (table["file_name"][0], table["further_names"][0]) == (kept, ["2" + kept])
    assert get_batch(db, new_batch(db, "b" + name)).name == "b" + kept


def test_waiting_images_shrink_as_results_come(db):
    batch_id = new_batch(db)
    ids = [add_image(db, batch_id, f"{number}.jpg", sha(number)).image_id for number in range(3)]
    assert list_waiting_images(db, batch_id) == [(image_id, sha(number)) for number, image_id in enumerate(ids)]
    store_result(db, ids[1], image(), MODEL, MODEL_SHA)
    assert [image_id for image_id, _ in list_waiting_images(db, batch_id)] == [ids[0], ids[2]]


def test_the_first_result_counts(db):
    batch_id = new_batch(db)
    image_id = add_image(db, batch_id, "a.jpg", sha(1)).image_id
    assert store_result(db, image_id, image(cell("MONOCYTE")), MODEL, MODEL_SHA)
    assert not store_result(db, image_id, image(cell("NEUTROPHIL")), MODEL, MODEL_SHA)
    assert read_cells_table(db, batch_id)["prediction"].tolist() == ["MONOCYTE"]


def test_a_chunk_is_stored_whole_or_not_at_all(db):
    batch_id = new_batch(db)
    ids = [add_image(db, batch_id, f"{number}.jpg", sha(number)).image_id for number in range(2)]
    twice = [(ids[0], image(cell())), (ids[1], image(cell())), (ids[1], image(cell()))]
    with pytest.raises(StoreError, match="UNIQUE constraint failed"):
        store_results(db, twice, MODEL, MODEL_SHA)
    assert len(list_waiting_images(db, batch_id)) == 2
    assert store_results(db, [], MODEL, MODEL_SHA) == 0


def test_cells_table_row_by_row(db):
    batch_id = new_batch(db)
    analysed(db, batch_id, "b.jpg", 2, image(cell("MONOCYTE"), cell("NEUTROPHIL", SMALL_BOX, "check")))
    analysed(db, batch_id, "a.jpg", 1, image(cell("LYMPHOCYTE", status="unfamiliar")))
    add_correction(db, int(read_cells_table(db, batch_id)["cell_id"][1]), "OTHER", "Ada")
    table = read_cells_table(db, batch_id)
    assert list(table.columns) == [
        *("cell_id", "image_id", "file_name", "sha256", "cell_number", "top", "left", "bottom", "right"),
        *("prediction", "prob_EOSINOPHIL", "prob_LYMPHOCYTE", "prob_MONOCYTE", "prob_NEUTROPHIL", "confidence"),
        *("status", "correction", "label", "who", "when", "model_name", "model_sha256"),
    ]
    assert table["file_name"].tolist() == ["b.jpg", "b.jpg", "a.jpg"]
    assert table["cell_number"].tolist() == [1, 2, 1]
    assert table[["top", "left", "bottom", "right"]].to_numpy().tolist() == [
        list(BIG_BOX),
        list(SMALL_BOX),
        list(BIG_BOX),
    ]
    assert table["prediction"].tolist() == ["MONOCYTE", "NEUTROPHIL", "LYMPHOCYTE"]
    assert table["prob_MONOCYTE"].tolist() == [0.7, 0.1, 0.1]
    assert table["confidence"].tolist() == [0.7, 0.7, 0.7]
    assert table["status"].tolist() == ["confident", "check", "unfamiliar"]
    assert table["correction"].tolist() == ["", "OTHER", ""]
    assert table["label"].tolist() == ["MONOCYTE", "OTHER", "LYMPHOCYTE"]
    assert table["who"].tolist() == ["", "Ada", ""]
    assert [bool(when) for when in table["when"]] == [False, True, False]
    assert set(table["model_sha256"]) == {MODEL_SHA}


def test_cells_found_without_a_model(db):
    batch_id = new_batch(db)
    analysed(db, batch_id, "a.jpg", 1, image(CellResult(BIG_BOX, "", (), "")))
    table = read_cells_table(db, batch_id)
    assert (table["prediction"][0], table["label"][0], table["status"][0]) == ("", "", "")
    assert np.isnan(table["confidence"][0])
    assert np.isnan(table["prob_MONOCYTE"][0])


def test_probabilities_survive_to_the_last_bit(db):
    batch_id = new_batch(db)
    probs = tuple(np.float32([1 / 3, 1 / 7, 1e-30, 1 - 1 / 3 - 1 / 7]))
    analysed(db, batch_id, "a.jpg", 1, image(CellResult(BIG_BOX, "NEUTROPHIL", probs, "check")))
    got = read_cells_table(db, batch_id).filter(like="prob_").to_numpy()[0]
    assert np.array_equal(got, np.array(probs, dtype=np.float64))


def test_empty_tables_have_their_columns_and_types(db):
    batch_id = new_batch(db)
    empty = read_cells_table(db, batch_id), read_images_table(db, batch_id)
    analysed(db, batch_id, "a.jpg", 1, image(cell()))
    filled = read_cells_table(db, batch_id), read_images_table(db, batch_id)
    for one, other in zip(empty, filled, strict=True):
        assert len(one) == 0
        assert one.dtypes.to_dict() == other.dtypes.to_dict()


def test_images_table_row_by_row(db):
    batch_id = new_batch(db)
    analysed(db, batch_id, "b.jpg", 2, image(cell(), cell(box=SMALL_BOX)))
    analysed(db, batch_id, "a.jpg", 1, image())
    add_image(db, batch_id, "c.jpg", sha(3))
    table = read_images_table(db, batch_id)
    assert table["file_name"].tolist() == ["b.jpg", "a.jpg", "c.jpg"]
    assert table["image_status"].tolist() == ["cells", "no white cell", ""]
    assert table["n_cells"].tolist() == [2, 0, 0]
    assert table[["height_px", "width_px"]].to_numpy().tolist() == [[480, 640], [480, 640], [0, 0]]


@pytest.mark.parametrize(("n_images", "limit_s"), [(600, 0.05), (10_000, 0.5)])
def test_cells_table_is_quick(db, n_images, limit_s):
    batch_id = new_batch(db)
    added = add_images(db, batch_id, [Arrival(f"{number}.jpg", sha(number)) for number in range(n_images)])
    store_results(db, [(one.image_id, image(cell())) for one in added], MODEL, MODEL_SHA)
    took_s = []
    for _ in range(4):
        start = time.process_time()
        assert len(read_cells_table(db, batch_id)) == n_images
        took_s.append(time.process_time() - start)
    assert min(took_s) < limit_s
