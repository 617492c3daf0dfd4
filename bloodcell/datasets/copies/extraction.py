"""Read images and extract their keypoint signatures, in threads that can be stopped."""

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import numpy as np
from threadpoolctl import threadpool_limits

from bloodcell.core.errors import BloodcellError, StoppedError
from bloodcell.core.progress import OnProgress, ShouldStop
from bloodcell.datasets.copies.signatures import KeypointSignature, extract_signature

_CHUNK: Final = 256


@dataclass(frozen=True)
class HashedImage:
    """What is remembered of an image that was read.

    Attributes
    ----------
    digest : str
        SHA-256 of the image's shape and pixels.
    signature : KeypointSignature
        What the image is compared by.
    """

    digest: str
    signature: KeypointSignature


@contextmanager
def start_matching_threads(threads: int) -> Iterator[ThreadPoolExecutor]:
    """Start threads for reading and comparing, with BLAS limited to one thread.

    The matrix products are small and run in our own threads; BLAS threads on top of them take five times as long.
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
    """Read images and extract their signatures in the threads of `pool`.

    Parameters
    ----------
    read, n, should_stop, on_problem
        See `groups.group_images`.
    pool : ThreadPoolExecutor
        From `start_matching_threads`.
    on_progress : callable, optional
        Called with (done, n).

    Returns
    -------
    list of HashedImage or None
        None for an image that went to `on_problem`.
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


def check_stop(should_stop: ShouldStop | None) -> None:
    """Raise StoppedError if the user has asked to stop."""
    if should_stop is not None and should_stop():
        raise StoppedError("The search for copies was stopped.")


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
    """Run `job` on 0..n-1 in the pool, a chunk at a time, so that few decoded images are in memory."""
    for start in range(0, n, _CHUNK):
        yield from pool.map(job, range(start, min(n, start + _CHUNK)))
