import numpy as np
import pytest

import bloodcell
from bloodcell.core.errors import DatasetError
from bloodcell.datasets.labels.listing import list_sorted_records
from bloodcell.datasets.labels.records import Record
from bloodcell.datasets.sources.contents import Contents
from bloodcell.evaluation.metrics.measure import compute_report
from bloodcell.evaluation.metrics.predictions import NO_PREDICTION
from bloodcell.evaluation.predict import format_predictions_csv, match_records_to_classes, predict_records
from bloodcell.imaging.read import encode_png
from bloodcell.inference.engine import Engine
from bloodcell.synthetic.gallery import draw_field
from tests.datasets.made import in_zip
from tests.inference.net import write_net


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    return Engine(write_net(tmp_path_factory.mktemp("models") / "pixel", pixel=(16, 16)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two cells, a blank image, a broken one, and a cell of a class that the model does not know."""
    root = tmp_path_factory.mktemp("set")
    cell = encode_png(draw_field(3, 1, 120, 120, scale=0.45).rgb)
    blank = encode_png(np.full((120, 120, 3), 220, np.uint8))
    for name, data in {"blue/1": cell, "blue/2": cell, "blue/3": blank, "red/1": b"no image", "other/1": cell}.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / f"{name}.png").write_bytes(data)
    return root


def opened(folder):
    records = [Record(record.file, record.label.upper()) for record in list_sorted_records(folder)]
    return Contents(folder), records


def test_predictions_keep_the_order_and_mark_what_has_none(engine, folder):
    images, records = opened(folder)
    calls = []
    predictions = predict_records(
        engine, images, records, np.arange(5), lambda done, total: calls.append((done, total))
    )
    # sorted: blue 1, 2, 3, other (left out), red
    assert predictions.y_true.tolist() == [2, 2, 2, 0]
    assert predictions.groups.tolist() == [0, 1, 2, 4]
    assert predictions.y_pred[2:].tolist() == [NO_PREDICTION, NO_PREDICTION]
    assert predictions.y_pred[0] == predictions.y_pred[1] == predictions.probs[0].argmax()
    assert predictions.probs.sum(axis=1) == pytest.approx([1, 1, 0, 0], abs=1e-5)
    assert predictions.status[2:].tolist() == ["", ""]
    assert calls == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_table_of_predictions(engine, folder):
    images, records = opened(folder)
    rows = format_predictions_csv(records, predict_records(engine, images, records, np.arange(5))).splitlines()
    assert rows[0] == "file,label,prediction,status,source_cell,prob_RED,prob_GREEN,prob_BLUE"
    assert len(rows) == 1 + 4
    assert rows[1].startswith("blue/1.png,BLUE,")
    assert rows[4] == "red/1.png,RED,,,4,0.00000,0.00000,0.00000"


def test_no_label_that_the_model_knows(engine, folder):
    with pytest.raises(DatasetError, match=r"No image is labelled RED, GREEN, BLUE\. Labels found: \['OTHER'\]"):
        predict_records(engine, Contents(folder), [Record("other/1.png", "OTHER")], np.arange(1))


def test_labels_are_compared_whatever_their_capitals():
    records = [Record("1", "Red"), Record("2", "basophil"), Record("3", "BLUE")]
    assert match_records_to_classes(records, ("RED", "BLUE")) == [Record("1", "RED"), Record("3", "BLUE")]
    with pytest.raises(DatasetError, match=r"No image is labelled GREEN\. Labels found: \['BLUE', 'Red', 'basophil'\]"):
        match_records_to_classes(records, ("GREEN",))


def test_bytes_that_are_not_to_be_had_are_an_error(engine, folder):
    with Contents(folder) as images, pytest.raises(DatasetError, match=r"red/9\.png cannot be used: .*No such file"):
        predict_records(engine, images, [Record("red/9.png", "RED")], np.arange(1))


def test_a_bomb_in_a_zip_is_an_error_in_one_sentence(engine, tmp_path):
    path = in_zip(tmp_path, {"red/1.bmp": bytes(4 * 2**20)})  # 4 MB of zeros pack to 4 kB
    with Contents(path) as images, pytest.raises(DatasetError, match=r"^red/1\.bmp cannot be used: [^.]*\.$"):
        predict_records(engine, images, [Record("red/1.bmp", "RED")], np.arange(1))


def test_the_public_evaluate_gives_the_report_of_the_predictions(engine, folder):
    images, records = opened(folder)
    calls = []
    report = bloodcell.evaluate(engine, images, records, np.array([7, 7, 8, 9, 9]), lambda *done: calls.append(done))
    assert report == compute_report(predict_records(engine, images, records, np.array([7, 7, 8, 9, 9])))
    assert (report.n_images, report.n_source_cells, report.n_without_prediction) == (4, 3, 2)
    low, high = report.metrics["accuracy"].interval
    assert low <= report.metrics["accuracy"].value <= high
    assert calls[-1] == (4, 4)
