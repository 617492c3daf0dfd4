"""Does a labelled set hold pictures that a model has learned from, or copies of them?"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from bloodcell.core.settings import Settings
from bloodcell.datasets.catalog.library import list_datasets, read_images_table
from bloodcell.datasets.catalog.registration import Dataset
from bloodcell.datasets.copies.leaks import ImageSet, find_leaks
from bloodcell.datasets.labels.records import Record
from bloodcell.datasets.sources.contents import Contents
from bloodcell.model_store.provenance import Provenance

TRAINED_ON, SAME_CELL, NEAR_COPY, CHOSEN_ON = "learned", "same cell", "near copy", "chosen on"
LEAKS = (TRAINED_ON, SAME_CELL, NEAR_COPY)  # not those that something was only chosen on

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class LeakSummary:
    """What a model has seen of N pictures.

    is_known : whether the model says what it learned from; if not, all else is empty
    images : N
    learned : of them, those whose very bytes it learned from
    same_cell : others that show a source cell it learned from, by the groups of the evaluation
    near_copies : others that are near copies of learned pictures, by their pixels; None where that was not looked for
    chosen_on : others that its last epoch or thresholds were chosen on; no leak, but figures may be a little too good
    compared_with : names of the datasets whose learned pictures were compared by pixels
    """

    is_known: bool
    images: int
    learned: int = 0
    same_cell: int = 0
    near_copies: int | None = None
    chosen_on: int = 0
    compared_with: tuple[str, ...] = ()

    @property
    def leaking(self) -> int:
        """Pictures that the model has, in one way or another, learned from."""
        return self.learned + self.same_cell + (self.near_copies or 0)

    @property
    def is_clean(self) -> bool:
        """Whether it is known that the model learned from none of them."""
        return self.is_known and not self.leaking

    def describe(self) -> list[str]:
        """What it comes to, for people; the first is the one to show."""
        if not self.is_known:
            return [
                "It is not known which pictures this model learned from, so a leak cannot be told: the figures are honest"
                " only if none of these pictures, and no copy of one, was among them."
            ]
        found = []
        if self.leaking:
            kinds = ((self.learned, "the very pictures"), (self.same_cell, "other pictures of learned cells"))
            parts = [f"{n:,} {words}" for n, words in (*kinds, (self.near_copies or 0, "near copies")) if n]
            found.append(
                f"The model has learned from {self.leaking:,} of these {self.images:,} pictures ({', '.join(parts)}):"
                " the figures below are too good."
            )
        else:
            found.append("None of these pictures is one that the model learned from.")
        if self.near_copies is None:
            found.append(
                "Near copies were not looked for by pixels: it was not asked for, or no other dataset here holds pictures that"
                " it learned."
            )
        else:
            found.append(f"Near copies were looked for in {', '.join(self.compared_with)}.")
        if self.chosen_on:
            found.append(
                f"The thresholds of the model or its last epoch were chosen on {self.chosen_on:,} of them: their figures"
                " may be a little too good."
            )
        return found

    def to_json(self) -> dict[str, Any]:
        """As a JSON object; `from_json` gives the same."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "LeakSummary":
        return cls(**values | {"compared_with": tuple(values["compared_with"])})


def check_leaks(
    learned: Provenance | None,
    sha256: Sequence[str],
    trained_groups: set[int],
    groups: np.ndarray,
    near_copies: tuple[np.ndarray, tuple[str, ...]] | None = None,
) -> tuple[LeakSummary, np.ndarray]:
    """Say what a model has seen of N pictures.

    Parameters
    ----------
    learned : what the model learned from; None where it does not say
    sha256 : of the bytes of each picture, in hexadecimal
    learned_groups : source cells of which the model learned a picture, that need not be among the N
    groups : int array of shape (N,), source cell of each picture
    near_copies : bool array of shape (N,) and the names of the datasets compared with, as `find_near_copies` finds them;
        None where that was not looked for

    Returns
    -------
    LeakFound, and an object array of shape (N,): `TRAINED_ON`, `SAME_CELL`, `NEAR_COPY`, `CHOSEN_ON` or ""
    """
    words = np.full(len(groups), "", object)
    if learned is None:
        return LeakSummary(False, len(groups)), words
    is_trained_on = learned.is_trained_on(sha256)
    words[learned.is_selected_on(sha256)] = CHOSEN_ON
    if near_copies is not None:
        words[near_copies[0]] = NEAR_COPY
    words[np.isin(groups, list(trained_groups | set(groups[is_trained_on].tolist())))] = SAME_CELL
    words[is_trained_on] = TRAINED_ON
    compared = () if near_copies is None else near_copies[1]
    found = count_leaks(
        words, LeakSummary(True, 0, near_copies=None if near_copies is None else 0, compared_with=compared)
    )
    return found, words


def count_leaks(words: np.ndarray, how: LeakSummary) -> LeakSummary:
    """Count what stands beside the pictures of an evaluation, found as `how` was.

    Parameters
    ----------
    words : object array of shape (N,), as `check_leaks` gives it
    """
    count = Counter(words.tolist())
    return replace(
        how,
        images=len(words),
        learned=count[TRAINED_ON],
        same_cell=count[SAME_CELL],
        near_copies=None if how.near_copies is None else count[NEAR_COPY],
        chosen_on=count[CHOSEN_ON],
    )


def find_training_datasets(learned: Provenance, settings: Settings) -> list[tuple[Dataset, pd.DataFrame]]:
    """The registered datasets that hold learned pictures, each with the rows of its images table that were learned."""
    found = []
    for dataset in list_datasets(settings):
        table = read_images_table(dataset)
        rows = table[(table["problem"] == "") & learned.is_trained_on(table["sha256"])]
        if len(rows):
            found.append((dataset, rows))
    return found


def find_near_copies(
    learned: Sequence[tuple[Dataset, pd.DataFrame]],
    images: Contents,
    records: Sequence[Record],
    on_progress: Progress | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> tuple[np.ndarray, tuple[str, ...]] | None:
    """Compare pictures with learned ones by their pixels; minutes for thousands.

    Parameters
    ----------
    learned : datasets and their learned rows, as `find_training_datasets` gives them
    images, records : the N pictures to judge

    Returns
    -------
    bool array of shape (N,), whether each is a near copy of a learned one, and the names of the datasets compared with;
    None if there is none to compare with

    Raises
    ------
    DatasetError
        If pictures cannot be read.
    StoppedError
        If `should_stop` says so.
    """
    if not learned:
        return None
    is_copy = np.zeros(len(records), bool)
    for dataset, rows in learned:

        def report_progress(done: int, total: int, name: str = dataset.name) -> None:
            if on_progress is not None:
                on_progress(f"near copies in {name}", done, total)

        with Contents(dataset.path) as dataset_images:
            trained_records = [Record(file, label) for file, label in rows[["file", "label"]].itertuples(index=False)]
            sets = (ImageSet("learned", dataset_images, trained_records), ImageSet("judged", images, records))
            report = find_leaks(sets, report_progress, should_stop)
        is_copy[[pair.b - len(trained_records) for pair in report.pairs]] = True
    return is_copy, tuple(dataset.name for dataset, _ in learned)
