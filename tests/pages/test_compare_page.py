"""The Compare page: leaderboard, verdict, matrices, images on which models differ, ensembles, one image, trials."""

import shutil

import numpy as np
import pytest

from bloodcell.core.settings import load_settings
from bloodcell.evaluation.evaluation_folder import read_evaluation
from bloodcell.evaluation.library import get_evaluation, list_evaluations, store_evaluation
from bloodcell.imaging.read import encode_png
from bloodcell.synthetic.gallery import draw_field
from tests.evaluation.judged import add_dataset, evaluated, learned_from, records_of, spec_for
from tests.experiments.results.result_folders import result_folders
from tests.inference.net import write_net
from tests.pages.test_pages import texts, widget
from tests.pages.tiny_model import CLASS_NAMES


@pytest.fixture
def two(workspace, model, tmp_path):
    """Two models evaluated on the same drawn cells; names of the evaluations."""
    settings = load_settings()
    dataset = add_dataset(settings, tmp_path, "Drawn")
    write_net(settings.runs_dir / "pixel", names=CLASS_NAMES, n_outputs=4, pixel=(16, 16))
    names = []
    for name in ("tiny", "pixel"):
        found = evaluated(settings, spec_for(dataset, model=name))
        names.append(store_evaluation(found, settings.home / "new", name, settings))
    return settings, dataset, names


def opened(app, view=None, what=None):
    app.switch_page("pages/compare.py").run()
    if what is not None:
        widget(app.segmented_control, "compare-what").set_value(what).run()
    if view is not None:
        widget(app.segmented_control, "compare-view").set_value(view).run()
    assert not app.exception
    return app


def drop(app, name, data):
    app.file_uploader[0].set_value((name, data, "image/png")).run()


def test_no_evaluations_yet(app, workspace):
    assert "There are no evaluations yet" in texts(opened(app))


def test_board_and_verdict(app, two):
    settings, _, names = two
    opened(app)
    table = app.dataframe[0].value
    assert set(table["Model"]) == {"tiny", "pixel"}
    accuracies = [get_evaluation(name, settings).report.metrics["accuracy"].value for name in names]
    assert sorted(table["Accuracy"]) == sorted(accuracies)
    assert "source cells" in texts(app)
    tests = app.dataframe[1].value
    a, b = (read_evaluation(get_evaluation(name, settings).folder).prediction_table for name in names)
    right = {"tiny": (a["label"] == a["prediction"]).to_numpy(), "pixel": (b["label"] == b["prediction"]).to_numpy()}
    second, first = tests["Compared"].iloc[0].split(" against ")
    assert tests["Only the first correct"].iloc[0] == int((right[first] & ~right[second]).sum())
    assert tests["Only the second correct"].iloc[0] == int((right[second] & ~right[first]).sum())


def test_leaks_stand_first(app, two):
    settings, dataset, _ = two
    learned_from(settings, dataset, [records_of(dataset)[0].file])
    store_evaluation(evaluated(settings, spec_for(dataset)), settings.home / "new", "again", settings)
    opened(app)
    assert not app.error  # the image that it was trained on is left out
    learned_from(settings, dataset, [one.file for one in records_of(dataset)])
    store_evaluation(evaluated(settings, spec_for(dataset)), settings.home / "new", "again", settings)
    app.run()
    assert dict(app.dataframe[0].value[["Model", "Trained on"]].to_numpy())["tiny"].endswith(" images")
    assert [one.value for one in app.error] == ["tiny was trained on images of this set: the results are too good."]


@pytest.mark.parametrize("view", ["Confusion matrices", "Disagreements", "Training curves"])
def test_views(app, two, view):
    opened(app, view)
    if view == "Disagreements":
        settings, _, names = two
        a, b = (read_evaluation(get_evaluation(name, settings).folder).prediction_table["prediction"] for name in names)
        assert f"all disagreements ({(a != b).sum()})" in widget(app.selectbox, "compare-kind").options
    if view == "Training curves":
        assert "No training curves were saved for" in texts(app)


@pytest.mark.parametrize(
    ("key", "old_name", "name"),
    [("compare-what", "Trials of one spec", "Repeated trials"), ("compare-view", "Where they differ", "Disagreements")],
)
def test_a_link_of_an_older_version_opens_the_renamed_view(app, two, key, old_name, name):
    app.switch_page("pages/compare.py")
    app.query_params[key] = old_name
    app.run()
    assert not app.exception
    assert widget(app.segmented_control, key).value == name


def test_an_ensemble_is_an_evaluation_of_its_own(app, two):
    settings, _, names = two
    opened(app)
    widget(app.button, "compare-ensemble").click().run()
    assert not app.exception
    found = next(one for one in list_evaluations(settings) if one.name not in names)
    assert set(found.protocol.model.split(" + ")) == {"tiny", "pixel"}
    assert len(app.dataframe[0].value) == 3


def test_one_model_is_not_enough(app, two):
    opened(app)
    chosen = next(one for one in app.multiselect if one.key.startswith("compare-models"))
    chosen.set_value(chosen.value[:1]).run()
    assert "Choose two or more models" in texts(app)


def test_one_image_through_both(app, two):
    opened(app, what="One image")
    rgb = draw_field(3, 2, 200, 260, scale=0.45).rgb
    drop(app, "field.png", encode_png(rgb))
    assert not app.exception
    table = app.dataframe[0].value
    assert len(table) == 2
    assert {"tiny", "pixel", "Agreement"} <= set(table.columns)
    assert all(uri.startswith("data:image/jpeg;base64,") for uri in table["Cell"])
    assert table["Cell"].is_unique
    drop(app, "bad.png", b"not an image")
    assert not app.exception
    assert "Bloodcell can read" in texts(app)


def test_an_image_without_a_cell(app, two):
    opened(app, what="One image")
    blank = encode_png(np.full((120, 120, 3), 225, np.uint8))
    drop(app, "blank.png", blank)
    assert not app.exception
    assert "white cell" in texts(app)


def test_trials(app, workspace, tmp_path_factory):
    assert "There are no repeated trials yet" in texts(opened(app, what="Repeated trials"))
    settings = load_settings()
    shutil.copytree(result_folders(tmp_path_factory) / "trials", settings.runs_dir / "drawn-trials")
    app.run()
    assert not app.exception
    table = app.dataframe[0].value
    assert table["Trials"].tolist() == ["drawn-trials"]
    assert table["Converged"].tolist() == ["2 of 3"]
    assert all("±" in words for words in table.iloc[0, 3:6])
