"""How a model is continued: its settings, and which cells."""

import json
from dataclasses import replace

import pytest

from bloodcell.core.errors import DatasetError, SpecError
from bloodcell.core.settings import load_settings
from bloodcell.datasets.catalog.groups_and_splits import store_groups
from bloodcell.datasets.catalog.library import register_dataset
from bloodcell.datasets.catalog.source_spec import SourceSpec
from bloodcell.datasets.labels.recognition import recognise_layout
from bloodcell.training.specs.adapt_spec import AdaptSpec, build_registered_source, find_cells_source
from tests.datasets.made import png
from tests.training.tiny_run import SPEC

CELLS = SourceSpec("cells", ".")
ADAPT = AdaptSpec("mine", "wbc4", CELLS)
DESCRIPTION = {"training": json.loads(replace(SPEC, patience=2, fold=0).to_json())}


def test_it_is_read_back_as_it_was_written(tmp_path):
    assert AdaptSpec.from_json(ADAPT.to_json()) == ADAPT
    (tmp_path / "a.json").write_text(ADAPT.to_json())
    assert AdaptSpec.read(tmp_path / "a.json") == ADAPT
    with pytest.raises(SpecError, match=r"The spec of an adaptation .*none\.json cannot be read: No such file"):
        AdaptSpec.read(tmp_path / "none.json")


def test_the_head_is_first_and_the_frame_stays_that_of_the_model():
    train = ADAPT.build_train_spec(DESCRIPTION)
    assert (train.frozen_epochs, train.epochs, train.patience, train.sources) == (6, 16, 0, (CELLS,))
    assert (train.height_px, train.context, train.class_names) == (SPEC.height_px, SPEC.context, SPEC.class_names)
    assert train.title == "drawn, adapted"


def test_old_data_keep_their_place_and_their_share(tmp_path):
    train = replace(ADAPT, old_data=str(tmp_path), old_weight=0.25).build_train_spec(DESCRIPTION)
    new, old = train.sources
    assert (new.weight, old.weight) == (0.75, 0.25)
    assert (new.name, old.name) == ("cells (new)", "cells")
    assert (old.path, old.groups) == (str(tmp_path / "cells"), str(tmp_path / "cells.csv"))


@pytest.mark.parametrize(
    ("source", "groups", "split"),
    [
        (SourceSpec("old", "old-1a", layout="dataset", groups="kept", split="mine"), "kept", "mine"),
        (SourceSpec("old", "old", groups=r"name:^(C\d+)"), r"name:^(C\d+)", ""),
        (SourceSpec("old", "old", groups="pixels", split="mine.csv"), "pixels", "/data/mine.csv"),
    ],
)
def test_old_data_keep_their_groups_and_their_split(source, groups, split):
    was = {"training": json.loads(replace(SPEC, sources=(source,)).to_json())}
    old = replace(ADAPT, old_data="/data").build_train_spec(was).sources[1]
    assert (old.groups, old.split) == (groups, split)
    assert old.path == ("old-1a" if source.layout == "dataset" else "/data/old")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"held_share": 1.0}, "`held_share` must be between 0 and 1. Received: 1.0"),
        ({"frozen_epochs": 16}, "`frozen_epochs` must be above 0 and below `epochs`.* Received: 16 of 16"),
        ({"cells": replace(CELLS, limits=(("MONOCYTE", 3),))}, "`limits` cannot be set on cells to adapt to"),
        ({"model": ""}, "An adaptation needs a model, and a name for the adapted one"),
    ],
)
def test_an_adaptation_that_cannot_be(changes, message):
    with pytest.raises(SpecError, match=message):
        replace(ADAPT, **changes)


def test_cells_must_be_an_object():
    with pytest.raises(SpecError, match="`cells` must be an object"):
        AdaptSpec.from_json('{"name": "a", "model": "b", "cells": 3}')


def test_a_model_that_does_not_say_how_it_was_trained():
    with pytest.raises(SpecError, match="The model wbc4 does not say how it was trained"):
        ADAPT.build_train_spec({})


def test_cells_by_table_and_by_folder(tmp_path):
    (tmp_path / "A").mkdir()
    with pytest.raises(DatasetError, match="There are no cells in"):
        find_cells_source(tmp_path)
    (tmp_path / "A" / "1.png").touch()
    assert find_cells_source(tmp_path) == (tmp_path.parent, SourceSpec("cells", tmp_path.name))
    (tmp_path / "cells.csv").write_text("file,group,label\n")
    data_dir, source = find_cells_source(tmp_path)
    assert (data_dir, source.path, source.csv, source.groups) == (tmp_path, ".", "cells.csv", "cells.csv")


def test_registered_cells_bring_the_best_groups_that_are_known(tmp_path, monkeypatch):
    monkeypatch.setenv("BLOODCELL_HOME", str(tmp_path))
    settings = load_settings()
    here, elsewhere = settings.cells_dir / "batch-1", tmp_path / "elsewhere"
    for folder in (here, elsewhere):
        for label in "AB":
            (folder / label).mkdir(parents=True)
            (folder / label / "1.png").write_bytes(png())
    decided = register_dataset("Ward 3: cells", here, recognise_layout(here).choice, settings)
    other = register_dataset("other", elsewhere, recognise_layout(elsewhere).choice, settings)
    source = build_registered_source(decided, settings)
    assert (source.name, source.path, source.layout) == ("Ward 3- cells", decided.id, "dataset")
    assert source.groups == str(here / "cells.csv")
    assert build_registered_source(other, settings).groups == "pixels"
    store_groups(decided, {"A/1.png": "1", "B/1.png": "2"}, "by hand")
    assert build_registered_source(decided, settings).groups == "kept"
