"""Evaluations made of stored ones, without asking a model again: ensembles, and evaluations without some images."""

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from bloodcell.core.clock import now_utc
from bloodcell.core.errors import DatasetError
from bloodcell.core.labels import CHECK, CONFIDENT, UNFAMILIAR
from bloodcell.evaluation.evaluate import hash_evaluated_images
from bloodcell.evaluation.evaluation_folder import Evaluation, build_prediction_table, parse_prediction_table
from bloodcell.evaluation.leak_check import LEAKS, count_leaks
from bloodcell.evaluation.metrics.measure import compute_report
from bloodcell.evaluation.metrics.predictions import NO_PREDICTION, Predictions
from bloodcell.evaluation.protocol import EnsembleMember


def build_ensemble(members: Sequence[Evaluation]) -> Evaluation:
    """Evaluate the mean of several models' probabilities on images that all of them were evaluated on.

    An image has a prediction if any member has one, by the mean over those that do. It is confident only if every member
    is confident and all predict the same class, unfamiliar if any member finds it so, else check. An image that any
    member was trained on counts as a leak.

    Parameters
    ----------
    members : sequence of Evaluation
        Two or more, of the same images, by models of the same classes.

    Returns
    -------
    Evaluation

    Raises
    ------
    DatasetError
        If they are of other images, or the models know other classes.
    """
    first = members[0]
    protocols = [member.protocol for member in members]
    image_sets = {protocol.images_sha256 for protocol in protocols}
    class_sets = {protocol.class_names for protocol in protocols}
    if len(members) < 2 or len(image_sets) > 1 or len(class_sets) > 1:
        raise DatasetError(
            "An ensemble needs two or more models of the same classes, evaluated on the same images. Received:"
            f" {len(members)} models, {len(class_sets)} sets of classes, {len(image_sets)} sets of images."
        )
    predictions = [member.to_predictions() for member in members]
    combined = _average(predictions)
    leak_kinds = np.array(
        [_choose_worst_leak(row) for row in zip(*(member.prediction_table["leak"] for member in members), strict=True)],
        object,
    )
    leaks = [protocol.leak for protocol in protocols]
    names = [protocol.model for protocol in protocols]
    protocol = replace(
        first.protocol,
        model=" + ".join(names),
        model_title=f"Ensemble of {', '.join(names)}",
        model_sha256="",
        temperature=None,
        members=tuple(EnsembleMember(each.model, each.model_sha256) for each in protocols),
        title=f"{' + '.join(names)} on {first.protocol.dataset}",
        created=now_utc(),
        leak=replace(count_leaks(leak_kinds, leaks[0]), is_known=all(leak.is_known for leak in leaks)),
        images_per_s=_combine_rates([each.images_per_s for each in protocols]),
    )
    table = build_prediction_table(first.prediction_table["file"].tolist(), combined)
    table = table.assign(leak=leak_kinds, sha256=first.prediction_table["sha256"])
    return Evaluation(protocol, table, compute_report(combined))


def _average(predictions: list[Predictions]) -> Predictions:
    has_prediction = np.stack([each.y_pred != NO_PREDICTION for each in predictions])
    probs = np.stack([each.probs for each in predictions])
    n_predictions = has_prediction.sum(axis=0)
    mean = (probs * has_prediction[..., None]).sum(axis=0) / np.maximum(n_predictions, 1)[:, None]
    y_pred = np.where(n_predictions > 0, mean.argmax(axis=1), NO_PREDICTION)
    status = _combine_statuses(predictions, y_pred)
    return replace(predictions[0], y_pred=y_pred, probs=mean.astype(np.float32), status=status)


def _combine_statuses(predictions: list[Predictions], y_pred: np.ndarray) -> np.ndarray:
    statuses = np.stack([each.status for each in predictions])
    agree = np.stack([each.y_pred == y_pred for each in predictions]).all(axis=0)
    combined = np.where((statuses == CONFIDENT).all(axis=0) & agree, CONFIDENT, CHECK)
    combined = np.where((statuses == UNFAMILIAR).any(axis=0), UNFAMILIAR, combined)
    return np.where(y_pred == NO_PREDICTION, "", combined)


def _choose_worst_leak(leak_kinds: tuple[str, ...]) -> str:
    """Choose what stands for several members: the worst leak, else what something was chosen on."""
    return next((kind for kind in LEAKS if kind in leak_kinds), max(leak_kinds))


def _combine_rates(rates: list[float | None]) -> float | None:
    """Return images per second if one model after the other is run."""
    known = [rate for rate in rates if rate]
    return round(1 / sum(1 / rate for rate in known), 1) if len(known) == len(rates) else None


def exclude_images(evaluation: Evaluation, files: Collection[str]) -> Evaluation:
    """Leave out images whose labels are marked as wrong, and say so in the protocol; metrics are computed anew.

    Parameters
    ----------
    evaluation : Evaluation
    files : collection of str
        Those that the evaluation does not hold are ignored.

    Returns
    -------
    Evaluation

    Raises
    ------
    DatasetError
        If no image is left.
    """
    is_excluded = evaluation.prediction_table["file"].isin(list(files))
    table = evaluation.prediction_table[~is_excluded].reset_index(drop=True)
    if table.empty:
        raise DatasetError(f"All {len(is_excluded)} images are marked as label errors, so none is left to evaluate.")
    old = evaluation.protocol
    protocol = replace(
        old,
        created=now_utc(),
        excluded_files=(*old.excluded_files, *evaluation.prediction_table["file"][is_excluded]),
        leak=count_leaks(table["leak"].to_numpy(), old.leak),
        images_sha256=hash_evaluated_images(table),
    )
    return Evaluation(protocol, table, compute_report(parse_prediction_table(table, evaluation.class_names)))
