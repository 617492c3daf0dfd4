"""One training run on drawn cells, made once per test session and shared by all who need a trained model."""

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from bloodcell.core.labels import WHITE_CELLS_4
from bloodcell.core.progress import Control
from bloodcell.datasets.catalog.source_spec import SourceSpec
from bloodcell.imaging.read import encode_png
from bloodcell.synthetic.gallery import draw_field
from bloodcell.training.output.history import HistoryRow
from bloodcell.training.specs.train_spec import TrainSpec

_TINY = TrainSpec(
    name="drawn", sources=(SourceSpec(name="cells", path="cells", groups="cells.csv"),), folds=3, fold=0
).tiny()
# Most of a tiny fit is TensorFlow tracing its graph: a third less with one stage.
SPEC = replace(_TINY, stage_widths=(8,))
CELLS_PER_CLASS = 6
# Of TensorFlow and tf2onnx under NumPy 2; neither comes from our code.
FOREIGN_WARNINGS = [
    pytest.mark.filterwarnings("ignore:In the future `np.object`:FutureWarning"),
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Even though the `tf.config.*run_functions_eagerly:UserWarning"),
]
_DONE: list[tuple[Path, Path]] = []


def make_epoch(epoch: int, **values: float) -> HistoryRow:
    """Make a finished epoch as a fit would record it; `values` in place of its own."""
    own: dict[str, Any] = {"fit": 1, "loss": 1 / epoch, "accuracy": 0.6, "rate": 0.002, "seconds": epoch}
    return HistoryRow(**(own | {"epoch": epoch} | values))


def write_cells(data_dir: Path) -> Path:
    """Draw six single cells per class, two photographs of each, with the file of their source cells."""
    lines = ["file,group"]
    for file, seed, png in _drawn_cells():
        path = data_dir / "cells" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png)
        lines.append(f"{file},{seed}")
    (data_dir / "cells.csv").write_text("\n".join(lines) + "\n")
    return data_dir


@cache
def _drawn_cells() -> list[tuple[str, int, bytes]]:
    """File name, source cell and PNG of each photograph; drawn once, as drawing takes longer than most tests."""
    cells = []
    for index, name in enumerate(WHITE_CELLS_4):
        for number in range(CELLS_PER_CLASS):
            seed = 100 * index + number
            rgb = draw_field(seed, 1, 120, 120, scale=0.45, class_names=[name], n_platelets=0).rgb
            for copy, image in enumerate((rgb, rgb[:, ::-1].copy())):
                cells.append((f"{name}/{number}-{copy}.png", seed, encode_png(image)))
    return cells


def trained(tmp_path_factory) -> tuple[Path, Path]:
    """(data folder, run folder) of the one run."""
    from bloodcell.training.fitting.train import train

    if not _DONE:
        work = tmp_path_factory.mktemp("tiny-run")
        data_dir = write_cells(work / "data")
        train(SPEC, data_dir, work / "runs" / "drawn", work / "cache", Control())
        _DONE.append((data_dir, work / "runs" / "drawn"))
    return _DONE[0]
