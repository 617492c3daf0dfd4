"""A workspace that 0.1 made opens with the code of today, and says the same."""

import csv
import io
import json
from collections import Counter
from dataclasses import asdict, astuple

import numpy as np
import pytest

from bloodcell.datasets.catalog.changes import check_dataset_state
from bloodcell.datasets.catalog.groups_and_splits import list_stored_splits, read_stored_groups
from bloodcell.datasets.catalog.label_errors import read_label_errors
from bloodcell.datasets.catalog.library import list_datasets, list_problems, read_images_table
from bloodcell.datasets.splits.split_file import read_split
from bloodcell.db.database import begin_read, open_database
from bloodcell.db.schema import audit, metadata
from bloodcell.evaluation.evaluation_folder import read_evaluation
from bloodcell.evaluation.library import list_evaluations
from bloodcell.experiments.results.k_fold import read_kfold
from bloodcell.experiments.results.search import read_search
from bloodcell.experiments.results.trials import read_trials
from bloodcell.explain.explanation import read_explanation
from bloodcell.inference.engine import Engine
from bloodcell.jobs.files import job_dir, read_history, read_log
from bloodcell.jobs.store import get_job, list_jobs
from bloodcell.model_store.folder import ModelFolder
from bloodcell.model_store.library import list_models
from bloodcell.model_store.mask_models import EXAMPLES_FILE, Examples, list_mask_models
from bloodcell.review import tables
from bloodcell.review.batches import get_batch, list_batches
from bloodcell.review.corrections import list_corrections
from bloodcell.review.export import export_per_cell, export_per_image
from tests.upgrade.old_workspace import expect, read_expected, rows, unpack

SIDES = ("height_px", "width_px")


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    return unpack(tmp_path_factory.mktemp("old"))


@pytest.fixture(scope="module")
def db(settings):
    return open_database(settings.db_url)


def numbered(part):
    """The numbers of the expected things of a part, for one test each."""
    return range(len(read_expected()["said"][part]))


def csv_rows(data):
    header, *body = csv.reader(io.StringIO(data.decode("utf-8-sig")))
    return header, body


# ---- batches and their cells


def test_every_row_is_there(db):
    with begin_read(db) as connection:
        counts = {table.name: len(connection.execute(table.select()).all()) for table in metadata.sorted_tables}
    assert counts.pop("box_edits") == 0  # a table of later
    assert counts == read_expected()["said"]["rows"]


def test_the_audit_is_there(db, settings):
    with begin_read(db) as connection:
        lines = [[row.who, row.what, row.batch_id, row.detail] for row in connection.execute(audit.select())]
    assert lines == expect("audit", settings)


def test_deleted_batches_can_be_restored(db, settings):
    assert [asdict(batch) for batch in list_batches(db, deleted=True)] == expect("deleted_batches", settings)


@pytest.mark.parametrize("number", numbered("batches"))
def test_a_batch_says_the_same(db, settings, number):
    expected = expect("batches", settings)[number]
    summaries = sorted(list_batches(db), key=lambda batch: batch.id)
    assert asdict(summaries[number]) == expected["summary"]
    batch_id = summaries[number].id
    assert json.loads(json.dumps(asdict(get_batch(db, batch_id)))) == expected["batch"]
    cells = tables.read_cells_table(db, batch_id)
    assert rows(cells) == expected["cells"]["rows"]
    images = tables.read_images_table(db, batch_id)
    later = ["red_cell_px", "n_red_cells", "n_platelets", "sharpness"]
    assert images[later].isna().all(axis=None)
    assert rows(images.drop(columns=later)) == expected["images"]["rows"]
    history = {str(cell_id): [asdict(step) for step in list_corrections(db, cell_id)] for cell_id in cells["cell_id"]}
    assert {cell_id: steps for cell_id, steps in history.items() if steps} == expected["history"]


@pytest.mark.parametrize("number", numbered("batches"))
def test_the_csvs_of_a_batch_have_the_same_rows(db, settings, number):
    expected = expect("batches", settings)[number]
    batch_id = expected["summary"]["id"]
    header, per_image = csv_rows(export_per_image(db, batch_id))
    assert header == ["Filename", "Prediction"]
    assert per_image == expected["plain_csv"]["rows"]
    header, per_cell = csv_rows(export_per_cell(db, batch_id))
    assert len(header) == len(expected["full_csv"]["header"])
    assert per_cell == expected["full_csv"]["rows"]


# ---- models


@pytest.mark.parametrize("number", numbered("models"))
def test_a_model_opens_and_answers_the_same(settings, number):
    expected = expect("models", settings)[number]
    model = [model for model in list_models(settings) if not model.is_shipped][number]
    assert [model.name, str(model.folder), model.title] == [expected[name] for name in ("name", "folder", "title")]
    assert (list(model.class_names), model.sha256) == (expected["class_names"], expected["sha256"])
    io_spec = model.io_spec
    assert (io_spec.input, io_spec.has_thresholds) == (expected["input"], expected["is_judged"])
    assert io_spec.needs_white_cell == expected["needs_white_cell"]
    engine = Engine(model.folder)
    height_px, width_px = (expected["description"].get(side, expected["description"]["side_px"]) for side in SIDES)
    noise = np.random.default_rng(0).integers(0, 256, (1, height_px, width_px, 3), dtype=np.uint8)
    np.testing.assert_allclose(engine.classify(noise).probs, expected["probs_of_noise"], atol=2e-5)


@pytest.mark.parametrize("number", numbered("models"))
def test_what_a_model_was_trained_on_is_known(settings, number):
    expected = expect("models", settings)[number]
    model = [model for model in list_models(settings) if not model.is_shipped][number]
    provenance = ModelFolder(model.folder).read_provenance()
    sizes = None if provenance is None else [len(hashes) for hashes in astuple(provenance)]
    assert sizes == expected["learned"]


def test_a_unet_opens(settings):
    (model,), (expected,) = list_mask_models(settings), expect("mask_models", settings)
    assert (model.name, model.title) == (expected["name"], expected["title"])
    assert [model.height_px, model.width_px] == [expected["height_px"], expected["width_px"]]
    assert model.metrics == expected["figures"]
    examples = Examples.load(model.folder / EXAMPLES_FILE)
    assert (examples.file, examples.dice.tolist()) == (expected["examples"], expected["dice"])


# ---- datasets


@pytest.mark.parametrize("number", numbered("datasets"))
def test_a_dataset_is_registered_as_before(settings, number):
    expected = expect("datasets", settings)[number]
    dataset = list_datasets(settings)[number]
    for name in ("id", "name", "n_images", "n_unreadable", "n_problems", "fingerprint", "created_at", "scanned_at"):
        assert getattr(dataset, name) == expected[name]
    assert [str(dataset.path), str(dataset.folder)] == [expected["path"], expected["folder"]]
    assert list(dataset.class_names) == expected["class_names"]
    assert json.loads(json.dumps(asdict(dataset.choice))) == expected["choice"]
    table = read_images_table(dataset)
    assert rows(table) == expected["images"]["rows"]
    assert dict(Counter(table["label"])) == expected["class_counts"]
    assert [list(astuple(problem)) for problem in list_problems(dataset)] == [
        list(problem.values()) for problem in expected["problems"]
    ]
    assert check_dataset_state(dataset, reads_bytes=True).kind == expected["state_by_bytes"]


@pytest.mark.parametrize("number", numbered("datasets"))
def test_groups_splits_and_marked_labels_of_a_dataset_are_there(settings, number):
    expected = expect("datasets", settings)[number]
    dataset = list_datasets(settings)[number]
    groups = read_stored_groups(dataset)
    if expected["groups"] is None:
        assert groups is None
    else:
        assert list(astuple(groups)) == [expected["groups"][name] for name in ("group_of", "how", "is_current")]
    splits = {name: read_split(path) for name, path in list_stored_splits(dataset).items()}
    if isinstance(expected["splits"], dict):
        assert splits.keys() == expected["splits"].keys()
    for name, split in splits.items():
        before = expected["splits"][name]
        assert (list(split.parts), split.leaky) == (before["parts"], before["leaky"])
        assert rows(split.table) == before["rows"]["rows"]
    marks = [asdict(mark) for mark in read_label_errors(dataset).values()]
    assert marks == expected["label_errors"]


# ---- evaluations, results of experiments, explanations


@pytest.mark.parametrize("number", numbered("evaluations"))
def test_an_evaluation_opens(settings, number):
    expected = expect("evaluations", settings)[number]
    info = {info.name: info for info in list_evaluations(settings)}[expected["name"]]
    evaluation = read_evaluation(info.folder)
    assert evaluation.protocol == info.protocol
    assert evaluation.protocol.to_dict() == expected["protocol"]
    assert evaluation.report == info.report
    assert evaluation.report.to_dict() == expected["report"]
    assert rows(evaluation.prediction_table) == expected["answers"]["rows"]


def test_results_of_experiments_open(settings):
    expected = expect("results", settings)
    trials, before = read_trials(settings.runs_dir / "drawn-trials"), expected["drawn-trials"]
    assert [trials.rule, trials.converged] == [before["rule"], before["converged"]]
    assert rows(trials.spread) == before["spread"]["rows"]
    assert rows(trials.trials) == before["trials"]["rows"]
    kfold, before = read_kfold(settings.runs_dir / "drawn-kfold"), expected["drawn-kfold"]
    assert json.loads(json.dumps(kfold.metrics)) == before["figures"]
    assert rows(kfold.folds) == before["folds"]["rows"]
    search, before = read_search(settings.runs_dir / "drawn-search"), expected["drawn-search"]
    assert [search.metric, search.is_minimised] == [before["figure"], before["is_less_better"]]
    assert [search.best, search.space, search.importance] == [before[name] for name in ("best", "space", "importance")]
    assert rows(search.trials) == before["trials"]["rows"]
    assert json.loads(search.spec) == json.loads(before["spec"])


@pytest.mark.parametrize("number", numbered("explanations"))
def test_an_explanation_opens(settings, number):
    expected = expect("explanations", settings)[number]
    explanation = read_explanation(settings.explanations_dir / expected["key"])
    assert [list(explanation.class_names), explanation.n_cells] == [expected["class_names"], expected["n_cells"]]
    assert [explanation.of_class, list(explanation.crop.shape)] == [expected["of_class"], expected["crop"]]
    for name in ("occlusion", "gradcam"):
        map_ = getattr(explanation, name)
        before = expected["maps"][name]
        assert (None if map_ is None else [list(map_.shape), float(map_.sum())]) == before
    assert [layer.name for layer in explanation.layers] == [name for name, _ in expected["layers"]]


# ---- jobs


@pytest.mark.parametrize("number", numbered("jobs"))
def test_a_job_is_listed_as_before(db, settings, number):
    expected = expect("jobs", settings)[number]
    job = get_job(db, expected["id"])
    for name in ("kind", "title", "name", "who", "status", "attempt", "progress", "error", "result", "is_over"):
        assert getattr(job, name) == expected[name]
    assert job.spec == expected["spec"]
    folder = job_dir(settings, job.id)
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()) == expected["files"]
    assert read_history(settings, job.id) == expected["history"]
    lines = read_log(settings, job.id)[0].splitlines()
    assert (len(lines), lines[-1] if lines else "") == (expected["log_lines"], expected["log_end"])


def test_every_job_is_listed(db):
    assert len(list_jobs(db)) == len(read_expected()["said"]["jobs"])
