import pytest

from bloodcell.core.errors import DatasetError, StoppedError
from bloodcell.core.settings import load_settings
from bloodcell.datasets.catalog.cut_cell_sets import register_box_cells
from bloodcell.datasets.catalog.library import list_datasets
from bloodcell.imaging.read import encode_png
from bloodcell.synthetic.gallery import draw_field


@pytest.fixture
def settings(monkeypatch, tmp_path):
    monkeypatch.setenv("BLOODCELL_HOME", str(tmp_path / "home"))
    return load_settings()


@pytest.fixture
def annotated(tmp_path):
    """Two fields with a white and a red cell each, in YOLO, and one label line that makes no sense."""
    folder = tmp_path / "annotated"
    folder.mkdir()
    for seed in range(2):
        (folder / f"{seed}.png").write_bytes(encode_png(draw_field(seed).rgb))
        (folder / f"{seed}.txt").write_text("0 0.5 0.5 0.1 0.1\n1 0.2 0.2 0.1 0.1\n", encoding="utf-8")
    (folder / "1.txt").write_text("0 0.5 0.5 0.1 0.1\n1 0.2 0.2 0.1 0.1\n0 7 7 0.1 0.1\n", encoding="utf-8")
    return folder


def test_cells_are_registered_under_the_classes_that_their_labels_become(settings, annotated):
    dataset, problems = register_box_cells(
        "cells", annotated, {"white": "NEUTROPHIL", "red": "RBC"}, settings, ("white", "red")
    )
    assert (dataset.n_images, dataset.class_names) == (4, ("NEUTROPHIL", "RBC"))
    assert len(problems) == 1
    assert dataset.path.parent == settings.cells_dir
    assert (dataset.path / "cells.csv").is_file()


def test_labels_without_a_class_are_left_out(settings, annotated):
    dataset, _ = register_box_cells("cells", annotated, {"white": "WBC"}, settings, ("white", "red"))
    assert (dataset.n_images, dataset.class_names) == (2, ("WBC",))


def check_nothing_is_left(settings):
    assert list_datasets(settings) == []
    assert not settings.cells_dir.exists() or list(settings.cells_dir.iterdir()) == []


def test_no_label_at_all_leaves_nothing(settings, annotated):
    with pytest.raises(DatasetError, match="has no boxes of these labels"):
        register_box_cells("cells", annotated, {}, settings, ("white", "red"))
    check_nothing_is_left(settings)


def test_a_stop_leaves_nothing(settings, annotated):
    answers = iter([False, True])
    with pytest.raises(StoppedError):
        register_box_cells(
            "cells", annotated, {"white": "WBC"}, settings, ("white", "red"), should_stop=lambda: next(answers)
        )
    check_nothing_is_left(settings)
