"""What a trained network answers for samples, as it sees them in use."""

import keras
import numpy as np

from bloodcell.inference.ood import FeatureStatistics, fit_feature_statistics
from bloodcell.model_store.io_spec import FEATURES, IN_DISTRIBUTION, LOGITS
from bloodcell.training.fitting.batches import cut_centre_crops
from bloodcell.training.output.calibration import Outputs
from bloodcell.training.samples.samples import OOD, Samples
from bloodcell.training.specs.train_spec import TrainSpec

PREDICT_BATCH = 64
# To follow training without slowing it: so many images of each held-out group, of few groups more; and crops in all.
QUICK_COPIES, QUICK_MIN_IMAGES, QUICK_CROPS = 4, 400, 2000


def predict_samples(
    model: keras.Model, spec: TrainSpec, samples: Samples, feature_statistics: FeatureStatistics
) -> Outputs:
    """Logits, known and distance from the learned cells for samples."""
    logits, known, features = _predict_raw(model, spec, samples)
    return Outputs(logits, known, feature_statistics.distance(features))


def compute_feature_statistics(model: keras.Model, spec: TrainSpec, training_samples: Samples) -> FeatureStatistics:
    """Where the features of the cells that a model learned from lie."""
    cells = training_samples.take(training_samples.class_index != OOD)
    return fit_feature_statistics(_predict_raw(model, spec, cells)[2], cells.class_index)


def select_quick_samples(held_out: Samples) -> Samples:
    """A few images of each held-out group of known classes, evenly over its files: more where groups are few.

    A patient's cells lie in the folders of several classes, so the first few would be of one class.
    """
    known = np.flatnonzero(held_out.class_index != OOD)
    groups, inverse = np.unique(held_out.group[known], return_inverse=True)
    max_copies = max(QUICK_COPIES, QUICK_MIN_IMAGES // max(1, len(groups)))
    rows = []
    for number in range(len(groups)):
        mine = known[inverse == number]
        rows += mine[np.unique(np.linspace(0, len(mine) - 1, min(max_copies, len(mine))).round().astype(int))].tolist()
    return held_out.take(np.sort(np.array(rows[:QUICK_CROPS], np.int64)))


def compute_quick_metrics(model: keras.Model, spec: TrainSpec, quick: Samples) -> dict[str, float]:
    """Cross-entropy, accuracy and mean recall of the classes on held-out crops, as they stand in the history.

    Parameters
    ----------
    quick : Samples of known classes, one or more
    """
    logits = _predict_raw(model, spec, quick)[0].astype(np.float64)
    shifted = logits - logits.max(axis=1, keepdims=True)
    of_true = np.take_along_axis(shifted, quick.class_index[:, None], axis=1)[:, 0]
    right = logits.argmax(axis=1) == quick.class_index
    recalls = [right[quick.class_index == c].mean() for c in np.unique(quick.class_index)]
    return {
        "val_loss": round(float((np.log(np.exp(shifted).sum(axis=1)) - of_true).mean()), 4),
        "val_accuracy": round(float(right.mean()), 4),
        "val_balanced": round(float(np.mean(recalls)), 4),
    }


def _predict_raw(
    model: keras.Model, spec: TrainSpec, samples: Samples
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
    """Logits (N, C), known (N,), None where the network has no such head, and features (N, F)."""
    whole = keras.Model(model.input, {**model.output, FEATURES: model.get_layer(FEATURES).output})
    names = [LOGITS, FEATURES, *([IN_DISTRIBUTION] if spec.ood_head else [])]
    parts = []
    for start in range(0, len(samples.stored_crops), PREDICT_BATCH):
        crops = cut_centre_crops(samples.stored_crops[start : start + PREDICT_BATCH], spec).astype(np.float32)
        predicted = whole(crops, training=False)
        parts.append([keras.ops.convert_to_numpy(keras.ops.cast(predicted[name], "float32")) for name in names])
    logits, features, *known = (np.concatenate(of_output) for of_output in zip(*parts, strict=True))
    return logits, known[0][:, 0] if known else None, features
