"""Why this class: closed it costs nothing, opened it shows a map; the inside of the network comes by a job."""

import json

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from bloodcell.core.labels import WHITE_CELLS_4
from bloodcell.core.settings import load_settings
from bloodcell.db.database import open_database
from bloodcell.explain.explanation import MAPS_FILE, METHODS, NOT_A_MEDICAL_REASON, Explanation, LayerMaps
from bloodcell.explain.spec import ExplainSpec
from bloodcell.jobs import store
from bloodcell.review.tables import read_cells_table
from bloodcell.ui.shared import resources
from tests.pages.test_pages import texts, widget
from tests.pages.tiny_model import write_tiny_model

FOUND = Explanation(
    WHITE_CELLS_4,
    np.full((32, 32, 3), 200, np.uint8),
    gradcam=np.stack([np.eye(32, dtype=np.float32)] * 3 + [np.zeros((32, 32), np.float32)]),
    gradcam_layer="conv_9",
    gradcam_map_size=(4, 4),
    layers=tuple(
        LayerMaps(name, "convolution", 8, 8, 24, (5, 2), np.zeros((2, 8, 8), np.float32)) for name in ("a_1", "b_2")
    ),
)


@pytest.fixture
def open_model(workspace, monkeypatch):
    """No job is ever run by a worker."""
    monkeypatch.setattr("bloodcell.jobs.runners.local.LocalRunner.start", lambda *_: None)


@pytest.fixture
def with_keras(filled, workspace, open_model):
    (workspace / "runs" / "tiny" / "model.keras").write_bytes(b"not opened by the app")
    return filled


def opened(app):
    widget(app.toggle, "classify-why").set_value(True).run()
    assert not app.exception
    return app


def charts(app):
    return {one.proto.id.rsplit("-", 1)[-1]: json.loads(one.proto.spec) for one in app.get("plotly_chart")}


def jobs():
    return [job for job in store.list_jobs(resources.get_database()) if job.kind == "explain"]


def end(job, status, explanation=None, error=""):
    if explanation is not None:
        explanation.save(load_settings().explanations_dir / job.name)
    store.end_attempt(resources.get_database(), job, status, error, job.name)


def button(app):
    return next(one for one in app.button if str(one.key).endswith("-inside"))


def test_closed_it_costs_nothing(filled, monkeypatch):
    monkeypatch.setattr(
        "bloodcell.ui.shared.explanation_view.occlusion_maps", lambda *_, **__: pytest.fail("was not asked for")
    )
    filled.run()
    assert not filled.exception
    assert NOT_A_MEDICAL_REASON not in texts(filled)


def test_opened_it_shows_a_map_for_the_predicted_class_or_another(filled, workspace):
    opened(filled)
    said = texts(filled)
    assert "Occlusion map" in said
    assert NOT_A_MEDICAL_REASON in said
    (choice,) = [one for one in filled.selectbox if one.label == "Evidence for"]
    table = read_cells_table(open_database(f"sqlite:///{workspace / 'bloodcell.db'}"), 1).set_index("cell_id")
    assert choice.value == table.at[int("".join(filled.query_params["cell"])), "prediction"]
    assert any(one.endswith("(predicted)") for one in choice.options)
    assert not any("\\" in one for one in choice.options)
    before = charts(filled)["occlusion"]["data"][1]["z"]
    choice.set_value(next(name for name in WHITE_CELLS_4 if name != choice.value)).run()
    assert not filled.exception
    assert charts(filled)["occlusion"]["data"][1]["z"] != before


def test_a_model_without_keras_says_that_occlusion_works(filled):
    opened(filled)
    assert "Use an occlusion map instead" in texts(filled).replace("\\", "")
    assert not [one for one in filled.button if str(one.key).endswith("-inside")]


def test_the_inside_comes_by_a_job(with_keras):
    app = opened(with_keras)
    button(app).click().run()
    assert not app.exception
    (job,) = jobs()
    assert (job.status, job.who != "") == (store.RUNNING, True)
    assert app.get("status") or "Looking inside" in str(app.main)
    assert not [one for one in app.button if str(one.key).endswith("-inside")]
    end(job, store.DONE, FOUND)
    app.run()
    assert not app.exception
    assert {"occlusion", "gradcam"} <= charts(app).keys()
    said = texts(app).replace("\\", "")
    assert "Layer by layer" in said
    assert "convolution, 24 channels of 8 x 8; the most active are shown" in said
    (slider,) = [one for one in app.select_slider if str(one.key).endswith("-layer")]
    assert slider.options == ["a_1", "b_2"]
    assert jobs() == []  # what was found is kept, its job is not


def test_a_class_that_nothing_speaks_for(with_keras):
    app = opened(with_keras)
    button(app).click().run()
    end(jobs()[0], store.DONE, FOUND)
    app.run()
    (choice,) = [one for one in app.selectbox if one.label == "Evidence for"]
    choice.set_value(WHITE_CELLS_4[3]).run()
    assert "Nothing in this layer speaks for the class" in texts(app)


def test_a_job_that_failed_says_why_and_can_be_tried_again(with_keras):
    app = opened(with_keras)
    button(app).click().run()
    end(jobs()[0], store.FAILED, error="There is too little memory.")
    app.run()
    assert "There is too little memory" in app.error[0].value
    assert button(app).label == "Try again"
    button(app).click().run()
    assert [job.status for job in jobs()] == [store.RUNNING]


def test_what_was_found_and_is_damaged_can_be_asked_for_again(with_keras):
    app = opened(with_keras)
    button(app).click().run()
    (job,) = jobs()
    end(job, store.DONE, FOUND)
    (load_settings().explanations_dir / job.name / MAPS_FILE).write_bytes(b"PK half")
    app.run()
    assert not app.exception
    assert not app.info
    button(app).click().run()
    assert [job.status for job in jobs()] == [store.RUNNING]


def test_explanations_are_not_listed_among_the_trainings(with_keras):
    button(opened(with_keras)).click().run()
    with_keras.switch_page("pages/train.py").run()
    assert not with_keras.exception
    assert "where tiny looks" not in texts(with_keras)


def test_a_batch_of_a_replaced_model_says_so(filled, workspace):
    spec = workspace / "runs" / "tiny" / "spec.json"
    spec.write_text(spec.read_text() + " ")
    opened(filled)
    assert "no longer the one this batch was created with" in filled.error[0].value
    assert "Occlusion map" not in texts(filled)


MEAN_PAGE = """
import numpy as np
from bloodcell.model_store.library import get_model
from bloodcell.core.settings import load_settings
from bloodcell.ui.shared import explanation_view

crops = np.full((3, 32, 32, 3), 180, np.uint8)
explanation_view.show_class_mean(get_model("tiny", load_settings()), crops, "MONOCYTE", key="mean")
explanation_view.watch_jobs()
"""


@pytest.mark.parametrize("has_keras", [True, False])
def test_the_mean_over_a_class(open_model, workspace, has_keras):
    write_tiny_model(workspace / "runs" / "tiny")
    if has_keras:
        (workspace / "runs" / "tiny" / "model.keras").write_bytes(b"x")
    app = AppTest.from_string(MEAN_PAGE, default_timeout=30).run()
    assert not app.exception
    button(app).click().run()
    (job,) = jobs()
    spec = ExplainSpec.from_json(json.dumps(job.spec))
    assert spec.methods == (METHODS if has_keras else ("occlusion",))
    assert spec.of_class == "MONOCYTE"
    drops = np.zeros((4, 32, 32), np.float32)
    end(job, store.DONE, Explanation(WHITE_CELLS_4, FOUND.crop, 3, "MONOCYTE", drops))
    app.run()
    assert not app.exception
    assert "Mean over 3 cells" in texts(app)
    assert "No single part decides" in texts(app)
