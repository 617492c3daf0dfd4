"""A detector is trained on drawn fields into a folder that opens, and resumes after a stop as if never stopped."""

import csv
import json
from dataclasses import replace

import cv2
import numpy as np
import pytest

from bloodcell.core.errors import DatasetError, RunError, StoppedError
from bloodcell.core.labels import DETECTED
from bloodcell.core.progress import Control
from bloodcell.imaging.read import encode_png
from bloodcell.inference.detector import Detector
from bloodcell.model_store.detectors import read_detector_model
from bloodcell.synthetic.fields import draw_field
from bloodcell.training.detector.thresholds import CANDIDATES
from bloodcell.training.output.history import DETECTOR_COLUMNS, HistoryRow
from bloodcell.training.output.result_folder import RESULT_DIR
from bloodcell.training.samples.field_samples import load_field_samples
from bloodcell.training.specs.detector_spec import BoxSourceSpec, DetectorSpec
from tests.conftest import step_by_step
from tests.training.tiny_run import FOREIGN_WARNINGS

pytestmark = [pytest.mark.keras, *FOREIGN_WARNINGS]
HEIGHT_PX, WIDTH_PX, RED_CELL_PX = 96, 128, 20
N_FIELDS = 8
LABELS = (("Leuko", "WBC"), ("Ery", "RBC"), ("Thrombo", "PLATELET"))
SPEC = DetectorSpec(
    name="drawn",
    title="Drawn cells",
    box_sources=(BoxSourceSpec("fields", "fields", "CC0", labels=LABELS),),
    red_cell_px=16,
    tile_px=64,
    weights="none",
    epochs=2,
    tiles_per_epoch=16,
    batch_size=8,
    held_share=0.25,
)


class Stops(Control):
    """Counts what it is told; stops after so many epochs, or in the reading."""

    def __init__(self, after_epochs=99, in_reading=False):
        self.after, self.in_reading, self.rows, self.read, self.lines = after_epochs, in_reading, [], [], []

    def on_reading(self, source, done, total):
        self.read.append((source, done, total))

    def on_epoch(self, row):
        self.rows.append(row)

    def log(self, line):
        self.lines.append(line)

    def should_stop(self):
        return len(self.rows) >= self.after or (self.in_reading and len(self.read) >= 2)


def draw_labelled_field(seed):
    """A drawn white cell among discs that stand for red cells and platelets; labels and boxes (l, t, r, b) from 1."""
    field = draw_field(seed, 1, HEIGHT_PX, WIDTH_PX, scale=0.2, red_share=0, n_platelets=0)
    rgb, rng = field.rgb.copy(), np.random.default_rng(seed)
    boxes = [("Leuko", *field.boxes[0])]
    for label, radius, colour in 6 * [("Ery", RED_CELL_PX // 2, (205, 140, 150))] + 2 * [
        ("Thrombo", 3, (120, 80, 150))
    ]:
        for _ in range(100):
            row, col = (int(rng.integers(radius + 3, side - radius - 3)) for side in (HEIGHT_PX, WIDTH_PX))
            box = (row - radius, col - radius, row + radius, col + radius)
            if all(
                box[2] < top or bottom < box[0] or box[3] < left or right < box[1]
                for _, top, left, bottom, right in boxes
            ):
                cv2.circle(rgb, (col, row), radius, colour, -1, cv2.LINE_AA)
                boxes.append((label, *box))
                break
    return rgb, [(label, left + 1, top + 1, right, bottom) for label, top, left, bottom, right in boxes]


def write_fields(data_dir, n=N_FIELDS):
    """Fields and their annotations in Pascal VOC, in data_dir/fields; gives `data_dir`."""
    folder = data_dir / "fields"
    folder.mkdir(parents=True)
    for seed in range(n):
        rgb, boxes = draw_labelled_field(seed)
        (folder / f"{seed}.png").write_bytes(encode_png(rgb))
        objects = "".join(
            f"<object><name>{label}</name><bndbox><xmin>{left}</xmin><ymin>{top}</ymin><xmax>{right}</xmax>"
            f"<ymax>{bottom}</ymax></bndbox></object>"
            for label, left, top, right, bottom in boxes
        )
        (folder / f"{seed}.xml").write_text(f"<annotation><filename>{seed}.png</filename>{objects}</annotation>")
    return data_dir


def train(*args):
    from bloodcell.training.detector.train_detector import train_detector

    return train_detector(*args)


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    """Fields, a copy of one of them, and an annotation without its image."""
    data_dir = write_fields(tmp_path_factory.mktemp("drawn-fields"))
    (data_dir / "fields" / "8.png").write_bytes((data_dir / "fields" / "7.png").read_bytes())
    for name in ("8.xml", "9.xml"):
        (data_dir / "fields" / name).write_text("<annotation/>")
    return data_dir


@pytest.fixture(scope="module")
def run(data_dir, tmp_path_factory):
    """(folder of the detector, what was told) of the one run."""
    work, told = tmp_path_factory.mktemp("drawn-detector") / "work", Stops()
    with step_by_step():
        train(work, SPEC, data_dir, told)
    return work / RESULT_DIR, told


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def read_weights(folder):
    import keras

    return keras.models.load_model(folder / "detector.keras", safe_mode=True, compile=False).get_weights()


def test_the_folder_opens_as_a_detector(run):
    folder, _ = run
    detector = Detector(folder)
    model = detector.model
    assert (model.title, model.class_names, model.red_cell_px) == ("Drawn cells", DETECTED, 16)
    assert set(model.thresholds) <= set(CANDIDATES)
    assert [DETECTED[index] for index in model.exclusive] == ["WBC", "RBC"]
    rgb, _ = draw_labelled_field(100)
    found = detector.detect(rgb, RED_CELL_PX, np.full(3, 1e-4))
    assert len(found) > 0
    assert (found.boxes >= 0).all()
    assert (found.boxes <= [HEIGHT_PX, WIDTH_PX] * 2).all()
    assert read_detector_model(folder).network_file == folder / "detector.onnx"


def test_the_network_in_onnx_gives_what_that_in_keras_gives(run):
    import keras
    import onnxruntime

    folder, _ = run
    images = np.stack([draw_labelled_field(seed)[0] for seed in (100, 101)]).astype(np.float32)
    outputs = keras.models.load_model(folder / "detector.keras", compile=False)(images, training=False)
    session = onnxruntime.InferenceSession(str(folder / "detector.onnx"), providers=["CPUExecutionProvider"])
    centres, sides = session.run(None, {session.get_inputs()[0].name: images})
    assert centres == pytest.approx(keras.ops.convert_to_numpy(outputs["centres"]), abs=1e-3)
    assert sides == pytest.approx(keras.ops.convert_to_numpy(outputs["sides"]), abs=1e-3)


def test_the_folder_says_what_it_holds(run):
    folder, _ = run
    spec, metrics = (json.loads((folder / name).read_text()) for name in ("spec.json", "metrics.json"))
    assert DetectorSpec.from_dict(spec["training"]) == SPEC
    assert (spec["kind"], spec["name"], spec["format"]) == ("detector", "drawn", 1)
    assert metrics["trained_on"] == {"fields": 6}  # a quarter of 8 is held out
    assert (metrics["held_out"]["fields"], metrics["left_out"]) == (2, 2)
    assert metrics["held_out"]["by_class"]["WBC"]["true"] == 2
    assert metrics["held_out"]["by_class"]["RBC"]["true"] <= 12
    history = rows_of(folder / "history.csv")
    assert [tuple(row) for row in history] == [DETECTOR_COLUMNS] * 2
    assert float(history[1]["val_map50"]) == pytest.approx(metrics["held_out"]["map50"], abs=1e-4)
    card = (folder / "README.md").read_text()
    assert card.startswith("# Drawn cells\n")
    assert "trained from scratch" in card
    assert "| fields | 6 | CC0 |" in card
    assert "It is not a medical device." in card


def test_what_is_told_in_a_run(run):
    _, told = run
    assert told.read[:N_FIELDS] == [("fields", done, N_FIELDS + 1) for done in range(1, N_FIELDS + 1)]
    assert [row["epoch"] for row in told.rows] == [1, 2]
    assert told.lines[:3] == [
        "Reading fields ...",
        "fields, 9.xml: Its image is not in this dataset.",
        "fields, 8.png: an exact duplicate.",
    ]
    assert any(line.endswith(" parameters, 6 training fields") for line in told.lines)
    assert told.lines[-1].startswith("mAP50 on 2 held-out fields: ")


@pytest.mark.usefixtures("without_graphs")
def test_a_stopped_run_goes_on_to_the_same_weights(run, data_dir, tmp_path):
    """Cancelled at the first batch after the first epoch, then gone on with; against the run that was never stopped."""
    folder, _ = run
    work = tmp_path / "work"
    with pytest.raises(StoppedError, match="finished epochs are kept"):
        train(work, SPEC, data_dir, Stops(after_epochs=1))
    assert [row["epoch"] for row in rows_of(work / "history.csv")] == ["1"]
    assert not (work / RESULT_DIR).exists()
    with pytest.raises(RunError, match=r"is of another spec \(stain differ\)"):
        train(work, replace(SPEC, stain=0.1), data_dir, Control())
    with pytest.raises(RunError, match="was trained on other images than there are now"):
        train(work, SPEC, write_fields(tmp_path / "fewer", N_FIELDS - 1), Control())
    train(work, SPEC, data_dir, then := Stops())
    assert [row["epoch"] for row in then.rows] == [2]
    assert "resumes after epoch 1 of 2" in then.lines
    for ours, theirs in zip(read_weights(folder), read_weights(work / RESULT_DIR), strict=True):
        assert np.array_equal(ours, theirs)
    histories = [rows_of(one / "history.csv") for one in (folder, work / RESULT_DIR)]
    for ours, theirs in zip(*histories, strict=True):
        assert ours | {"seconds": ""} == theirs | {"seconds": ""}


def test_reading_can_be_stopped(data_dir, tmp_path):
    with pytest.raises(StoppedError):
        train(tmp_path / "work", SPEC, data_dir, Stops(in_reading=True))
    assert not (tmp_path / "work").exists()


def test_a_run_that_diverges_says_so(data_dir, tmp_path, monkeypatch):
    from bloodcell.training.detector import train_detector

    row = HistoryRow(fit=1, epoch=1, loss=float("nan"), accuracy=0.0, rate=0.1, seconds=1)
    monkeypatch.setattr(train_detector, "fit_detector", lambda *_: (None, [row]))
    with pytest.raises(RunError, match="The detector diverged, its loss is no number: take a lower `learning_rate`"):
        train(tmp_path / "work", SPEC, data_dir, Control())
    assert not (tmp_path / "work" / RESULT_DIR).exists()


def test_without_data_there_is_no_run(tmp_path):
    with pytest.raises(DatasetError, match="There is no dataset at"):
        train(tmp_path / "work", SPEC, tmp_path, Control())
    assert not (tmp_path / "work").exists()


def test_a_batch_depends_on_seed_epoch_and_number_alone(data_dir):
    from bloodcell.training.detector.fit_detector import TileBatches

    fields = load_field_samples(SPEC, data_dir, Control()).fields
    batches = TileBatches(fields, replace(SPEC, tiles_per_epoch=17))
    assert len(batches) == 3  # of 8, 8 and 1; the last one is filled up
    first, third = batches[0], batches[2]
    rgb, targets = third
    assert (rgb.shape, rgb.dtype) == ((8, 64, 64, 3), np.float32)
    assert (targets.shape, targets.dtype) == ((8, 16, 16, 18), np.float32)
    again = TileBatches(fields, replace(SPEC, tiles_per_epoch=17))
    assert np.array_equal(again[2][0], rgb)
    assert not np.array_equal(first[0], rgb)
    again.on_epoch_end()
    assert not np.array_equal(again[2][0], rgb)
    assert not np.array_equal(TileBatches(fields, replace(SPEC, seed=1))[0][0], first[0])


def test_the_field_is_predicted_at_the_scale_of_the_detector(run, data_dir):
    """Red cells of 20 px become 16: 96 x 128 px times 0.8; the boxes as labelled, but for the rounding of sizes."""
    import keras

    from bloodcell.training.detector.fit_detector import predict_field

    field = load_field_samples(SPEC, data_dir, Control()).fields[0]
    detector = keras.models.load_model(run[0] / "detector.keras", compile=False)
    true, found = predict_field(detector, field, SPEC)
    labelled = np.array(
        [(top - 1, left - 1, bottom, right) for _, left, top, right, bottom in draw_labelled_field(0)[1]]
    )
    assert true.boxes == pytest.approx(0.8 * labelled, abs=0.7)
    assert [DETECTED[index] for index in true.class_index] == ["WBC"] + ["RBC"] * 6 + ["PLATELET"] * 2
    assert (found.boxes <= np.array([77, 103] * 2)).all()
    assert (found.score >= 0.03).all()
