import shutil
from dataclasses import replace

import numpy as np
import pytest

from bloodcell.core.errors import DatasetError
from bloodcell.datasets.catalog.source_spec import SourceSpec
from bloodcell.imaging.read import encode_png
from bloodcell.synthetic.gallery import draw_field
from bloodcell.synthetic.hard_negatives import draw_hard_negative
from bloodcell.training.fitting.batches import DrawnBatches, cut_centre_crops
from bloodcell.training.fitting.predictions import select_quick_samples
from bloodcell.training.samples.samples import OOD, Samples, load_samples
from bloodcell.training.specs.train_spec import TrainSpec

NAMES = ("A", "B")
SOURCES = (SourceSpec("s", "s", groups="each"),)


def spec(**changes):
    tiny = {
        "height_px": 32,
        "width_px": 32,
        "images_per_epoch": 32,
        "batch_size": 16,
        "epochs": 1,
        "stage_widths": (4,),
    }
    return TrainSpec(**({"name": "t", "sources": SOURCES, "class_names": NAMES} | tiny | changes))


def samples(class_index, group=None, source=None, side_px=48):
    """Crops of one colour each: its row number is its level."""
    class_index = np.array(class_index)
    n = len(class_index)
    stored_crops = np.repeat(np.arange(n, dtype=np.uint8), side_px * side_px * 3).reshape(n, side_px, side_px, 3)
    group = np.arange(n) if group is None else np.array(group)
    source = np.zeros(n, int) if source is None else np.array(source)
    return Samples(stored_crops, class_index, group, source, [f"{row}.png" for row in range(n)], {"s": 0})


def test_take_keeps_rows_together():
    taken = samples([0, 1, -1, 0], group=[5, 6, 7, 8]).take(np.array([False, True, False, True]))
    assert taken.class_index.tolist() == [1, 0]
    assert taken.group.tolist() == [6, 8]
    assert taken.file == ["1.png", "3.png"]
    assert taken.stored_crops[:, 0, 0, 0].tolist() == [1, 3]


def test_a_batch_depends_on_seed_epoch_and_number_alone():
    class_index = [0, 1] * 4
    one, other = (DrawnBatches(samples(class_index), spec(seed=3)) for _ in range(2))
    one[0]  # what was drawn before does not matter
    assert np.array_equal(one[1][0], other[1][0])
    assert not np.array_equal(one[0][0], one[1][0])
    other.on_epoch_end()
    assert not np.array_equal(one[1][0], other[1][0])
    assert not np.array_equal(one[1][0], DrawnBatches(samples(class_index), spec(seed=4))[1][0])


def test_shapes_of_a_batch():
    batches = DrawnBatches(samples([0, 1]), spec(images_per_epoch=40))
    assert len(batches) == 2  # 40 // 16
    crops, targets, weights = batches[0]
    assert crops.shape == (16, 32, 32, 3)
    assert crops.dtype == np.float32
    assert targets["logits"].shape == (16, 2)
    assert targets["known"].shape == (16, 1)
    assert weights["logits"].shape == weights["known"].shape == (16,)


def test_classes_come_in_equal_parts_however_rare_they_are():
    """One crop of B among twenty of A: half of what is drawn is B."""
    _, targets, _ = DrawnBatches(samples([0] * 20 + [1]), spec(unknown_share=0.0, label_smoothing=0.0))[0]
    assert targets["logits"].sum(axis=0).tolist() == [8, 8]


def test_label_smoothing_by_hand():
    """0.1 over two classes: 0.05 for each, and 0.9 more for the true one."""
    _, targets, _ = DrawnBatches(samples([0, 1]), spec(unknown_share=0.0, label_smoothing=0.1))[0]
    assert np.unique(targets["logits"]) == pytest.approx([0.05, 0.95])
    assert targets["logits"].sum(axis=1) == pytest.approx(1)


def test_unknown_rows_do_not_count_in_the_class_loss():
    """A quarter of 16: four rows that are not known and weigh nothing among the classes."""
    _, targets, weights = DrawnBatches(samples([0, 1, OOD]), spec(unknown_share=0.25))[0]
    known = targets["known"][:, 0]
    assert known.sum() == 12
    assert np.array_equal(weights["logits"], known)
    assert (weights["known"] > 0).all()


def test_sources_are_drawn_by_weight():
    """Crops of the first source are dark, of the second bright; weights 3 to 1."""
    two = (SourceSpec("s", "s", weight=3), SourceSpec("t", "t", weight=1))
    given_samples = samples([0, 1, 0, 1], source=[0, 0, 1, 1])
    given_samples.stored_crops[:2], given_samples.stored_crops[2:] = 20, 200
    drawn = DrawnBatches(given_samples, spec(sources=two, unknown_share=0.0, batch_size=400, images_per_epoch=400))
    middle = drawn[0][0][:, 12:20, 12:20].mean(axis=(1, 2, 3))
    assert (middle < 110).mean() == pytest.approx(0.75, abs=0.08)


def test_a_class_with_nothing_to_train_on():
    with pytest.raises(DatasetError, match="There is no B to train on"):
        DrawnBatches(samples([0, 0]), spec())


@pytest.mark.parametrize("seed", range(40))
def test_unknowns_of_every_kind_are_crops(seed):
    stored_crops = draw_field(seed % 3, 1, 120, 120, scale=0.45).rgb[:96, :96]
    drawn = draw_hard_negative(64, np.ascontiguousarray(stored_crops), np.random.default_rng(seed))
    assert drawn.shape == (64, 64, 3)
    assert drawn.dtype == np.uint8
    assert np.array_equal(
        drawn, draw_hard_negative(64, np.ascontiguousarray(stored_crops), np.random.default_rng(seed))
    )


@pytest.fixture
def data_dir(tmp_path):
    """Two folders of one cell each, one of another kind of cell, and an image without any cell."""
    for seed, name in enumerate(("A", "B", "OTHER")):
        (tmp_path / "s" / name).mkdir(parents=True)
        (tmp_path / "s" / name / "1.png").write_bytes(encode_png(draw_field(seed, 1, 120, 120, scale=0.45).rgb))
    (tmp_path / "s" / "A" / "blank.png").write_bytes(encode_png(np.full((120, 120, 3), 220, np.uint8)))
    (tmp_path / "s" / "A" / "broken.png").write_bytes(b"no image")
    return tmp_path


def test_samples_of_a_folder(data_dir):
    loaded = load_samples(spec(), data_dir, data_dir / "cache")
    assert loaded.file == ["A/1.png", "B/1.png", "OTHER/1.png"]
    assert loaded.class_index.tolist() == [0, 1, OOD]
    assert loaded.no_cell == {"s": 2}
    assert loaded.stored_crops.shape == (3, 48, 48, 3)


def test_other_classes_can_be_skipped(data_dir):
    skipping = spec(sources=(SourceSpec("s", "s", groups="each", unlisted="skip"),))
    assert load_samples(skipping, data_dir, data_dir / "cache").file == ["A/1.png", "B/1.png"]


def test_labels_are_translated(data_dir):
    renamed = spec(sources=(SourceSpec("s", "s", groups="each", labels=(("OTHER", "B"),)),))
    assert load_samples(renamed, data_dir, data_dir / "cache").class_index.tolist() == [0, 1, 1]


def test_the_second_time_crops_come_from_the_cache(data_dir):
    told = []
    first = load_samples(spec(), data_dir, data_dir / "cache", lambda *step: told.append(step))
    assert told[-1] == ("s", 5, 5)
    told.clear()
    again = load_samples(spec(), data_dir, data_dir / "cache", lambda *step: told.append(step))
    assert told == []
    assert np.array_equal(first.stored_crops, again.stored_crops)


def test_groups_of_two_sources_do_not_mix(data_dir):
    twice = (SourceSpec("s", "s", groups="each"), SourceSpec("t", "s", groups="each"))
    loaded = load_samples(spec(sources=twice), data_dir, data_dir / "cache")
    assert loaded.source.tolist() == [0, 0, 0, 1, 1, 1]
    assert len(set(loaded.group.tolist())) == 6


def test_groups_from_a_file(data_dir):
    (data_dir / "groups.csv").write_text("file,group\nA/1.png,x\nB/1.png,y\nOTHER/1.png,x\n")
    grouped = spec(sources=(SourceSpec("s", "s", groups="groups.csv"),))
    group = load_samples(grouped, data_dir, data_dir / "cache").group
    assert group[0] == group[2] != group[1]


def test_a_file_of_groups_that_lacks_images(data_dir):
    (data_dir / "groups.csv").write_text("file,group\nA/1.png,x\n")
    grouped = spec(sources=(SourceSpec("s", "s", groups="groups.csv"),))
    with pytest.raises(
        DatasetError, match=r"groups\.csv must give every image a group\. There is none for B/1\.png and 1 other"
    ):
        load_samples(grouped, data_dir, data_dir / "cache")


def test_a_source_without_any_of_the_classes(data_dir):
    with pytest.raises(DatasetError, match=r"s has no image of C, D\. Labels found: \['A', 'B', 'OTHER'\]"):
        load_samples(spec(class_names=("C", "D")), data_dir, data_dir / "cache")


def test_a_source_in_which_no_cell_is_found(tmp_path):
    (tmp_path / "s" / "A").mkdir(parents=True)
    (tmp_path / "s" / "A" / "1.png").write_bytes(encode_png(np.full((120, 120, 3), 220, np.uint8)))
    with pytest.raises(DatasetError, match="No white cell was found in any of the 1 images of s"):
        load_samples(spec(), tmp_path, tmp_path / "cache")


def test_a_source_that_vanishes_while_it_is_read(tmp_path):
    """Not taken for images without a cell, and nothing is cached."""
    folder = tmp_path / "s" / "A"
    folder.mkdir(parents=True)
    for number in range(300):
        (folder / f"{number}.png").write_bytes(encode_png(np.full((60, 60, 3), 220, np.uint8)))

    def delete_all(source, done, total):
        if done == 1:
            shutil.rmtree(tmp_path / "s")

    with pytest.raises(DatasetError, match=r"A/\d+\.png cannot be read: .*s is gone"):
        load_samples(spec(), tmp_path, tmp_path / "cache", delete_all)
    assert not list((tmp_path / "cache").glob("*.npz"))


def test_a_source_that_is_not_there(tmp_path):
    with pytest.raises(DatasetError, match="There is no dataset at"):
        load_samples(spec(), tmp_path, tmp_path / "cache")


def test_a_cell_with_many_copies_is_drawn_no_more_often_than_others():
    """Class A: one cell with 30 copies (dark crops) and one with a single copy (bright): half of A is bright."""
    made = samples([0] * 31 + [1], group=[0] * 30 + [1, 2])
    made.stored_crops[:30], made.stored_crops[30:] = 40, 200
    batches = DrawnBatches(made, spec(unknown_share=0.0, images_per_epoch=320, batch_size=160, label_smoothing=0.0))
    crops, targets, _ = batches[0]
    of_a = targets["logits"][:, 0] == 1
    bright = (crops[of_a].mean(axis=(1, 2, 3)) > 120).mean()
    assert 0.3 < bright < 0.7


def test_plain_crops_are_the_middle():
    stored_crops = np.zeros((1, 48, 48, 3), np.uint8)
    stored_crops[0, 8:40, 8:40] = 7
    assert (cut_centre_crops(stored_crops, spec()) == 7).all()


def test_epochs_are_measured_on_images_of_every_class_of_a_patient():
    """One patient of 300 images in two class folders, and one of 100; cells of no class do not count."""
    held_out = samples([0] * 150 + [1] * 150 + [1] * 100 + [OOD] * 5, group=[7] * 300 + [8] * 105)
    quick = select_quick_samples(held_out)
    of_first = quick.class_index[quick.group == 7]
    assert len(of_first) == 200  # 400 over two groups
    assert (of_first == 0).sum() == 100
    assert (quick.group == 8).sum() == 100
    assert (quick.class_index != OOD).all()
    many = select_quick_samples(samples([0, 1] * 500, group=np.arange(1000) // 8))  # 125 cells of 8 copies each
    assert np.unique(many.group, return_counts=True)[1].tolist() == [4] * 125


def test_a_source_may_have_any_name(tmp_path):
    """It goes into file names of the cache, whatever it holds."""
    for label in NAMES:
        (tmp_path / "s" / label).mkdir(parents=True)
        rgb = draw_field(3, 1, 120, 120, scale=0.45).rgb
        (tmp_path / "s" / label / "1.png").write_bytes(encode_png(rgb))
    named = spec(sources=(SourceSpec("../a/b: c", "s", groups="pixels"),))
    assert len(load_samples(named, tmp_path, tmp_path / "cache").class_index) >= 2
    assert {path.parent for path in tmp_path.rglob("crops-*")} == {tmp_path / "cache"}


def test_crops_of_real_size_follow_the_red_cells_of_their_source(data_dir, tmp_path):
    """Twice the diameter, twice the frame: the cell covers a quarter as much of the crop."""

    def measure_dark(red_cell_px):
        source = replace(spec().sources[0], red_cell_px=red_cell_px)
        real = spec(sources=(source,), frame="physical", context=3.0)
        crops = load_samples(real, data_dir, tmp_path).stored_crops
        return float(np.mean([(crop[..., 1] < 150).mean() for crop in crops[np.arange(len(crops))]]))

    assert measure_dark(20.0) > 2.5 * measure_dark(40.0) > 0
