"""Labelled cells counted, and refused where they cannot do, before an image is read."""

from dataclasses import replace

import pytest

from bloodcell.core.errors import DatasetError
from bloodcell.core.settings import load_settings
from bloodcell.datasets.catalog.groups_and_splits import store_groups
from bloodcell.datasets.catalog.library import read_images_table, register_dataset
from bloodcell.datasets.catalog.source_spec import SourceSpec
from bloodcell.datasets.labels.recognition import recognise_layout
from bloodcell.training.samples.adapt_cells import CellCounts, check_cells, count_cells
from bloodcell.training.specs.adapt_spec import AdaptSpec, build_registered_source
from tests.datasets.made import in_folder, png

CLASSES = ("EOSINOPHIL", "MONOCYTE")
ADAPT = AdaptSpec("mine", "wbc4", SourceSpec("cells", "set", groups="set.csv"))
ENOUGH = CellCounts({"EOSINOPHIL": 10, "MONOCYTE": 10}, None, {})


@pytest.fixture
def data_dir(tmp_path):
    """Two photographs each of two monocytes, and a platelet."""
    files = {f"Monocyte/{cell}-{copy}.png": png() for cell in "ab" for copy in "12"}
    in_folder(tmp_path, files | {"PLT/1.png": png()})
    rows = ["file,group", *(f"{file},{file[9]}" for file in files)]
    (tmp_path / "set.csv").write_text("\n".join(rows) + "\n")
    return tmp_path


def test_images_and_source_cells_of_every_class(data_dir):
    found = count_cells(ADAPT.cells, data_dir, CLASSES)
    assert found == CellCounts({"EOSINOPHIL": 0, "MONOCYTE": 4}, {"EOSINOPHIL": 0, "MONOCYTE": 2}, {"PLT": 1})


def test_source_cells_are_not_known_before_the_pixels_are_compared(data_dir):
    assert count_cells(replace(ADAPT.cells, groups="pixels"), data_dir, CLASSES).source_cells is None


def test_labels_are_called_as_the_model_calls_them(data_dir):
    renamed = replace(ADAPT.cells, groups="each", labels=(("PLT", "EOSINOPHIL"),))
    assert count_cells(renamed, data_dir, CLASSES) == CellCounts(
        {"EOSINOPHIL": 1, "MONOCYTE": 4}, {"EOSINOPHIL": 1, "MONOCYTE": 4}, {}
    )


def test_a_registered_dataset_with_its_kept_groups(data_dir, monkeypatch):
    monkeypatch.setenv("BLOODCELL_HOME", str(data_dir / "home"))
    settings = load_settings()
    dataset = register_dataset("Mine", data_dir / "set", recognise_layout(data_dir / "set").choice, settings)
    store_groups(dataset, {file: file[:10] for file in read_images_table(dataset)["file"]}, "by name")
    found = count_cells(build_registered_source(dataset, settings), data_dir / "nowhere", CLASSES)
    assert (found.images["MONOCYTE"], found.source_cells["MONOCYTE"], found.ood_labels) == (4, 2, {"PLT": 1})


def test_nothing_there(tmp_path):
    with pytest.raises(DatasetError, match="set"):
        count_cells(ADAPT.cells, tmp_path, CLASSES)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"ood_labels": {"PLT": 3}},
            r"labels that are no class of wbc4: PLT \(3\)\. Its classes are EOSINOPHIL, MONOCYTE",
        ),
        (
            {"images": {"EOSINOPHIL": 9, "MONOCYTE": 10}},
            "at least 20 cells of the classes of wbc4. Found: 19",
        ),
        (
            {"images": {"EOSINOPHIL": 0, "MONOCYTE": 50}},
            "There is no EOSINOPHIL among the cells to train on, so the model would forget the class",
        ),
    ],
)
def test_cells_that_cannot_do(changes, message):
    check_cells(ADAPT, ENOUGH)
    with pytest.raises(DatasetError, match=message):
        check_cells(ADAPT, replace(ENOUGH, **changes))


def test_other_labels_may_be_skipped_and_a_class_may_come_from_the_original_data():
    skipping = replace(ADAPT, cells=replace(ADAPT.cells, unlisted="skip"), old_data="somewhere")
    check_cells(skipping, CellCounts({"EOSINOPHIL": 0, "MONOCYTE": 50}, None, {"PLT": 3}))
