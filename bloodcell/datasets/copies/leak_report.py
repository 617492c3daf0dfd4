"""What sets of images share, as `leaks` found it: the pairs, how much of each set they touch, and both as a table."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from bloodcell.core.io import encode_csv
from bloodcell.datasets.copies.matching import Likeness
from bloodcell.datasets.labels.records import Record

SAME_BYTES: Final = "same bytes"
SAME_PIXELS: Final = "same pixels"
NEAR_COPY: Final = "near copy"  # a copy of the photograph, or a second photograph of the same cell
LINKED: Final = "by other copies"  # in one group with the other, but not like it enough by itself
KINDS: Final = (SAME_BYTES, SAME_PIXELS, NEAR_COPY, LINKED)
HEADER: Final = (
    *("set_a", "file_a", "label_a", "set_b", "file_b", "label_b"),
    *("kind", "source_cell", "inliers", "correlation", "overlap"),
)


@dataclass(frozen=True)
class LeakPair:
    """An image (b) and one of a set before its own (a), from one source cell; both are places in `LeakReport.records`.

    `likeness` is all 0 for files of the same bytes or pixels, and for kinds `LINKED` what was found, if anything.
    """

    a: int
    b: int
    kind: str
    likeness: Likeness


@dataclass(frozen=True)
class SharedCounts:
    """How much of a set is from source cells that another set holds too."""

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
    names : names of the sets, in the order given
    set_of : int64 array of shape (n,), number of the set of every image
    records : tuple of Record, all images, set after set
    groups : int64 array of shape (n,), source cell of every image, numbered over all sets
    pairs : tuple of LeakPair; every pair of files with the same bytes, and for any other touched image of a later
        set one pair, with the likest image of the sets before. Different labels first, then by kind and name.
    touched : tuple of Touched, one a set
    unreadable : tuple of (set, file, reason); such an image is compared by its bytes alone
    """

    names: tuple[str, ...]
    set_of: np.ndarray
    records: tuple[Record, ...]
    groups: np.ndarray
    pairs: tuple[LeakPair, ...]
    shared_counts: tuple[SharedCounts, ...]
    unreadable: tuple[tuple[str, str, str], ...]

    def pick_clearest_pairs(self) -> list[LeakPair]:
        """The clearest pair of every source cell that sets share, for showing."""
        best: dict[int, LeakPair] = {}
        for pair in sorted(self.pairs, key=lambda pair: (KINDS.index(pair.kind), -pair.likeness.n_inliers)):
            best.setdefault(int(self.groups[pair.b]), pair)
        return list(best.values())

    def csv(self) -> bytes:
        """One row a pair, with the columns of `HEADER`; UTF-8 without BOM."""
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
