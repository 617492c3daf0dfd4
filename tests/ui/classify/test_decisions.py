"""What becomes of the events that a gallery sends: each once, in order, for the cell that was open."""

import sqlite3

import pytest

from bloodcell.core.errors import StoreError
from bloodcell.review.corrections import add_correction, list_corrections
from bloodcell.review.tables import read_cells_table
from bloodcell.ui.classify import decisions
from bloodcell.ui.classify.decisions import apply_events


def event(bench, number, kind, cell=None, client="tab", **more):
    return {"session": bench.session, "client": client, "number": number, "kind": kind, "cell": cell, **more}


def labels(db):
    return read_cells_table(db, 1)["correction"].tolist()


def test_a_label_is_stored_and_the_next_cell_opened(bench, db):
    apply_events(bench, [event(bench, 1, "label", 1, label="NEUTROPHIL")], db, "Ada")
    assert labels(db) == ["NEUTROPHIL", "", ""]
    assert bench.table.at[1, "label"] == "NEUTROPHIL"
    assert bench.chosen == 2
    assert bench.acknowledged == 1


def test_the_last_cell_stays_open_after_its_label(bench, db):
    apply_events(bench, [event(bench, 1, "label", 3, label="OTHER")], db, "Ada")
    assert bench.chosen == 3


def test_each_event_counts_once_however_often_it_is_sent(bench, db):
    first = event(bench, 1, "label", 1, label="NEUTROPHIL")
    apply_events(bench, [first], db, "Ada")
    apply_events(bench, [first, event(bench, 2, "label", 2, label="OTHER")], db, "Ada")
    apply_events(bench, [first], db, "Ada")
    assert labels(db) == ["NEUTROPHIL", "OTHER", ""]
    assert len(list_corrections(db, 1)) == 1


def test_quick_typing_arrives_as_one_list(bench, db):
    sent = [event(bench, n, "label", n, label=name) for n, name in ((1, "OTHER"), (2, "MONOCYTE"), (3, "NEUTROPHIL"))]
    apply_events(bench, sent, db, "Ada")
    assert labels(db) == ["OTHER", "MONOCYTE", "NEUTROPHIL"]


def test_confirming_keeps_the_prediction_as_a_decision(bench, db):
    apply_events(bench, [event(bench, 1, "confirm", 1)], db, "Ada")
    assert labels(db) == ["MONOCYTE", "", ""]


def test_confirming_a_corrected_cell_does_not_take_the_correction_back(bench, db):
    apply_events(bench, [event(bench, 1, "label", 1, label="OTHER"), event(bench, 2, "confirm", 1)], db, "Ada")
    assert labels(db) == ["OTHER", "", ""]
    assert len(list_corrections(db, 1)) == 1


def test_undo_opens_the_cell_again_and_shows_what_stood_before(bench, db):
    sent = [
        event(bench, 1, "label", 1, label="OTHER"),
        event(bench, 2, "label", 1, label="NEUTROPHIL"),
        event(bench, 3, "undo"),
    ]
    apply_events(bench, sent, db, "Ada")
    assert bench.table.at[1, "label"] == "OTHER"
    assert bench.chosen == 1
    apply_events(bench, [event(bench, 4, "undo")], db, "Ada")
    assert bench.table.at[1, "correction"] == ""
    assert bench.table.at[1, "label"] == "MONOCYTE"


def test_undo_with_nothing_to_undo_says_so(bench, db):
    apply_events(bench, [event(bench, 1, "undo")], db, "Ada")
    assert "nothing to undo" in bench.problem


def test_undo_leaves_the_decisions_of_others_alone(bench, db):
    add_correction(db, 1, "OTHER", "Bob")
    apply_events(bench, [event(bench, 1, "undo")], db, "Ada")
    assert labels(db) == ["OTHER", "", ""]


@pytest.mark.parametrize(
    ("kind", "step", "chosen", "expected"),
    [
        ("page", 1, 1, 3),  # two cells a page: 1 2 | 3
        ("page", -1, 3, 1),
        ("page", 1, 3, 3),  # there is no third page
        ("step", 1, 2, 3),
        ("step", -1, 3, 2),
        ("step", -1, 1, 1),
    ],
)
def test_turning_pages(bench, db, kind, step, chosen, expected):
    bench.chosen = chosen
    apply_events(bench, [event(bench, 1, kind, chosen, step=step)], db, "Ada")
    assert bench.chosen == expected


def test_events_for_another_session_are_not_taken(bench, db):
    stale = event(bench, 1, "label", 1, label="OTHER") | {"session": "before the restart"}
    apply_events(bench, [stale], db, "Ada")
    assert labels(db) == ["", "", ""]


def test_a_reloaded_gallery_counts_from_one_again(bench, db):
    apply_events(bench, [event(bench, 7, "label", 1, label="OTHER")], db, "Ada")
    apply_events(bench, [event(bench, 1, "label", 2, client="reloaded", label="OTHER")], db, "Ada")
    assert labels(db) == ["OTHER", "OTHER", ""]


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "drop table"},
        {"cell": 99},
        {"cell": "1"},
        {"cell": None},
        {"number": "1"},
        {"number": True},
    ],
)
def test_what_makes_no_sense_is_skipped(bench, db, change):
    apply_events(bench, [event(bench, 1, "label", 1, label="OTHER") | change, "no dict"], db, "Ada")
    assert labels(db) == ["", "", ""]
    assert bench.problem == ""


def test_an_unknown_label_is_refused_in_one_sentence(bench, db):
    apply_events(bench, [event(bench, 1, "label", 1, label="<script>")], db, "Ada")
    assert "must be one of" in bench.problem
    assert bench.chosen == 1


def test_a_refusing_database_loses_nothing_in_silence(bench, db, monkeypatch):
    calls = []

    def refuse_second(database, cell_id, label, who):
        calls.append(cell_id)
        if cell_id == 2:
            raise StoreError("The database is in use.") from sqlite3.OperationalError("database is locked")
        add_correction(database, cell_id, label, who)

    monkeypatch.setattr(decisions, "add_correction", refuse_second)
    sent = [event(bench, n, "label", n, label="OTHER") for n in (1, 2, 3)]
    apply_events(bench, sent, db, "Ada")
    assert labels(db) == ["OTHER", "", ""]
    assert calls == [1, 2]
    assert bench.problem == "The database is in use. (2 changes not saved.)"
    assert bench.chosen == 2
