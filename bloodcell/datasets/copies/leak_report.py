"""What sets of images share, as found by `leaks`: the pairs, and how much of each set they affect."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from bloodcell.core.io import encode_csv
from bloodcell.datasets.copies.matching import Likeness
from bloodcell.datasets.labels.records import Record

SAME_BYTES: Final = "exact duplicate"
SAME_PIXELS: Final = "same pixels"
NEAR_COPY: Final = "near copy"  # a copy of the photograph, or a second photograph of the same cell
LINKED: Final = "linked by other copies"  # in one group with the other, but not similar enough by itself
KINDS: Final = (SAME_BYTES, SAME_PIXELS, NEAR_COPY, LINKED)
HEADER: Final = (
    *("set_a", "file_a", "label_a", "set_b", "file_b", "label_b"),
    *("kind", "source_cell", "inliers", "correlation", "overlap"),
)


@dataclass(frozen=True)
class LeakPair:
    """An image and one of an earlier set that come from the same source cell.

    Attributes
    ----------
    a : int
        Place in `LeakReport.records` of the image of the earlier set.
    b : int
        Place of the image of the later set.
    kind : str
        One of `KINDS`.
    likeness : Likeness
        All 0 for exact duplicates and the same pixels; for `LINKED`, what was measured, if anything.
    """

    a: int
    b: int
    kind: str
    likeness: Likeness


@dataclass(frozen=True)
class SharedCounts:
    """How much of a set comes from source cells that another set holds too.

    Attributes
    ----------
    name : str
        The set's name.
    images, source_cells : int
        All of the set.
    images_shared, source_cells_shared : int
        Those of source cells that another set holds too.
    """

    name: str
    images: int
    images_shared: int
    source_cells: int
    source_cells_shared: int


@dataclass(frozen=True)
class LeakReport:
    """What sets of images share.

    Attributes
    ----------
    names : tuple of str
        Names of the sets, in the order given.
    set_of : ndarray of int64, shape (n,)
        Number of each image's set.
    records : tuple of Record
        All images, set after set.
    groups : ndarray of int64, shape (n,)
        Source cell of each image, numbered over all sets.
    pairs : tuple of LeakPair
        Every pair of exact duplicates, and for any other shared image of a later set one pair, with the most similar
        image of the earlier sets. Different labels first, then by kind and name.
    shared_counts : tuple of SharedCounts
        One for each set.
    unreadable : tuple of (str, str, str)
        Set, file and reason; such an image is compared by its bytes alone.
    """

    names: tuple[str, ...]
    set_of: np.ndarray
    records: tuple[Record, ...]
    groups: np.ndarray
    pairs: tuple[LeakPair, ...]
    shared_counts: tuple[SharedCounts, ...]
    unreadable: tuple[tuple[str, str, str], ...]

    def pick_clearest_pairs(self) -> list[LeakPair]:
        """Pick the clearest pair of each source cell that sets share, for display."""
        best: dict[int, LeakPair] = {}
        for pair in sorted(self.pairs, key=lambda pair: (KINDS.index(pair.kind), -pair.likeness.n_inliers)):
            best.setdefault(int(self.groups[pair.b]), pair)
        return list(best.values())

    def encode_csv(self) -> bytes:
        """Write one row for each pair, with the columns of `HEADER`; UTF-8 without BOM."""
        rows = []
        for pair in self.pairs:
            row: list[str | int] = []
            for i in (pair.a, pair.b):
                row += [self.names[self.set_of[i]], self.records[i].file, self.records[i].label]
            row += [pair.kind, int(self.groups[pair.b])]
            has_likeness = pair.likeness.n_inliers > 0
            row += (
                [pair.likeness.n_inliers, f"{pair.likeness.correlation:.3f}", f"{pair.likeness.overlap:.3f}"]
                if has_likeness
                else ["", "", ""]
            )
            rows.append(row)
        return encode_csv(HEADER, rows, bom=False)
