import json
import zipfile

import numpy as np
import pytest

from bloodcell.data.records import ImageSource, Record, folder_records
from bloodcell.data.sources import source_cells
from bloodcell.data.synthetic import draw_field
from bloodcell.errors import DatasetError, SpecError
from bloodcell.evaluate.dataset import evaluate, labelled_images, predictions_csv
from bloodcell.evaluate.metrics import NOT_ANSWERED
from bloodcell.imaging.read import encode_png
from bloodcell.infer.engine import Engine
from tests.infer.net import write_net


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    return Engine(write_net(tmp_path_factory.mktemp("models") / "pixel", pixel=(16, 16)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two cells, a blank picture, a broken one, and a cell of a class that the model does not know."""
    root = tmp_path_factory.mktemp("set")
    cell = encode_png(draw_field(3, 1, 120, 120, scale=0.45).rgb)
    blank = encode_png(np.full((120, 120, 3), 220, np.uint8))
    for name, data in {"blue/1": cell, "blue/2": cell, "blue/3": blank, "red/1": b"no image", "other/1": cell}.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / f"{name}.png").write_bytes(data)
    return root


def test_predictions_keep_the_order_and_mark_what_was_not_answered(engine, folder):
    images, records = labelled_images(folder)
    told = []
    answers = evaluate(engine, images, records, np.arange(5), lambda done, total: told.append((done, total)))
    # sorted: blue 1, 2, 3, other (left out), red
    assert answers.y_true.tolist() == [2, 2, 2, 0]
    assert answers.groups.tolist() == [0, 1, 2, 4]
    assert answers.y_pred[2:].tolist() == [NOT_ANSWERED, NOT_ANSWERED]
    assert answers.y_pred[0] == answers.y_pred[1] == answers.probs[0].argmax()
    assert answers.probs.sum(axis=1) == pytest.approx([1, 1, 0, 0], abs=1e-5)
    assert answers.status[2:].tolist() == ["", ""]
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_table_of_predictions(engine, folder):
    images, records = labelled_images(folder)
    rows = predictions_csv(records, evaluate(engine, images, records, np.arange(5))).splitlines()
    assert rows[0] == "file,label,prediction,status,source_cell,prob_RED,prob_GREEN,prob_BLUE"
    assert len(rows) == 1 + 4
    assert rows[1].startswith("blue/1.png,BLUE,")
    assert rows[4] == "red/1.png,RED,,,4,0.00000,0.00000,0.00000"


def test_no_label_that_the_model_knows(engine, folder):
    with pytest.raises(DatasetError, match=r"No image is labelled RED, GREEN, BLUE\. Labels found: \['OTHER'\]"):
        evaluate(engine, ImageSource(folder), [Record("other/1.png", "OTHER")], np.arange(1))


def test_a_zip_is_a_dataset_too(tmp_path):
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        archive.writestr("red/1.png", b"")
    images, records = labelled_images(tmp_path / "set.zip")
    assert records == [Record("red/1.png", "RED")]
    assert images.files() == ["red/1.png"]


def test_a_described_source_starts_from_its_own_folder(folder, tmp_path):
    path = folder / "source.json"
    path.write_text(json.dumps({"name": "s", "path": ".", "labels": [["OTHER", "GREEN"]]}))
    labels = {record.file: record.label for record in labelled_images(path)[1]}
    assert labels["other/1.png"] == "GREEN"
    path.unlink()


def test_descriptions_that_cannot_be_used(tmp_path):
    with pytest.raises(DatasetError, match=r"The dataset .*none\.json cannot be read: No such file"):
        labelled_images(tmp_path / "none.json")
    (tmp_path / "bad.json").write_text('{"name": "s", "path": ".", "lables": []}')
    with pytest.raises(SpecError, match=r"Unknown training settings \['lables'\]"):
        labelled_images(tmp_path / "bad.json")


def test_source_cells_each(folder):
    assert source_cells("each", ImageSource(folder), folder_records(ImageSource(folder))).tolist() == [0, 1, 2, 3, 4]


def test_source_cells_from_pixels():
    """The same picture turned is the same cell, another picture is not."""

    class Drawn:
        def read(self, file):
            rgb = draw_field(int(file[0]), 1, 240, 320).rgb
            return encode_png(np.ascontiguousarray(np.rot90(rgb, int(file[1]))))

    groups = source_cells("pixels", Drawn(), [Record(name, "A") for name in ("10", "12", "20")])
    assert groups[0] == groups[1] != groups[2]


def test_source_cells_from_a_file(folder, tmp_path):
    records = folder_records(ImageSource(folder))
    path = tmp_path / "groups.csv"
    path.write_text("file,group\n" + "".join(f"{r.file},{r.label}\n" for r in records))
    assert source_cells(str(path), ImageSource(folder), records).tolist() == [0, 0, 0, 1, 2]
    path.write_text("file,group\nblue/1.png,1\n")
    with pytest.raises(DatasetError, match=r"gives no group for blue/2\.png and 3 other images"):
        source_cells(str(path), ImageSource(folder), records)
