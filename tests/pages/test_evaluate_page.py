"""The Evaluate page: nothing there yet, asking for an evaluation, its views, images behind a number, label errors."""

import shutil

import numpy as np
import pytest

from bloodcell.core.errors import RunError
from bloodcell.datasets.catalog.label_errors import mark_label_error, read_label_errors
from bloodcell.datasets.catalog.library import remove_dataset
from bloodcell.evaluation.evaluation_folder import read_evaluation
from bloodcell.evaluation.library import get_evaluation, list_evaluations, store_evaluation
from bloodcell.jobs import store
from bloodcell.ui.evaluate.confusion_tab import _Filter, select_rows
from bloodcell.ui.evaluate.report_download import render_html, render_pdf
from tests.evaluation.judged import add_dataset, evaluated, learned_from, records_of, spec_for
from tests.pages.test_pages import texts, widget

pytestmark = pytest.mark.usefixtures("no_worker")


@pytest.fixture
def dataset(queue, model, tmp_path):
    return add_dataset(queue.settings, tmp_path, "Drawn")


@pytest.fixture
def kept(queue, dataset):
    """A saved evaluation."""
    found = evaluated(queue.settings, spec_for(dataset))
    return store_evaluation(found, queue.settings.home / "new", "mine", queue.settings)


def opened(app, view=None):
    app.switch_page("pages/evaluate.py").run()
    if view is not None:
        widget(app.segmented_control, "evaluation-view").set_value(view).run()
    assert not app.exception
    return app


def ask(app):
    """Open the form, as a click on it does."""
    app.session_state["evaluation-new"] = True
    app.run()
    return app


def test_nothing_to_evaluate(app, workspace):
    opened(app)
    assert "There is no model in the model library" in texts(app)


def test_a_model_but_no_images(app, model):
    opened(app)
    assert "There is no dataset" in texts(app)


def test_asking_makes_a_job(app, queue, dataset):
    opened(app)
    widget(app.selectbox, f"train-groups-{dataset.id}-False").set_value("each").run()
    widget(app.button, "evaluation-go").click().run()
    assert not app.exception
    (job,) = store.list_jobs(queue.db)
    assert (job.kind, job.title) == ("evaluate", "tiny on Drawn")
    assert job.spec["data"]["path"] == dataset.id
    widget(app.button, "evaluation-go").click().run()
    assert "Waiting for the job before it." in texts(app)  # the second of two
    second = store.list_jobs(queue.db)[0]
    widget(app.button, f"evaluation-cancel-{second.id}").click().run()
    assert store.get_job(queue.db, second.id).status == store.CANCELLED
    widget(app.button, f"evaluation-dismiss-{second.id}").click().run()
    widget(app.button, f"evaluation-cancel-{job.id}").click().run()
    store.end_attempt(queue.db, job, store.CANCELLED)
    app.run()
    assert "Cancelled. No results were saved." in texts(app)
    widget(app.button, f"evaluation-dismiss-{job.id}").click().run()
    assert store.list_jobs(queue.db) == []


def test_a_failed_one_says_why(app, queue, dataset):
    opened(app)
    widget(app.button, "evaluation-go").click().run()
    (job,) = store.list_jobs(queue.db, (store.RUNNING,))
    store.end_attempt(queue.db, job, store.FAILED, "The images are gone.")
    app.run()
    assert [one.value for one in app.error] == ["The images are gone\\."]


def test_a_finished_one_opens_by_itself(app, queue, dataset, kept):
    opened(app)
    assert "evaluation-go" not in [one.key for one in app.button]  # nothing is looked at before the form is opened
    ask(app)
    widget(app.button, "evaluation-go").click().run()
    other = evaluated(queue.settings, spec_for(dataset, title="Second"))
    name = store_evaluation(other, queue.settings.home / "new", "second", queue.settings)
    widget(app.selectbox, "evaluation-chosen").set_value(kept).run()
    (job,) = store.list_jobs(queue.db, (store.RUNNING,))
    store.end_attempt(queue.db, job, store.DONE, result=name)
    app.run()
    assert widget(app.selectbox, "evaluation-chosen").value == name
    assert "evaluation-go" not in [one.key for one in app.button]  # the result stands first


def test_leaks_stand_before_any_metric(app, queue, dataset):
    files = [one.file for one in records_of(dataset) if "baso" not in one.file]
    learned_from(queue.settings, dataset, files[:4])
    store_evaluation(evaluated(queue.settings, spec_for(dataset)), queue.settings.home / "new", "mine", queue.settings)
    opened(app)
    (line,) = app.error
    assert line.value.startswith("The model was trained on 4 of these 12 images \\(the same image\\: 4\\)")
    shown = [one.type for one in app.main]
    assert shown.index("alert" if "alert" in shown else line.type) < len(shown)
    assert app.metric[0].label == "Accuracy"


def test_head_and_metrics(app, queue, kept):
    opened(app, "Metrics")
    info = get_evaluation(kept, queue.settings)
    words = texts(app)
    assert "12 images" in words
    assert "12 source cells" in words
    assert "Left out, because the model does not know these classes: Basophil 1" in words.replace("\\", "")
    metrics = {one.label: one.value for one in app.metric}
    assert metrics["Accuracy"] == f"{100 * info.report.metrics['accuracy'].value:.1f} %"
    table = app.dataframe[1].value
    assert table["Images"].tolist() == [3, 3, 3, 3]


def test_calibration(app, queue, kept):
    opened(app, "Calibration")
    table = app.dataframe[0].value
    assert table["Images"].sum() == 12
    answers = read_evaluation(get_evaluation(kept, queue.settings).folder).prediction_table
    assert table["Errors"].sum() == (answers["label"] != answers["prediction"]).sum()


def test_a_link_of_an_older_version_opens_its_view(app, kept):
    app.switch_page("pages/evaluate.py")
    app.query_params["evaluation-view"] = "How sure"
    opened(app)
    assert widget(app.segmented_control, "evaluation-view").value == "Calibration"


def test_filters_show_exactly_those_images(queue, kept):
    answers = read_evaluation(get_evaluation(kept, queue.settings).folder).prediction_table
    sure = answers[[name for name in answers if name.startswith("prob_")]].to_numpy().max(axis=1)
    for label in set(answers["label"]):
        for answer in set(answers["prediction"]):
            rows = select_rows(answers, _Filter(label, answer, "all", (), 0, 1, False))
            assert set(rows) == set(np.flatnonzero((answers["label"] == label) & (answers["prediction"] == answer)))
            assert (np.diff(sure[rows]) <= 0).all()
    wrong = select_rows(answers, _Filter("", "", "incorrect", (), 0, 1, True))
    assert set(wrong) == set(np.flatnonzero(answers["label"] != answers["prediction"]))
    assert (np.diff(sure[wrong]) >= 0).all()
    some = select_rows(answers, _Filter("", "", "all", ("check",), 0.3, 0.8, False))
    assert set(some) == set(np.flatnonzero((answers["status"] == "check") & (sure >= 0.3) & (sure <= 0.8)))


def test_marking_a_label_and_evaluating_without_it(app, queue, dataset, kept):
    opened(app)
    widget(app.selectbox, "evaluation-which").set_value("all").run()
    widget(app.button, "evaluation-mark").click().run()
    assert not app.exception
    (mark,) = read_label_errors(dataset).values()
    assert "1 label error marked" in texts(app)
    assert "Marked as label error" in texts(app)
    widget(app.button, "evaluation-without").click().run()
    assert not app.exception
    found = next(one for one in list_evaluations(queue.settings) if one.name != kept)
    assert found.protocol.excluded_files == (mark.file,)
    assert widget(app.selectbox, "evaluation-chosen").value == found.name
    assert "1 image marked as label errors left out" in texts(app)
    widget(app.selectbox, "evaluation-chosen").set_value(kept).run()
    widget(app.selectbox, "evaluation-which").set_value("all").run()
    widget(app.button, "evaluation-unmark").click().run()
    assert read_label_errors(dataset) == {}


def test_why_an_image_was_classified_so(app, model, kept):
    opened(app)
    widget(app.selectbox, "evaluation-which").set_value("all").run()
    assert "Occlusion map" not in texts(app)
    widget(app.toggle, "evaluation-why").set_value(True).run()
    assert not app.exception
    assert not app.error
    assert "Occlusion map" in texts(app)
    assert "not a medical reason" in texts(app)
    (model / "spec.json").write_text((model / "spec.json").read_text() + " ")
    app.run()
    assert "has been replaced since this evaluation" in app.error[0].value


def test_a_dataset_that_was_removed(app, dataset, kept):
    remove_dataset(dataset)
    opened(app)
    assert "no longer registered" in texts(app)
    assert app.metric[0].label == "Accuracy"


def test_reports_are_made_by_a_click_alone(app, queue, dataset, kept, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("bloodcell.ui.evaluate.report_download._build_document", None)  # would fail if it were called
        opened(app)
    assert {one.label for one in app.get("download_button")} >= {"Report (HTML)", "Report (PDF)"}
    folder = get_evaluation(kept, queue.settings).folder
    assert b"data:image/jpeg;base64," in render_html(folder).partition(b"<body>")[2]
    assert render_pdf(folder).startswith(b"%PDF-")
    remove_dataset(dataset)
    shutil.rmtree(dataset.path)
    body = render_html(folder).partition(b"<body>")[2]
    assert b"the dataset Drawn is no longer there" in body
    assert b"<img" not in body
    assert render_pdf(folder).startswith(b"%PDF-")
    shutil.rmtree(folder)
    with pytest.raises(RunError, match="cannot be read"):
        render_html(folder)


def test_deleting(app, queue, kept):
    opened(app)
    widget(app.button, "evaluation-delete-sure").click().run()
    assert not app.exception
    assert list_evaluations(queue.settings) == []
    assert "Evaluate a model" in [one.label for one in app.expander]


def test_label_errors_can_be_excluded(app, queue, dataset):
    mark_label_error(dataset, records_of(dataset)[0].file, "basophil", "", "Ada")
    opened(app)
    assert widget(app.checkbox, "evaluation-leave-out").value is True
    widget(app.button, "evaluation-go").click().run()
    assert store.list_jobs(queue.db)[0].spec["leaves_out_marked"] is True


def test_attention(app, queue, kept):
    opened(app, "Attention")
    assert "Mean over 3 images." in texts(app)
    widget(app.selectbox, "evaluation-looks-which").set_value("wrong").run()
    assert not app.exception
    answers = read_evaluation(get_evaluation(kept, queue.settings).folder).prediction_table
    wrong = answers[(answers["label"] == "EOSINOPHIL") & (answers["prediction"] != "EOSINOPHIL")]
    said = f"{len(wrong)} image" if len(wrong) else "There are no such images."
    assert said in texts(app)


def test_a_model_that_was_replaced_cannot_be_explained(app, queue, kept):
    (queue.settings.runs_dir / "tiny" / "spec.json").write_text(
        (queue.settings.runs_dir / "tiny" / "spec.json").read_text().replace("Tiny test model", "Another")
    )
    opened(app, "Attention")
    assert "has been replaced since this evaluation" in app.error[0].value


def test_the_address_names_an_evaluation(app, queue, dataset, kept):
    store_evaluation(evaluated(queue.settings, spec_for(dataset)), queue.settings.home / "new", "newer", queue.settings)
    app.query_params["evaluation"] = kept
    opened(app)
    assert widget(app.selectbox, "evaluation-chosen").value == kept
    widget(app.selectbox, "evaluation-chosen").set_value("newer").run()
    assert widget(app.selectbox, "evaluation-chosen").value == "newer"
