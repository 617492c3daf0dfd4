"""Find, classify and check white blood cells in stained smear images.

The names below are the public face of the package. Each is imported when it is first used, so that ``import bloodcell``
costs nothing and loads no library.

Examples
--------
>>> import numpy as np
>>> import bloodcell
>>> empty_field = np.full((480, 640, 3), 225, np.uint8)
>>> bloodcell.find_white_cells(empty_field).boxes
()
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

# Nothing leaves this machine. ONNX Runtime notes what it does for its maker in the user's cache, from its import on, and
# sends it when it can; Ray's clusters report their use. Both read these variables, and our processes hand them on to theirs.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"

if TYPE_CHECKING:
    from bloodcell.datasets.copies.leaks import find_leaks as find_leaks
    from bloodcell.datasets.splits.split import split as split
    from bloodcell.evaluation.evaluate import evaluate as evaluate
    from bloodcell.imaging.find import find_white_cells as find_white_cells
    from bloodcell.inference.engine import Engine as Engine
    from bloodcell.inference.pipeline import analyse as analyse
    from bloodcell.training.fitting.train import train as train
    from bloodcell.training.specs.train_spec import TrainSpec as TrainSpec

__version__ = "0.2.0"
__all__ = ["Engine", "TrainSpec", "analyse", "evaluate", "find_leaks", "find_white_cells", "split", "train"]

_MODULE_OF = {
    "Engine": "bloodcell.inference.engine",
    "TrainSpec": "bloodcell.training.specs.train_spec",
    "analyse": "bloodcell.inference.pipeline",
    "evaluate": "bloodcell.evaluation.evaluate",
    "find_leaks": "bloodcell.datasets.copies.leaks",
    "find_white_cells": "bloodcell.imaging.find",
    "split": "bloodcell.datasets.splits.split",
    "train": "bloodcell.training.fitting.train",
}


def __getattr__(name: str) -> Any:
    """Import a public name on its first use."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'bloodcell' has no attribute {name!r}")
    return getattr(import_module(_MODULE_OF[name]), name)


def __dir__() -> list[str]:
    """List the public names, imported or not."""
    return sorted([*globals(), *__all__])
