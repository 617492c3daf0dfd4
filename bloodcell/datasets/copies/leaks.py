"""Leaks between sets of images: images of one set that show a white cell which another set holds too.

There are two kinds. A copy was made from the same photograph: rotated, flipped, moved, zoomed, relit or cropped. A
second photograph shows the same field again, or a neighbouring field, with the same white cell in the part that both
show (`matching`). Both test a model on what it was trained on, and the numbers cannot tell one from the other, so both
are reported as "near copy": in kaggle-wbc all joined pairs correlate by 0.87 or more, and the clearest second
photographs that TRAIN and TEST share by 0.93 to 0.97.

The images of all sets are grouped together (`groups`), because an image may be linked only through another one: a
test image joined to its twin in the test set, and that one to a training image. Grouping searches among the most
similar images, which mostly are copies within the set; so every image is then also compared with the most similar
images of the earlier sets.
"""

import hashlib
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.cluster.hierarchy import DisjointSet

from bloodcell.core.errors import BloodcellError, DatasetError
from bloodcell.core.progress import OnProgress, ShouldStop
from bloodcell.datasets.copies.extraction import HashedImage, check_stop, extract_signatures, start_matching_threads
from bloodcell.datasets.copies.groups import Pair, group_signatures, number_sets, renumber_by_first
from bloodcell.datasets.copies.leak_report import (
    KINDS,
    LINKED,
    NEAR_COPY,
    SAME_BYTES,
    SAME_PIXELS,
    LeakPair,
    LeakReport,
    SharedCounts,
)
from bloodcell.datasets.copies.matching import Likeness, compare_signatures
from bloodcell.datasets.labels.records import Record
from bloodcell.datasets.sources.contents import Contents
from bloodcell.imaging.read import read_rgb

NEAREST_ACROSS: Final = 3
MAX_TRIED_FOR_PAIR: Final = 8
_CHUNK: Final = 256


@dataclass(frozen=True)
class ImageSet:
    """Images that should share no cell with another set: a training set, a test set, a part of a split.

    Attributes
    ----------
    name : str
        What the report calls the set.
    source : Contents
        Where the images are.
    records : sequence of Record
        The images.
    """

    name: str
    source: Contents
    records: Sequence[Record]


def find_leaks(
    sets: Sequence[ImageSet],
    on_progress: OnProgress | None = None,
    should_stop: ShouldStop | None = None,
    threads: int = 2,
) -> LeakReport:
    """Find what two or more sets of images share.

    Parameters
    ----------
    sets : sequence of ImageSet
        The training set first; an image that leaks is paired with one of an earlier set.
    on_progress : callable, optional
        Called with (done, total); a third is reading, a third grouping, a third comparing across sets.
    should_stop : callable, optional
        Asked before every image and every chunk of comparisons.
    threads : int, default 2
        Threads that read and compare.

    Returns
    -------
    LeakReport

    Raises
    ------
    DatasetError
        If there are fewer than two sets, two sets of the same name, or an empty set.
    StoppedError
        If `should_stop` returns True.
    """
    names = tuple(image_set.name for image_set in sets)
    if len(sets) < 2 or len(set(names)) < len(names) or not all(image_set.records for image_set in sets):
        counts = ", ".join(f"{image_set.name}: {len(image_set.records)} images" for image_set in sets)
        raise DatasetError(f"Leaks need two or more sets of different names with images. Received: {counts or 'none'}.")
    set_of = np.repeat(np.arange(len(sets)), [len(image_set.records) for image_set in sets])
    records = tuple(record for image_set in sets for record in image_set.records)
    n = len(records)
    report = on_progress or (lambda *_: None)
    sha256 = [""] * n
    unreadable: list[tuple[str, str, str]] = []

    def read(i: int) -> np.ndarray:
        data = sets[set_of[i]].source.read(records[i].file)
        sha256[i] = hashlib.sha256(data).hexdigest()
        return read_rgb(data)

    def note_problem(i: int, error: BloodcellError) -> None:
        unreadable.append((names[set_of[i]], records[i].file, str(error)))

    with start_matching_threads(threads) as pool:
        images = extract_signatures(read, n, pool, lambda done, _: report(done, 3 * n), should_stop, note_problem)
        grouping, vectors = group_signatures(images, pool, lambda done, _: report(n + done, 3 * n), should_stop)
        across = _CrossSetMatcher(images, vectors, sha256, set_of, grouping.compared, pool, should_stop)
        groups = across.join_groups(
            grouping.groups, lambda done, total: report(2 * n + done * n // max(1, total), 3 * n)
        )
        pairs = across.list_pairs(groups)
    report(3 * n, 3 * n)
    pairs.sort(
        key=lambda pair: (
            records[pair.a].label == records[pair.b].label,
            KINDS.index(pair.kind),
            set_of[pair.b],
            records[pair.b].file,
            records[pair.a].file,
        )
    )
    return LeakReport(
        names, set_of, records, groups, tuple(pairs), _count_shared(names, set_of, groups), tuple(unreadable)
    )


def _count_shared(names: tuple[str, ...], set_of: np.ndarray, groups: np.ndarray) -> tuple[SharedCounts, ...]:
    in_set = np.zeros((len(names), groups.max() + 1), bool)
    in_set[set_of, groups] = True
    shared = in_set.sum(axis=0) > 1
    return tuple(
        SharedCounts(
            name,
            images=int((set_of == number).sum()),
            images_shared=int(shared[groups[set_of == number]].sum()),
            source_cells=int(in_set[number].sum()),
            source_cells_shared=int((in_set[number] & shared).sum()),
        )
        for number, name in enumerate(names)
    )


class _CrossSetMatcher:
    """Compares images with those of the earlier sets."""

    def __init__(
        self,
        images: list[HashedImage | None],
        vectors: np.ndarray,
        sha256: list[str],
        set_of: np.ndarray,
        compared: dict[Pair, Likeness],
        pool: ThreadPoolExecutor,
        should_stop: ShouldStop | None,
    ) -> None:
        self._images = images
        self._vectors = vectors
        self._sha256 = sha256
        self._set_of = set_of
        self._n_before = np.searchsorted(set_of, set_of)  # images of the sets before; these stand first
        self._likeness = dict(compared)
        self._pool = pool
        self._should_stop = should_stop

    def join_groups(self, groups: np.ndarray, report: OnProgress) -> np.ndarray:
        """Compare every image with the most similar ones of the earlier sets, and join the groups of those that agree."""
        later = np.flatnonzero(self._n_before)
        sets = DisjointSet(range(len(groups)))
        for start in range(0, len(later), _CHUNK):
            rows = later[start : start + _CHUNK]
            likeness = self._vectors[rows] @ self._vectors[: self._n_before[rows].max()].T
            likeness_by_pair = self._compare_pairs(
                (int(a), int(b))
                for b, of_row in zip(rows, likeness, strict=True)
                for a in _find_largest(of_row[: self._n_before[b]], NEAREST_ACROSS)
            )
            for (a, b), pair_likeness in likeness_by_pair.items():
                if pair_likeness.is_same_source:
                    sets.merge(int(groups[a]), int(groups[b]))
            report(start + len(rows), len(later))
        first_with: dict[str, int] = {}
        for i, digest in enumerate(self._sha256):  # images that cannot be read may still have the same bytes
            if digest:
                sets.merge(int(groups[first_with.setdefault(digest, i)]), int(groups[i]))
        return renumber_by_first(number_sets(sets)[groups])

    def list_pairs(self, groups: np.ndarray) -> list[LeakPair]:
        """List the pairs for the images of later sets whose group reaches into an earlier set."""
        members: dict[int, list[int]] = {}
        for i, group in enumerate(groups.tolist()):
            members.setdefault(group, []).append(i)
        pairs: list[LeakPair] = []
        for b in np.flatnonzero(self._n_before).tolist():
            before = [a for a in members[int(groups[b])] if a < self._n_before[b]]
            same_bytes = [a for a in before if self._sha256[a] and self._sha256[a] == self._sha256[b]]
            same_pixels = [a for a in before if self._get_digest(a) and self._get_digest(a) == self._get_digest(b)]
            if same_bytes:
                pairs += [LeakPair(a, b, SAME_BYTES, Likeness()) for a in same_bytes]
            elif same_pixels:
                pairs.append(LeakPair(same_pixels[0], b, SAME_PIXELS, Likeness()))
            elif before:
                pairs.append(self._find_best_pair(b, before))
        return pairs

    def _find_best_pair(self, b: int, before: list[int]) -> LeakPair:
        places = _find_largest(self._vectors[before] @ self._vectors[b], MAX_TRIED_FOR_PAIR)
        most_similar = [before[place] for place in places]
        likeness_by_pair = {(a, b): self._likeness[a, b] for a in before if (a, b) in self._likeness}
        if not any(likeness.is_same_source for likeness in likeness_by_pair.values()):
            likeness_by_pair |= self._compare_pairs((a, b) for a in most_similar)
        agreeing = [
            (likeness.n_inliers, -a) for (a, _), likeness in likeness_by_pair.items() if likeness.is_same_source
        ]
        if agreeing:
            a = -max(agreeing)[1]
            return LeakPair(a, b, NEAR_COPY, likeness_by_pair[a, b])
        a = most_similar[0]
        return LeakPair(a, b, LINKED, likeness_by_pair.get((a, b), Likeness()))

    def _compare_pairs(self, pairs: Iterable[Pair]) -> dict[Pair, Likeness]:
        """Compare pairs, each once; of those that were compared before, the result is taken from then."""
        check_stop(self._should_stop)
        readable_pairs = [
            pair for pair in pairs if self._images[pair[0]] is not None and self._images[pair[1]] is not None
        ]
        todo = [pair for pair in readable_pairs if pair not in self._likeness]
        self._likeness.update(zip(todo, self._pool.map(self._compare_pair, todo), strict=True))
        return {pair: self._likeness[pair] for pair in readable_pairs}

    def _compare_pair(self, pair: Pair) -> Likeness:
        first, second = self._images[pair[0]], self._images[pair[1]]
        return compare_signatures(first.signature, second.signature) if first and second else Likeness()

    def _get_digest(self, i: int) -> str:
        image = self._images[i]
        return image.digest if image else ""


def _find_largest(likeness: np.ndarray, k: int) -> list[int]:
    """Places of the k largest, largest first."""
    return [int(place) for place in np.argsort(-likeness, kind="stable")[:k]]
