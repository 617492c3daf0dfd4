"""Frames of real size: the same cell at two resolutions gives the same crop, a smaller cell stays smaller."""

import json

import cv2
import numpy as np
import pytest

from bloodcell.core.errors import ModelError, SpecError
from bloodcell.imaging.boxes import Box
from bloodcell.imaging.read import encode_png
from bloodcell.inference.detector import Detector
from bloodcell.inference.engine import Engine
from bloodcell.inference.field_finder import FieldFinder
from bloodcell.inference.frame_scale import measure_frame_scale
from bloodcell.inference.framing import Framing
from bloodcell.inference.pipeline import analyse, classify_box
from bloodcell.model_store.detectors import SHIPPED_DETECTOR
from bloodcell.model_store.io_spec import PHYSICAL_FRAME, ModelIOSpec, read_io_spec
from bloodcell.synthetic.gallery import draw_field
from bloodcell.training.specs.train_spec import TrainSpec
from tests.inference.net import write_net, write_spec

PHYSICAL = ModelIOSpec(60, 60, context=3.0, frame=PHYSICAL_FRAME)


def draw_disc(radius_px, side_px=300):
    """A dark disc on white, and its box."""
    rgb = np.full((side_px, side_px, 3), 235, np.uint8)
    middle = side_px // 2
    cv2.circle(rgb, (middle, middle), radius_px, (90, 60, 140), -1)
    return rgb, Box(middle - radius_px, middle - radius_px, middle + radius_px, middle + radius_px)


def count_dark(crop):
    return int((crop[..., 1] < 150).sum())


def test_a_smaller_cell_stays_smaller():
    """Discs of 20 and 40 px, red cells of 40 px: 3 diameters are 120 px, brought to 60, so 10 and 20 px of radius."""
    framing = Framing(PHYSICAL)
    small, large = (count_dark(framing.make_input(*draw_disc(radius_px), red_cell_px=40.0)) for radius_px in (20, 40))
    assert small == pytest.approx(np.pi * 10**2, rel=0.1)
    assert large == pytest.approx(np.pi * 20**2, rel=0.1)


def test_the_resolution_changes_nothing():
    rgb, box = draw_disc(40)
    half = cv2.resize(rgb, (150, 150), interpolation=cv2.INTER_AREA)
    half_box = Box(*(side // 2 for side in box))
    framing = Framing(PHYSICAL)
    at_full = framing.make_input(rgb, box, red_cell_px=40.0).astype(int)
    at_half = framing.make_input(np.asarray(half, np.uint8), half_box, red_cell_px=20.0).astype(int)
    assert np.abs(at_full - at_half).mean() < 4


def test_without_a_scale_it_says_so():
    with pytest.raises(ModelError, match="the diameter of red cells must be known"):
        Framing(PHYSICAL).make_input(*draw_disc(20))


def test_spec_json_names_the_frame_where_it_is_not_the_box():
    assert read_io_spec(json.loads(json.dumps(PHYSICAL.to_dict())), "mine") == PHYSICAL
    assert "frame" not in ModelIOSpec(60, 60).to_dict()
    with pytest.raises(ModelError, match=r"`frame` of the model mine must be one of .* Received: 'round'"):
        read_io_spec({"side_px": 64, "context": 1.2, "frame": "round"}, "mine")


def test_a_training_spec_takes_it_for_cells_alone():
    values = {"name": "mine", "sources": [{"name": "a", "path": "a"}], "frame": "physical", "context": 3.0}
    assert TrainSpec.from_dict(values).frame == "physical"
    with pytest.raises(SpecError, match="`frame` 'physical' is for cells"):
        TrainSpec.from_dict(values | {"input": "image", "unknown_share": 0.0})


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    folder = write_net(tmp_path_factory.mktemp("models") / "real", pixel=(16, 16))
    write_spec(folder, frame="physical", context=3.0)
    return Engine(folder)


def test_the_pipeline_hands_on_the_scale_of_the_batch(engine):
    field = draw_field(3, 2)
    data = encode_png(field.rgb)
    finder = FieldFinder(Detector(SHIPPED_DETECTOR), 90.0)
    (result,) = analyse(engine, [data], finder)
    assert result.cells
    for cell in result.cells:  # a box that a person draws there is seen alike
        drawn = classify_box(engine, field.rgb, cell.box, result.other_cells.red_cell_px)
        assert drawn.probs == pytest.approx(cell.probs, abs=1e-5)
    with pytest.raises(ModelError, match="must be known"):
        list(analyse(engine, [data]))


def test_the_scale_is_measured_only_where_it_is_needed(engine):
    field = encode_png(draw_field(3, 2).rgb)
    assert measure_frame_scale(ModelIOSpec(32, 32), [b"never read"], "mine") is None
    assert 50 < measure_frame_scale(engine.io_spec, [field], "mine") < 140
    blank = encode_png(np.full((100, 100, 3), 230, np.uint8))
    with pytest.raises(ModelError, match="no image of mine shows red cells enough"):
        measure_frame_scale(engine.io_spec, [blank], "mine")
