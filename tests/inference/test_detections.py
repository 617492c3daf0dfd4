"""From maps to boxes, from boxes to one a cell, and tiles in which every cell belongs to one."""

import itertools
import json

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from bloodcell.core.errors import ImageError, ModelError
from bloodcell.inference.detections import MAX_IOU, NOTHING, Detections, compute_ious, decode_maps, join_detections
from bloodcell.inference.detector import OVERLAP_PX, TILE_PX, Detector, _list_windows, list_spans
from bloodcell.model_store.detectors import STRIDE

COLD = -9.0  # logit of a place that is no centre: 0.0001
HALF = np.array([0.5, 0.5])


def found(*cells):
    """Detections (class, score, top, left, bottom, right), the best first."""
    cells = sorted(cells, key=lambda cell: -cell[1])
    return Detections(
        np.array([cell[2:] for cell in cells], np.float32).reshape(-1, 4),
        np.array([cell[0] for cell in cells], np.int64),
        np.array([cell[1] for cell in cells], np.float32),
    )


def make_maps(*cells, height=12, width=20, n_classes=2):
    """Maps with a peak (class, row, col, logit, distances) each; elsewhere cold, and sides of one stride."""
    centres = np.full((height, width, n_classes), COLD, np.float32)
    sides = np.zeros((height, width, n_classes, 4), np.float32)
    for class_index, row, col, logit, distances in cells:
        centres[row, col, class_index] = logit
        sides[row, col, class_index] = np.log(distances)
    return centres, sides.reshape(height, width, -1)


def test_one_cell_by_hand():
    """The place (5, 7) has its middle at (22, 30) px; 2, 3, 1.5 and 2.5 strides are 8, 12, 6 and 10 px."""
    decoded = decode_maps(*make_maps((1, 5, 7, 2.0, (2, 3, 1.5, 2.5))), HALF)
    assert decoded.boxes.tolist() == pytest.approx(np.array([[14, 18, 28, 40]]))
    assert decoded.class_index.tolist() == [1]
    assert decoded.score == pytest.approx([1 / (1 + np.exp(-2))])
    assert (decoded.boxes.dtype, decoded.class_index.dtype, decoded.score.dtype) == (np.float32, np.int64, np.float32)


def test_nothing_is_found_in_cold_maps():
    decoded = decode_maps(*make_maps(), HALF)
    assert (len(decoded), decoded.boxes.shape) == (0, (0, 4))
    assert len(NOTHING) == 0


def test_the_best_come_first_whatever_their_class():
    cells = [(0, 2, 2, 1.0, (1,) * 4), (1, 2, 2, 3.0, (1,) * 4), (0, 8, 8, 2.0, (1,) * 4)]
    decoded = decode_maps(*make_maps(*cells), HALF)
    assert decoded.class_index.tolist() == [1, 0, 0]
    assert (np.diff(decoded.score) < 0).all()


def test_each_class_has_its_threshold():
    """Logits of 1 are scores of 0.73."""
    maps = make_maps((0, 2, 2, 1.0, (1,) * 4), (1, 8, 8, 1.0, (1,) * 4))
    assert decode_maps(*maps, np.array([0.7, 0.8])).class_index.tolist() == [0]
    assert decode_maps(*maps, np.array([0.74, 0.72])).class_index.tolist() == [1]


def test_a_score_at_the_threshold_counts():
    assert len(decode_maps(*make_maps((0, 2, 2, 0.0, (1,) * 4)), HALF)) == 1


def test_only_the_highest_place_of_a_neighbourhood_is_a_cell():
    maps = make_maps(
        (0, 5, 5, 3.0, (1,) * 4), (0, 5, 6, 2.9, (1,) * 4), (0, 6, 6, 2.8, (1,) * 4), (0, 5, 8, 1.0, (1,) * 4)
    )
    assert decode_maps(*maps, HALF).score == pytest.approx(1 / (1 + np.exp(-np.array([3.0, 1.0]))))


def test_equal_neighbours_are_both_peaks_and_become_one_by_joining():
    decoded = decode_maps(*make_maps((0, 5, 5, 3.0, (3,) * 4), (0, 5, 6, 3.0, (3,) * 4)), HALF)
    assert len(decoded) == 2
    # 24 px wide and 4 px apart: 20 shared of 28
    assert len(join_detections(decoded)) == 1


def test_peaks_in_the_corners_and_of_one_class():
    maps = make_maps((0, 0, 0, 3.0, (1,) * 4), (0, 11, 19, 2.0, (1,) * 4), n_classes=1)
    decoded = decode_maps(*maps, np.array([0.5]))
    assert decoded.boxes.tolist() == [[-2, -2, 6, 6], [42, 74, 50, 82]]


def test_sides_beyond_reason_stay_finite():
    centres, sides = make_maps((0, 5, 5, 3.0, (1,) * 4))
    sides[5, 5, :4] = [1e4, -1e4, 5, -5]
    box = decode_maps(centres, sides, HALF).boxes[0]
    assert box == pytest.approx(22 + STRIDE * np.exp([5, -5, 5, -5]) * [-1, -1, 1, 1], rel=1e-4)


def test_large_logits_are_scores_of_0_and_1():
    decoded = decode_maps(*make_maps((0, 5, 5, 1e4, (1,) * 4), (1, 5, 5, -1e4, (1,) * 4)), np.array([0.5, 1e-5]))
    assert decoded.score[0] == 1


@given(st.integers(0, 10_000))
def test_boxes_come_back_from_targets_like_maps(seed):
    """Cells apart by two places or more, of any sides: every one comes back where it was."""
    rng = np.random.default_rng(seed)
    places = [(row, col) for row in range(0, 12, 2) for col in range(0, 20, 2)]
    chosen = [places[number] for number in rng.permutation(len(places))[: rng.integers(0, 12)]]
    cells = [(int(rng.integers(2)), row, col, rng.uniform(0.1, 5), rng.uniform(0.1, 20, 4)) for row, col in chosen]
    decoded = decode_maps(*make_maps(*cells), HALF)
    expected = [
        (index, *(STRIDE * (np.array([row, col] * 2) + 0.5 + distances * [-1, -1, 1, 1])))
        for index, row, col, _, distances in sorted(cells, key=lambda cell: -np.float32(cell[3]))
    ]
    got = np.column_stack([decoded.class_index, decoded.boxes])
    assert got == pytest.approx(np.array(expected).reshape(-1, 5), abs=1e-3)


def test_selecting_keeps_what_belongs_together():
    three = found((0, 0.9, 0, 0, 8, 8), (1, 0.8, 10, 10, 30, 40), (2, 0.7, 5, 5, 6, 6))
    by_mask, by_position = three.select(three.score < 0.85), three.select(np.array([1, 2]))
    for one in (by_mask, by_position):
        assert (one.class_index.tolist(), one.score.tolist()) == ([1, 2], pytest.approx([0.8, 0.7]))
        assert one.boxes.tolist() == [[10, 10, 30, 40], [5, 5, 6, 6]]


def test_a_diameter_is_the_root_of_height_times_width():
    assert found((0, 0.9, 0, 0, 9, 16), (0, 0.8, 5, 5, 15, 15)).measure_diameters().tolist() == [12, 10]
    assert NOTHING.measure_diameters().shape == (0,)


def test_overlap_by_hand():
    """Boxes of 100 px: the half of the first shared with the second, 50 of 150; a quarter of a larger one; none."""
    others = np.array([[0, 5, 10, 15], [0, 0, 20, 20], [0, 10, 10, 20], [0, 0, 10, 10], [5, 5, 5, 5]], np.float32)
    assert compute_ious(np.array([0, 0, 10, 10]), others) == pytest.approx([1 / 3, 1 / 4, 0, 1, 0])
    assert compute_ious(np.array([0, 0, 10, 10]), np.zeros((0, 4))).shape == (0,)
    assert compute_ious(np.array([5, 5, 5, 5]), np.array([[5, 5, 5, 5]])) == pytest.approx([0])


def test_of_boxes_of_one_cell_the_best_is_kept():
    """Shifted by 2 of 10 px, 80 of 120 px are shared: 0.67; by 3, 70 of 130: 0.54, just too little."""
    assert MAX_IOU == 0.55
    best, same, near = (0, 0.9, 0, 0, 10, 10), (0, 0.8, 0, 2, 10, 12), (0, 0.7, 0, 3, 10, 13)
    assert join_detections(found(best, same)).score == pytest.approx([0.9])
    assert join_detections(found(best, near)).score == pytest.approx([0.9, 0.7])


def test_what_is_suppressed_suppresses_nothing():
    """The third overlaps the second, which the first has taken, and not the first."""
    chain = found((0, 0.9, 0, 0, 10, 10), (0, 0.8, 0, 2, 10, 12), (0, 0.7, 0, 4, 10, 14))
    assert join_detections(chain).score == pytest.approx([0.9, 0.7])


@pytest.mark.parametrize(
    ("exclusive", "kept"), [((), [0, 1, 2]), ((0, 1), [0, 2]), ((0, 1, 2), [0]), ((1, 2), [0, 1]), ((2,), [0, 1, 2])]
)
def test_classes_that_exclude_each_other(exclusive, kept):
    same_place = found((0, 0.9, 0, 0, 10, 10), (1, 0.8, 0, 0, 10, 10), (2, 0.7, 0, 0, 10, 10))
    assert join_detections(same_place, exclusive).class_index.tolist() == kept


def test_of_none_and_of_one_there_is_nothing_to_join():
    assert len(join_detections(NOTHING, (0, 1))) == 0
    assert len(join_detections(found((0, 0.9, 0, 0, 10, 10)))) == 1


def test_of_equal_scores_the_first_is_kept():
    twins = found((0, 0.9, 0, 0, 10, 10), (1, 0.9, 0, 1, 10, 11))
    assert join_detections(twins, (0, 1)).class_index.tolist() == [0]


@given(st.lists(st.tuples(st.integers(0, 2), st.floats(0, 1), *[st.integers(0, 12)] * 2), max_size=12))
def test_joined_once_and_again_gives_the_same_and_no_two_of_a_class_overlap(cells):
    joined = join_detections(
        found(*((c, score, top, left, top + 10, left + 10) for c, score, top, left in cells)), (0, 1)
    )
    again = join_detections(joined, (0, 1))
    assert again.score.tolist() == joined.score.tolist()
    group = np.where(joined.class_index == 2, 2, 0)
    for number in range(len(joined)):
        others = (group == group[number]) & (np.arange(len(joined)) != number)
        assert (compute_ious(joined.boxes[number], joined.boxes[others]) <= MAX_IOU).all()
    assert len(joined) > 0 or not cells


@given(st.integers(1, 20_000), st.floats(0.05, 20))
def test_cores_meet_and_windows_cover_them_with_an_overlap(side_px, factor):
    step, overlap = TILE_PX / factor, OVERLAP_PX / factor
    spans = list_spans(side_px, step, overlap)
    cores, windows = [core for core, _ in spans], [window for _, window in spans]
    assert cores[0][0] == -np.inf
    assert cores[-1][1] == np.inf
    assert all(low[1] == high[0] for low, high in itertools.pairwise(cores))
    assert (windows[0][0], windows[-1][1]) == (0, side_px)
    for (low, high), (start, stop) in spans:
        assert start <= max(low - overlap, 0)
        assert stop >= min(high + overlap, side_px)
        assert stop - start <= step + 2  # rounded outwards
    if side_px <= step:
        assert len(spans) == 1


@pytest.mark.parametrize(
    ("height", "width", "factor", "count"), [(480, 640, 0.4, 1), (1024, 1025, 1, 2), (4000, 3000, 1, 24)]
)
def test_every_place_belongs_to_one_core(height, width, factor, count):
    """Sides above 1024 px of the detector's scale are cut into cores of 768 at most: 4000 into 6, 3000 into 4."""
    windows = list(_list_windows(height, width, factor))
    assert len(windows) == count
    rng = np.random.default_rng(0)
    for point in rng.uniform(-20, [height + 20, width + 20], (200, 2)):
        holds = [(core[:2] <= point).all() and (point < core[2:]).all() for core, _ in windows]
        assert sum(holds) == 1
        _, (top, left, bottom, right) = windows[holds.index(True)]
        assert top <= np.clip(point[0], 0, height) <= bottom
        assert left <= np.clip(point[1], 0, width) <= right


def write_detector(folder, red_cell_px=16, n_sides=8, **changes):
    """A detector of bright spots: the logit is (mean of 4 x 4 red levels - 100) / 10 for A, of green for B.

    Boxes reach two strides to each side of the place, so 16 px.
    """
    folder.mkdir(parents=True)
    values = {
        "colours": np.array([[1, 0, 0], [0, 1, 0]], np.float32).reshape(2, 3, 1, 1) / 10,
        "minus": np.full((2,), -10, np.float32),
        "none": np.zeros((n_sides, 3, 1, 1), np.float32),
        "logs": np.full((n_sides,), np.log(2), np.float32),
    }
    nodes = [
        helper.make_node("Transpose", ["images"], ["channels"], perm=[0, 3, 1, 2]),
        helper.make_node("AveragePool", ["channels"], ["mean"], kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node("Conv", ["mean", "colours", "minus"], ["heat"]),
        helper.make_node("Conv", ["mean", "none", "logs"], ["logs_of_sides"]),
        helper.make_node("Transpose", ["heat"], ["centres"], perm=[0, 2, 3, 1]),
        helper.make_node("Transpose", ["logs_of_sides"], ["sides"], perm=[0, 2, 3, 1]),
    ]
    graph = helper.make_graph(
        nodes,
        "spots",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["N", "H", "W", 3])],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", "h", "w", n])
            for name, n in (("centres", 2), ("sides", n_sides))
        ],
        [numpy_helper.from_array(value, name) for name, value in values.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, folder / "detector.onnx")
    spec = {"kind": "detector", "class_names": ["A", "B"], "red_cell_px": red_cell_px, "exclusive": ["A", "B"]}
    spec |= {"thresholds": {"A": 0.5, "B": 0.5}}
    (folder / "spec.json").write_text(json.dumps(spec | changes))
    (folder / "metrics.json").write_text("{}")
    return folder


@pytest.fixture(scope="module")
def spots(tmp_path_factory):
    return Detector(write_detector(tmp_path_factory.mktemp("spots") / "spots"))


def draw_spots(height, width, *places, side=4, levels=(200, 0, 0)):
    """Squares of `side` px with their upper left corners at `places`, on black."""
    rgb = np.zeros((height, width, 3), np.uint8)
    for number, (row, col) in enumerate(places):
        rgb[row : row + side, col : col + side] = np.array(levels) - [number % 50, 0, 0]
    return rgb


def test_spots_are_found_where_they_are(spots):
    """At 16 px: the spot at (40, 80) has its middle at (42, 82), and 8 px to each side of it."""
    seen = spots.detect(draw_spots(96, 128, (40, 80), (8, 12)), 16)
    assert seen.boxes.tolist() == pytest.approx(np.array([[34, 74, 50, 90], [2, 6, 18, 22]]))
    assert seen.score == pytest.approx(1 / (1 + np.exp(-np.array([10, 9.9]))))
    assert len(spots.detect(np.zeros((96, 128, 3), np.uint8), 16)) == 0


@pytest.mark.parametrize("scale", [0.5, 1, 2, 4])
def test_boxes_are_in_pixels_of_the_image_whatever_its_scale(spots, scale):
    """An image in which all is larger by `scale` and so are its red cells."""
    rgb = draw_spots(96, 128, (40, 80), (8, 12))
    large = np.repeat(np.repeat(rgb, int(2 * scale), axis=0), int(2 * scale), axis=1)[::2, ::2]
    seen = spots.detect(large, 16 * scale)
    assert seen.boxes == pytest.approx(scale * np.array([[34, 74, 50, 90], [2, 6, 18, 22]]), abs=scale)


def test_sides_that_are_no_multiple_of_16_are_filled_up_with_black(spots):
    seen = spots.detect(draw_spots(97, 131, (40, 80), (92, 124)), 16)
    # the second is cut to the image
    assert seen.boxes.tolist() == pytest.approx(np.array([[34, 74, 50, 90], [86, 118, 97, 131]]))


def test_an_image_of_several_tiles_gives_each_cell_once(spots):
    """Spots every 40 px over 1200 x 2100 px: 2 x 3 tiles, none lost or doubled where they meet."""
    places = [(row, col) for row in range(20, 1180, 40) for col in range(20, 2080, 40)]
    rgb = draw_spots(1200, 2100, *places)
    assert len(list(_list_windows(1200, 2100, 1))) == 6
    seen = spots.detect(rgb, 16)
    middles = sorted(map(tuple, ((seen.boxes[:, :2] + seen.boxes[:, 2:]) / 2).tolist()))
    assert np.array(middles) == pytest.approx(np.array(sorted(places)) + 2, abs=2)
    assert (np.diff(seen.score) <= 0).all()


def test_a_cell_on_the_line_where_tiles_meet_is_one_cell(spots):
    """Two tiles of 600 px meet at column 600; each sees the middle of a spot near it at another fraction of a pixel."""
    n_seen = []
    for shift in range(-12, 13):
        rgb = draw_spots(64, 1200, (30, 600 + shift), side=6)
        n_seen.append(len(spots.detect(rgb, 15.1)))
    assert len(list(_list_windows(64, 1200, 16 / 15.1))) == 2
    assert n_seen == [1] * 25


def test_classes_exclude_each_other_as_the_folder_says(spots, tmp_path):
    rgb = draw_spots(64, 64, (20, 20), levels=(200, 190, 0))
    assert spots.detect(rgb, 16).class_index.tolist() == [0]
    both = Detector(write_detector(tmp_path / "both", exclusive=[]))
    assert both.detect(rgb, 16).class_index.tolist() == [0, 1]


def test_thresholds_are_those_of_the_folder_or_given(spots):
    rgb = draw_spots(64, 64, (20, 20), levels=(95, 0, 0))  # logit -0.5, score 0.38
    assert len(spots.detect(rgb, 16)) == 0
    assert len(spots.detect(rgb, 16, np.array([0.3, 0.3]))) == 1


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (7, 5)])
def test_tiny_images_are_no_error(spots, shape):
    assert len(spots.detect(np.zeros((*shape, 3), np.uint8), 160)) == 0


def test_what_is_no_image(spots):
    with pytest.raises(ImageError, match=r"An RGB image must be uint8 of shape \(H, W, 3\)\. Received: uint8 \(9, 9\)"):
        spots.detect(np.zeros((9, 9), np.uint8), 16)


def test_a_network_that_is_no_detector(tmp_path):
    with pytest.raises(ModelError, match=r"The network of odd must give centres and sides\. Received: \[2, 7\] maps"):
        Detector(write_detector(tmp_path / "odd", n_sides=7))
    folder = write_detector(tmp_path / "damaged")
    (folder / "detector.onnx").write_bytes(b"no network")
    with pytest.raises(ModelError, match=r"detector\.onnx of the model damaged is missing or damaged"):
        Detector(folder)
    with pytest.raises(ModelError, match=r"The detector gone lacks detector\.onnx"):
        Detector(tmp_path / "gone")


def test_the_overlap_of_tiles_is_more_than_a_white_cell():
    """The largest, a monocyte of 25 um, is 3.4 times a red cell of 7.5 um: 120 px where red cells have 36."""
    assert OVERLAP_PX > 36 * 25 / 7.5
