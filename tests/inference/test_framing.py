"""What is hidden of a image, and how, before a network sees it."""

import numpy as np
import pytest

from bloodcell.core.errors import ModelError
from bloodcell.imaging.boxes import Box
from bloodcell.inference.framing import Framing
from bloodcell.model_store.io_spec import ModelIOSpec

BACKGROUND = (240, 230, 220)


def image():
    """A dark square of 20 px on a light ground, and a black corner as a turned copy has."""
    rgb = np.full((60, 80, 3), BACKGROUND, np.uint8)
    rgb[20:40, 30:50] = (120, 40, 140)
    rgb[:5, :5] = 0
    return rgb


def test_without_a_mask_the_image_itself_is_seen():
    rgb = image()
    assert Framing(ModelIOSpec(32, 32)).hide_background(rgb) is rgb


def test_otsu_leaves_the_dark_and_blackens_the_rest_of_whole_images():
    rgb = image()
    hidden = Framing(ModelIOSpec(32, 32, "image", mask="otsu")).hide_background(rgb, BACKGROUND)
    assert (hidden[20:40, 30:50] == (120, 40, 140)).all()
    outside = np.ones((60, 80), bool)
    outside[20:40, 30:50] = False
    assert (hidden[outside] == 0).all()
    assert (rgb == image()).all()  # the one given is left as it was


def test_around_cut_out_cells_what_is_hidden_looks_like_clear_ground():
    rgb = image()
    rgb[50:, 60:] = (200, 150, 150)  # lighter than the cell: hidden
    framing = Framing(ModelIOSpec(32, 32, mask="otsu"))
    hidden = framing.hide_background(rgb, BACKGROUND)
    assert (hidden[50:, 60:] == BACKGROUND).all()
    cut = framing.make_input(hidden, Box(20, 30, 40, 50), BACKGROUND)
    assert cut.shape == (32, 32, 3)


def test_a_u_net_needs_its_file(tmp_path):
    with pytest.raises(ModelError, match=r"needs the file of the U-Net\. Received: none"):
        Framing(ModelIOSpec(32, 32, mask="unet"))
    with pytest.raises(ModelError, match=r"mask\.onnx of the model .* is missing or damaged"):
        Framing(ModelIOSpec(32, 32, mask="unet"), tmp_path / "mask.onnx")
