"""A model tried on drawn pictures, before it is put on the shelf."""

import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from bloodcell.core.errors import ModelError
from bloodcell.inference.engine import Engine
from bloodcell.inference.pipeline import analyse
from bloodcell.synthetic.gallery import draw_sample_set

N_IMAGES: Final = 12
MAX_MS: Final = 5_000


@dataclass(frozen=True)
class SmokeTest:
    """What a model said of drawn pictures.

    n_cells : cells that it named
    ms_per_cell : time of the network alone for one cell, in batches as in use
    named : class name -> cells
    """

    n_cells: int
    ms_per_cell: float
    named: dict[str, int]


def run_smoke_test(folder: Path) -> SmokeTest:
    """Let a model answer for the drawn sample set, as Classify would.

    Raises
    ------
    ModelError
        If the folder cannot be served, fails, gives no probabilities, or takes longer than `MAX_MS` for a cell.
    """
    engine = Engine(folder)
    io_spec = engine.io_spec
    try:
        blank = np.full((1, io_spec.height_px, io_spec.width_px, 3), 200, np.uint8)
        began = time.perf_counter()
        engine.classify(blank)
        ms = 1000 * (time.perf_counter() - began)
        if ms > MAX_MS:
            raise ModelError(f"The network took {ms / 1000:.0f} s for one cell, and {MAX_MS / 1000:.0f} s are allowed.")
        cells = [
            cell for result in analyse(engine, [data for _, data in draw_sample_set(N_IMAGES)]) for cell in result.cells
        ]
        began = time.perf_counter()
        engine.classify(np.repeat(blank, 8, axis=0))
        ms = 1000 * (time.perf_counter() - began) / 8
    except ModelError:
        raise
    except Exception as error:  # ONNX Runtime's own classes share no parent
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise ModelError(f"The network fails on a drawn cell: {reason[:200]}.") from error
    probs = np.array([cell.probs for cell in cells])
    if not len(cells) or not np.isfinite(probs).all() or not np.allclose(probs.sum(axis=1), 1, atol=1e-3):
        raise ModelError("The network gives no probabilities for drawn cells.")
    return SmokeTest(len(cells), round(ms, 2), dict(Counter(cell.class_name for cell in cells)))
