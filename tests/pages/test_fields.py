"""The part Fields of the Classify page."""

import pytest

from bloodcell.core.settings import load_settings
from bloodcell.db.database import open_database
from bloodcell.review.scale import read_scale
from bloodcell.ui.classify import fields_part
from tests.pages.test_pages import texts, widget


@pytest.fixture
def fields(filled):
    """The sample set with the part Fields open."""
    widget(filled.segmented_control, "classify-view").set_value("Fields").run()
    assert not filled.exception
    return filled


def metrics(app):
    return {one.label: one.value for one in app.metric}


def test_all_cells_are_counted_and_every_field_is_listed(fields):
    counts = metrics(fields)
    assert int(counts["White cells"]) >= 10
    assert int(counts["Red cells"]) >= 50
    assert {"Fields", "Platelets", "White / 100 red", "Plt / 1,000 red"} <= counts.keys()
    (listed,) = [one.value for one in fields.dataframe if "red_cells" in one.value.columns]
    assert len(listed) == int(counts["Fields"])
    assert listed["red_cells"].sum() == int(counts["Red cells"].replace(",", ""))


def test_the_scale_is_said_and_can_be_set(fields, workspace):
    assert "1 red cell = " in texts(fields)
    fields.session_state["classify-scale"] = True
    fields.run()
    widget(fields.number_input, "classify-scale-px-1").set_value(50.0).run()
    widget(fields.button, "classify-save-scale").click().run()
    assert "1 red cell = 50 px, about 0.15 µm/px, set by hand" in texts(fields)
    assert read_scale(open_database(load_settings().db_url), 1).n_images == 0


def test_a_batch_of_before_says_why_it_has_no_counts(filled, workspace):
    db = open_database(load_settings().db_url)
    with db.begin() as connection:
        connection.exec_driver_sql("UPDATE images SET n_red_cells = NULL, n_platelets = NULL")
    widget(filled.segmented_control, "classify-view").set_value("Fields").run()
    assert not filled.exception
    assert "No field of this batch was counted" in texts(filled)


def test_many_fields_come_in_pages(fields, monkeypatch):
    monkeypatch.setattr(fields_part, "ROWS_PER_PAGE", 5)
    fields.run()
    assert not fields.exception
    (listed,) = [one.value for one in fields.dataframe if "red_cells" in one.value.columns]
    assert len(listed) == 5


def test_the_models_page_shows_the_card_of_the_detector(app, model):
    app.switch_page("pages/models.py").run()
    assert not app.exception
    assert "It names no kind of white cell" in texts(app)
