"""Fields from sources with boxes: brought to one scale by their red cells, duplicates out, some held out."""

import json
from dataclasses import replace

import numpy as np
import pytest

from bloodcell.core.errors import DatasetError, StoppedError
from bloodcell.core.progress import Control
from bloodcell.datasets.sources.contents import Contents
from bloodcell.imaging.boxes import Box
from bloodcell.imaging.read import encode_png
from bloodcell.training.samples.field_samples import (
    STORED_OVER_SCALE,
    load_field_samples,
    measure_red_cells,
    open_box_source,
)
from bloodcell.training.specs.detector_spec import BoxSourceSpec, DetectorSpec

SOURCE = BoxSourceSpec("a", "a", "MIT")
SPEC = DetectorSpec("net", (SOURCE,), red_cell_px=30)
HEIGHT_PX, WIDTH_PX = 100, 140
# Three whole red cells of 20 px, one that the edge cuts, a white cell of 40 px, a platelet of 8 px.
CELLS = (
    *(("RBC", 10, 10, 30, 30), ("RBC", 10, 40, 30, 60), ("RBC", 40, 10, 60, 30), ("RBC", 0, 70, 12, 90)),
    *(("WBC", 50, 60, 90, 100), ("PLATELET", 80, 20, 88, 28)),
)


def larger(cells, factor):
    """Cells with sides times `factor`, about the same upper left corners."""
    return tuple(
        (name, top, left, top + factor * (b - top), left + factor * (r - left)) for name, top, left, b, r in cells
    )


def image(seed):
    return encode_png(np.random.default_rng(seed).integers(0, 256, (HEIGHT_PX, WIDTH_PX, 3), dtype=np.uint8))


def write_source(data_dir, cells_by_file, name="a", seed=0):
    """COCO with the cells (label, top, left, bottom, right) of each image."""
    folder = data_dir / name
    labels = sorted({cell[0] for cells in cells_by_file.values() for cell in cells})
    images, boxes = [], []
    for number, (file, cells) in enumerate(cells_by_file.items()):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(image(seed + number))
        images.append({"id": number, "file_name": file})
        boxes += [
            {"image_id": number, "category_id": labels.index(label), "bbox": [left, top, right - left, bottom - top]}
            for label, top, left, bottom, right in cells
        ]
    categories = [{"id": number, "name": label} for number, label in enumerate(labels)]
    document = {"images": images, "annotations": boxes, "categories": categories}
    (folder / "all.json").write_text(json.dumps(document))
    return data_dir


def write_fields(data_dir, n=10, name="a", seed=0):
    return write_source(data_dir, {f"{number}.png": CELLS for number in range(n)}, name, seed)


class Told(Control):
    """Counts what it is told; stops at the second image if asked to."""

    def __init__(self, stops=False):
        self.stops, self.told = stops, []

    def on_reading(self, source, done, total):
        self.told.append((source, done, total))

    def should_stop(self):
        return self.stops and len(self.told) >= 1


@pytest.mark.parametrize(
    ("boxes", "diameter"),
    [
        ([], None),
        ([Box(10, 10, 30, 30)] * 2, None),  # two are too few
        ([Box(10, 10, 30, 30)] * 3, 20),
        ([Box(10, 10, 26, 35)] * 3, 20),  # sqrt(16 * 25)
        ([Box(10, 10, 30, 30), Box(10, 10, 20, 20), Box(10, 10, 70, 70)], 20),  # the middle of 20, 10 and 60
        ([Box(10, 10, 30, 30), Box(10, 10, 20, 20), Box(10, 10, 70, 70), Box(10, 10, 34, 34)], 22),  # of 20 and 24
        ([Box(10, 10, 30, 30)] * 2 + [Box(1, 10, 21, 30)], None),  # within a pixel of the edge: maybe cut
        ([Box(10, 10, 30, 30)] * 2 + [Box(10, 119, 30, 139)], None),
        ([Box(10, 10, 30, 30)] * 2 + [Box(2, 2, 98, 98)] + [Box(79, 118, 99, 138)] * 9, 20),
    ],
)
def test_the_diameter_is_the_median_over_whole_cells(boxes, diameter):
    assert measure_red_cells(boxes, HEIGHT_PX, WIDTH_PX) == diameter


def test_fields_are_brought_to_one_scale(tmp_path):
    """Red cells of 20 px are to have 30 * 1.4 = 42: pixels and boxes times 2.1. Those of 40 px: times 1.05."""
    write_source(tmp_path, {"1.png": CELLS, "2.png": larger(CELLS[:3], 2)})
    small, large = load_field_samples(SPEC, tmp_path, Control()).fields
    assert STORED_OVER_SCALE == 1.4
    assert (small.rgb.shape, small.rgb.dtype) == ((210, 294, 3), np.uint8)
    assert small.red_cell_px == pytest.approx(42)
    assert small.boxes[0].tolist() == pytest.approx([21, 21, 63, 63])
    assert small.boxes[4].tolist() == pytest.approx([105, 126, 189, 210])
    assert small.class_index.tolist() == [1, 1, 1, 1, 0, 2]  # of WBC, RBC, PLATELET
    assert (large.rgb.shape, large.red_cell_px) == ((105, 147, 3), pytest.approx(42))
    assert large.boxes[0].tolist() == pytest.approx([10.5, 10.5, 52.5, 52.5])
    assert (small.boxes.dtype, small.class_index.dtype) == (np.float32, np.int64)
    assert [field.file for field in (small, large)] == ["1.png", "2.png"]


def test_a_field_with_few_red_cells_takes_the_scale_of_its_source(tmp_path):
    """The median of 20, 20 and 40 px is 20; two red cells of 40 px do not count, nor does a field without cells."""
    files = {"1.png": CELLS, "2.png": CELLS, "3.png": larger(CELLS[:3], 2)}
    files |= {"4.png": larger(CELLS[:2], 2), "5.png": CELLS[4:], "6.png": ()}
    fields = load_field_samples(SPEC, write_source(tmp_path, files), Control()).fields
    heights = [field.rgb.shape[0] for field in fields]
    assert heights == [210, 210, 105, 210, 210, 210]
    assert [field.red_cell_px for field in fields] == pytest.approx([42] * 6)
    assert (fields[5].boxes.shape, fields[5].class_index.shape) == ((0, 4), (0,))


def test_each_source_has_a_scale_of_its_own(tmp_path):
    write_source(tmp_path, {"1.png": CELLS, "2.png": CELLS[4:]})
    write_source(tmp_path, {"1.png": larger(CELLS[:3], 2), "2.png": CELLS[4:]}, "b", seed=10)
    spec = replace(SPEC, box_sources=(SOURCE, replace(SOURCE, name="b", path="b")))
    fields = load_field_samples(spec, tmp_path, Control()).fields
    assert [(field.source, field.rgb.shape[0]) for field in fields] == [(0, 210), (0, 210), (1, 105), (1, 105)]


def test_without_red_cells_the_scale_is_not_known(tmp_path):
    write_source(tmp_path, {"1.png": CELLS[4:], "2.png": CELLS[:2]})
    with pytest.raises(DatasetError, match="needs boxes of red cells, to know its scale"):
        load_field_samples(SPEC, tmp_path, Control())


@pytest.mark.parametrize(
    ("n_fields", "share", "n_held"),
    [(10, 0.1, 1), (10, 0.5, 5), (4, 0.1, 1), (2, 0.5, 1), (7, 0.3, 2)],  # 0.4 becomes 1; 2.1 becomes 2
)
def test_a_share_of_the_fields_is_held_out_and_one_at_least(tmp_path, n_fields, share, n_held):
    samples = load_field_samples(replace(SPEC, held_share=share), write_fields(tmp_path, n_fields), Control())
    assert (samples.held_out.dtype, samples.held_out.shape, samples.held_out.sum()) == (bool, (n_fields,), n_held)


def test_each_source_holds_out_its_share(tmp_path):
    write_fields(tmp_path, 10)
    write_fields(tmp_path, 4, "b", seed=100)
    spec = replace(SPEC, box_sources=(SOURCE, replace(SOURCE, name="b", path="b")), held_share=0.25)
    samples = load_field_samples(spec, tmp_path, Control())
    source = np.array([field.source for field in samples.fields])
    assert [samples.held_out[source == number].sum() for number in (0, 1)] == [2, 1]  # 2.5 becomes 2


def test_the_seed_decides_which(tmp_path):
    write_fields(tmp_path, 20)
    one, again, other = (
        load_field_samples(replace(SPEC, seed=seed, held_share=0.25), tmp_path, Control()).held_out.tolist()
        for seed in (1, 1, 2)
    )
    assert one == again != other


def test_of_exact_duplicates_the_first_one_counts(tmp_path):
    write_fields(tmp_path, 3)
    write_fields(tmp_path, 4, "b", seed=2)  # its first image is the third of a
    spec = replace(SPEC, box_sources=(SOURCE, replace(SOURCE, name="b", path="b")))
    samples = load_field_samples(spec, tmp_path, Control())
    files = [(field.source, field.file) for field in samples.fields]
    assert files == [(0, "0.png"), (0, "1.png"), (0, "2.png"), (1, "1.png"), (1, "2.png"), (1, "3.png")]
    assert samples.left_out == ["b, 0.png: an exact duplicate."]


def test_problems_of_the_annotations_are_told_with_their_source(tmp_path):
    write_source(tmp_path, {"1.png": (*CELLS, ("RBC", 5, 5, 5, 9)), "2.png": CELLS})
    samples = load_field_samples(SPEC, tmp_path, Control())
    assert samples.left_out == ["a, 1.png: Boxes without area or outside the image, left out: 1."]
    assert len(samples.fields[0].boxes) == len(CELLS)


def test_the_hash_changes_with_a_pixel_and_with_a_box_alone(tmp_path):
    write_fields(tmp_path, 3)
    first = load_field_samples(SPEC, tmp_path, Control()).sha256
    assert load_field_samples(replace(SPEC, seed=3, held_share=0.5), tmp_path, Control()).sha256 == first
    write_source(tmp_path, {f"{number}.png": CELLS if number else CELLS[:5] for number in range(3)})
    assert load_field_samples(SPEC, tmp_path, Control()).sha256 != first
    write_fields(tmp_path, 3)
    assert load_field_samples(SPEC, tmp_path, Control()).sha256 == first
    (tmp_path / "a" / "0.png").write_bytes(image(99))
    assert load_field_samples(SPEC, tmp_path, Control()).sha256 != first


def test_reading_is_told_and_may_be_stopped(tmp_path):
    write_fields(tmp_path, 3)
    load_field_samples(SPEC, tmp_path, told := Told())
    assert told.told == [("a", 1, 3), ("a", 2, 3), ("a", 3, 3)]
    with pytest.raises(StoppedError):
        load_field_samples(SPEC, tmp_path, stopped := Told(stops=True))
    assert stopped.told == [("a", 1, 3)]


def test_one_field_is_too_few(tmp_path):
    with pytest.raises(DatasetError, match=r"must have two fields or more, to train on some\. Received: 1 in all"):
        load_field_samples(SPEC, write_fields(tmp_path, 1), Control())


def test_an_image_that_is_cut_short_is_left_out(tmp_path):
    write_fields(tmp_path, 3)
    (tmp_path / "a" / "1.png").write_bytes(image(1)[:5000])
    samples = load_field_samples(SPEC, tmp_path, Control())
    assert [field.file for field in samples.fields] == ["0.png", "2.png"]
    assert samples.left_out == ["a, 1.png: The PNG image is cut short: the end of the file is missing."]


def names_of(source, data_dir):
    contents, boxes = open_box_source(source, data_dir)
    assert isinstance(contents, Contents)
    return [image.file for image in boxes.images], dict(boxes.label_counts)


def test_labels_that_say_what_they_are_need_no_mapping(tmp_path):
    write_source(tmp_path, {"1.png": (*CELLS, ("dirt", 5, 5, 9, 9))})
    assert names_of(SOURCE, tmp_path) == (["1.png"], {"RBC": 4, "WBC": 1, "PLATELET": 1})


def test_labels_are_mapped_and_others_left_out(tmp_path):
    write_source(tmp_path, {"1.png": (*CELLS, ("Leuko", 5, 5, 9, 9), ("Neutro", 5, 5, 9, 9))})
    labels = (("Leuko", "WBC"), ("Neutro", "WBC"), ("RBC", "RBC"))
    assert names_of(replace(SOURCE, labels=labels), tmp_path)[1] == {"WBC": 2, "RBC": 4}


def test_a_list_names_the_images_to_use(tmp_path):
    write_fields(tmp_path, 4)
    (tmp_path / "a" / "train.txt").write_text("0\n3\n9\n")
    assert names_of(replace(SOURCE, list_file="train.txt"), tmp_path)[0] == ["0.png", "3.png"]
    with pytest.raises(DatasetError, match="cannot be read: No such file"):
        open_box_source(replace(SOURCE, list_file="none.txt"), tmp_path)


def test_a_folder_names_the_images_to_use(tmp_path):
    write_source(tmp_path, dict.fromkeys(["train/1.png", "train/deep/2.png", "train2/3.png", "4.png"], CELLS))
    for folder in ("train", "train/"):
        assert names_of(replace(SOURCE, folder=folder), tmp_path)[0] == ["train/1.png", "train/deep/2.png"]


@pytest.mark.parametrize("changes", [{"labels": (("rbc", "RBC"),)}, {"folder": "none"}, {"list_file": "none.txt"}])
def test_a_source_of_which_nothing_is_used(tmp_path, changes):
    write_fields(tmp_path, 2)
    (tmp_path / "a" / "none.txt").write_text("")
    with pytest.raises(DatasetError, match="No box of the source a is used: check its labels, folder and list"):
        open_box_source(replace(SOURCE, **changes), tmp_path)


def test_a_source_that_is_not_there_or_has_no_annotations(tmp_path):
    with pytest.raises(DatasetError, match=r"There is no dataset at .*none"):
        open_box_source(replace(SOURCE, path="none"), tmp_path)
    write_fields(tmp_path, 2)
    (tmp_path / "a" / "all.json").unlink()
    with pytest.raises(DatasetError, match="Boxes must be given in one of"):
        open_box_source(SOURCE, tmp_path)


def test_names_of_the_classes_of_yolo_may_stand_in_the_spec(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1.png").write_bytes(image(0))
    (tmp_path / "a" / "1.txt").write_text("1 0.5 0.5 0.2 0.2\n0 0.5 0.5 0.2 0.2\n1 0.5 0.5 0.2 0.2")
    assert names_of(replace(SOURCE, names=("WBC", "RBC")), tmp_path)[1] == {"RBC": 2, "WBC": 1}
