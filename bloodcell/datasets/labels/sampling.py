"""A random sample of labelled images, spread evenly over the classes."""

from collections.abc import Sequence

import numpy as np

from bloodcell.core.errors import DatasetError
from bloodcell.datasets.labels.records import Record


def sample_records(records: Sequence[Record], n_images: int, seed: int) -> list[Record]:
    """Draw images at random, about as many from every class.

    A class with fewer images than its share gives all it has, and the other classes fill up.

    Parameters
    ----------
    records : sequence of Record
        Labelled images; their order does not matter.
    n_images : int
        Images to draw at most; every class gives one at least, even if there are more classes than that.
    seed : int
        The same seed draws the same images, whatever other classes there are.

    Returns
    -------
    list of Record
        By label and then in the order drawn: the first k of a class are a sample as well.

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
    """Divide `n_images` evenly over classes of given sizes: at most what a class has, and at least one.

    Returns
    -------
    dict of str to int
        Images to draw of each class, in the order of `sizes`.

    Examples
    --------
    >>> share_quotas({"EOSINOPHIL": 2, "LYMPHOCYTE": 50, "NEUTROPHIL": 50}, 20)
    {'EOSINOPHIL': 2, 'LYMPHOCYTE': 9, 'NEUTROPHIL': 9}
    """
    quotas: dict[str, int] = {}
    left = n_images
    for rank, label in enumerate(sorted(sizes, key=lambda name: (sizes[name], name))):
        quotas[label] = min(sizes[label], max(1, left // (len(sizes) - rank)))
        left -= quotas[label]
    return {label: quotas[label] for label in sizes}
