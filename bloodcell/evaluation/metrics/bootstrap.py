"""Bootstrap intervals that count each source cell (or patient) once, however many images of it were scored.

`resample_statistic` draws all samples at once for statistics that are sums over images; `cluster_bootstrap` takes any
statistic and loops.
"""

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np

N_DRAWS: Final = 2000
MAX_WEIGHTS: Final = 4_000_000  # weights in memory at a time


def draw_weights(
    groups: np.ndarray, n_draws: int = N_DRAWS, seed: int = 0, strata: np.ndarray | None = None
) -> Iterator[np.ndarray]:
    """Draw bootstrap samples of whole groups [1]_ and yield how often each group is in each, a few samples at a time.

    Parameters
    ----------
    groups : ndarray of int, shape (N,)
        Numbers from 0 to G - 1, each present; rows of one source cell share one.
    n_draws : int, default 2000
        Samples in all.
    seed : int, default 0
    strata : ndarray, shape (N,), optional
        For instance the class; each stratum then keeps its number of groups. A group belongs to the stratum of its first
        row. One stratum by default.

    Yields
    ------
    ndarray of float64, shape (samples, G)

    References
    ----------
    .. [1] Davison & Hinkley (1997), Bootstrap methods and their application, section 3.8 (hierarchical data)
    """
    rng = np.random.default_rng(seed)
    n_groups = int(groups.max()) + 1 if len(groups) else 0
    first = np.unique(groups, return_index=True)[1]
    stratum = np.zeros(n_groups, int) if strata is None else np.unique(strata[first], return_inverse=True)[1]
    members = [np.flatnonzero(stratum == number) for number in range(stratum.max() + 1)] if n_groups else []
    step = max(1, MAX_WEIGHTS // max(1, n_groups))
    for start in range(0, n_draws, step):
        n_samples = min(step, n_draws - start)
        weights = np.zeros((n_samples, n_groups))
        for in_stratum in members:
            n = len(in_stratum)
            weights[:, in_stratum] = rng.multinomial(n, np.full(n, 1 / n), n_samples)
        yield weights


def resample_statistic(
    statistic: Callable[[np.ndarray], np.ndarray],
    sums: np.ndarray,
    groups: np.ndarray,
    n_draws: int = N_DRAWS,
    seed: int = 0,
    strata: np.ndarray | None = None,
) -> np.ndarray:
    """Draw bootstrap values of statistics that follow from sums over images.

    Parameters
    ----------
    statistic : callable
        Takes sums of shape (samples, ...) and returns values of shape (samples, ...).
    sums : ndarray, shape (G, ...)
        What the images of each group add up to.
    groups, n_draws, seed, strata
        As in `draw_weights`.

    Returns
    -------
    ndarray of float64, shape (n_draws, ...)
    """
    weight_batches = draw_weights(groups, n_draws, seed, strata)
    return np.concatenate([statistic(np.tensordot(weights, sums, axes=1)) for weights in weight_batches])


def percentile_interval(draws: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """Return the percentile interval of bootstrap draws.

    Parameters
    ----------
    draws : ndarray of float, shape (n_draws,)
        NaN draws are left out.
    level : float, default 0.95

    Returns
    -------
    low, high : float
        Both NaN if no draw is left.

    Examples
    --------
    >>> import numpy as np
    >>> percentile_interval(np.array([1.0, 2.0, 3.0, np.nan]), level=0.5)
    (1.5, 2.5)
    """
    draws = draws[~np.isnan(draws)]
    if len(draws) == 0:
        return float("nan"), float("nan")
    tail = (1 - level) / 2
    low, high = np.quantile(draws, [tail, 1 - tail])
    return float(low), float(high)


def cluster_bootstrap(
    statistic: Callable[[np.ndarray], float],
    groups: np.ndarray,
    n_draws: int = N_DRAWS,
    level: float = 0.95,
    seed: int = 0,
    strata: np.ndarray | None = None,
) -> tuple[float, float]:
    """Return the percentile interval of any statistic when whole groups are drawn with replacement [1]_.

    Parameters
    ----------
    statistic : callable
        Takes row numbers (ndarray of int, repeats allowed) and returns a float.
    groups : ndarray, shape (N,)
        Rows of one source cell share a value.
    n_draws : int, default 2000
    level : float, default 0.95
    seed : int, default 0
    strata : ndarray, shape (N,), optional
        For instance the class; each stratum then keeps its number of groups.

    Returns
    -------
    low, high : float
        NaN draws (a class that was not drawn) are left out; both NaN if none is left or N is 0.

    References
    ----------
    .. [1] Davison & Hinkley (1997), Bootstrap methods and their application, section 3.8 (hierarchical data)

    Examples
    --------
    Four images of two cells, one cell all correct and one all wrong:

    >>> import numpy as np
    >>> is_correct = np.array([1, 1, 0, 0])
    >>> cluster_bootstrap(lambda rows: is_correct[rows].mean(), np.array([7, 7, 9, 9]), n_draws=100)
    (0.0, 1.0)
    """
    if len(groups) == 0:
        return float("nan"), float("nan")
    rng = np.random.default_rng(seed)
    _, first, inverse = np.unique(groups, return_index=True, return_inverse=True)
    rows_of = np.split(np.argsort(inverse, kind="stable"), np.cumsum(np.bincount(inverse))[:-1])
    stratum = np.zeros(len(first), int) if strata is None else np.unique(strata[first], return_inverse=True)[1]
    members = [np.flatnonzero(stratum == number) for number in range(stratum.max() + 1)]
    draws = np.empty(n_draws)
    for draw in range(n_draws):
        drawn_groups = np.concatenate([rng.choice(in_stratum, len(in_stratum)) for in_stratum in members])
        draws[draw] = statistic(np.concatenate([rows_of[group] for group in drawn_groups]))
    return percentile_interval(draws, level)


def effective_sample_size(groups: np.ndarray) -> float:
    """Return Kish's effective sample size [1]_: the number of equally large groups that would tell as much.

    Formula: (sum of group sizes)^2 / sum of squared sizes. All images of a cell count as one observation, so it is the
    number of images where each shows a cell of its own, and less where copies of a few cells make up most of them.

    Parameters
    ----------
    groups : ndarray, shape (N,)
        Source cell of each image.

    Returns
    -------
    float
        0 for no images.

    References
    ----------
    .. [1] Kish (1965), Survey sampling, Wiley

    Examples
    --------
    >>> import numpy as np
    >>> effective_sample_size(np.array([1, 1, 2, 2]))
    2.0
    """
    if len(groups) == 0:
        return 0.0
    sizes = np.unique(groups, return_counts=True)[1].astype(float)
    return float(sizes.sum() ** 2 / (sizes**2).sum())
