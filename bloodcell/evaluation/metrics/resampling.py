"""Draws of whole source cells, as weights: so that any figure that is a sum over images is resampled all at once."""

from collections.abc import Callable, Iterator

import numpy as np

N_DRAWS = 2000
MAX_WEIGHTS = 4_000_000  # weights in memory at a time


def draw_weights(
    groups: np.ndarray, n_draws: int = N_DRAWS, seed: int = 0, strata: np.ndarray | None = None
) -> Iterator[np.ndarray]:
    """How often each group is drawn in bootstrap samples of whole groups [1]_, a few samples at a time.

    Parameters
    ----------
    groups : int array of shape (N,), numbers from 0 to G - 1, each there; rows of one source cell share one
    n_draws : number of samples in all
    strata : array of shape (N,), for instance the class: each then keeps its number of groups. A group belongs to the
        stratum of its first row. None for one stratum

    Yields
    ------
    float64 arrays of shape (samples, G)

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
        for of_stratum in members:
            n = len(of_stratum)
            weights[:, of_stratum] = rng.multinomial(n, np.full(n, 1 / n), n_samples)
        yield weights


def percentile_interval(draws: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """Percentile interval of a figure's draws; draws that are not numbers are left out, (nan, nan) if none is left."""
    draws = draws[~np.isnan(draws)]
    if len(draws) == 0:
        return float("nan"), float("nan")
    tail = (1 - level) / 2
    low, high = np.quantile(draws, [tail, 1 - tail])
    return float(low), float(high)


def resample_statistic(
    statistic: Callable[[np.ndarray], np.ndarray],
    sums: np.ndarray,
    groups: np.ndarray,
    n_draws: int = N_DRAWS,
    seed: int = 0,
    strata: np.ndarray | None = None,
) -> np.ndarray:
    """Draws of figures that follow from sums over images.

    Parameters
    ----------
    figure : takes sums of shape (samples, ...) and gives figures of shape (samples, ...)
    sums : array of shape (G, ...), what the images of each group add up to
    groups, n_draws, seed, strata : as in `draw_weights`

    Returns
    -------
    array of shape (n_draws, ...)
    """
    weight_batches = draw_weights(groups, n_draws, seed, strata)
    return np.concatenate([statistic(np.tensordot(weights, sums, axes=1)) for weights in weight_batches])


def effective_sample_size(groups: np.ndarray) -> float:
    """Number of equally large groups that would tell as much: (sum of sizes)^2 / sum of squared sizes (Kish 1965).

    As many as there are images where each is a cell of its own, fewer where copies of few cells make up most; 0 for no
    images. It takes all copies of a cell as one observation.
    """
    if len(groups) == 0:
        return 0.0
    sizes = np.unique(groups, return_counts=True)[1].astype(float)
    return float(sizes.sum() ** 2 / (sizes**2).sum())
