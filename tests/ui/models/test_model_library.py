"""The metrics of a model as the rows of a table."""

import numpy as np

from bloodcell.ui.models.model_library import make_metric_rows


def test_metric_rows_give_shares_with_their_intervals():
    metrics = {
        "parameters": 5,
        "validation": {"per_source": {"ward": {"images": 1200, "accuracy": 0.9, "held_back": 0.1}}},
        "test": {"accuracy": 0.912, "interval": [0.88, 0.94], "recall": {"MONOCYTE": 0.75}, "ece": np.nan},
    }
    first, second = make_metric_rows(metrics)
    assert (first["Measured on"], first["Images"], first["Accuracy"]) == ("validation, ward", "1,200", "90.0 %")
    assert second["Accuracy"] == "91.2 % (88.0 to 94.0)"
    assert second["Monocyte recall"] == "75.0 %"
    assert second["Calibration error (ECE)"] is None
