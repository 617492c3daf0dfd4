"""Trying a model on drawn images before it enters the model library."""

import time
from collections import Counter
from pathlib import Path
from typing import Final

import numpy as np

from bloodcell.core.errors import ModelError
from bloodcell.inference.engine import Engine
from bloodcell.inference.pipeline import analyse
from bloodcell.model_import.sandbox import SmokeTest
from bloodcell.synthetic.gallery import draw_sample_set

N_IMAGES: Final = 12
MAX_MS: Final = 5_000


def run_smoke_test(folder: Path) -> SmokeTest:
    """Classify the drawn sample set with a model, as the Classify page would.

    Parameters
    ----------
    folder : Path
        A model folder.

    Raises
    ------
    ModelError
        If the folder cannot be opened, the model fails or gives no probabilities, or takes longer than `MAX_MS` for a
        cell.
    """
    engine = Engine(folder)
    io_spec = engine.io_spec
    try:
        blank = np.full((1, io_spec.height_px, io_spec.width_px, 3), 200, np.uint8)
        started = time.perf_counter()
        engine.classify(blank)
        ms = 1000 * (time.perf_counter() - started)
        if ms > MAX_MS:
            raise ModelError(
                f"The network took {ms / 1000:.0f} s for one cell, but at most {MAX_MS / 1000:.0f} s are allowed."
            )
        cells = [
            cell for result in analyse(engine, [data for _, data in draw_sample_set(N_IMAGES)]) for cell in result.cells
        ]
        started = time.perf_counter()
        engine.classify(np.repeat(blank, 8, axis=0))
        ms = 1000 * (time.perf_counter() - started) / 8
    except ModelError:
        raise
    except Exception as error:  # ONNX Runtime's own classes share no parent
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise ModelError(f"The network fails on a drawn cell: {reason[:200]}.") from error
    probs = np.array([cell.probs for cell in cells])
    if not cells or not np.isfinite(probs).all() or not np.allclose(probs.sum(axis=1), 1, atol=1e-3):
        raise ModelError("The network gives no probabilities for drawn cells.")
    return SmokeTest(len(cells), round(ms, 2), dict(Counter(cell.class_name for cell in cells)))
