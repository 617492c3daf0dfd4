"""What a trained network answers for samples, as it sees them in use."""

import keras
import numpy as np

from bloodcell.inference.ood import Typical, fit_typical
from bloodcell.model_store.io_spec import FEATURES, KNOWN, LOGITS
from bloodcell.training.fitting.batches import plain_crops
from bloodcell.training.output.calibration import Outputs
from bloodcell.training.samples.samples import UNKNOWN, Samples
from bloodcell.training.specs.train_spec import TrainSpec

PREDICT_BATCH = 64
# To follow training without slowing it: so many images of each held-out group, of few groups more; and crops in all.
QUICK_COPIES, QUICK_LEAST, QUICK_CROPS = 4, 400, 2000


def predict(model: keras.Model, spec: TrainSpec, samples: Samples, typical: Typical) -> Outputs:
    """Logits, known and distance from the learned cells for samples."""
    logits, known, features = _raw(model, spec, samples)
    return Outputs(logits, known, typical.distance(features))


def typical_of(model: keras.Model, spec: TrainSpec, learned: Samples) -> Typical:
    """Where the features of the cells that a model learned from lie."""
    cells = learned.take(learned.class_index != UNKNOWN)
    return fit_typical(_raw(model, spec, cells)[2], cells.class_index)


def quick_samples(held: Samples) -> Samples:
    """A few images of each held-out group of known classes, evenly over its files: more where groups are few.

    A patient's cells lie in the folders of several classes, so the first few would be of one class.
    """
    known = np.flatnonzero(held.class_index != UNKNOWN)
    groups, inverse = np.unique(held.group[known], return_inverse=True)
    most = max(QUICK_COPIES, QUICK_LEAST // max(1, len(groups)))
    rows = []
    for number in range(len(groups)):
        mine = known[inverse == number]
        rows += mine[np.unique(np.linspace(0, len(mine) - 1, min(most, len(mine))).round().astype(int))].tolist()
    return held.take(np.sort(np.array(rows[:QUICK_CROPS], np.int64)))


def quick_figures(model: keras.Model, spec: TrainSpec, quick: Samples) -> dict[str, float]:
    """Cross-entropy, accuracy and mean recall of the classes on held-out crops, as they stand in the history.

    Parameters
    ----------
    quick : Samples of known classes, one or more
    """
    logits = _raw(model, spec, quick)[0].astype(np.float64)
    shifted = logits - logits.max(axis=1, keepdims=True)
    of_true = np.take_along_axis(shifted, quick.class_index[:, None], axis=1)[:, 0]
    right = logits.argmax(axis=1) == quick.class_index
    recalls = [right[quick.class_index == c].mean() for c in np.unique(quick.class_index)]
    return {
        "val_loss": round(float((np.log(np.exp(shifted).sum(axis=1)) - of_true).mean()), 4),
        "val_accuracy": round(float(right.mean()), 4),
        "val_balanced": round(float(np.mean(recalls)), 4),
    }


def _raw(model: keras.Model, spec: TrainSpec, samples: Samples) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
    """Logits (N, C), known (N,), None where the network has no such head, and features (N, F)."""
    whole = keras.Model(model.input, {**model.output, FEATURES: model.get_layer(FEATURES).output})
    names = [LOGITS, FEATURES, *([KNOWN] if spec.known_head else [])]
    parts = []
    for start in range(0, len(samples.wide), PREDICT_BATCH):
        crops = plain_crops(samples.wide[start : start + PREDICT_BATCH], spec).astype(np.float32)
        answered = whole(crops, training=False)
        parts.append([keras.ops.convert_to_numpy(keras.ops.cast(answered[name], "float32")) for name in names])
    logits, features, *known = (np.concatenate(of_output) for of_output in zip(*parts, strict=True))
    return logits, known[0][:, 0] if known else None, features
