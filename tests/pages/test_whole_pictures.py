"""A model of whole images says that it classifies only the largest cell; a metric that is missing is a dash."""

import json

import pytest

from tests.pages.test_pages import texts

SENTENCE = "if it shows several white cells, only the largest is classified"


@pytest.fixture
def whole(model):
    """The tiny model, taking whole images."""
    described = json.loads((model / "spec.json").read_text())
    (model / "spec.json").write_text(json.dumps(described | {"input": "image"}))
    return model


@pytest.mark.parametrize("page", ["pages/classify.py", "pages/models.py"])
def test_a_model_of_whole_images_says_so_where_it_is_chosen(app, whole, page):
    app.run().switch_page(page).run()
    assert SENTENCE in texts(app)


def test_one_that_needs_no_white_cell_says_that_it_classifies_all(app, whole):
    described = json.loads((whole / "spec.json").read_text())
    (whole / "spec.json").write_text(json.dumps(described | {"needs_white_cell": False}))
    app.run().switch_page("pages/models.py").run()
    assert "Every image is classified, whatever it shows" in texts(app)
    assert SENTENCE not in texts(app)


@pytest.mark.parametrize("page", ["pages/classify.py", "pages/models.py"])
def test_a_model_of_cells_does_not(app, model, page):
    app.run().switch_page(page).run()
    assert SENTENCE not in texts(app)


def test_a_batch_of_such_a_model_says_so(app, whole):
    app.run()
    app.button(key="classify-sample").click().run()
    assert not app.exception
    assert SENTENCE in texts(app)


def test_a_batch_whose_model_is_gone_says_nothing(filled, workspace):
    (workspace / "runs" / "tiny" / "spec.json").unlink()
    filled.run()
    assert not filled.exception
    assert SENTENCE not in texts(filled)


def test_a_metric_that_was_not_measured_is_a_dash(app, model):
    metrics = {"a": {"images": 9, "accuracy": 0.5, "ece": 0.1}, "b": {"images": 4, "accuracy": 0.25}}
    (model / "metrics.json").write_text(json.dumps(metrics))
    app.run().switch_page("pages/models.py").run()
    (table,) = [one.value for one in app.dataframe if "Measured on" in one.value]
    assert table["Calibration error (ECE)"].tolist() == ["10.0 %", "-"]
    assert "Flagged for review" not in table
