"""Occlusion by hand on a network that looks at one pixel; on a drawn cell; on the shipped model."""

import numpy as np
import pytest

from bloodcell.core.errors import ExplainError, ModelError
from bloodcell.explain.occlusion import choose_fill_colour, occlusion_maps
from bloodcell.imaging.crop import BACKGROUND_LEVEL
from bloodcell.inference.engine import Engine
from bloodcell.model_store.io_spec import ModelIOSpec
from tests.explain.nucleus_net import NUCLEUS, cell, nucleus_model, nucleus_of
from tests.inference.net import crops, write_net
from tests.training.tiny_run import FOREIGN_WARNINGS

pytestmark = FOREIGN_WARNINGS


@pytest.fixture(scope="module")
def nucleus(tmp_path_factory):
    return Engine(nucleus_model(tmp_path_factory))


def test_by_hand(tmp_path):
    """Only pixel (16, 8) decides. Covered it is 235 in all channels: logits equal, each class a third."""
    engine = Engine(write_net(tmp_path / "pixel", pixel=(16, 8)))
    drops = occlusion_maps(engine, crops((204, 200, 200))[0], patch=8 / 32, stride=8 / 32)
    assert (drops.dtype, drops.shape) == (np.float32, (3, 32, 32))
    # logits 102, 100, 100: 0.7870 of class RED; the patch of rows 16-23, columns 8-15 covers the pixel
    assert drops[0, 16:24, 8:16] == pytest.approx(0.7870 - 1 / 3, abs=1e-4)
    assert drops[1, 16:24, 8:16] == pytest.approx(0.1065 - 1 / 3, abs=1e-4)
    drops[:, 16:24, 8:16] = 0
    assert drops == pytest.approx(0, abs=1e-6)


def test_overlapping_patches_share_a_pixel(tmp_path):
    """Patches of 8 every 4: the pixel lies in 4 of them, its neighbours up to 8 away in fewer, of 4 that cover each."""
    engine = Engine(write_net(tmp_path / "pixel", pixel=(16, 16)))
    drop = occlusion_maps(engine, crops((204, 200, 200))[0], patch=8 / 32, stride=4 / 32)[0]
    most = 0.7870 - 1 / 3
    assert drop[16, 16] == pytest.approx(most, abs=1e-4)
    assert drop[12, 16] == pytest.approx(most / 2, abs=1e-4)
    assert drop[12, 12] == pytest.approx(most / 4, abs=1e-4)
    assert drop[8, 16] == pytest.approx(0, abs=1e-6)


@pytest.mark.keras
def test_the_classes_sum_to_nothing(nucleus):
    assert occlusion_maps(nucleus, cell()).sum(axis=0) == pytest.approx(0, abs=1e-5)


@pytest.mark.keras
def test_a_nucleus_that_decides_is_where_the_map_is(nucleus):
    crop = cell()
    assert nucleus.classify(crop[None]).probs[0, NUCLEUS] > 0.8
    drop = occlusion_maps(nucleus, crop)[NUCLEUS]
    inside = nucleus_of(crop)
    assert 0.1 < inside.mean() < 0.6
    assert drop[inside].mean() > 5 * max(drop[~inside].mean(), 1e-3)
    assert inside[np.unravel_index(drop.argmax(), drop.shape)]


@pytest.mark.keras
def test_other_weights_give_another_map(tmp_path, nucleus):
    """As Adebayo et al. (2018) ask: a map that stayed the same would tell of the image, not of the network."""
    other = Engine(write_net(tmp_path / "pixel", size=(48, 48), pixel=(2, 2)))
    one, two = (occlusion_maps(engine, cell())[0].ravel() for engine in (nucleus, other))
    assert abs(np.corrcoef(one, two)[0, 1]) < 0.3


@pytest.mark.keras
def test_progress_is_reported(nucleus):
    reported = []
    occlusion_maps(nucleus, cell(), on_progress=lambda done, total: reported.append((done, total)))
    done, totals = zip(*reported, strict=True)
    assert list(done) == sorted(done)
    assert set(totals) == {done[-1]}


@pytest.mark.keras
@pytest.mark.parametrize(("patch", "stride"), [(0.0, 0.0), (0.2, 0.0), (0.1, 0.2), (1.5, 0.2), (0.2, -0.1)])
def test_patches_that_make_no_sense(nucleus, patch, stride):
    with pytest.raises(ExplainError, match="`patch` must be above 0 and at most 1, and `stride` above 0"):
        occlusion_maps(nucleus, cell(), patch, stride)


@pytest.mark.keras
def test_another_crop_is_refused(nucleus):
    with pytest.raises(ModelError, match="Crops must be uint8"):
        occlusion_maps(nucleus, np.zeros((20, 20, 3), np.uint8))


def test_what_covers():
    crop = np.full((8, 8, 3), (200, 190, 180), np.uint8)
    assert choose_fill_colour(ModelIOSpec(8, 8), crop) == (BACKGROUND_LEVEL,) * 3
    assert choose_fill_colour(ModelIOSpec(8, 8, "image"), crop) == (200, 190, 180)
    assert choose_fill_colour(ModelIOSpec(8, 8, "image", mask="otsu"), crop) == (0, 0, 0)
    assert choose_fill_colour(ModelIOSpec(8, 8, "image"), np.zeros((8, 8, 3), np.uint8)) == (
        0,
        0,
        0,
    )  # no background found
