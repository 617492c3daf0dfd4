"""The Models page: a file dropped, inspected, what is missing asked, its job started and followed; download as zip."""

# ruff: noqa: F811  fixtures of another file are imported by their names

import io
import json

import pytest

from bloodcell.jobs import store
from bloodcell.jobs.files import make_job_dir
from bloodcell.jobs.kinds.load import LOAD
from bloodcell.model_import.load_spec import LoadSpec
from bloodcell.model_store.model_zip import inspect_model_zip, pack_model
from tests.model_store.keras_files import dense, keras_bytes, layer, network
from tests.pages.test_pages import texts, widget
from tests.pages.test_train_page import running  # noqa: F401
from tests.pages.tiny_model import write_tiny_model

NAMES = "EOSINOPHIL, LYMPHOCYTE\nMONOCYTE, NEUTROPHIL"


def dropped(app, name, data):
    app.run().switch_page("pages/models.py").run()
    app.file_uploader[0].set_value([(name, data, "")]).run()
    assert not app.exception
    return app


def said(app):
    return texts(app).replace("\\", "")


def go(app):
    return widget(app.button, "models-load-go")


def newest(queue):
    job = store.list_jobs(queue.db)[0]
    return job, LoadSpec.from_json(json.dumps(job.spec))


@pytest.mark.parametrize("running", ["load"], indirect=True)
def test_a_network_is_inspected_asked_about_and_queued(app, queue, running, model):
    dropped(app, "my net (1).keras", keras_bytes())
    assert "Input of 32 x 48 px, 4 outputs, 3 layers, 16 parameters" in said(app)
    assert "every cell will be marked Check" in said(app)
    assert go(app).disabled
    assert "Enter the class names" in said(app)
    widget(app.text_area, "models-load-classes-my net (1).keras").set_value("A, B").run()
    assert go(app).disabled
    assert "The network has 4 classes. Received: 2 class names" in said(app)
    widget(app.text_area, "models-load-classes-my net (1).keras").set_value(NAMES).run()
    widget(app.radio, "models-load-input").set_value("image").run()
    widget(app.radio, "models-load-levels").set_value(-1).run()
    assert not go(app).disabled
    go(app).click().run()
    assert not app.exception
    assert not app.error
    job, spec = newest(queue)
    assert (job.kind, job.name, job.status, job.title) == ("load", "my-net-1", store.QUEUED, "Load my net (1).keras")
    assert (spec.class_names, spec.input, spec.levels) == (
        ("EOSINOPHIL", "LYMPHOCYTE", "MONOCYTE", "NEUTROPHIL"),
        "image",
        -1,
    )
    assert app.query_params["load"] == str(job.id)
    assert "my net (1).keras: Waiting" in said(app)
    widget(app.button, "models-load-cancel").click().run()
    assert "The loading was stopped" in app.error[0].value


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("code.keras", keras_bytes(network(layer("Lambda", function="os.system"), dense())), "Lambda is not allowed"),
        ("old.h5", b"\x89HDF\r\n\x1a\n", "old HDF5 format"),
        ("old.keras", b"\x89HDF\r\n\x1a\n", "old HDF5 format"),
        ("net.pkl", b"\x80\x04", "a pickle can run any program"),
        ("half.keras", keras_bytes()[:99], "it cannot be read as a zip file"),
        ("half.zip", b"PK", "This zip file cannot be imported as a model"),
        ("image.png", b"x", "choose a .keras file, or a .zip"),
        ("huge.keras", keras_bytes(network(dense(10**9))), "1,000,000 is allowed"),
    ],
    ids=lambda value: value if isinstance(value, str) else "bytes",  # a zip's own bytes hold the time of the import
)
def test_what_is_refused_is_one_sentence_and_nothing_is_asked(app, workspace, name, data, reason):
    dropped(app, name, data)
    (error,) = app.error
    assert reason in error.value.replace("\\", "")
    assert "models-load-go" not in {one.key for one in app.button}
    assert not (workspace / "models-in").exists()


def test_a_bad_name_keeps_it_from_being_loaded(app, workspace):
    dropped(app, "net.keras", keras_bytes())
    widget(app.text_area, "models-load-classes-net.keras").set_value(NAMES).run()
    widget(app.text_input, "models-load-name-net.keras").set_value("../evil").run()
    assert go(app).disabled
    assert "The name of a result must start with a letter or digit" in said(app)


def test_a_zipped_model_says_all_itself(app, queue, running, tmp_path):
    dropped(app, "colours.zip", pack_model(write_tiny_model(tmp_path / "tiny")))
    assert "Tiny test model" in said(app)
    assert "models-load-input" not in {one.key for one in app.radio}
    assert widget(app.text_input, "models-load-name-colours.zip").value == "tiny"
    go(app).click().run()
    assert not app.exception
    _, spec = newest(queue)
    assert (spec.format, spec.name) == ("packed", "tiny")


def made(queue, status, error="", result=""):
    spec = LoadSpec("net", "/a/net.keras", file_name="net.keras", class_names=("A", "B"))
    new = LOAD.make_job(spec, queue.settings.home, "Ada")
    job_id = store.add_job(queue.db, new)
    make_job_dir(queue.settings, job_id, new.spec)
    store.end_attempt(queue.db, store.claim_next(queue.db, 99), status, error, result)
    return store.get_job(queue.db, job_id)


def opened(app, job):
    app.run().switch_page("pages/models.py")
    app.query_params["load"] = str(job.id)
    app.run()
    assert not app.exception
    return app


def test_a_loaded_model_is_announced(app, queue, model):
    opened(app, made(queue, store.DONE, result="tiny"))
    assert "The model tiny is in the model library" in app.success[0].value


def test_a_refused_one_says_why(app, queue, model):
    opened(app, made(queue, store.FAILED, error="The network must end in a softmax."))
    assert app.error[0].value.replace("\\", "") == "net.keras: The network must end in a softmax."


@pytest.mark.parametrize("given", ["99", "x", "-1"])
def test_an_address_of_no_loading(app, model, given):
    app.run().switch_page("pages/models.py")
    app.query_params["load"] = given
    app.run()
    assert not app.exception
    assert not app.error


def test_the_chosen_model_can_be_downloaded(app, model):
    app.run().switch_page("pages/models.py").run()
    assert not app.exception
    assert inspect_model_zip(io.BytesIO(pack_model(model))).name == "tiny"
    assert "Download as zip" in {one.proto.label for one in app.get("download_button")}


@pytest.mark.parametrize("page", ["pages/classify.py", "pages/models.py"])
def test_a_model_without_thresholds_says_so(app, model, page):
    spec = json.loads((model / "spec.json").read_text())
    (model / "spec.json").write_text(json.dumps(spec | {"outputs": ["logits"], "calibration": None}))
    app.run().switch_page(page).run()
    assert not app.exception
    assert "every cell is marked Check, none is Confident" in said(app)


def test_card_and_metrics_from_elsewhere_do_no_harm(app, model):
    (model / "README.md").write_text("# Mine\n\n![one](http://a/b.png) ![two][away]\n\n[away]: http://a/c.png\n")
    (model / "metrics.json").write_text('{"accuracy": 0.5, "interval": ["a", "b"], "recall": [1]}')
    app.run().switch_page("pages/models.py").run()
    assert not app.exception
    assert "The metrics of the model tiny are not valid" in app.error[0].value.replace("\\", "")
    assert "![" not in texts(app)
