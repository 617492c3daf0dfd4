"""A U-Net learns masks of drawn cells, gives them for unseen images, and resumes after a stop as if never stopped."""

import csv
import json
from dataclasses import replace

import keras
import numpy as np
import pytest

from bloodcell.core.errors import DatasetError, ImageError, ModelError, RunError, SpecError, StoppedError
from bloodcell.core.progress import Control
from bloodcell.imaging.read import encode_png
from bloodcell.imaging.segment import dice, intersection_over_union
from bloodcell.inference.masks import MaskEngine
from bloodcell.model_store.folder import MASK_FILE
from bloodcell.model_store.mask_models import EXAMPLES_FILE, Examples, read_mask_model
from bloodcell.networks.registry import build_default_settings, get_builder
from bloodcell.training.fitting.checkpoint import CHECKPOINT_DIR
from bloodcell.training.masks.mask_metrics import measure_masks
from bloodcell.training.masks.train_masks import train_mask_model
from bloodcell.training.output.history import MASK_COLUMNS
from bloodcell.training.output.result_folder import RESULT_DIR
from bloodcell.training.samples.mask_samples import load_mask_samples, open_pairs, resize_mask
from tests.inference.net import write_net
from tests.training.masks.mask_images import HEIGHT_PX, SPEC, WIDTH_PX, spot, train_spots, write_spots
from tests.training.tiny_run import FOREIGN_WARNINGS

pytestmark = FOREIGN_WARNINGS
QUICK = replace(SPEC, epochs=2, limit=8)


class Stops(Control):
    """Counts what it is told; stops after so many epochs, or in the reading."""

    def __init__(self, after_epochs=99, in_reading=False):
        self.after, self.in_reading, self.rows, self.told = after_epochs, in_reading, [], []

    def on_reading(self, source, done, total):
        self.told.append((source, done, total))

    def on_batch(self, at):
        self.told.append(("batch", at.batch, at.batches))

    def on_epoch(self, row):
        self.rows.append(row)

    def should_stop(self):
        return len(self.rows) >= self.after or (self.in_reading and len(self.told) >= 2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return train_spots(tmp_path_factory)[1]


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_masks_of_unseen_images_of_any_size(folder):
    engine = MaskEngine(folder / MASK_FILE)
    pairs = [spot(seed) for seed in range(100, 106)]
    assert np.mean([dice(engine.predict_mask(rgb), mask > 0) for rgb, mask in pairs]) > 0.85
    large = np.repeat(np.repeat(pairs[0][0], 2, axis=0), 2, axis=1)
    mask = engine.predict_mask(large)
    assert (mask.shape, mask.dtype) == ((2 * HEIGHT_PX, 2 * WIDTH_PX), bool)
    with pytest.raises(ImageError, match="uint8"):
        engine.predict_mask(large[..., 0])


def test_the_metrics_are_those_of_the_exported_network_on_held_out_images(folder):
    metrics = json.loads((folder / "metrics.json").read_text())
    held_out, rows = metrics["held_back"], rows_of(folder / "held_back.csv")
    assert (held_out["images"], metrics["learned_from"]["images"], metrics["left_out"]) == (6, 18, 0)
    engine = MaskEngine(folder / MASK_FILE)
    for row in rows:
        rgb, mask = spot(int(row["file"][-6:-4]))
        given = engine.predict_mask(rgb)
        assert float(row["dice"]) == pytest.approx(dice(given, mask > 0), abs=1e-4)
        assert float(row["iou"]) == pytest.approx(intersection_over_union(given, mask > 0), abs=1e-4)
    assert held_out["dice"]["mean"] == pytest.approx(np.mean([float(row["dice"]) for row in rows]), abs=1e-4)
    low, high = held_out["dice"]["interval"]
    assert 0.5 < held_out["dice"]["least"] <= low <= held_out["dice"]["mean"] <= high <= 1
    assert held_out["dice_of_otsu"]["mean"] > 0.9  # these images are easy
    assert held_out["against"] == "masks drawn by people"


def test_the_folder_says_what_it_holds(folder):
    model = read_mask_model(folder)
    assert (model.title, model.height_px, model.width_px) == ("spots-unet", 32, 48)
    history = rows_of(folder / "history.csv")
    assert (tuple(history[0]), len(history)) == (MASK_COLUMNS, SPEC.epochs)
    assert float(history[-1]["val_dice"]) > float(history[0]["val_dice"])
    card = (folder / "README.md").read_text()
    assert "Trained on masks drawn by people" in card
    assert "| Dice of Otsu alone, same images |" in card
    examples = Examples.load(folder / EXAMPLES_FILE)
    assert examples.rgb.shape == (6, 32, 48, 3)
    assert (examples.dice[:-1] <= examples.dice[1:]).all()
    assert dice(examples.predicted_mask[-1], examples.true_mask[-1]) > 0.8


def test_saved_and_loaded_it_gives_the_same(folder):
    crops = np.stack([spot(seed)[0][::2, ::2] for seed in (60, 61)]).astype(np.float32)
    again = keras.models.load_model(folder / "mask.keras", safe_mode=True, compile=False)
    logits = keras.ops.convert_to_numpy(again(crops, training=False)["mask"])
    served = MaskEngine(folder / MASK_FILE)
    assert logits.shape == (2, 32, 48, 1)
    assert (served.predict_mask(crops[0].astype(np.uint8)) == (logits[0, ..., 0] > 0)).all()


def test_copies_of_a_cell_lie_on_one_side_and_the_split_of_a_source_is_kept(tmp_path):
    data_dir = write_spots(tmp_path)
    lines = [f"{name}/{seed:02d}.png,{seed // 6}" for seed in range(24) for name in "AB"]
    (data_dir / "groups.csv").write_text("file,group\n" + "\n".join(lines))
    spec = replace(SPEC, source=replace(SPEC.source, groups="groups.csv"))
    samples = load_mask_samples(spec, data_dir, tmp_path, Control())
    assert not set(samples.group[samples.held_out]) & set(samples.group[~samples.held_out])
    assert (len(samples.file), samples.held_out.sum(), samples.left_out) == (24, 6, 0)
    parts = ["A/01.png,g1,A,train", "A/03.png,g3,A,validation", "A/05.png,g5,A,test"]
    (data_dir / "split.csv").write_text("file,group,label,split\n" + "\n".join(parts) + "\n")
    spec = replace(SPEC, source=replace(SPEC.source, split="split.csv"))
    samples = load_mask_samples(spec, data_dir, tmp_path, Control())
    assert (samples.file, samples.held_out.tolist(), samples.left_out) == (["A/01.png", "A/03.png"], [False, True], 22)
    (data_dir / "split.csv").write_text("file,group,label,split\n" + "\n".join(parts[::2]) + "\n")
    with pytest.raises(DatasetError, match=r"must have the parts train and validation\. Found: train, test"):
        load_mask_samples(spec, data_dir, tmp_path, Control())


def test_stored_pairs_are_the_image_and_its_mask_and_are_not_made_again(tmp_path):
    data_dir, control = write_spots(tmp_path, 4), Stops()
    samples = load_mask_samples(replace(SPEC, limit=4), data_dir, tmp_path, control)
    assert samples.pairs.shape == (4, 32, 48, 4)
    row = samples.file.index("A/01.png")
    _, mask = spot(1)
    assert (samples.pairs[row][..., 3] == 255 * resize_mask(mask > 0, 32, 48)).all()
    assert control.told == [("spots", done, 4) for done in (1, 2, 3, 4)]
    load_mask_samples(replace(SPEC, limit=4), data_dir, tmp_path, again := Stops())
    assert again.told == []
    rgb = spot(50)[0]
    (data_dir / "spots" / "masks" / "A" / "01.png").write_bytes(
        encode_png(np.dstack([np.uint8(rgb[..., 0] < 150)] * 3))
    )
    changed = load_mask_samples(replace(SPEC, limit=4), data_dir, tmp_path, Control())
    assert (changed.pairs[row][..., 3] != samples.pairs[row][..., 3]).any()


def test_otsu_needs_no_masks_and_says_what_it_measures(tmp_path):
    data_dir = write_spots(tmp_path, 8)
    spec = replace(QUICK, targets="otsu", masks="")
    with open_pairs(spec, data_dir) as pairs:
        assert [record.file.split("/")[0] for record in pairs.records] == 4 * ["A"] + 4 * ["B"]  # masks are no images
        _, mask = pairs.read(pairs.records[0])
    assert dice(mask, spot(1)[1] > 0) > 0.9
    metrics = train_mask_model(tmp_path / "work", spec, data_dir, tmp_path / "cache", Control())
    assert "not how well either marks the cell" in metrics["held_back"]["against"]
    assert "dice_of_otsu" not in metrics["held_back"]
    assert "what Otsu's threshold on green marks" in (tmp_path / "work" / RESULT_DIR / "README.md").read_text()


@pytest.mark.usefixtures("without_graphs")
def test_a_stopped_run_goes_on_to_the_same_weights(tmp_path):
    """Cancelled at the first batch after the first epoch, then gone on with; against a run that was never stopped."""
    data_dir = write_spots(tmp_path, 8)
    whole = tmp_path / "whole"
    train_mask_model(whole, QUICK, data_dir, tmp_path / "cache", Control())
    work = tmp_path / "work"
    with pytest.raises(StoppedError, match="finished epochs are kept"):
        train_mask_model(work, QUICK, data_dir, tmp_path / "cache", Stops(after_epochs=1))
    assert [row["epoch"] for row in rows_of(work / "history.csv")] == ["1"]
    assert not (work / RESULT_DIR).exists()
    with pytest.raises(RunError, match=r"is of another spec \(seed differ\)"):
        train_mask_model(work, replace(QUICK, seed=3), data_dir, tmp_path / "cache", Control())
    train_mask_model(work, QUICK, data_dir, tmp_path / "cache", then := Stops())
    assert [row["epoch"] for row in then.rows] == [2]
    models = [keras.models.load_model(one / RESULT_DIR / "mask.keras", compile=False) for one in (whole, work)]
    for ours, theirs in zip(*(model.get_weights() for model in models), strict=True):
        assert np.array_equal(ours, theirs)
    assert (work / CHECKPOINT_DIR / "fit-1.npz").is_file()


def test_reading_can_be_stopped(tmp_path):
    data_dir = write_spots(tmp_path, 8)
    with pytest.raises(StoppedError):
        load_mask_samples(QUICK, data_dir, tmp_path, Stops(in_reading=True))
    assert not list(tmp_path.glob("masks-*"))


def test_masks_that_mark_nothing_and_images_that_cannot_be_read(tmp_path):
    data_dir = write_spots(tmp_path, 8)
    with pytest.raises(ImageError, match=r"No mask marks a cell\. Are `cell_values` those of the cell"):
        load_mask_samples(replace(SPEC, cell_values=(7,)), data_dir, tmp_path, Control())
    (data_dir / "spots" / "A" / "01.png").write_bytes(b"no image")
    assert load_mask_samples(SPEC, data_dir, tmp_path, Control()).left_out == 1
    for path in data_dir.glob("spots/[AB]/*.png"):
        path.write_bytes(b"no image")
    with pytest.raises(DatasetError, match="None of the 8 images of spots can be read"):
        load_mask_samples(SPEC, data_dir, tmp_path, Control())


def test_held_out_images_that_have_become_unreadable(folder, tmp_path):
    data_dir = write_spots(tmp_path, 8)
    samples = load_mask_samples(QUICK, data_dir, tmp_path, Control())
    for path in data_dir.glob("spots/[AB]/*.png"):
        path.write_bytes(b"no image")
    with pytest.raises(DatasetError, match="None of the 2 held-out images can be read any more"):
        measure_masks(folder / MASK_FILE, QUICK, samples, data_dir, Control())


def test_a_side_that_cannot_be_halved():
    with pytest.raises(SpecError, match=r"of a U-Net must be multiples of 8\. Received: \(32, 36\)"):
        get_builder("unet")(build_default_settings("unet", 2, height_px=32, width_px=36))


def test_a_network_of_masks_that_is_none(tmp_path):
    with pytest.raises(ModelError, match=r"gone\.onnx of .* is missing or damaged"):
        MaskEngine(tmp_path / "gone.onnx")
    folder = write_net(tmp_path / "classes")
    with pytest.raises(ModelError, match=r"must give one mask \(N, H, W, 1\)\. Received: "):
        MaskEngine(folder / "model.onnx")
