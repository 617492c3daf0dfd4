"""Crops in files: what is written is read, in any order and part, and a damaged file is told."""

import numpy as np
import pytest

from bloodcell.core.errors import DatasetError
from bloodcell.training.samples.crop_store import CropWriter, StoredCrops

SHAPE = (3, 4, 3)


def written(path, n, seed=0):
    crops = np.random.default_rng(seed).integers(0, 256, (n, *SHAPE), dtype=np.uint8)
    with CropWriter(path, SHAPE) as writer:
        for crop in crops:
            writer.add(crop)
    return crops, StoredCrops([(path, n)], SHAPE)


def test_crops_come_back_one_by_one_and_together(tmp_path):
    crops, stored = written(tmp_path / "a.crops", 5)
    assert stored.shape == (5, *SHAPE)
    assert len(stored) == 5
    assert (stored[3] == crops[3]).all()
    assert (stored[np.int64(-1)] == crops[-1]).all()
    assert (stored[1:4] == crops[1:4]).all()
    assert (stored[::2] == crops[::2]).all()
    assert (stored[np.array([4, 0, 4])] == crops[[4, 0, 4]]).all()
    assert stored[np.array([], int)].shape == (0, *SHAPE)


def test_a_part_of_a_part_and_two_files_as_one(tmp_path):
    first, stored = written(tmp_path / "a.crops", 5)
    second, other = written(tmp_path / "b.crops", 3, seed=1)
    both = np.concatenate([first, second])
    join_crops = stored.join_crops(other)
    assert (join_crops[:] == both).all()
    odd = join_crops.take(np.arange(8) % 2 == 1)
    assert (odd.take(np.array([2, 0]))[:] == both[[5, 1]]).all()
    assert (stored.take(np.array([4, 2])).join_crops(other.take(np.array([1])))[:] == both[[4, 2, 6]]).all()


def test_a_writer_that_fails_leaves_nothing(tmp_path):
    with pytest.raises(DatasetError, match="must be uint8"), CropWriter(tmp_path / "a.crops", SHAPE) as writer:
        writer.add(np.zeros(SHAPE, np.float32))
    assert list(tmp_path.iterdir()) == []


def test_a_writer_is_used_inside_its_block(tmp_path):
    with pytest.raises(DatasetError, match="inside the `with` block"):
        CropWriter(tmp_path / "a.crops", SHAPE).add(np.zeros(SHAPE, np.uint8))


def test_a_file_of_the_wrong_size_is_refused(tmp_path):
    written(tmp_path / "a.crops", 2)
    with pytest.raises(DatasetError, match="must have 108 bytes"):
        StoredCrops([(tmp_path / "a.crops", 3)], SHAPE)
    with pytest.raises(DatasetError, match="Found: -1"):
        StoredCrops([(tmp_path / "none.crops", 3)], SHAPE)


def test_a_file_that_shrinks_later_is_noticed(tmp_path):
    _, stored = written(tmp_path / "a.crops", 2)
    (tmp_path / "a.crops").write_bytes(b"12")
    with pytest.raises(DatasetError, match="end too early"):
        stored[1]


def test_crops_of_another_shape_are_not_joined(tmp_path):
    _, stored = written(tmp_path / "a.crops", 2)
    with CropWriter(tmp_path / "b.crops", (2, 2, 3)) as writer:
        writer.add(np.zeros((2, 2, 3), np.uint8))
    with pytest.raises(DatasetError, match="one shape"):
        stored.join_crops(StoredCrops([(tmp_path / "b.crops", 1)], (2, 2, 3)))
