"""The most confident errors with their images: order, crops, a changed image, a dataset that is gone."""

from dataclasses import replace

import numpy as np
import pytest

from bloodcell.datasets.catalog.library import remove_dataset
from bloodcell.evaluation.confident_errors import collect_wrong_predictions, read_crops_by_file
from bloodcell.evaluation.evaluation_folder import max_probabilities
from bloodcell.imaging.read import read_rgb
from tests.evaluation.judged import evaluated, spec_for, workspace
from tests.evaluation.made import made_evaluation


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    settings, dataset = workspace(tmp_path_factory.mktemp("wrong"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BLOODCELL_HOME", str(settings.home))
        return settings, dataset, evaluated(settings, spec_for(dataset))


def test_the_most_confident_first_with_images(judged):
    settings, dataset, evaluation = judged
    predictions = evaluation.prediction_table
    wrong = predictions[predictions["label"] != predictions["prediction"]]
    found = collect_wrong_predictions(evaluation, settings)
    assert found.n_errors == len(wrong) > 1
    assert (found.problem, {one.file for one in found.most_confident}) == ("", set(wrong["file"]))
    assert (np.diff([one.probability for one in found.most_confident]) <= 0).all()
    assert found.most_confident[0].probability == pytest.approx(max_probabilities(wrong).max())
    assert all(read_rgb(one.jpeg).shape == (120, 120, 3) for one in found.most_confident)
    assert len(collect_wrong_predictions(evaluation, settings, 1).most_confident) == 1
    assert evaluation.protocol.dataset_sha256 == dataset.fingerprint


def test_an_image_that_changed_is_not_shown(judged):
    settings, _, evaluation = judged
    first = collect_wrong_predictions(evaluation, settings, 1).most_confident[0].file
    sha256 = np.where(evaluation.prediction_table["file"] == first, "0" * 64, evaluation.prediction_table["sha256"])
    changed = replace(evaluation, prediction_table=evaluation.prediction_table.assign(sha256=sha256))
    found = collect_wrong_predictions(changed, settings, 2)
    assert [bool(one.jpeg) for one in found.most_confident] == [False, True]
    assert found.problem == (
        f"1 of these 2 images cannot be shown; the first is {first}: It has changed since it was evaluated."
    )
    crops, problem = read_crops_by_file([first], changed, settings)
    assert (crops, bool(problem)) == ({first: b""}, True)


def test_an_image_without_a_cell_is_shown_whole(judged):
    settings, _, evaluation = judged
    nothing = evaluation.prediction_table.assign(prediction="", status="", top=-1, left=-1, bottom=-1, right=-1)
    found = collect_wrong_predictions(replace(evaluation, prediction_table=nothing), settings, 3)
    assert (found.n_errors, found.problem) == (12, "")
    assert all(one.probability == 0 and read_rgb(one.jpeg).shape == (120, 120, 3) for one in found.most_confident)


def test_where_the_dataset_is_gone(judged):
    settings, dataset, evaluation = judged
    remove_dataset(dataset)
    assert collect_wrong_predictions(evaluation, settings, 1).problem == ""  # the images still lie where they were
    gone = replace(evaluation, protocol=replace(evaluation.protocol, path=str(settings.home / "nowhere")))
    for one in (gone, made_evaluation()):
        found = collect_wrong_predictions(one, settings)
        assert found.n_errors > 0
        assert not any(wrong.jpeg for wrong in found.most_confident)
        assert "is no longer there" in found.problem
