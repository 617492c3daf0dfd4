"""What is kept of an explanation comes back as it was; damage is said."""

from dataclasses import replace

import numpy as np
import pytest

from bloodcell.core.errors import ExplainError, StoreError
from bloodcell.explain.explanation import EXPLANATION_FILE, MAPS_FILE, Explanation, LayerMaps, read_explanation

LAYER = LayerMaps("conv", "convolution", 12, 16, 24, (3, 1), np.array([[[0, 1.0]], [[0.5, 0.25]]], np.float32))
WHOLE = Explanation(
    ("A", "B"),
    np.arange(48, dtype=np.uint8).reshape(4, 4, 3),
    5,
    "B",
    np.linspace(-1, 1, 32, dtype=np.float32).reshape(2, 4, 4),
    np.zeros((2, 4, 4), np.float32),
    "conv",
    (12, 16),
    (LAYER,),
)


def test_it_comes_back(tmp_path):
    WHOLE.save(tmp_path / "it")
    back = read_explanation(tmp_path / "it")
    for name in ("class_names", "n_cells", "of_class", "gradcam_layer", "gradcam_map_size"):
        assert getattr(back, name) == getattr(WHOLE, name)
    for name in ("crop", "occlusion", "gradcam"):
        np.testing.assert_array_equal(getattr(back, name), getattr(WHOLE, name))
        assert getattr(back, name).dtype == getattr(WHOLE, name).dtype
    (layer,) = back.layers
    assert replace(layer, maps=LAYER.maps) == replace(LAYER, maps=LAYER.maps)
    np.testing.assert_allclose(layer.maps, LAYER.maps, atol=1e-3)  # kept in half precision
    assert layer.description == "convolution, 24 channels of 12 x 16"


def test_what_was_not_made_is_none(tmp_path):
    Explanation(("A",), np.zeros((4, 4, 3), np.uint8)).save(tmp_path / "it")
    back = read_explanation(tmp_path / "it")
    assert (back.occlusion, back.gradcam, back.layers) == (None, None, ())


def test_nothing_is_there_before_the_last_file_is(tmp_path):
    assert read_explanation(tmp_path / "nowhere") is None
    WHOLE.save(tmp_path / "it")
    (tmp_path / "it" / EXPLANATION_FILE).unlink()
    assert read_explanation(tmp_path / "it") is None


@pytest.mark.parametrize(
    ("file", "data"), [(MAPS_FILE, b"PK half"), (EXPLANATION_FILE, b"{"), (EXPLANATION_FILE, b"{}")]
)
def test_damage_is_said(tmp_path, file, data):
    WHOLE.save(tmp_path / "it")
    (tmp_path / "it" / file).write_bytes(data)
    with pytest.raises(ExplainError, match=r"are damaged\. Create them again"):
        read_explanation(tmp_path / "it")


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="The maps cannot be written"):
        WHOLE.save(tmp_path / "file" / "it")
