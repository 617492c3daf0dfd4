"""The two CSV files: their exact bytes, their words, and text that a spreadsheet must not run."""

import csv
import io

import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bloodcell.core.errors import StoreError
from bloodcell.core.io import escape_formula
from bloodcell.core.text import clean_text
from bloodcell.db.database import open_database
from bloodcell.imaging.boxes import Box
from bloodcell.inference.results import CellResult
from bloodcell.review.corrections import add_correction, undo_last_correction
from bloodcell.review.export import export_per_cell, export_per_image
from bloodcell.review.tables import read_cells_table
from tests.review.batch import BIG_BOX, MODEL_SHA, SMALL_BOX, add_image, analysed, cell, image, new_batch, sha
from tests.review.test_batches import noted

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def read_back(data):
    """Rows of a CSV, header included, as the csv module reads them."""
    return list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))


def plain_word(db, result):
    """What the plain export says of one image."""
    batch_id = new_batch(db)
    analysed(db, batch_id, "a.jpg", 1, result)
    return batch_id, lambda: read_back(export_per_image(db, batch_id))[1][1]


def test_plain_bytes(db):
    batch_id = new_batch(db)
    analysed(db, batch_id, "b.jpg", 2, image(cell("MONOCYTE")))
    analysed(db, batch_id, "a,1.jpg", 1, image(cell("NEUTROPHIL")))
    assert export_per_image(db, batch_id) == (
        b'\xef\xbb\xbfFilename,Prediction\r\nb.jpg,MONOCYTE\r\n"a,1.jpg",NEUTROPHIL\r\n'
    )


def test_full_bytes(db):
    batch_id = new_batch(db)
    analysed(db, batch_id, "b.jpg", 2, image(cell("MONOCYTE"), cell("NEUTROPHIL", SMALL_BOX, "check")))
    analysed(db, batch_id, "a.jpg", 1, image())
    add_correction(db, int(read_cells_table(db, batch_id)["cell_id"][1]), "OTHER", "Ada")
    when = read_cells_table(db, batch_id)["when"][1]
    assert export_per_cell(db, batch_id).decode("utf-8-sig").split("\r\n") == [
        "file,sha256,cell_number,top,left,bottom,right,prediction,"
        "prob_EOSINOPHIL,prob_LYMPHOCYTE,prob_MONOCYTE,prob_NEUTROPHIL,"
        "status,correction,who,when,model,model_sha256",
        f"b.jpg,{sha(2)},1,10,20,110,120,MONOCYTE,0.100000,0.100000,0.700000,0.100000,confident,,,,wbc4,{MODEL_SHA}",
        f"b.jpg,{sha(2)},2,200,300,230,340,NEUTROPHIL,0.100000,0.100000,0.100000,0.700000,"
        f"check,OTHER,Ada,{when},wbc4,{MODEL_SHA}",
        f"a.jpg,{sha(1)},,,,,,,,,,,no white cell,,,,wbc4,{MODEL_SHA}",
        "",
    ]


def test_images_without_cells_in_both(db):
    batch_id = new_batch(db)
    analysed(db, batch_id, "none.jpg", 1, image())
    analysed(db, batch_id, "cat.jpg", 2, image(status="not a blood smear"))
    analysed(db, batch_id, "cut.jpg", 3, image(status="unreadable", message="The JPEG is cut off."))
    add_image(db, batch_id, "empty.jpg", None, "The file is empty.")
    add_image(db, batch_id, "later.jpg", sha(4))
    assert read_back(export_per_image(db, batch_id))[1:] == [
        ["none.jpg", "NO_WHITE_CELL"],
        ["cat.jpg", "NOT_A_SMEAR"],
        ["cut.jpg", "UNREADABLE"],
        ["empty.jpg", "UNREADABLE"],
        ["later.jpg", "NOT_ANALYSED"],
    ]
    assert [(row[0], row[1], row[12]) for row in read_back(export_per_cell(db, batch_id))[1:]] == [
        ("none.jpg", sha(1), "no white cell"),
        ("cat.jpg", sha(2), "not a blood smear"),
        ("cut.jpg", sha(3), "unreadable"),
        ("empty.jpg", "", "unreadable"),
        ("later.jpg", sha(4), "not analysed"),
    ]


def test_plain_takes_the_largest_cell(db):  # 30 * 40 = 1200 px against 100 * 100 = 10000 px
    _, word = plain_word(db, image(cell("MONOCYTE", SMALL_BOX), cell("NEUTROPHIL", BIG_BOX)))
    assert word() == "NEUTROPHIL"


def test_plain_takes_the_first_of_equally_large_cells(db):
    _, word = plain_word(db, image(cell("MONOCYTE", Box(0, 0, 20, 30)), cell("NEUTROPHIL", Box(50, 50, 80, 70))))
    assert word() == "MONOCYTE"


def test_plain_follows_corrections_and_undo(db):
    batch_id, word = plain_word(db, image(cell("MONOCYTE", SMALL_BOX), cell("NEUTROPHIL", BIG_BOX)))
    small, big = read_cells_table(db, batch_id)["cell_id"].tolist()
    add_correction(db, big, "OTHER", "Ada")
    assert word() == "OTHER"
    add_correction(db, big, "NOT_A_CELL", "Ada")
    assert word() == "MONOCYTE"
    add_correction(db, small, "NOT_A_CELL", "Ada")
    assert word() == "NO_WHITE_CELL"
    undo_last_correction(db, batch_id, "Ada")
    assert word() == "MONOCYTE"


def test_a_doubtful_cell_of_no_smear_speaks_only_once_a_person_said_so(db):
    result = image(cell("MONOCYTE", status="unfamiliar"), status="not a blood smear")
    batch_id, word = plain_word(db, result)
    assert word() == "NOT_A_SMEAR"
    add_correction(db, int(read_cells_table(db, batch_id)["cell_id"][0]), "MONOCYTE", "Ada")
    assert word() == "MONOCYTE"


def test_cells_without_a_prediction(db):
    batch_id, word = plain_word(db, image(CellResult(BIG_BOX, "", (), "")))
    assert word() == "NOT_ANALYSED"
    assert read_back(export_per_cell(db, batch_id))[1][7:12] == ["", "", "", "", ""]


def test_an_empty_batch_has_the_header_alone(db):
    batch_id = new_batch(db)
    assert export_per_image(db, batch_id) == b"\xef\xbb\xbfFilename,Prediction\r\n"
    assert len(read_back(export_per_cell(db, batch_id))) == 1


@pytest.mark.parametrize("export", [export_per_image, export_per_cell])
def test_no_such_batch(db, export):
    with pytest.raises(StoreError, match="There is no batch 7"):
        export(db, 7)


def test_exports_are_in_the_audit_if_somebody_made_them(db):
    batch_id = new_batch(db)
    export_per_image(db, batch_id)
    export_per_image(db, batch_id, "Ada")
    export_per_cell(db, batch_id, "Bob")
    assert noted(db)[1:] == [
        ("Ada", "batch exported", {"kind": "plain"}),
        ("Bob", "batch exported", {"kind": "full"}),
    ]


names = st.text(max_size=30) | st.builds(str.__add__, st.sampled_from(FORMULA_STARTS), st.text(max_size=9))


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(names, names), min_size=1, max_size=6))
@example([('=HYPERLINK("http://x")', "\rAda"), ('a\n"b",\r\nc', "@SUM(A1)"), ("-1", ""), ("NA", "null")])
def test_round_trip_of_any_names(pairs):
    db = open_database("sqlite://")
    batch_id = new_batch(db)
    for number, (file_name, who) in enumerate(pairs):
        analysed(db, batch_id, file_name, number, image(cell()))
        add_correction(db, number + 1, "OTHER", who)
    files = [escape_formula(clean_text(file_name)) for file_name, _ in pairs]
    people = [escape_formula(clean_text(who)) for _, who in pairs]

    plain, full = export_per_image(db, batch_id), export_per_cell(db, batch_id)
    assert read_back(plain) == [["Filename", "Prediction"], *([file, "OTHER"] for file in files)]
    rows = read_back(full)
    assert [row[0] for row in rows[1:]] == files
    assert [row[rows[0].index("who")] for row in rows[1:]] == people
    assert not [text for row in rows for text in row if text.startswith(FORMULA_STARTS)]

    frame = pd.read_csv(io.BytesIO(full), dtype=str, keep_default_na=False)
    assert list(frame.columns) == rows[0]
    assert frame.to_numpy().tolist() == rows[1:]
    db.dispose()
