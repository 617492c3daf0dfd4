"""An adapt.json as `experiments.adapt` writes it, with round figures."""

import json


def _side(balanced, interval, recall):
    return {
        "accuracy": balanced,
        "interval": interval,
        "balanced_accuracy": balanced,
        "balanced_interval": interval,
        "held_back": 0.25,
        "recall": {
            "EOSINOPHIL": {"recall": recall[0], "interval": recall[1], "images": 2, "source_cells": 2},
            "MONOCYTE": {"recall": None, "interval": None, "images": 0, "source_cells": 0},
        },
    }


REPORT = {
    "kind": "adapt",
    "model": "tiny",
    "is_better": True,
    "before": _side(0.5, [0.3, 0.7], (0.5, [0.0, 1.0])),
    "after": _side(0.75, [0.5, 0.9], (1.0, [1.0, 1.0])),
    "difference": 0.25,
    "difference_interval": [0.05, 0.4],
    "mended": 4,
    "spoiled": 1,
    "cells": {"learned_from": 30, "held_back": 12, "held_back_source_cells": 10, "none_held_back_of": [], "old": 0},
    "thresholds": "those of the model before",
    "seconds": 61,
}


def write_report(folder, **changes):
    """Write it as adapt.json into a folder, which is returned."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "adapt.json").write_text(json.dumps(REPORT | changes))
    return folder
