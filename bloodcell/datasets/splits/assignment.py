"""Assign whole groups to folds, or draw a share of them, with every class balanced."""

import warnings

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from bloodcell.core.errors import DatasetError


def assign_folds(labels: np.ndarray, groups: np.ndarray, n_folds: int, seed: int) -> np.ndarray:
    """Assign rows to folds by scikit-learn's StratifiedGroupKFold, which balances classes and keeps groups whole.

    Rows are taken in the order given. The largest groups are assigned first, so the seed only decides among groups of
    similar size and content.

    Parameters
    ----------
    labels, groups : ndarray
        Arrays of shape (N,).
    n_folds : int
        At most the number of groups.
    seed : int

    Returns
    -------
    ndarray of int64, shape (N,)
        0 to n_folds - 1.

    Raises
    ------
    DatasetError
        If no class has as many images as there are folds.
    """
    folds = np.zeros(len(groups), np.int64)
    splitter = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed)
    # A class with fewer images than folds is no error here: one of the others may have enough.
    encoded = np.unique(labels, return_inverse=True)[1]
    largest = int(np.bincount(encoded).max())
    if largest < n_folds:
        raise DatasetError(
            f"{n_folds} folds need a class with at least {n_folds} images. The largest class has {largest}."
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        for fold, (_, fold_rows) in enumerate(splitter.split(encoded, encoded, groups)):
            folds[fold_rows] = fold
    return folds


def draw_groups(labels: np.ndarray, groups: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Draw whole groups that make up a share of every class; scikit-learn only has folds of equal size.

    Groups come in random order, groups twice as large as others before them. Each goes to the side where it adds least
    to Pearson's chi-square between actual and due images, over classes. The last two groups of a class make sure that
    it is on both sides. If each group has one class, neither side gets more of a class than it is due plus one group
    of the class.

    Parameters
    ----------
    labels, groups : ndarray
        Arrays of shape (N,).
    share : float
        Float between 0 and 1.
    seed : int

    Returns
    -------
    ndarray of bool, shape (N,)
        True for the rows of drawn groups.

    Raises
    ------
    DatasetError
        If there are fewer than two groups.
    """
    group_index = np.unique(groups, return_inverse=True)[1]
    label_index = np.unique(labels, return_inverse=True)[1]
    n_groups = len(np.unique(group_index))
    if n_groups < 2:
        raise DatasetError(f"Two parts need at least 2 groups (source cells or patients). Received: {n_groups}.")
    counts = np.zeros((n_groups, int(label_index.max()) + 1))
    np.add.at(counts, (group_index, label_index), 1)
    n_of_class = counts.sum(axis=0)
    shares = np.array([1 - share, share])
    lacking = np.outer(shares, n_of_class)  # images of each class that each side is still due
    main_class = (counts / n_of_class).argmax(axis=1)
    groups_left = np.bincount(main_class, minlength=len(n_of_class))
    has_class = np.zeros(lacking.shape, bool)
    order = np.random.default_rng(seed).permutation(n_groups)
    order = order[np.argsort(-np.floor(np.log2(counts.sum(axis=1)[order])), kind="stable")]
    side_of = np.zeros(n_groups, np.int64)
    for group in order:
        # (had + new - due)^2 - (had - due)^2, over due, each class weighed by its size
        wish = (((2 * lacking - counts[group]) * counts[group]) / n_of_class**2).sum(axis=1) / shares
        without = ~has_class[:, main_class[group]]
        if groups_left[main_class[group]] <= without.sum():
            wish[~without] = -np.inf
        side = int(wish.argmax())
        side_of[group] = side
        lacking[side] -= counts[group]
        has_class[side] |= counts[group] > 0
        groups_left[main_class[group]] -= 1
    if len(np.unique(side_of)) < 2:  # one class in few groups each, all of them wanted by one side
        smallest = order[np.argmin(counts.sum(axis=1)[order])]
        side_of[smallest] = 1 - side_of[smallest]
    return np.asarray(side_of[group_index] == 1)
