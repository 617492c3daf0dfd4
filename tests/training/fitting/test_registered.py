"""Runs on registered datasets: their groups and splits are kept, and what has changed is refused."""

from dataclasses import replace

import numpy as np
import pytest

from bloodcell.core.errors import DatasetError
from bloodcell.core.labels import WHITE_CELLS_4
from bloodcell.core.settings import load_settings
from bloodcell.datasets.catalog.changes import check_dataset_state
from bloodcell.datasets.catalog.groups_and_splits import store_groups, store_split
from bloodcell.datasets.catalog.library import read_images_table, register_dataset
from bloodcell.datasets.catalog.open_sources import read_source_split
from bloodcell.datasets.catalog.source_spec import SourceSpec
from bloodcell.datasets.copies.known_groups import read_groups
from bloodcell.datasets.labels.recognition import recognise_layout
from bloodcell.datasets.splits.split import split_holdout, split_into_folds
from bloodcell.training.fitting.run_setup import find_leaky_sources
from bloodcell.training.samples.folds import NOT_USED, assign_folds
from bloodcell.training.samples.samples import load_samples
from bloodcell.training.specs.train_spec import TrainSpec
from tests.training.tiny_run import write_cells


@pytest.fixture
def dataset(tmp_path, monkeypatch):
    """24 drawn cells, two photographs of each, registered with their groups."""
    monkeypatch.setenv("BLOODCELL_HOME", str(tmp_path / "home"))
    data_dir = write_cells(tmp_path / "data")
    path = data_dir / "cells"
    registered = register_dataset("Drawn", path, recognise_layout(path).choice, load_settings())
    store_groups(registered, read_groups(data_dir / "cells.csv"), "by hand")
    return registered


def run_of(dataset, **source):
    wanted = {"name": "drawn", "path": dataset.id, "layout": "dataset", "groups": "kept"} | source
    return TrainSpec(name="r", sources=(SourceSpec(**wanted),), folds=3).tiny()


def table_of(dataset, **changes):
    table = read_images_table(dataset)[["file", "label", "split"]]
    groups = read_groups(dataset.folder / "groups.csv")
    return table.assign(group=table["file"].map(groups), **changes)


def load(spec, tmp_path):
    return load_samples(spec, tmp_path / "nowhere", tmp_path / "cache")


def test_images_and_groups_of_a_registered_dataset(dataset, tmp_path):
    samples = load(run_of(dataset, path="drawn"), tmp_path)
    assert len(np.unique(samples.group)) == 24
    assert set(samples.class_index.tolist()) >= {0, 1, 2, 3}
    assert all(file.split("/")[0] in WHITE_CELLS_4 for file in samples.file)


def test_folds_of_a_kept_split_are_those_of_the_run_and_its_test_part_is_left_out(dataset, tmp_path):
    split = split_into_folds(table_of(dataset), 3, 0, 0.25)
    store_split(dataset, "three", split)
    spec = run_of(dataset, split="three")
    samples = load(spec, tmp_path)
    folds = assign_folds(spec, samples)
    part_of = dict(zip(split.table["file"], split.table["split"], strict=True))
    expected = [NOT_USED if part_of[file] == "test" else int(part_of[file][4:]) for file in samples.file]
    assert folds.tolist() == expected
    assert (folds == NOT_USED).any()
    assert find_leaky_sources(spec, tmp_path) == []
    with pytest.raises(DatasetError, match=r"`folds` must be 3, as in the split of drawn\. Received: 4"):
        assign_folds(replace(spec, folds=4), samples)


def test_validation_is_held_out_and_train_is_trained_on(dataset, tmp_path):
    split = split_holdout(table_of(dataset), 0.25, 0)
    store_split(dataset, "one", split)
    spec = run_of(dataset, split="one")
    samples = load(spec, tmp_path)
    held_out = {
        file for file, fold in zip(samples.file, assign_folds(spec, samples).tolist(), strict=True) if fold == 0
    }
    assert held_out == set(split.table.loc[split.table["split"] == "validation", "file"]) & set(samples.file)
    with pytest.raises(DatasetError, match=r"has one part to hold out: `fold` must be 0\. Received: 1"):
        assign_folds(replace(spec, fold=1), samples)


def test_a_leaky_split_is_named(dataset, tmp_path):
    store_split(dataset, "torn", split_holdout(table_of(dataset), 0.25, 0, leaky=True))
    assert find_leaky_sources(run_of(dataset, split="torn"), tmp_path) == ["drawn"]


def test_a_split_beside_a_folder(dataset, tmp_path):
    """Images that its split does not name are left out."""
    folder = SourceSpec(name="cells", path="cells", groups="cells.csv", split="mine.csv")
    rows = [f"NEUTROPHIL/{n}-0.png,{n},NEUTROPHIL,{'train' if n else 'validation'}" for n in range(3)]
    (tmp_path / "data" / "mine.csv").write_text("\n".join(["file,group,label,split", *rows]) + "\n")
    spec = TrainSpec(name="r", sources=(folder,)).tiny()
    samples = load_samples(spec, tmp_path / "data", tmp_path / "cache")
    folds = dict(zip(samples.file, assign_folds(spec, samples).tolist(), strict=True))
    assert (folds["NEUTROPHIL/0-0.png"], folds["NEUTROPHIL/1-0.png"]) == (0, 1)
    assert folds["NEUTROPHIL/0-1.png"] == folds["MONOCYTE/0-0.png"] == NOT_USED


def test_a_split_without_parts_to_learn_from_and_to_hold_out(dataset, tmp_path):
    (tmp_path / "data" / "mine.csv").write_text("file,group,label,split\nNEUTROPHIL/0-0.png,0,NEUTROPHIL,train\n")
    folder = SourceSpec(name="cells", path="cells", groups="cells.csv", split="mine.csv")
    spec = TrainSpec(name="r", sources=(folder,)).tiny()
    with pytest.raises(
        DatasetError, match=r"must have the parts fold0, .* or train and validation\. Found: not in the"
    ):
        assign_folds(spec, load_samples(spec, tmp_path / "data", tmp_path / "cache"))


def test_what_is_not_kept_is_named(dataset, tmp_path):
    with pytest.raises(DatasetError, match=r"Drawn has no split 'five'\. Stored: none"):
        read_source_split(run_of(dataset, split="five").sources[0], tmp_path)
    store_groups(dataset, {"NEUTROPHIL/0-0.png": "a"}, "by hand")
    with pytest.raises(
        DatasetError, match=r"The stored groups of Drawn must cover every image. Missing: .* and 46 others"
    ):
        load(run_of(dataset), tmp_path)
    (dataset.folder / "groups.json").unlink()
    with pytest.raises(DatasetError, match="Drawn has no stored groups; find its copies first"):
        load(run_of(dataset), tmp_path)


def test_images_that_have_changed_are_refused(dataset, tmp_path):
    (dataset.path / "NEUTROPHIL" / "0-0.png").unlink()
    assert check_dataset_state(dataset).kind == "changed"
    with pytest.raises(DatasetError, match="Rescan Drawn on the Datasets page"):
        load(run_of(dataset), tmp_path)
