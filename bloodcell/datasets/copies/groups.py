"""Group the images of a dataset by the photograph they were made from, by their pixels alone.

Every picture becomes a finger print (`extract_signature`). The most similar ones by a cheap vector (`retrieval`) are
compared in full (`matching`). Pictures that agree are joined, and so are whole groups, until nothing more can be.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from threadpoolctl import threadpool_limits

from bloodcell.core.errors import BloodcellError, DatasetError, StoppedError
from bloodcell.core.progress import OnProgress, ShouldStop
from bloodcell.datasets.copies.matching import Likeness, compare_signatures
from bloodcell.datasets.copies.retrieval import cluster_visual_words, encode_image_vector, find_nearest_rows
from bloodcell.datasets.copies.signatures import KeypointSignature, extract_signature

NEAREST_IMAGES: Final = 8
NEAREST_GROUPS: Final = 15
PAIRS_PER_GROUP: Final = 4
MAX_MEMBERS: Final = 60  # of a group, looked at when groups are compared
MAX_PASSES: Final = 6
_CHUNK: Final = 256

Pair = tuple[int, int]


@dataclass(frozen=True)
class HashedImage:
    """What is kept of an image that was read: a hash of its pixels and its finger print."""

    digest: str
    signature: KeypointSignature


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
    on_progress: OnProgress | None = None,
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
    on_progress: OnProgress | None = None,
    threads: int = 2,
    should_stop: ShouldStop | None = None,
    on_problem: Callable[[int, BloodcellError], None] | None = None,
) -> Grouping:
    """Do what `find_source_cells` does and keep the comparisons, for a report.

    Parameters
    ----------
    should_stop : asked before every image and every chunk of comparisons
    on_problem : told of an image that `read` cannot give, which is then a group of its own; without it, that is an
        error

    Raises
    ------
    StoppedError
        If `should_stop` says so.
    """
    if n < 0 or threads < 1:
        raise DatasetError(f"`n` must not be negative and `threads` at least 1. Received: {n}, {threads}.")
    report = on_progress or (lambda done, total: None)
    with start_matching_threads(threads) as pool:
        images = extract_signatures(read, n, pool, lambda done, _: report(done, 2 * n), should_stop, on_problem)
        return group_signatures(images, pool, lambda done, _: report(n + done, 2 * n), should_stop)[0]


@contextmanager
def start_matching_threads(threads: int) -> Iterator[ThreadPoolExecutor]:
    """Threads for reading and comparing, with BLAS kept to one thread.

    The products are small and run in our own threads; BLAS threads on top of them cost five times the time.
    """
    with threadpool_limits(limits=1, user_api="blas"), ThreadPoolExecutor(threads) as pool:
        yield pool


def extract_signatures(
    read: Callable[[int], np.ndarray],
    n: int,
    pool: ThreadPoolExecutor,
    on_progress: OnProgress | None = None,
    should_stop: ShouldStop | None = None,
    on_problem: Callable[[int, BloodcellError], None] | None = None,
) -> list[HashedImage | None]:
    """Read n images in the threads of `pool`; None for those that went to `on_problem`.

    `on_progress` is called with (done, n).
    """
    images: list[HashedImage | None] = []
    for i, image in enumerate(_map_in_chunks(pool, lambda i: _read_signature(read, i), n)):
        check_stop(should_stop)
        if isinstance(image, BloodcellError):
            if on_problem is None:
                raise image
            on_problem(i, image)
        images.append(image if isinstance(image, HashedImage) else None)
        if on_progress is not None:
            on_progress(len(images), n)
    return images


def group_signatures(
    images: list[HashedImage | None],
    pool: ThreadPoolExecutor,
    on_progress: OnProgress | None = None,
    should_stop: ShouldStop | None = None,
) -> tuple[Grouping, np.ndarray]:
    """Group images whose finger prints are taken; None is a group of its own.

    Returns
    -------
    Grouping
    float32 array of shape (n, D)
        The vectors by which alike images were looked for (`retrieval`); 0 for None.
    """
    n = len(images)
    report = on_progress or (lambda done, total: None)
    # From here on the images stand in the order of their pixels' hashes, whatever order they came in.
    readable = sorted((image.digest, i, image.signature) for i, image in enumerate(images) if image is not None)
    if not readable:
        return Grouping(np.arange(n)), np.zeros((n, 1), np.float32)
    order = [i for _, i, _ in readable]
    joiner = _Joiner([signature for _, _, signature in readable], pool, should_stop)
    for k in range(1, len(readable)):
        if readable[k][0] == readable[k - 1][0]:
            joiner.sets.join(k - 1, k)
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
    roots = np.arange(n) + n  # unlike any root
    roots[order] = joiner.sets.roots()
    in_order = np.zeros((n, vectors.shape[1]), np.float32)
    in_order[order] = vectors
    compared = {
        (min(order[a], order[b]), max(order[a], order[b])): likeness for (a, b), likeness in joiner.compared.items()
    }
    return Grouping(renumber_by_first(roots), compared), in_order


def check_stop(should_stop: ShouldStop | None) -> None:
    """Raise StoppedError if the user has asked for it."""
    if should_stop is not None and should_stop():
        raise StoppedError("The search for copies was stopped.")


def renumber_by_first(labels: np.ndarray) -> np.ndarray:
    """Renumber labels 0..G-1 in the order in which they first occur; int64 array of the same shape (n,)."""
    _, first, index = np.unique(labels, return_index=True, return_inverse=True)
    number = np.empty(len(first), np.int64)
    number[np.argsort(first)] = np.arange(len(first))
    return number[index]


class DisjointSets:
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

    def __init__(
        self, signatures: list[KeypointSignature], pool: ThreadPoolExecutor, should_stop: ShouldStop | None
    ) -> None:
        self.signatures = signatures
        self._should_stop = should_stop
        self.sets = DisjointSets(len(signatures))
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
                    self.sets.join(*pair)
                    n_joined += 1
        return n_joined

    def _is_open(self, i: int, j: int) -> bool:
        return self.sets.root(i) != self.sets.root(j)

    def _compare(self, pair: Pair) -> Likeness:
        return compare_signatures(self.signatures[pair[0]], self.signatures[pair[1]])


def _join_groups(joiner: _Joiner, vectors: np.ndarray) -> None:
    """Compare the most similar members of the most similar groups until no groups are joined any more."""
    for _ in range(MAX_PASSES):
        roots, index = np.unique(joiner.sets.roots(), return_inverse=True)
        means = np.zeros((len(roots), vectors.shape[1]), np.float32)
        np.add.at(means, index, vectors)
        means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-6)
        members = [np.flatnonzero(index == group)[:MAX_MEMBERS] for group in range(len(roots))]
        pairs = []
        for group, others in enumerate(find_nearest_rows(means, NEAREST_GROUPS)):
            for other in others:
                likeness = vectors[members[group]] @ vectors[members[other]].T
                for place in np.argsort(-likeness, axis=None, kind="stable")[:PAIRS_PER_GROUP]:
                    a, b = np.unravel_index(place, likeness.shape)
                    pairs.append((int(members[group][a]), int(members[other][b])))
        if joiner.compare_all(pairs) == 0:
            break


def _read_signature(read: Callable[[int], np.ndarray], i: int) -> HashedImage | BloodcellError:
    try:
        rgb = read(i)
        signature = extract_signature(rgb)
    except BloodcellError as error:
        return error
    digest = hashlib.sha256(str(rgb.shape).encode())
    digest.update(np.ascontiguousarray(rgb).data)
    return HashedImage(digest.hexdigest(), signature)


def _map_in_chunks(
    pool: ThreadPoolExecutor, job: Callable[[int], HashedImage | BloodcellError], n: int
) -> Iterator[HashedImage | BloodcellError]:
    """Run `job` on 0..n-1 in the pool, a chunk at a time, so that few decoded pictures are held."""
    for start in range(0, n, _CHUNK):
        yield from pool.map(job, range(start, min(n, start + _CHUNK)))
