import itertools

import cv2
import numpy as np
import pytest

from bloodcell.core.errors import DatasetError, ImageError, StoppedError
from bloodcell.datasets.copies.groups import find_source_cells, group_images, renumber_by_first
from bloodcell.datasets.copies.matching import Likeness, compare_signatures
from bloodcell.datasets.copies.retrieval import (
    cluster_visual_words,
    encode_image_vector,
    find_nearest_rows,
    merge_flipped_bins,
)
from bloodcell.datasets.copies.signatures import MIRROR_ORDER, extract_signature
from bloodcell.synthetic.gallery import draw_field

HEIGHT_PX, WIDTH_PX = 240, 320


def turned(rgb, degrees, zoom=1.0, shift_px=(0, 0), shear=0.0):
    """Turn about the middle, shear and shift, with black filling as in kaggle-wbc."""
    affine = cv2.getRotationMatrix2D((WIDTH_PX / 2, HEIGHT_PX / 2), degrees, zoom)
    affine[0, 1] += shear
    affine[:, 2] += shift_px
    return cv2.warpAffine(rgb, affine, (WIDTH_PX, HEIGHT_PX))


def relit(rgb):
    return np.clip(rgb * np.array([0.8, 0.85, 0.95]) + 12, 0, 255).astype(np.uint8)


def cropped(rgb):
    return rgb[30:220, 40:300].copy()


def jpeg(rgb):
    return cv2.imdecode(cv2.imencode(".jpg", rgb, [cv2.IMWRITE_JPEG_QUALITY, 60])[1], cv2.IMREAD_COLOR)


def no_change(rgb):
    return rgb.copy()


COPIES = {
    "exact": no_change,
    "turned": lambda rgb: turned(rgb, 20),
    "turned far and moved": lambda rgb: turned(rgb, 130, shift_px=(15, -10)),
    "flipped": lambda rgb: np.ascontiguousarray(rgb[:, ::-1]),
    "upside down and turned": lambda rgb: turned(rgb[::-1].copy(), -25),
    "moved": lambda rgb: turned(rgb, 0, shift_px=(40, 25)),
    "sheared": lambda rgb: turned(rgb, 5, shear=0.15),
    "zoomed": lambda rgb: turned(rgb, 10, zoom=1.3),
    "relit": relit,
    "cropped": cropped,
    "compressed": jpeg,
    "twice the size": lambda rgb: cv2.resize(rgb, None, fx=2, fy=2),
}


@pytest.fixture(scope="module")
def fields():
    return [draw_field(seed, 1, HEIGHT_PX, WIDTH_PX).rgb for seed in range(6)]


@pytest.fixture(scope="module")
def copies(fields):
    """Every field with five copies, and the true source of every image."""
    images, truth = [], []
    for k, field in enumerate(fields):
        for name in itertools.islice(itertools.cycle(COPIES), 2 * k, 2 * k + 5):
            images.append(COPIES[name](field))
            truth.append(k)
    return images, np.array(truth)


def groups_of(images, **options):
    return find_source_cells(lambda i: images[i], len(images), **options)


@pytest.mark.parametrize("name", COPIES)
def test_a_copy_is_known_again(fields, name):
    likeness = compare_signatures(extract_signature(fields[0]), extract_signature(COPIES[name](fields[0])))
    assert likeness.is_same_source
    assert likeness.correlation > 0.8


def test_other_fields_are_not_joined(fields):
    prints = [extract_signature(field) for field in fields]
    assert not any(compare_signatures(a, b).is_same_source for a, b in itertools.combinations(prints, 2))


def test_copies_come_out_as_their_source(copies):
    images, truth = copies
    assert groups_of(images).tolist() == truth.tolist()  # already numbered by first occurrence


def test_order_of_images_is_irrelevant(copies):
    images, truth = copies
    order = np.random.default_rng(3).permutation(len(images))
    assert groups_of([images[i] for i in order]).tolist() == renumber_by_first(truth[order]).tolist()


def test_cell_outside_the_copy_is_joined_by_its_background():
    drawn = draw_field(11, 1, HEIGHT_PX, 2 * WIDTH_PX)
    box = drawn.boxes[0]
    left = box.right if drawn.rgb.shape[1] - box.right > box.left else max(0, box.left - WIDTH_PX)
    background = drawn.rgb[:, left : left + WIDTH_PX]
    assert groups_of([background, turned(background[:, : WIDTH_PX - 1].copy(), 15)]).tolist() == [0, 0]


def test_thin_overlap_is_joined_only_where_the_cell_lies_in_it():
    shared = {"n_inliers": 30, "correlation": 0.9, "overlap": 0.3}
    assert Likeness(**shared, shared_cell=0.9).is_same_source
    assert not Likeness(**shared, shared_cell=0.1).is_same_source


def test_neighbouring_photographs_of_one_slide():
    drawn = draw_field(5, 1, HEIGHT_PX, 480)
    rgb, box = drawn.rgb, drawn.boxes[0]
    middle = (box.left + box.right) // 2
    at = int(np.clip(middle - 160, 40, 120))
    first, second = rgb[:, at - 40 : at + 280], relit(rgb[:, at + 40 : at + 360])  # 240 of 320 columns shared
    likeness = compare_signatures(extract_signature(first), extract_signature(second))
    assert likeness.overlap == pytest.approx(0.75, abs=0.03)
    assert likeness.shared_cell > 0.7
    assert likeness.is_same_source


def test_cell_cut_by_the_rim_of_a_neighbouring_photograph():
    drawn = draw_field(24, 1, HEIGHT_PX, 900)
    middle = (drawn.boxes[0].left + drawn.boxes[0].right) // 2
    assert 320 < middle < 580
    first = drawn.rgb[:, middle - 320 + 8 : middle + 8]  # ends a little right of the cell's middle
    second = drawn.rgb[:, middle - 100 : middle + 220]
    likeness = compare_signatures(extract_signature(first), extract_signature(second))
    assert likeness.overlap == pytest.approx(108 / 320, abs=0.03)
    assert likeness.shared_cell > 0.8
    assert likeness.is_same_source


def test_black_corners_give_no_key_points(fields):
    flat = np.full((HEIGHT_PX, WIDTH_PX, 3), 220, np.uint8)
    assert len(extract_signature(turned(flat, 25)).points) == 0
    print_of_turned = extract_signature(turned(fields[0], 25))
    rows, cols = (print_of_turned.points[:, 1] / 2).astype(int), (print_of_turned.points[:, 0] / 2).astype(int)
    assert print_of_turned.inside[rows, cols].all()


def test_blank_and_black_images_stay_alone_unless_equal():
    grey, white, black = (np.full((60, 80, 3), level, np.uint8) for level in (127, 255, 0))
    assert groups_of([grey, white, black, grey.copy()]).tolist() == [0, 1, 2, 0]


def test_same_bytes_in_another_shape_are_another_image():
    assert groups_of([np.full((60, 80, 3), 9, np.uint8), np.full((80, 60, 3), 9, np.uint8)]).tolist() == [0, 1]


def test_no_image_and_one_image(fields):
    none = groups_of([])
    assert none.shape == (0,)
    assert none.dtype == np.int64
    assert groups_of(fields[:1]).tolist() == [0]


def test_progress_rises_to_its_total(fields):
    calls = []
    groups_of(fields[:3], on_progress=lambda done, total: calls.append((done, total)))
    assert calls[:3] == [(1, 6), (2, 6), (3, 6)]
    assert calls == sorted(calls)
    assert calls[-1] == (6, 6)


def test_number_of_threads_is_irrelevant(copies):
    images, truth = copies
    assert groups_of(images[:15], threads=1).tolist() == truth[:15].tolist()


def test_grouping_keeps_what_was_compared(fields):
    images = [fields[0], fields[1], relit(fields[0])]
    grouping = group_images(lambda i: images[i], 3)
    assert grouping.groups.tolist() == [0, 1, 0]
    assert grouping.compared[0, 2].is_same_source
    assert all(a < b for a, b in grouping.compared)


def test_an_image_that_cannot_be_read_is_a_group_of_its_own_where_that_is_asked_for(fields):
    images = [np.zeros((9, 9)), fields[0], np.zeros((9, 9)), relit(fields[0])]
    problems = []
    grouping = group_images(
        lambda i: images[i], 4, on_problem=lambda i, error: problems.append((i, type(error).__name__))
    )
    assert grouping.groups.tolist() == [0, 1, 2, 1]
    assert problems == [(0, "ImageError"), (2, "ImageError")]
    alone = group_images(lambda i: images[0], 2, on_problem=lambda i, error: None)
    assert alone.groups.tolist() == [0, 1]


@pytest.mark.parametrize("n_asked", [0, 2, 6])
def test_the_search_can_be_stopped(fields, n_asked):
    answers = itertools.chain([False] * n_asked, itertools.repeat(True))
    with pytest.raises(StoppedError, match="The search for copies was stopped"):
        group_images(lambda i: fields[i], 6, should_stop=answers.__next__)


def test_number_by_first():
    assert renumber_by_first(np.array([7, 2, 7, 9, 2])).tolist() == [0, 1, 0, 2, 1]


@pytest.mark.parametrize(("n", "threads"), [(-1, 2), (3, 0)])
def test_numbers_out_of_range(n, threads):
    with pytest.raises(DatasetError, match="must not be negative"):
        find_source_cells(lambda i: np.zeros((9, 9, 3), np.uint8), n, threads=threads)


@pytest.mark.parametrize("image", [np.zeros((9, 9), np.uint8), np.zeros((9, 9, 3)), np.zeros((0, 9, 3), np.uint8)])
def test_not_an_image(image):
    with pytest.raises(ImageError, match=r"must be uint8 of shape \(H, W, 3\)"):
        groups_of([image])


def test_mirror_order_is_what_a_mirrored_image_gives(fields):
    straight, mirrored = extract_signature(fields[0]), extract_signature(fields[0][:, ::-1].copy())
    assert MIRROR_ORDER[MIRROR_ORDER].tolist() == list(range(128))
    same_place = np.abs(straight.points[:, None] - (np.array([255, 0]) - mirrored.points * [1, -1])).max(axis=2)
    first, second = np.nonzero(same_place < 0.5)
    assert len(first) > 20
    apart = np.abs(straight.descriptors[first].astype(int) - mirrored.descriptors[second][:, MIRROR_ORDER].astype(int))
    assert np.median(apart.mean(axis=1)) < 5  # of 0-255; without the order about 25


def test_vector_does_not_change_under_a_flip(fields):
    descriptors = extract_signature(fields[0]).descriptors
    words = cluster_visual_words([descriptors])
    assert np.allclose(merge_flipped_bins(descriptors), merge_flipped_bins(descriptors[:, MIRROR_ORDER]))
    assert np.allclose(
        encode_image_vector(descriptors, words), encode_image_vector(descriptors[:, MIRROR_ORDER], words), atol=1e-5
    )


def test_nearest_rows():  # dot products of row 0: 0.6 with row 1, 0 with row 2
    rows = np.array([[1, 0], [0.6, 0.8], [0, 1]], np.float32)
    assert find_nearest_rows(rows, 2).tolist() == [[1, 2], [2, 0], [1, 0]]
    assert find_nearest_rows(rows, 9).shape == (3, 2)
    assert find_nearest_rows(rows[:1], 5).shape == (1, 0)
