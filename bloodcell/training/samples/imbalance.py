"""How often classes are drawn, their weight in the loss, and which images of a limited class are trained on."""

from collections.abc import Sequence

import numpy as np

from bloodcell.training.samples.samples import OOD, Samples
from bloodcell.training.specs.choices import BALANCED, EQUAL_PARTS, EVERY_IMAGE
from bloodcell.training.specs.train_spec import TrainSpec


def select_training_samples(spec: TrainSpec, samples: Samples, is_candidate: np.ndarray) -> Samples:
    """Return the samples that a fit is trained on: the candidates, within the limits of their sources.

    Parameters
    ----------
    spec : TrainSpec
        Its sources may limit the images of a class.
    samples : Samples
        N samples.
    is_candidate : ndarray of bool, shape (N,)
        Samples that may be trained on.
    """
    rows = select_training_rows(spec, samples, is_candidate)
    return samples if rows.all() else samples.take(rows)


def select_training_rows(spec: TrainSpec, samples: Samples, is_candidate: np.ndarray) -> np.ndarray:
    """Drop candidates that exceed the limits of the spec's sources; an image that is dropped loses all its crops.

    Parameters
    ----------
    spec : TrainSpec
        Its sources may limit the images of a class.
    samples : Samples
        N samples.
    is_candidate : ndarray of bool, shape (N,)
        Samples that may be trained on.

    Returns
    -------
    ndarray of bool, shape (N,)
    """
    is_selected = is_candidate.copy()
    for number, source in enumerate(spec.sources):
        in_source = samples.source == number
        for class_name, max_images in source.limits:
            class_index = spec.class_names.index(class_name)
            rows = np.flatnonzero(is_candidate & in_source & (samples.class_index == class_index))
            files = [samples.file[row] for row in rows]
            selected = select_from_few_cells(files, samples.group[rows], max_images, source.limit_seed)
            dropped = {samples.file[row] for row in np.delete(rows, selected)}
            is_selected[[row for row in np.flatnonzero(in_source) if samples.file[row] in dropped]] = False
    return is_selected


def select_from_few_cells(files: Sequence[str], groups: np.ndarray, max_images: int, seed: int) -> np.ndarray:
    """Select `max_images` images from the smallest possible number of source cells: a rare class of a small laboratory.

    All images of the selected cells are taken, except that the last cell only fills up the number. The order in which
    the images are listed does not matter.

    Parameters
    ----------
    files : sequence of str
        N file names, all different.
    groups : ndarray, shape (N,)
        Source cell of each image.
    max_images : int
        1 or more.
    seed : int
        Draws the cells among all selections of that few, and the images of the last cell.

    Returns
    -------
    ndarray of int64, shape (min(max_images, N),)
        Rows in rising order.

    Examples
    --------
    Only the cells of 50 and of 10 images together have 60:

    >>> groups = np.repeat([0, 1, 2, 3], [1, 50, 9, 10])
    >>> rows = select_from_few_cells([f"{row:02}.png" for row in range(70)], groups, 60, seed=0)
    >>> np.unique(groups[rows]).tolist()
    [1, 3]
    """
    if len(files) <= max_images:
        return np.arange(len(files))
    rng = np.random.default_rng(seed)
    rows_of_cell: dict[object, list[int]] = {}
    for row in sorted(range(len(files)), key=lambda row: files[row]):
        rows_of_cell.setdefault(groups[row], []).append(row)
    cells = [list(rows_of_cell.values())[number] for number in rng.permutation(len(rows_of_cell))]
    sizes = sorted((len(cell) for cell in cells), reverse=True)
    n_cells = int(np.searchsorted(np.cumsum(sizes), max_images)) + 1
    selected: list[int] = []
    for n_cells_after in range(n_cells - 1, -1, -1):
        n_missing = max_images - len(selected)
        # With the largest of the others after it, a cell of this size or more still reaches `max_images`.
        min_size = n_missing - sum(sorted((len(cell) for cell in cells), reverse=True)[:n_cells_after])
        cell = cells.pop(next(number for number, cell in enumerate(cells) if len(cell) >= min_size))
        selected += (
            cell if len(cell) <= n_missing else [cell[place] for place in rng.permutation(len(cell))[:n_missing]]
        )
    return np.array(sorted(selected), np.int64)


def compute_sampling_shares(spec: TrainSpec, samples: Samples) -> np.ndarray:
    """Compute how often crops of each class and source are drawn, among those of the classes.

    With "equal parts" every class has the same share, however rare, and within it every source that has the class, by
    its weight: rare classes are oversampled. With "as they come" a class has its share of each source's images, and
    sources count by weight. With "every image once" all images have the same weight.

    Parameters
    ----------
    spec : TrainSpec
        Its `class_sampling` and the weights of its sources.
    samples : Samples
        The training samples.

    Returns
    -------
    ndarray of float64, shape (sources, classes)
        Shares of sum 1; all 0 where there is no sample of any class.
    """
    weights = np.array([source.weight for source in spec.sources], float)
    counts = np.zeros((len(weights), len(spec.class_names)))
    has_class = samples.class_index != OOD
    np.add.at(counts, (samples.source[has_class], samples.class_index[has_class]), 1)
    if spec.class_sampling == EQUAL_PARTS:
        shares = weights[:, None] * (counts > 0)
        shares /= np.maximum(shares.sum(axis=0), np.finfo(float).tiny)
    elif spec.class_sampling == EVERY_IMAGE:
        shares = counts
    else:
        shares = weights[:, None] * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    return shares / max(float(shares.sum()), float(np.finfo(float).tiny))


def compute_loss_weights(spec: TrainSpec, shares: np.ndarray) -> np.ndarray:
    """Compute the weight of a crop of each class in the loss.

    Parameters
    ----------
    spec : TrainSpec
        Its `class_weights`.
    shares : ndarray of float, shape (sources, classes)
        What `compute_sampling_shares` returned.

    Returns
    -------
    ndarray of float64, shape (classes,)
        Ones; or, where `class_weights` is "balanced", 1 / (classes * share of the class). With one source that is
        n / (classes * images of the class), as in scikit-learn's compute_class_weight. The mean over the drawn crops
        is 1.

    Examples
    --------
    >>> from bloodcell.datasets.catalog.source_spec import SourceSpec
    >>> spec = TrainSpec("mine", (SourceSpec("pbc", "pbc.zip"),), class_sampling="as they come",
    ...                  class_weights="balanced")
    >>> compute_loss_weights(spec, np.array([[0.8, 0.2]])).tolist()
    [0.625, 2.5]
    """
    class_shares = shares.sum(axis=0)
    return 1 / (len(class_shares) * class_shares) if spec.class_weights == BALANCED else np.ones(len(class_shares))
