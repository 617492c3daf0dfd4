import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bloodcell.core.errors import DatasetError
from bloodcell.datasets.catalog.source_spec import SourceSpec
from bloodcell.training.samples.folds import assign_folds
from bloodcell.training.samples.samples import OOD, Samples
from bloodcell.training.specs.train_spec import TrainSpec

SPEC = TrainSpec(
    name="t", sources=(SourceSpec("one", "one"), SourceSpec("two", "two")), class_names=("A", "B"), folds=4
)


def samples(class_index, group, source):
    n = len(class_index)
    arrays = (np.array(values, np.int64) for values in (class_index, group, source))
    return Samples(np.zeros((n, 1, 1, 3), np.uint8), *arrays, [""] * n, {})


def drawn(rng, n_cells=(12, 9), copies=5, unknown_share=0.2):
    """Two sources; some cells are of no known class, some images gave a second crop without a cell."""
    rows = []
    for source, cells in enumerate(n_cells):
        for cell in range(cells):
            of_cell = OOD if rng.random() < unknown_share else int(rng.integers(2))
            rows += [(of_cell, 100 * source + cell, source)] * int(rng.integers(1, copies + 1))
            if rng.random() < 0.3:
                rows.append((OOD, 100 * source + cell, source))
    return samples(*zip(*rows, strict=True))


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6))
def test_no_source_cell_lies_in_two_folds_and_every_row_in_one(seed):
    made = drawn(np.random.default_rng(seed))
    folds = assign_folds(SPEC, made)
    assert set(folds.tolist()) <= set(range(4))
    for group in np.unique(made.group):
        assert len(np.unique(folds[made.group == group])) == 1


def test_classes_are_spread_evenly():
    made = samples([0] * 40 + [1] * 8, range(48), [0] * 48)
    folds = assign_folds(TrainSpec(name="t", sources=SPEC.sources[:1], class_names=("A", "B"), folds=4), made)
    assert [(folds[:40] == fold).sum() for fold in range(4)] == [10] * 4
    assert [(folds[40:] == fold).sum() for fold in range(4)] == [2] * 4


def test_unknown_crops_do_not_change_the_folds_of_cells():
    rng = np.random.default_rng(0)
    made = drawn(rng, unknown_share=0.0)
    plain = made.take(made.class_index != OOD)
    assert assign_folds(SPEC, made)[made.class_index != OOD].tolist() == assign_folds(SPEC, plain).tolist()


def test_fewer_cells_than_folds():
    with pytest.raises(DatasetError, match=r"4 folds need at least 4 source cells\. two: 3"):
        assign_folds(SPEC, samples([0, 1] * 4 + [0, 1, 0], [*range(8), 8, 9, 10], [0] * 8 + [1] * 3))
