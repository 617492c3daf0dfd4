from collections import Counter

import numpy as np
import pytest

from bloodcell.core.errors import DatasetError
from bloodcell.core.labels import WHITE_CELLS_4
from bloodcell.imaging.boxes import iou
from bloodcell.imaging.read import MIN_SIDE_PX, read_rgb
from bloodcell.synthetic import non_smears
from bloodcell.synthetic.cells import STAINS, draw_outline, fill_outline
from bloodcell.synthetic.gallery import N_NON_SMEARS, draw_field, draw_non_smears, draw_sample_set
from bloodcell.synthetic.non_smears import KINDS


def test_same_seed_same_pixels_other_seed_other_pixels():
    first, again, other = draw_field(7), draw_field(7), draw_field(8)
    assert np.array_equal(first.rgb, again.rgb)
    assert (first.boxes, first.class_names, first.n_red) == (again.boxes, again.class_names, again.n_red)
    assert not np.array_equal(first.rgb, other.rgb)


@pytest.mark.parametrize(("height_px", "width_px"), [(480, 640), (240, 320), (360, 360), (120, 120)])
def test_size_and_type(height_px, width_px):
    rgb = draw_field(0, 1, height_px, width_px).rgb
    assert rgb.shape == (height_px, width_px, 3)
    assert rgb.dtype == np.uint8


@pytest.mark.parametrize("n_white", [0, 1, 2, 3])
def test_truth_has_a_box_and_a_class_for_each_white_cell(n_white):
    for seed in range(4):
        field = draw_field(seed, n_white)
        assert len(field.boxes) == len(field.class_names) == n_white
        for box in field.boxes:
            assert 0 <= box.top < box.bottom <= 480
            assert 0 <= box.left < box.right <= 640
        for index, box in enumerate(field.boxes):
            assert all(iou(box, other) < 0.1 for other in field.boxes[:index])


def test_classes_come_by_turns():
    counts = Counter(name for seed in range(4) for name in draw_field(seed, 4, scale=0.5).class_names)
    assert counts == dict.fromkeys(WHITE_CELLS_4, 4)


@pytest.mark.parametrize(
    ("class_name", "least_px", "most_px"),
    [("LYMPHOCYTE", 115, 190), ("NEUTROPHIL", 150, 240), ("EOSINOPHIL", 150, 240), ("MONOCYTE", 160, 290)],
)
def test_cells_are_as_large_as_real_ones(class_name, least_px, most_px):
    for seed in range(4):
        (box,) = draw_field(seed, class_names=[class_name]).boxes
        assert least_px <= (box.height * box.width) ** 0.5 <= most_px


@pytest.mark.parametrize("stain", STAINS)
@pytest.mark.parametrize("class_name", WHITE_CELLS_4)
def test_nucleus_is_the_darkest_thing_and_in_its_box(stain, class_name):
    field = draw_field(3, stain=stain, class_names=[class_name], n_platelets=0)
    (box,) = field.boxes
    green = field.rgb[..., 1].astype(int)
    inside = np.zeros(green.shape, bool)
    inside[box.top : box.bottom, box.left : box.right] = True
    nucleus_level = np.percentile(green[inside], 10)
    assert nucleus_level < np.percentile(green[~inside], 0.1) - 8


def test_stain_sets_the_background():
    for stain in STAINS.values():
        field = draw_field(1, 0, stain=stain, red_share=0.0, n_platelets=0)
        assert np.abs(np.median(field.rgb, axis=(0, 1)) - stain.background).max() <= 6


def test_red_cells_and_platelets_are_counted():
    empty = draw_field(5, 0, red_share=0.0, n_platelets=0)
    assert (empty.n_red, empty.n_platelets) == (0, 0)
    few, many = (draw_field(5, 0, red_share=share, n_platelets=9) for share in (0.1, 0.5))
    assert few.n_red < many.n_red
    assert many.n_platelets == 9


def test_scale_sets_the_size():
    small, large = (draw_field(2, scale=scale, class_names=["LYMPHOCYTE"]).boxes[0] for scale in (0.5, 1.0))
    assert large.height / small.height == pytest.approx(2, rel=0.06)


def test_wrong_wishes_are_refused():
    with pytest.raises(DatasetError, match=r"A field of 320 x 240 px has no room for 9 white cells at scale 1.00"):
        draw_field(0, 9, 240, 320, scale=1.0)
    with pytest.raises(DatasetError, match="A field of 64 x 64 px has no room for 1 white cell at"):
        draw_field(0, 1, 64, 64, scale=1.0)
    with pytest.raises(DatasetError, match=r"at least 16 px. Received: 640 x 15"):
        draw_field(0, 0, 15, 640)
    with pytest.raises(DatasetError, match=r"`stain` must be one of \['grey', 'cream', 'rose'\]. Received: 'blue'"):
        draw_field(0, stain="blue")
    for wrong in (["BASOPHIL"], []):
        with pytest.raises(DatasetError, match=r"`class_names` must be some of \['EOSINOPHIL', "):
            draw_field(0, class_names=wrong)


def test_filled_circle_has_its_area():  # OpenCV adds half a pixel all round: pi * 20.5**2 = 1320.3
    circle = draw_outline(np.random.default_rng(0), 20.0, 0.0)
    assert fill_outline(51, circle).sum() == pytest.approx(1320.3, rel=0.02)


@pytest.fixture(scope="module")
def samples():
    return draw_sample_set()


def test_sample_set_is_readable_and_named_apart(samples):
    assert len({name for name, _ in samples}) == 12
    sizes = Counter(read_rgb(data).shape for _, data in samples)
    assert len(sizes) == 4
    assert {name.rsplit(".")[-1] for name, _ in samples} == {"jpg", "png"}
    assert sum("no-white-cell" in name for name, _ in samples) == 1


def test_sample_set_by_number_and_seed(samples):
    assert draw_sample_set(2) == samples[:2]
    assert draw_sample_set(2, seed=1) != samples[:2]
    assert draw_sample_set(0) == []
    more = draw_sample_set(14)  # the sizes begin again after twelve, the pixels do not
    assert len(more) == 14
    assert more[:12] == samples
    assert [read_rgb(data).shape for _, data in more[12:]] == [read_rgb(data).shape for _, data in samples[:2]]
    assert [data for _, data in more[12:]] != [data for _, data in samples[:2]]


def test_non_smears_are_many_and_varied(monkeypatch):
    sizes = non_smears._SIZES
    assert len(sizes) == 5
    assert min(map(min, sizes)) >= MIN_SIDE_PX
    quarters = tuple((height_px // 4, width_px // 4) for height_px, width_px in sizes)  # drawn in a tenth of the time
    monkeypatch.setattr(non_smears, "_SIZES", quarters)
    kinds: Counter[str] = Counter()
    shapes = Counter()
    for name, rgb in draw_non_smears(0):
        kinds[name[:-3]] += 1
        shapes[rgb.shape] += 1
        assert rgb.dtype == np.uint8
    assert kinds == {kind: count for kind, (_, count) in KINDS.items()}
    assert sum(kinds.values()) == N_NON_SMEARS >= 200
    assert kinds["red cells only"] + kinds["platelets only"] >= 60
    assert set(shapes) == {(*size, 3) for size in quarters}


def test_non_smears_follow_their_seed():
    first, again, other = (next(iter(draw_non_smears(seed))) for seed in (3, 3, 4))
    assert np.array_equal(first[1], again[1])
    assert first[1].shape != other[1].shape or not np.array_equal(first[1], other[1])
