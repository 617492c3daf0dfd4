import itertools

import numpy as np
import pytest

from bloodcell.core.errors import ImageError, IntakeError
from bloodcell.imaging.boxes import iou
from bloodcell.imaging.crop import resize_image
from bloodcell.imaging.read import encode_png, read_rgb
from bloodcell.inference import pipeline
from bloodcell.inference.engine import Engine
from bloodcell.inference.framing import Framing
from bloodcell.inference.pipeline import analyse, crop_for_display, find_cells
from bloodcell.model_store.io_spec import ModelIOSpec
from bloodcell.synthetic.gallery import draw_field
from tests.inference.net import write_net, write_spec

FIELD = encode_png(draw_field(3, 1, 240, 320).rgb)
THREE = encode_png(draw_field(0, 3, 240, 320, scale=0.4).rgb)
EMPTY = encode_png(draw_field(0, 0, 240, 320, n_platelets=0).rgb)
DARK = encode_png(np.full((60, 90, 3), 40, np.uint8))


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    return Engine(write_net(tmp_path_factory.mktemp("models") / "pixel", pixel=(16, 16)))


def test_one_field(engine):
    (result,) = analyse(engine, [FIELD])
    assert (result.status, result.message) == ("cells", "")
    assert (result.height_px, result.width_px) == (240, 320)
    (cell,) = result.cells
    assert iou(cell.box, draw_field(3, 1, 240, 320).boxes[0]) > 0.4
    assert len(cell.probs) == 3
    assert sum(cell.probs) == pytest.approx(1, abs=1e-5)
    assert cell.class_name == engine.class_names[int(np.argmax(cell.probs))]
    assert cell.status in ("confident", "check", "unfamiliar")


def test_each_kind_of_image_in_its_place(engine):
    """Cells, none, no smear, unreadable bytes, an error met earlier: nothing shifts."""
    images = [THREE, EMPTY, FIELD, DARK, b"no image", IntakeError("It lay in a damaged zip."), FIELD]
    results = list(analyse(engine, images))
    assert [result.status for result in results] == [
        "cells",
        "no white cell",
        "cells",
        "not a blood smear",
        "unreadable",
        "unreadable",
        "cells",
    ]
    assert [len(result.cells) for result in results] == [3, 0, 1, 0, 0, 0, 1]
    assert results[2] == results[6]
    assert results[1].message == "No white cell was found in this image."
    assert "no bright background" in results[3].message
    assert (results[3].height_px, results[3].width_px) == (60, 90)
    assert results[4].message
    assert (results[5].message, results[5].height_px) == ("It lay in a damaged zip.", 0)


def test_no_images(engine):
    assert list(analyse(engine, [])) == []
    assert list(find_cells(iter(()))) == []


@pytest.mark.parametrize("chunk", [1, 2, 5, 100])
def test_the_size_of_the_chunks_changes_nothing(engine, chunk, monkeypatch):
    images = [FIELD, EMPTY, THREE, b"", DARK, THREE, FIELD]
    expected = list(analyse(engine, images))
    monkeypatch.setattr(pipeline, "CHUNK_IMAGES", chunk)
    assert list(analyse(engine, images)) == expected


def test_images_are_taken_as_they_are_wanted(engine, monkeypatch):
    """An endless source: two chunks are read ahead, no more."""
    monkeypatch.setattr(pipeline, "CHUNK_IMAGES", 3)
    taken = itertools.count()

    def endless():
        for _ in taken:
            yield DARK

    results = analyse(engine, endless())
    for _ in range(3):
        next(results)
    results.close()
    assert 3 <= next(taken) <= 3 * 3 + 1


def test_an_error_of_the_source_is_not_swallowed(engine):
    def broken():
        yield FIELD
        raise ImageError("The disk is gone.")

    with pytest.raises(ImageError, match="The disk is gone"):
        list(analyse(engine, broken()))


def test_boxes_without_a_model_are_the_same(engine):
    images = [FIELD, EMPTY, THREE, b""]
    for found, analysed in zip(find_cells(images), analyse(engine, images), strict=True):
        assert found.status == analysed.status
        assert [cell.box for cell in found.cells] == [cell.box for cell in analysed.cells]
        assert {(cell.class_name, cell.probs, cell.status) for cell in found.cells} <= {("", (), "")}


def test_shown_crop_keeps_the_colours_of_the_image():
    field = draw_field(3, 1, 240, 320)
    crop = crop_for_display(field.rgb, field.boxes[0], side_px=90)
    assert crop.shape == (90, 90, 3)
    row, col = (round(at) for at in field.boxes[0].centre)
    assert crop[43:47, 43:47].mean(axis=(0, 1)) == pytest.approx(field.rgb[row, col], abs=40)


@pytest.fixture(scope="module")
def whole_images(tmp_path_factory):
    """A model of whole images of 24x40, which looks at the pixel in the top left corner."""
    folder = write_net(tmp_path_factory.mktemp("whole") / "pixel", size=(24, 40), has_known=False)
    write_spec(folder, input="image", context=None)
    return Engine(folder)


def test_a_model_of_whole_images_sees_the_image(whole_images):
    rgb = draw_field(3, 1, 240, 320).rgb
    red_corner = rgb.copy()
    red_corner[:12, :12] = (250, 200, 200)
    plain, red = analyse(whole_images, [encode_png(rgb), encode_png(red_corner)])
    assert red.cells[0].class_name == "RED"  # the corner alone differs, far from the cell
    assert red.cells[0].probs != plain.cells[0].probs
    assert [cell.box for cell in red.cells] == [cell.box for cell in plain.cells]
    scores = whole_images.classify(resize_image(red_corner, 24, 40)[None])
    assert red.cells[0].probs == pytest.approx(scores.probs[0].tolist())


def test_a_model_that_needs_no_white_cell_names_every_image(tmp_path):
    """As one of red cells does: the image is what is named, whatever is in it."""
    folder = write_net(tmp_path / "pixel", size=(24, 40), has_known=False)
    write_spec(folder, input="image", context=None, needs_white_cell=False)
    engine = Engine(folder)
    for result, (height, width) in zip(analyse(engine, [EMPTY, DARK]), [size_of(EMPTY), size_of(DARK)], strict=True):
        assert result.status == "cells"
        (cell,) = result.cells
        assert cell.box == (0, 0, height, width)
        assert cell.class_name in engine.class_names
    (broken,) = analyse(engine, [b"no image"])
    assert broken.status == "unreadable"


def size_of(data):
    return read_rgb(data).shape[:2]


def test_a_model_of_whole_images_names_the_largest_cell_and_says_so(whole_images):
    three, one, none, dark = analyse(whole_images, [THREE, FIELD, EMPTY, DARK])
    (found,) = find_cells([THREE])
    assert [cell.box for cell in three.cells] == [max((cell.box for cell in found.cells), key=lambda box: box.area_px)]
    assert (
        three.message == "This model looks at the whole image, so only the largest of its 3 white cells is classified."
    )
    assert (len(one.cells), one.message) == (1, "")
    assert (none.status, none.cells) == ("no white cell", ())  # no answer without a white cell
    assert (dark.status, dark.cells) == ("not a blood smear", ())


def test_cells_for_a_network_that_is_not_square():
    io_spec = ModelIOSpec(24, 48, context=1.2)
    field = draw_field(3, 1, 240, 320)
    crop = Framing(io_spec).make_input(field.rgb, field.boxes[0])
    assert crop.shape == (24, 48, 3)
    square = Framing(ModelIOSpec(24, 24, context=1.2)).make_input(field.rgb, field.boxes[0])
    assert np.abs(crop[:, 12:36].astype(int) - square).mean() < 2  # the same cell as large, with more beside it
