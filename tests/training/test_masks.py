"""A U-Net learns masks of drawn cells, and gives them for pictures it has not seen, of any size."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from bloodcell.data.synthetic import draw_field
from bloodcell.errors import DatasetError, ImageError, ModelError, SpecError
from bloodcell.imaging.crop import whole_picture
from bloodcell.imaging.segment import dice
from bloodcell.infer.masks import MaskEngine
from bloodcell.training.export import export_mask_onnx
from bloodcell.training.masks import otsu_targets, train_unet
from bloodcell.zoo.registry import builder_of, default_settings
from tests.infer.net import write_net
from tests.training.tiny_run import FOREIGN_WARNINGS

pytestmark = FOREIGN_WARNINGS
SETTINGS = default_settings("unet", 2, height_px=32, width_px=48, stage_widths=(8, 12, 16), dropout=0.0)


def drawn_pictures(n, seed, height_px=32, width_px=48):
    fields = (draw_field(seed + row, 1, 96, 144, scale=0.4, n_platelets=0, stain="rose") for row in range(n))
    return np.stack([whole_picture(field.rgb, height_px, width_px) for field in fields])


@pytest.fixture(scope="module")
def taught():
    pictures = drawn_pictures(24, seed=0)
    return train_unet(SETTINGS, pictures, otsu_targets(pictures), epochs=25, learning_rate=5e-3)


def test_masks_of_unseen_pictures(taught, tmp_path):
    export_mask_onnx(taught, tmp_path / "mask.onnx", drawn_pictures(3, seed=50))
    engine = MaskEngine(tmp_path / "mask.onnx")
    unseen = drawn_pictures(6, seed=100)
    scores = [dice(engine.mask(rgb), wanted) for rgb, wanted in zip(unseen, otsu_targets(unseen), strict=True)]
    assert np.mean(scores) > 0.8
    large = draw_field(200, 1, 96, 144, scale=0.4, n_platelets=0, stain="rose").rgb
    mask = engine.mask(large)
    assert (mask.shape, mask.dtype) == ((96, 144), bool)
    assert dice(mask, otsu_targets(large[None])[0]) > 0.7
    with pytest.raises(ImageError, match="uint8"):
        engine.mask(large[..., 0])


def test_saved_and_loaded_it_gives_the_same(taught, tmp_path):
    taught.save(tmp_path / "mask.keras")
    crops = drawn_pictures(2, seed=60).astype(np.float32)
    again = keras.models.load_model(tmp_path / "mask.keras", safe_mode=True)
    before, after = (keras.ops.convert_to_numpy(one(crops, training=False)["mask"]) for one in (taught, again))
    assert after == pytest.approx(before, abs=1e-5)
    assert before.shape == (2, 32, 48, 1)


def test_each_epoch_is_told_and_a_seed_gives_the_same():
    pictures, lines = drawn_pictures(4, seed=0), []
    small = replace(SETTINGS, stage_widths=(2, 3))
    first, second = (train_unet(small, pictures, otsu_targets(pictures), epochs=2, log=lines.append) for _ in range(2))
    assert [line.split()[:2] for line in lines] == 2 * [["epoch", "1"], ["epoch", "2"]]
    for ours, theirs in zip(first.get_weights(), second.get_weights(), strict=True):
        assert ours == pytest.approx(theirs, abs=1e-6)


@pytest.mark.parametrize(("n", "size"), [(0, (32, 48)), (2, (32, 32)), (2, (24, 24))])
def test_pictures_and_masks_that_do_not_belong_together(n, size):
    pictures = np.zeros((n, 24 if size == (24, 24) else 32, size[1], 3), np.uint8)
    masks = np.zeros((n, *size), bool) if n else np.zeros((0, 32, 48), bool)
    with pytest.raises(DatasetError, match=r"learns from pictures of \(32, 48\) px, one or more, and a mask of each"):
        train_unet(SETTINGS, pictures, masks)


def test_a_side_that_cannot_be_halved():
    with pytest.raises(SpecError, match=r"of a U-Net must be multiples of 8\. Received: \(32, 36\)"):
        builder_of("unet")(default_settings("unet", 2, height_px=32, width_px=36))


def test_a_network_of_masks_that_is_none(tmp_path):
    with pytest.raises(ModelError, match=r"network of masks gone\.onnx is missing or damaged"):
        MaskEngine(tmp_path / "gone.onnx")
    folder = write_net(tmp_path / "classes")
    with pytest.raises(ModelError, match=r"must give one map \(N, H, W, 1\)\. model\.onnx gives"):
        MaskEngine(folder / "model.onnx")
