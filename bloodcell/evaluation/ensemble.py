"""Several models as one: their probabilities are averaged."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from bloodcell.core.clock import now_utc
from bloodcell.core.errors import DatasetError
from bloodcell.core.labels import CHECK, CONFIDENT, UNFAMILIAR
from bloodcell.evaluation.evaluation_folder import Evaluation, build_prediction_table
from bloodcell.evaluation.leak_check import LEAKS, LeakSummary, count_leaks
from bloodcell.evaluation.metrics.measure import compute_report
from bloodcell.evaluation.metrics.predictions import NO_PREDICTION, Predictions


def build_ensemble(members: Sequence[Evaluation]) -> Evaluation:
    """Judge the mean of some models' probabilities on pictures that all of them were asked about.

    A picture is answered if any member answers it, by the mean over those that do. It is Confident only if every member
    is confident and all give the same answer, Unfamiliar if any member finds it so, else Check. What any member has
    learned from counts as leaked.

    Parameters
    ----------
    members : two evaluations or more, of the same pictures, by models of the same classes

    Raises
    ------
    DatasetError
        If they are of other pictures, or the models know other classes.
    """
    first = members[0]
    same = {one.protocol["images_sha256"] for one in members}
    classes = {one.class_names for one in members}
    if len(members) < 2 or len(same) > 1 or len(classes) > 1:
        raise DatasetError(
            "An ensemble needs two models or more of the same classes, evaluated on the same pictures. Received:"
            f" {len(members)} models, {len(classes)} sets of classes, {len(same)} sets of pictures."
        )
    answers = [one.predictions() for one in members]
    answered = np.stack([one.y_pred != NO_PREDICTION for one in answers])
    probs = np.stack([one.probs for one in answers])
    n_answers = answered.sum(axis=0)
    mean = (probs * answered[..., None]).sum(axis=0) / np.maximum(n_answers, 1)[:, None]
    y_pred = np.where(n_answers > 0, mean.argmax(axis=1), NO_PREDICTION)
    combined = Predictions(
        first.class_names,
        answers[0].y_true,
        y_pred,
        mean.astype(np.float32),
        _combine_statuses(answers, y_pred),
        answers[0].groups,
        answers[0].boxes,
    )
    table = build_prediction_table(first.answers["file"].tolist(), combined)
    words = np.array(
        [_choose_worst_leak(row) for row in zip(*(one.answers["leak"] for one in members), strict=True)], object
    )
    leaks = [LeakSummary.from_json(one.protocol["leak"]) for one in members]
    names = [one.protocol["model"] for one in members]
    protocol = first.protocol | {
        "model": " + ".join(names),
        "model_title": f"Ensemble of {', '.join(names)}",
        "model_sha256": "",
        "temperature": None,
        "members": [{"model": one.protocol["model"], "model_sha256": one.protocol["model_sha256"]} for one in members],
        "title": f"{' + '.join(names)} on {first.protocol['dataset']}",
        "created": now_utc(),
        "leak": replace(count_leaks(words, leaks[0]), is_known=all(one.is_known for one in leaks)).to_json(),
        "images_per_s": _combine_rates([one.protocol["images_per_s"] for one in members]),
    }
    return Evaluation(protocol, table.assign(leak=words, sha256=first.answers["sha256"]), compute_report(combined))


def _combine_statuses(answers: list[Predictions], y_pred: np.ndarray) -> np.ndarray:
    statuses = np.stack([one.status for one in answers])
    agree = np.stack([one.y_pred == y_pred for one in answers]).all(axis=0)
    found = np.where((statuses == CONFIDENT).all(axis=0) & agree, CONFIDENT, CHECK)
    found = np.where((statuses == UNFAMILIAR).any(axis=0), UNFAMILIAR, found)
    return np.where(y_pred == NO_PREDICTION, "", found)


def _choose_worst_leak(words: tuple[str, ...]) -> str:
    """What stands for several members: the leak that says most, else what something was chosen on."""
    return next((kind for kind in LEAKS if kind in words), max(words))


def _combine_rates(rates: list[float]) -> float:
    """Pictures a second if one model after the other is asked."""
    return round(1 / sum(1 / rate for rate in rates), 1)
