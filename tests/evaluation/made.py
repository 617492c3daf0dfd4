"""Evaluations out of drawn lots, without a model: quick, and with any names."""

import numpy as np

from bloodcell.evaluation.evaluation_folder import Evaluation, build_prediction_table
from bloodcell.evaluation.leak_check import LeakSummary
from bloodcell.evaluation.metrics.measure import compute_report
from bloodcell.evaluation.metrics.predictions import Predictions
from bloodcell.evaluation.protocol import EvaluationProtocol

NAMES = ("EOSINOPHIL", "LYMPHOCYTE", "MONOCYTE")


def made_evaluation(n=30, names=NAMES, files=None, leak=None, right=0.7, seed=0, **protocol):
    """Predictions of which about `right` are right, two images a source cell; the last image has no prediction."""
    rng = np.random.default_rng(seed)
    y_true = np.arange(n) // 2 % len(names)
    y_pred = np.where(rng.random(n) < right, y_true, (y_true + 1) % len(names))
    probs = rng.dirichlet(np.ones(len(names)), n).astype(np.float32)
    probs.sort(axis=1)
    for row in range(n):
        probs[row] = np.roll(probs[row], y_pred[row] + 1)
    status = np.where(probs.max(axis=1) > 0.6, "confident", "check").astype("<U12")
    y_pred[-1], probs[-1], status[-1] = -1, 0, ""
    predictions = Predictions(tuple(names), y_true, y_pred, probs, status, np.arange(n) // 2)
    table = build_prediction_table(files or [f"{row:03}.png" for row in range(n)], predictions).assign(
        leak="", sha256="0" * 64
    )
    about = {
        "title": "net on Drawn",
        "model": "net",
        "model_sha256": "a" * 64,
        "class_names": list(names),
        "dataset": "Drawn",
        "dataset_id": "",
        "part": "",
        "groups": "each",
        "left_out": {},
        "left_out_marked": [],
        "leak": (leak or LeakSummary(True, n)).to_dict(),
        "images_sha256": "b" * 64,
        "images_per_s": 10.0,
        "created": "2026-01-02T03:04:05Z",
        "seconds": 1.0,
        "versions": {"numpy": "2"},
        "revision": "c" * 40,
        **protocol,
    }
    return Evaluation(EvaluationProtocol.from_dict(about), table, compute_report(predictions, 60, 20))
