"""How often classes are drawn, what they weigh in the loss, and which rows of a class that is to be rare are learned."""

import numpy as np

from bloodcell.training.samples.class_limits import select_from_few_cells
from bloodcell.training.samples.samples import Samples
from bloodcell.training.specs.choices import BALANCED, EQUAL_PARTS, EVERY_IMAGE
from bloodcell.training.specs.train_spec import TrainSpec


def select_training_rows(spec: TrainSpec, samples: Samples, among: np.ndarray) -> np.ndarray:
    """Leave out what is over the limits of the spec's sources; an image left out loses all its crops.

    Parameters
    ----------
    among : bool array of shape (N,), rows that may be learned from

    Returns
    -------
    bool array of shape (N,)
    """
    is_selected = among.copy()
    for number, source in enumerate(spec.sources):
        of_source = samples.source == number
        for class_name, max_images in source.limits:
            class_index = spec.class_names.index(class_name)
            rows = np.flatnonzero(among & of_source & (samples.class_index == class_index))
            files = [samples.file[row] for row in rows]
            taken = select_from_few_cells(files, samples.group[rows], max_images, source.limit_seed)
            left_out = {samples.file[row] for row in np.delete(rows, taken)}
            is_selected[[row for row in np.flatnonzero(of_source) if samples.file[row] in left_out]] = False
    return is_selected


def compute_sampling_shares(spec: TrainSpec, samples: Samples) -> np.ndarray:
    """How often crops of a class and source are drawn among those of known classes.

    In equal parts, each class has the same share, however rare, and in it each source that holds it by its weight:
    rare classes are oversampled. As they come, a class has its share of each source's images, the sources by weight.
    Every image once, all images are of one weight.

    Returns
    -------
    float64 array of shape (sources, classes), of sum 1
    """
    weights = np.array([source.weight for source in spec.sources], float)
    counts = np.zeros((len(weights), len(spec.class_names)))
    known = samples.class_index >= 0
    np.add.at(counts, (samples.source[known], samples.class_index[known]), 1)
    if spec.class_sampling == EQUAL_PARTS:
        shares = weights[:, None] * (counts > 0)
        shares /= np.maximum(shares.sum(axis=0), np.finfo(float).tiny)
    elif spec.class_sampling == EVERY_IMAGE:
        shares = counts
    else:
        shares = weights[:, None] * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    return shares / max(shares.sum(), np.finfo(float).tiny)


def compute_loss_weights(spec: TrainSpec, shares: np.ndarray) -> np.ndarray:
    """What a crop of each class weighs in the loss.

    Parameters
    ----------
    shares : float array of shape (sources, classes) of `compute_sampling_shares`

    Returns
    -------
    float64 array of shape (classes,)
        Ones, or where `class_weights` is "balanced" 1 / (classes * share of the class): n / (classes * images of the
        class) of scikit-learn's compute_class_weight, where there is one source. A drawn crop weighs 1 on average.
    """
    of_class = shares.sum(axis=0)
    return 1 / (len(of_class) * of_class) if spec.class_weights == BALANCED else np.ones(len(of_class))
