"""A random sample of labelled images, spread evenly over the classes."""

from collections.abc import Sequence

import numpy as np

from bloodcell.core.errors import DatasetError
from bloodcell.datasets.labels.records import Record


def sample_records(records: Sequence[Record], n_images: int, seed: int) -> list[Record]:
    """Draw images at random, from every class about as many.

    A class with fewer images than its share gives all it has, and the others fill up.

    Parameters
    ----------
    records : labelled images; their order does not matter
    n_images : images to draw at most; every class gives one at least, even if there are more classes than that
    seed : the same seed draws the same images, whatever other classes there are

    Returns
    -------
    list of Record, by label and then in the order drawn: the first k of a class are a sample as well

    Raises
    ------
    DatasetError
        If `n_images` is below 1.
    """
    if n_images < 1:
        raise DatasetError(f"A sample must have at least 1 image. Received: {n_images}.")
    by_label: dict[str, list[Record]] = {}
    for record in sorted(records, key=lambda record: (record.label, record.file)):
        by_label.setdefault(record.label, []).append(record)
    quotas = share_quotas({label: len(members) for label, members in by_label.items()}, n_images)
    drawn = []
    for label, members in by_label.items():
        rng = np.random.default_rng([seed, *label.encode()])
        drawn += [members[row] for row in rng.permutation(len(members))[: quotas[label]]]
    return drawn


def share_quotas(sizes: dict[str, int], n_images: int) -> dict[str, int]:
    """Share out `n_images` over classes of given sizes, evenly, no class more than it has and none less than one.

    Returns
    -------
    dict, class -> images to draw, in the order of `sizes`
    """
    quotas: dict[str, int] = {}
    left = n_images
    for rank, label in enumerate(sorted(sizes, key=lambda name: (sizes[name], name))):
        quotas[label] = min(sizes[label], max(1, left // (len(sizes) - rank)))
        left -= quotas[label]
    return {label: quotas[label] for label in sizes}
