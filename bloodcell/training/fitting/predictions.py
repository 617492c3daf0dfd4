"""What a trained network predicts for samples, as it sees them in use."""

import keras
import numpy as np

from bloodcell.imaging.crop import crop_middle
from bloodcell.inference.ood import FeatureStatistics, fit_feature_statistics
from bloodcell.model_store.io_spec import FEATURES, IN_DISTRIBUTION, LOGITS
from bloodcell.training.output.calibration import Outputs
from bloodcell.training.samples.samples import OOD, Samples

PREDICT_BATCH = 64
# Epochs are measured quickly: on so many images of each held-out group, on more where groups are few, so many in all.
QUICK_COPIES, QUICK_MIN_IMAGES, QUICK_CROPS = 4, 400, 2000


def predict_samples(model: keras.Model, samples: Samples, feature_statistics: FeatureStatistics) -> Outputs:
    """Predict samples.

    Parameters
    ----------
    model : keras.Model
        The network.
    samples : Samples
        N samples.
    feature_statistics : FeatureStatistics
        Of the cells it was trained on, for the Mahalanobis score.

    Returns
    -------
    Outputs
        In the order of the samples.
    """
    logits, known, features = _predict_raw(model, samples)
    return Outputs(logits, known, feature_statistics.distance(features))


def compute_feature_statistics(model: keras.Model, training_samples: Samples) -> FeatureStatistics:
    """Compute the feature statistics of the cells that a network was trained on; cells of other classes do not count.

    Raises
    ------
    numpy.linalg.LinAlgError
        If features are not finite, because the network diverged.
    """
    cells = training_samples.take(training_samples.class_index != OOD)
    return fit_feature_statistics(_predict_raw(model, cells)[2], cells.class_index)


def select_quick_samples(held_out: Samples) -> Samples:
    """Select a few images of each held-out group, evenly over its files; more of each where groups are few.

    A patient's cells are in the folders of several classes, so the first few images would all be of one class. Cells of
    other classes are left out.
    """
    class_rows = np.flatnonzero(held_out.class_index != OOD)
    groups, inverse = np.unique(held_out.group[class_rows], return_inverse=True)
    max_copies = max(QUICK_COPIES, QUICK_MIN_IMAGES // max(1, len(groups)))
    rows = []
    for number in range(len(groups)):
        group_rows = class_rows[inverse == number]
        places = np.linspace(0, len(group_rows) - 1, min(max_copies, len(group_rows)))
        rows += group_rows[np.unique(places.round().astype(int))].tolist()
    return held_out.take(np.sort(np.array(rows[:QUICK_CROPS], np.int64)))


def compute_quick_metrics(model: keras.Model, quick_samples: Samples) -> dict[str, float]:
    """Compute the validation metrics of an epoch.

    Parameters
    ----------
    model : keras.Model
        The network.
    quick_samples : Samples
        Samples of the classes, one or more.

    Returns
    -------
    dict
        val_loss (cross-entropy), val_accuracy and val_balanced (mean recall of the classes that occur), rounded.
    """
    logits = _predict_raw(model, quick_samples)[0].astype(np.float64)
    y_true = quick_samples.class_index
    shifted = logits - logits.max(axis=1, keepdims=True)
    shifted_true = np.take_along_axis(shifted, y_true[:, None], axis=1)[:, 0]
    is_correct = logits.argmax(axis=1) == y_true
    recalls = [is_correct[y_true == class_index].mean() for class_index in np.unique(y_true)]
    return {
        "val_loss": round(float((np.log(np.exp(shifted).sum(axis=1)) - shifted_true).mean()), 4),
        "val_accuracy": round(float(is_correct.mean()), 4),
        "val_balanced": round(float(np.mean(recalls)), 4),
    }


def _predict_raw(model: keras.Model, samples: Samples) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
    """Logits (N, C), logits of the out-of-distribution head (N,) or None where there is none, and features (N, F)."""
    extended = keras.Model(model.input, {**model.output, FEATURES: model.get_layer(FEATURES).output})
    names = [LOGITS, FEATURES, *([IN_DISTRIBUTION] if IN_DISTRIBUTION in model.output else [])]
    batches = []
    for start in range(0, len(samples.stored_crops), PREDICT_BATCH):
        crops = crop_middle(samples.stored_crops[start : start + PREDICT_BATCH], *model.input.shape[1:3])
        predicted = extended(crops.astype(np.float32), training=False)
        batches.append([keras.ops.convert_to_numpy(keras.ops.cast(predicted[name], "float32")) for name in names])
    logits, features, *known = (np.concatenate(arrays) for arrays in zip(*batches, strict=True))
    return logits, known[0][:, 0] if known else None, features
