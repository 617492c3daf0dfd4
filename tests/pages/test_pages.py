"""Every page in an empty workspace and with a batch, through Streamlit's own test driver."""

import sqlite3
import subprocess
import sys

import pytest

from bloodcell.db.database import open_database
from bloodcell.review.batches import list_batches
from bloodcell.review.tables import read_cells_table, read_images_table
from bloodcell.synthetic.gallery import draw_sample_set
from tests.places import ROOT

PAGES = ("pages/classify.py", "pages/models.py", "pages/guide.py")


def database(workspace):
    return open_database(f"sqlite:///{workspace / 'bloodcell.db'}")


def texts(app):
    """All that the page says, for looking words up in it."""
    parts = [*app.markdown, *app.caption, *app.info, *app.warning, *app.error, *app.header, *app.subheader]
    return "\n".join(part.value for part in parts)


def widget(widgets, key):
    return next(one for one in widgets if one.key == key)


def upload(app, *files):
    """Drop files on the uploader and wait for the result."""
    app.file_uploader[0].set_value([(name, data, "") for name, data in files]).run()
    return app


@pytest.mark.parametrize("page", PAGES)
def test_a_page_opens_in_an_empty_workspace_without_a_model(app, page):
    app.run().switch_page(page).run()
    assert not app.exception
    assert not app.error


def test_without_a_model_the_page_says_so_and_takes_no_images(app):
    app.run()
    assert "There is no model in the model library" in texts(app)
    assert not app.file_uploader


def test_the_models_page_without_a_model_says_where_models_go(app, workspace):
    app.run().switch_page("pages/models.py").run()
    assert "no model in the model library" in texts(app)
    assert "runs" in texts(app)


def test_the_tour_tells_the_newcomer_what_to_know(app, model, workspace):
    app.run()
    said = texts(app)
    for words in ("Drop images", "Confident", "Check", "Unfamiliar", "not a medical device"):
        assert words in said
    assert str(workspace) in said.replace("\\", "")


def test_the_sample_set_becomes_a_batch_with_cells(filled, workspace):
    db = database(workspace)
    assert [batch.name for batch in list_batches(db)] == ["Sample set"]
    assert filled.query_params["batch"] == "1"
    metrics = {metric.label: metric.value for metric in filled.metric}
    assert metrics["Images"] == "12"
    assert metrics["White cells"] == str(len(read_cells_table(db, 1)))
    assert metrics["Reviewed"] == "0"


def test_the_tour_is_gone_once_there_is_a_batch(filled):
    widget(filled.button, "classify-close").click().run()
    assert not filled.exception
    assert "Drop images" not in texts(filled)
    assert "Your batches" in texts(filled)


def test_uploads_are_stored_as_they_arrive_and_bad_ones_are_listed(app, model, workspace):
    app.run()
    (name, picture), *_ = draw_sample_set(1)
    upload(app, (name, picture), ("broken.jpg", picture[:500]), ("=cmd|' /C calc'!A0.jpg", b"text"))
    assert not app.exception
    images = read_images_table(database(workspace), 1)
    assert images["file_name"].tolist() == [name, "broken.jpg", "=cmd|' /C calc'!A0.jpg"]
    assert images["image_status"].tolist() == ["cells", "unreadable", "unreadable"]
    without_cells = app.dataframe[0].value
    assert without_cells["file"].tolist() == ["broken.jpg", "=cmd|' /C calc'!A0.jpg"]
    assert all(without_cells["reason"])
    assert not any("[" in reason for reason in without_cells["reason"])


def test_a_batch_of_bad_files_only_says_so(app, model):
    app.run()
    upload(app, ("notes.jpg", b"no picture"))
    assert not app.exception
    assert "No white cell was found in these images" in texts(app)


def test_a_batch_gets_the_name_that_was_given(app, model, workspace):
    app.run()
    widget(app.text_input, "classify-new-name").set_value("Ward 3, Monday").run()
    upload(app, *draw_sample_set(1))
    assert [batch.name for batch in list_batches(database(workspace))] == ["Ward 3, Monday"]


def test_work_that_was_interrupted_goes_on_when_the_batch_is_opened(filled, workspace):
    with sqlite3.connect(workspace / "bloodcell.db") as connection:
        connection.execute("DELETE FROM predictions")
        connection.execute("DELETE FROM cells")
        connection.execute("UPDATE images SET status = ''")
    filled.run()
    assert not filled.exception
    assert (read_images_table(database(workspace), 1)["image_status"] != "").all()
    assert len(read_cells_table(database(workspace), 1)) > 0


def test_images_wait_with_a_reason_when_their_model_is_gone(filled, workspace):
    with sqlite3.connect(workspace / "bloodcell.db") as connection:
        connection.execute("UPDATE images SET status = '' WHERE id = 3")
    (workspace / "runs" / "tiny" / "model.onnx").unlink()
    filled.run()
    assert not filled.exception
    assert "The model folder tiny lacks model.onnx." in filled.error[0].value.replace("\\", "")


def test_a_model_that_was_replaced_does_not_mix_into_the_batch(filled, workspace):
    with sqlite3.connect(workspace / "bloodcell.db") as connection:
        connection.execute("UPDATE images SET status = '' WHERE id = 3")
        connection.execute("UPDATE batches SET model_sha256 = ?", ("0" * 64,))
    filled.run()
    assert "no longer the one this batch was created with" in filled.error[0].value


def test_rename(filled, workspace):
    widget(filled.text_input, "classify-name-1").set_value("Ward 4").run()
    widget(filled.button, "classify-save-name").click().run()
    assert "Ward 4" in texts(filled)
    assert list_batches(database(workspace))[0].name == "Ward 4"


def test_a_blank_name_is_refused_in_one_sentence(filled):
    widget(filled.text_input, "classify-name-1").set_value("  ").run()
    widget(filled.button, "classify-save-name").click().run()
    assert "needs a name" in filled.error[0].value


def test_delete_and_undo(filled, workspace):
    widget(filled.button, "classify-delete").click().run()
    assert list_batches(database(workspace)) == []
    assert "was deleted" in texts(filled)
    widget(filled.button, "classify-undo-delete").click().run()
    assert not filled.exception
    assert len(list_batches(database(workspace))) == 1
    assert filled.query_params["batch"] == "1"


def test_a_batch_is_reopened_from_the_list(filled):
    widget(filled.button, "classify-close").click().run()
    assert "batch" not in filled.query_params
    widget(filled.button, "classify-open-1").click().run()
    assert filled.query_params["batch"] == "1"
    assert filled.metric


def test_the_opened_batch_is_there_after_another_page(filled):
    filled.switch_page("pages/guide.py").run()
    filled.switch_page("pages/classify.py").run()
    assert not filled.exception
    assert filled.metric


def test_the_address_opens_batch_and_cell(filled, app):
    from streamlit.testing.v1 import AppTest

    fresh = AppTest.from_file(str(ROOT / "app.py"), default_timeout=30)
    fresh.query_params["batch"] = "1"
    fresh.query_params["cell"] = "4"
    fresh.run()
    assert not fresh.exception
    assert fresh.session_state["classify-bench"].chosen == 4


@pytest.mark.parametrize("address", ["99", "-1", "abc", "9" * 30, "<script>"])
def test_an_address_of_no_batch_shows_the_start(app, model, address):
    app.query_params["batch"] = address
    app.run()
    assert not app.exception
    assert app.file_uploader


@pytest.mark.parametrize("sort", ["By class", "File order", "Lowest confidence first"])
def test_sorting(filled, sort):
    widget(filled.get("button_group"), "classify-sort").set_value(sort).run()
    assert not filled.exception
    bench = filled.session_state["classify-bench"]
    assert bench.order_key[0] == sort
    assert bench.chosen == bench.order[0] or sort == "Lowest confidence first"


def test_a_filter_that_nothing_fits_says_so(filled):
    widget(filled.get("button_group"), "classify-filter-class").set_value(["NOT_A_CELL"]).run()
    assert not filled.exception
    assert "No cell matches the filter" in texts(filled)


@pytest.mark.parametrize("preset", ["150", "180", "200"])
def test_threshold_presets(filled, preset):
    widget(filled.get("button_group"), "classify-preset").set_value(preset).run()
    assert not filled.exception
    assert filled.slider[0].value == int(preset)


def test_moving_the_threshold_lets_go_of_the_preset_and_keeps_for_the_next_cell(filled):
    filled.slider[0].set_value(77).run()
    assert widget(filled.get("button_group"), "classify-preset").value is None
    filled.session_state["classify-bench"].chosen = 3
    filled.run()
    assert filled.slider[0].value == 77


def test_a_locked_database_leaves_the_app_alive(filled, workspace, monkeypatch):
    monkeypatch.setattr("bloodcell.db.database.BUSY_TIMEOUT_S", 0.1)
    blocker = sqlite3.connect(workspace / "bloodcell.db", isolation_level=None)
    blocker.execute("BEGIN EXCLUSIVE")
    widget(filled.text_input, "classify-name-1").set_value("Ward 4").run()
    widget(filled.button, "classify-save-name").click().run(timeout=30)
    assert "in use by another program" in filled.error[0].value.replace("\\", "")
    blocker.execute("ROLLBACK")
    blocker.close()
    widget(filled.button, "classify-save-name").click().run()
    assert not filled.exception
    assert not filled.error


def test_a_full_disk_while_storing_leaves_the_app_alive(app, model, workspace, monkeypatch):
    app.run()

    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("bloodcell.datasets.sources.blobs.write_atomic", full)
        upload(app, *draw_sample_set(1))
    assert not app.exception
    assert "disk is full" in app.error[0].value.replace("\\", "")
    app.run()
    assert not app.exception


def test_the_models_page_shows_card_and_metrics(app, model):
    app.run().switch_page("pages/models.py").run()
    assert not app.exception
    assert "mean colours only" in texts(app)
    assert app.dataframe[1].value["Accuracy"].tolist() == ["90.0 %"]


def test_a_damaged_metrics_file_is_one_sentence(app, model):
    (model / "metrics.json").write_text("{")
    app.run().switch_page("pages/models.py").run()
    assert not app.exception
    assert "cannot be read" in app.error[0].value


def test_the_guide_names_every_public_set_with_its_licence(app):
    from bloodcell.datasets.public.public_sets import PUBLIC_SETS
    from bloodcell.ui.shared.messages import escape_md

    app.run().switch_page("pages/guide.py").run()
    for one in PUBLIC_SETS:
        assert one.source in texts(app)
        assert escape_md(one.licence) in texts(app)


def test_downloading_a_set_without_a_network_is_one_sentence(app, monkeypatch):
    from bloodcell.core.errors import DatasetError

    def fail(*_args, **_kwargs):
        raise DatasetError("The set bccd cannot be downloaded: no connection.")

    monkeypatch.setattr("bloodcell.ui.guide.public_sets.download_public_set", fail)
    app.run().switch_page("pages/guide.py").run()
    widget(app.button, "guide-download").click().run()
    assert not app.exception
    assert "cannot be downloaded" in app.error[0].value


CHILD = """
import sys
from streamlit.testing.v1 import AppTest
app = AppTest.from_file({app!r}, default_timeout=60).run()
next(one for one in app.button if one.key == "classify-sample").click().run()
assert not app.exception and app.metric, app.exception
for page in {pages!r}:
    app.switch_page(page).run()
    assert not app.exception, app.exception
heavy = sorted({{"tensorflow", "keras", "torch", "jax"}} & sys.modules.keys())
assert not heavy, heavy
"""


def test_no_page_imports_tensorflow_or_keras(model):
    """Opens every page and classifies the sample set in a child process (the environment names the workspace)."""
    code = CHILD.format(app=str(ROOT / "app.py"), pages=PAGES)
    child = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert child.returncode == 0, child.stderr[-2000:]
