"""The cells of one class of a folder, and the mean over them."""

import numpy as np
import pytest

from bloodcell.core.errors import ExplainError
from bloodcell.datasets.labels.records import Record
from bloodcell.datasets.sources.contents import Contents
from bloodcell.explain.explain_cells import average_crops, average_occlusion_maps, cut_class_crops, find_class_index
from bloodcell.explain.occlusion import occlusion_maps
from bloodcell.imaging.read import encode_png
from bloodcell.inference.engine import Engine
from tests.explain.nucleus_net import SIDE_PX, cell, image_bytes, nucleus_model
from tests.training.tiny_run import FOREIGN_WARNINGS

pytestmark = FOREIGN_WARNINGS
SEEDS = (7, 8, 9)


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    return Engine(nucleus_model(tmp_path_factory))


@pytest.fixture
def images(tmp_path):
    """Three cells of one class, a image without a cell, one that cannot be read, and one of another class."""
    for seed in SEEDS:
        (tmp_path / f"{seed}.png").write_bytes(image_bytes(seed))
    (tmp_path / "blank.png").write_bytes(encode_png(np.full((120, 120, 3), 220, np.uint8)))
    (tmp_path / "broken.png").write_bytes(b"no image")
    (tmp_path / "other.png").write_bytes(image_bytes(10))
    with Contents(tmp_path) as contents:
        yield contents


RECORDS = [
    *(Record(f"{seed}.png", "Nucleus") for seed in SEEDS),
    Record("blank.png", "NUCLEUS"),
    Record("broken.png", "NUCLEUS"),
    Record("other.png", "OTHER"),
]


@pytest.mark.keras
def test_the_cells_of_a_class_whatever_its_capitals(engine, images):
    reported = []
    crops = cut_class_crops(engine, images, RECORDS, "nucleus", on_progress=lambda *at: reported.append(at))
    assert (crops.dtype, crops.shape) == (np.uint8, (3, SIDE_PX, SIDE_PX, 3))
    np.testing.assert_array_equal(crops, np.stack([cell(seed) for seed in SEEDS]))
    assert reported == [(done, 5) for done in range(1, 6)]


@pytest.mark.keras
def test_of_many_some_evenly(engine, images):
    crops = cut_class_crops(engine, images, RECORDS[:3], "NUCLEUS", max_cells=2)
    np.testing.assert_array_equal(crops, np.stack([cell(7), cell(9)]))


@pytest.mark.keras
@pytest.mark.parametrize(
    ("name", "max_cells", "message"),
    [
        ("MONOCYTE", 9, "The class must be one of OTHER, NUCLEUS. Received: 'MONOCYTE'"),
        ("NUCLEUS", 0, "A mean needs 1 cell or more. Received: 0"),
    ],
)
def test_what_cannot_be_asked(engine, images, name, max_cells, message):
    with pytest.raises(ExplainError, match=message):
        cut_class_crops(engine, images, RECORDS, name, max_cells)


@pytest.mark.keras
@pytest.mark.parametrize(("records", "n"), [(RECORDS[3:5], 2), ([], 0)])
def test_a_class_without_a_cell(engine, images, records, n):
    with pytest.raises(ExplainError, match=f"None of the {n} images labelled NUCLEUS shows a white cell"):
        cut_class_crops(engine, images, records, "NUCLEUS")


@pytest.mark.keras
def test_the_mean_is_that_of_the_maps(engine):
    crops = np.stack([cell(7), cell(8)])
    each = [occlusion_maps(engine, crop) for crop in crops]
    np.testing.assert_allclose(average_occlusion_maps(engine, crops), (each[0] + each[1]) / 2, atol=1e-6)
    assert average_crops(np.array([[[[0, 10, 255]]], [[[1, 20, 255]]]], np.uint8)).tolist() == [[[0, 15, 255]]]


def test_class_index():
    assert find_class_index(("A", "B"), "b") == 1
