"""Group the images of a dataset by the photograph they were made from, by their pixels alone.

Every picture becomes a finger print (`fingerprint`). The most similar ones by a cheap vector (`retrieval`) are
compared in full (`matching`). Pictures that agree are joined, and so are whole groups, until nothing more can be.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from threadpoolctl import threadpool_limits

from bloodcell.data.fingerprint import Fingerprint, fingerprint
from bloodcell.data.matching import Likeness, compare
from bloodcell.data.retrieval import image_vector, nearest_rows, visual_words
from bloodcell.errors import DatasetError

NEAREST_IMAGES: Final = 8
NEAREST_GROUPS: Final = 15
PAIRS_PER_GROUP: Final = 4
MAX_MEMBERS: Final = 60  # of a group, looked at when groups are compared
MAX_ROUNDS: Final = 6
_CHUNK: Final = 256

Pair = tuple[int, int]


@dataclass(frozen=True)
class Grouping:
    """The groups of n images, and the comparisons that led to them.

    Attributes
    ----------
    groups : int64 array of shape (n,), 0..G-1, numbered by first occurrence
    compared : (image, image) with the smaller first -> what the full comparison said
    """

    groups: np.ndarray
    compared: dict[Pair, Likeness] = field(default_factory=dict)


def find_source_cells(
    read: Callable[[int], np.ndarray],
    n: int,
    on_progress: Callable[[int, int], None] | None = None,
    threads: int = 2,
) -> np.ndarray:
    """Group copies of one source photograph: turned, flipped, shifted, sheared, zoomed, relit or cropped.

    Two photographs of one white cell are joined as well. The partition does not depend on the order of the images.

    Parameters
    ----------
    read : called with 0..n-1 from several threads, gives uint8 (H, W, 3); each image is read once
    n : int, number of images
    on_progress : called with (done, total), total being 2 * n: reading, then comparing
    threads : int

    Returns
    -------
    int64 array of shape (n,)
        Group of every image, 0..G-1, numbered by first occurrence. An image without a like is a group of its own.

    Raises
    ------
    DatasetError
        If `n` is negative or `threads` is below 1.
    ImageError
        If `read` gives something that is not a picture.
    """
    return group_images(read, n, on_progress, threads).groups


def group_images(
    read: Callable[[int], np.ndarray],
    n: int,
    on_progress: Callable[[int, int], None] | None = None,
    threads: int = 2,
) -> Grouping:
    """Do what `find_source_cells` does and keep the comparisons, for a report."""
    if n < 0 or threads < 1:
        raise DatasetError(f"`n` must not be negative and `threads` at least 1. Received: {n}, {threads}.")
    if n == 0:
        return Grouping(np.zeros(0, np.int64))
    report = on_progress or (lambda done, total: None)
    # The products are small and run in our own threads; BLAS threads on top of them cost five times the time.
    with threadpool_limits(limits=1, user_api="blas"), ThreadPoolExecutor(threads) as pool:
        digests, prints = [], []
        for digest, one_print in _ahead(pool, lambda i: _read_one(read, i), n):
            digests.append(digest)
            prints.append(one_print)
            report(len(prints), 2 * n)
        # From here on the images stand in the order of their pixels' hashes, whatever order they came in.
        order = sorted(range(n), key=lambda i: digests[i])
        joiner = _Joiner([prints[i] for i in order], pool)
        for k in range(1, n):
            if digests[order[k]] == digests[order[k - 1]]:
                joiner.sets.join(k - 1, k)
        words = visual_words([one_print.descriptors for one_print in joiner.prints])
        vectors = np.stack(list(pool.map(lambda p: image_vector(p.descriptors, words), joiner.prints)))
        nearest = nearest_rows(vectors, NEAREST_IMAGES)
        for rank in range(nearest.shape[1]):
            joiner.compare_all((i, int(nearest[i, rank])) for i in range(n))
            report(n + (rank + 1) * n // (nearest.shape[1] + 1), 2 * n)
        _join_groups(joiner, vectors)
        report(2 * n, 2 * n)
    back = np.array(order)
    roots = np.empty(n, np.int64)
    roots[back] = joiner.sets.roots()
    compared = {(min(order[a], order[b]), max(order[a], order[b])): found for (a, b), found in joiner.compared.items()}
    return Grouping(number_by_first(roots), compared)


def number_by_first(labels: np.ndarray) -> np.ndarray:
    """Renumber labels 0..G-1 in the order in which they first occur; int64 array of the same shape (n,)."""
    _, first, index = np.unique(labels, return_index=True, return_inverse=True)
    number = np.empty(len(first), np.int64)
    number[np.argsort(first)] = np.arange(len(first))
    return number[index]


class _Sets:
    """Disjoint sets of 0..n-1."""

    def __init__(self, n: int) -> None:
        self._parent = list(range(n))

    def root(self, i: int) -> int:
        while self._parent[i] != i:
            self._parent[i] = self._parent[self._parent[i]]
            i = self._parent[i]
        return i

    def join(self, i: int, j: int) -> None:
        i, j = self.root(i), self.root(j)
        self._parent[max(i, j)] = min(i, j)

    def roots(self) -> np.ndarray:
        return np.array([self.root(i) for i in range(len(self._parent))], dtype=np.int64)


class _Joiner:
    """Compares pairs in full, each once, and joins what agrees."""

    def __init__(self, prints: list[Fingerprint], pool: ThreadPoolExecutor) -> None:
        self.prints = prints
        self.sets = _Sets(len(prints))
        self.compared: dict[Pair, Likeness] = {}
        self._pool = pool

    def compare_all(self, pairs: Iterable[Pair]) -> int:
        """Compare the pairs not yet joined; return how many comparisons joined something.

        Skipping joined pairs cannot change the partition, so neither can the order of the pairs.
        """
        todo = sorted({(min(pair), max(pair)) for pair in pairs if self._is_open(*pair)} - self.compared.keys())
        n_joined = 0
        for start in range(0, len(todo), _CHUNK):
            chunk = [pair for pair in todo[start : start + _CHUNK] if self._is_open(*pair)]
            for pair, likeness in zip(chunk, self._pool.map(self._compare, chunk), strict=True):
                self.compared[pair] = likeness
                if likeness.is_same_source:
                    self.sets.join(*pair)
                    n_joined += 1
        return n_joined

    def _is_open(self, i: int, j: int) -> bool:
        return self.sets.root(i) != self.sets.root(j)

    def _compare(self, pair: Pair) -> Likeness:
        return compare(self.prints[pair[0]], self.prints[pair[1]])


def _join_groups(joiner: _Joiner, vectors: np.ndarray) -> None:
    """Compare the most similar members of the most similar groups until no groups are joined any more."""
    for _ in range(MAX_ROUNDS):
        roots, index = np.unique(joiner.sets.roots(), return_inverse=True)
        means = np.zeros((len(roots), vectors.shape[1]), np.float32)
        np.add.at(means, index, vectors)
        means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-6)
        members = [np.flatnonzero(index == group)[:MAX_MEMBERS] for group in range(len(roots))]
        pairs = []
        for group, others in enumerate(nearest_rows(means, NEAREST_GROUPS)):
            for other in others:
                likeness = vectors[members[group]] @ vectors[members[other]].T
                for place in np.argsort(-likeness, axis=None, kind="stable")[:PAIRS_PER_GROUP]:
                    a, b = np.unravel_index(place, likeness.shape)
                    pairs.append((int(members[group][a]), int(members[other][b])))
        if joiner.compare_all(pairs) == 0:
            break


def _read_one(read: Callable[[int], np.ndarray], i: int) -> tuple[str, Fingerprint]:
    rgb = read(i)
    one_print = fingerprint(rgb)
    digest = hashlib.sha256(str(rgb.shape).encode())
    digest.update(np.ascontiguousarray(rgb).data)
    return digest.hexdigest(), one_print


def _ahead(
    pool: ThreadPoolExecutor, job: Callable[[int], tuple[str, Fingerprint]], n: int
) -> Iterator[tuple[str, Fingerprint]]:
    """Run `job` on 0..n-1 in the pool, a chunk at a time, so that few decoded pictures are held."""
    for start in range(0, n, _CHUNK):
        yield from pool.map(job, range(start, min(n, start + _CHUNK)))
