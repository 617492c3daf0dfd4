"""Group the images of a dataset by the photograph they were made from, using their pixels alone.

Every image gets a keypoint signature (`signatures`). The most similar images by a cheap vector (`retrieval`) are
compared in full (`matching`). Images that agree are joined, and so are whole groups, until no more can be joined.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from scipy.cluster.hierarchy import DisjointSet

from bloodcell.core.errors import BloodcellError, DatasetError
from bloodcell.core.progress import OnProgress, ShouldStop
from bloodcell.datasets.copies.extraction import (
    HashedImage,
    check_stop,
    extract_signatures,
    start_matching_threads,
)
from bloodcell.datasets.copies.matching import Likeness, compare_signatures
from bloodcell.datasets.copies.retrieval import cluster_visual_words, encode_image_vector, find_nearest_rows
from bloodcell.datasets.copies.signatures import KeypointSignature

NEAREST_IMAGES: Final = 8
NEAREST_GROUPS: Final = 15
PAIRS_PER_GROUP: Final = 4
MAX_MEMBERS: Final = 60  # of a group that are considered when groups are compared
MAX_PASSES: Final = 6
_CHUNK: Final = 256

Pair = tuple[int, int]


@dataclass(frozen=True)
class Grouping:
    """The groups of n images, and the comparisons that led to them.

    Attributes
    ----------
    groups : ndarray of int64, shape (n,)
        Group of each image, 0..G-1, numbered by first occurrence.
    compared : dict of (int, int) to Likeness
        Result of each full comparison, by the numbers of the two images, the smaller first.
    """

    groups: np.ndarray
    compared: dict[Pair, Likeness] = field(default_factory=dict)


def find_source_cells(
    read: Callable[[int], np.ndarray],
    n: int,
    on_progress: OnProgress | None = None,
    threads: int = 2,
) -> np.ndarray:
    """Group copies of one source photograph: rotated, flipped, shifted, sheared, zoomed, relit or cropped.

    Two photographs of the same white cell are joined as well. The partition does not depend on the order of the images.

    Parameters
    ----------
    read : callable
        Called with 0..n-1 from several threads; returns a uint8 array (H, W, 3). Each image is read once.
    n : int
        Number of images.
    on_progress : callable, optional
        Called with (done, total), where total is 2 * n: reading, then comparing.
    threads : int, default 2
        Threads that read and compare.

    Returns
    -------
    ndarray of int64, shape (n,)
        Group of each image, 0..G-1, numbered by first occurrence. An image without a copy is a group of its own.

    Raises
    ------
    DatasetError
        If `n` is negative or `threads` is below 1.
    ImageError
        If `read` returns something that is not an RGB image.

    Examples
    --------
    >>> from bloodcell.synthetic.fields import draw_field
    >>> fields = [draw_field(seed, height_px=240, width_px=320).rgb for seed in (1, 2)]
    >>> images = [fields[0], fields[1], fields[0][::-1].copy()]
    >>> find_source_cells(images.__getitem__, 3)
    array([0, 1, 0])
    """
    return group_images(read, n, on_progress, threads).groups


def group_images(
    read: Callable[[int], np.ndarray],
    n: int,
    on_progress: OnProgress | None = None,
    threads: int = 2,
    should_stop: ShouldStop | None = None,
    on_problem: Callable[[int, BloodcellError], None] | None = None,
) -> Grouping:
    """Group images as `find_source_cells` does, and return the comparisons too, for a report.

    Parameters
    ----------
    read, n, on_progress, threads
        See `find_source_cells`.
    should_stop : callable, optional
        Asked before every image and every chunk of comparisons.
    on_problem : callable, optional
        Called with the number and the error of an image that cannot be read, which is then a group of its own.
        Without it, the error is raised.

    Returns
    -------
    Grouping

    Raises
    ------
    DatasetError, ImageError
        See `find_source_cells`.
    StoppedError
        If `should_stop` returns True.
    """
    if n < 0 or threads < 1:
        raise DatasetError(f"`n` must not be negative and `threads` at least 1. Received: {n}, {threads}.")
    report = on_progress or (lambda *_: None)
    with start_matching_threads(threads) as pool:
        images = extract_signatures(read, n, pool, lambda done, _: report(done, 2 * n), should_stop, on_problem)
        return group_signatures(images, pool, lambda done, _: report(n + done, 2 * n), should_stop)[0]


def group_signatures(
    images: list[HashedImage | None],
    pool: ThreadPoolExecutor,
    on_progress: OnProgress | None = None,
    should_stop: ShouldStop | None = None,
) -> tuple[Grouping, np.ndarray]:
    """Group images by their signatures.

    Parameters
    ----------
    images : list of HashedImage or None
        None is a group of its own.
    pool : ThreadPoolExecutor
        From `start_matching_threads`.
    on_progress : callable, optional
        Called with (done, n).
    should_stop : callable, optional
        Asked before every chunk of comparisons.

    Returns
    -------
    grouping : Grouping
    vectors : ndarray of float32, shape (n, D)
        The vectors by which similar images were looked for (`retrieval`); 0 for None.
    """
    n = len(images)
    report = on_progress or (lambda *_: None)
    # From here on the images stand in the order of their pixels' hashes, whatever order they came in.
    readable = sorted((image.digest, i, image.signature) for i, image in enumerate(images) if image is not None)
    if not readable:
        return Grouping(np.arange(n)), np.zeros((n, 1), np.float32)
    order = [i for _, i, _ in readable]
    joiner = _Joiner([signature for _, _, signature in readable], pool, should_stop)
    for k in range(1, len(readable)):
        if readable[k][0] == readable[k - 1][0]:
            joiner.sets.merge(k - 1, k)
    words = cluster_visual_words([signature.descriptors for signature in joiner.signatures])
    vectors = np.stack(
        list(pool.map(lambda signature: encode_image_vector(signature.descriptors, words), joiner.signatures))
    )
    nearest = find_nearest_rows(vectors, NEAREST_IMAGES)
    for rank in range(nearest.shape[1]):
        joiner.compare_all((i, int(nearest[i, rank])) for i in range(len(readable)))
        report((rank + 1) * n // (nearest.shape[1] + 1), n)
    _join_groups(joiner, vectors)
    report(n, n)
    groups = np.arange(n) + n  # unlike the number of any set
    groups[order] = number_sets(joiner.sets)
    in_order = np.zeros((n, vectors.shape[1]), np.float32)
    in_order[order] = vectors
    compared = {
        (min(order[a], order[b]), max(order[a], order[b])): likeness for (a, b), likeness in joiner.compared.items()
    }
    return Grouping(renumber_by_first(groups), compared), in_order


def renumber_by_first(labels: np.ndarray) -> np.ndarray:
    """Renumber labels 0..G-1 in the order in which they first occur; int64 array of the same shape (n,)."""
    _, first, index = np.unique(labels, return_index=True, return_inverse=True)
    number = np.empty(len(first), np.int64)
    number[np.argsort(first)] = np.arange(len(first))
    return number[index]


def number_sets(sets: DisjointSet) -> np.ndarray:
    """Return the number of each item's set, for sets of 0..n-1: 0..G-1 by first occurrence, int64 (n,)."""
    return renumber_by_first(np.array([sets[i] for i in range(len(sets))], np.int64))


class _Joiner:
    """Compares pairs in full, each once, and joins what agrees."""

    def __init__(
        self, signatures: list[KeypointSignature], pool: ThreadPoolExecutor, should_stop: ShouldStop | None
    ) -> None:
        self.signatures = signatures
        self._should_stop = should_stop
        self.sets = DisjointSet(range(len(signatures)))
        self.compared: dict[Pair, Likeness] = {}
        self._pool = pool

    def compare_all(self, pairs: Iterable[Pair]) -> int:
        """Compare the pairs not yet joined; return how many comparisons joined something.

        Skipping joined pairs cannot change the partition, so neither can the order of the pairs.
        """
        todo = sorted({(min(pair), max(pair)) for pair in pairs if self._is_open(*pair)} - self.compared.keys())
        n_joined = 0
        for start in range(0, len(todo), _CHUNK):
            check_stop(self._should_stop)
            chunk = [pair for pair in todo[start : start + _CHUNK] if self._is_open(*pair)]
            for pair, likeness in zip(chunk, self._pool.map(self._compare, chunk), strict=True):
                self.compared[pair] = likeness
                if likeness.is_same_source:
                    self.sets.merge(*pair)
                    n_joined += 1
        return n_joined

    def _is_open(self, i: int, j: int) -> bool:
        return not self.sets.connected(i, j)

    def _compare(self, pair: Pair) -> Likeness:
        return compare_signatures(self.signatures[pair[0]], self.signatures[pair[1]])


def _join_groups(joiner: _Joiner, vectors: np.ndarray) -> None:
    """Compare the most similar members of the most similar groups until no more groups are joined."""
    for _ in range(MAX_PASSES):
        index = number_sets(joiner.sets)
        n_groups = int(index.max()) + 1
        means = np.zeros((n_groups, vectors.shape[1]), np.float32)
        np.add.at(means, index, vectors)
        means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-6)
        members = [np.flatnonzero(index == group)[:MAX_MEMBERS] for group in range(n_groups)]
        pairs = []
        for group, others in enumerate(find_nearest_rows(means, NEAREST_GROUPS)):
            for other in others:
                likeness = vectors[members[group]] @ vectors[members[other]].T
                for place in np.argsort(-likeness, axis=None, kind="stable")[:PAIRS_PER_GROUP]:
                    a, b = np.unravel_index(place, likeness.shape)
                    pairs.append((int(members[group][a]), int(members[other][b])))
        if joiner.compare_all(pairs) == 0:
            break
