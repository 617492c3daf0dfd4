"""Intervals that count each source cell (or patient) once, however many copies of it were scored."""

from collections.abc import Callable

import numpy as np

from bloodcell.evaluation.metrics.resampling import percentile_interval


def cluster_bootstrap(
    statistic: Callable[[np.ndarray], float],
    groups: np.ndarray,
    n_draws: int = 2000,
    level: float = 0.95,
    seed: int = 0,
    strata: np.ndarray | None = None,
) -> tuple[float, float]:
    """Percentile interval of a statistic when whole groups are drawn with replacement.

    Parameters
    ----------
    statistic : function of row numbers (int array, repeats allowed) that gives a number
    groups : array of shape (N,), rows of one source cell share a value
    n_draws : int
    level : float, 0.95 for a 95 % interval
    strata : array of shape (N,), for instance the class; each stratum then keeps its number of groups

    Returns
    -------
    (low, high). NaN draws (a class that was not drawn) are left out; (nan, nan) if nothing is left or N is 0.

    References
    ----------
    .. [1] Davison & Hinkley (1997), Bootstrap methods and their application, section 3.8 (hierarchical data)
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
        drawn = np.concatenate([rng.choice(of_stratum, len(of_stratum)) for of_stratum in members])
        draws[draw] = statistic(np.concatenate([rows_of[group] for group in drawn]))
    return percentile_interval(draws, level)
