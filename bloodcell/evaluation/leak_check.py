"""Check whether a labelled set holds images that a model was trained on, or copies of them."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import numpy as np
import pandas as pd

from bloodcell.core.settings import Settings
from bloodcell.datasets.catalog.library import list_datasets, read_images_table
from bloodcell.datasets.catalog.registration import Dataset
from bloodcell.datasets.copies.leaks import ImageSet, find_leaks
from bloodcell.datasets.labels.records import Record
from bloodcell.datasets.sources.contents import Contents
from bloodcell.model_store.provenance import Provenance

# As they stand in the column `leak` of a stored prediction table.
TRAINED_ON, SAME_CELL, NEAR_COPY, CHOSEN_ON = "learned", "same cell", "near copy", "chosen on"
LEAKS: Final = (TRAINED_ON, SAME_CELL, NEAR_COPY)  # the worst first; without CHOSEN_ON, which is no leak

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class LeakSummary:
    """What a model has seen of the images of an evaluation.

    Attributes
    ----------
    is_known : bool
        Whether the model says what it was trained on; if not, all counts are empty.
    images : int
        Of the evaluation.
    trained_on : int
        Images whose very bytes the model was trained on.
    same_cell : int
        Others that show a source cell that the model was trained on, by the groups of the evaluation.
    near_copies : int or None
        Others that are near copies of training images, by their pixels; None where pixels were not compared.
    chosen_on : int
        Others that the checkpoint or the thresholds were chosen on. No leak, but metrics may be a little too good.
    compared_with : tuple of str
        Names of the datasets whose training images were compared by pixels.
    """

    is_known: bool
    images: int
    trained_on: int = 0
    same_cell: int = 0
    near_copies: int | None = None
    chosen_on: int = 0
    compared_with: tuple[str, ...] = ()

    @property
    def n_leaking(self) -> int:
        """Images that the model was, in one way or another, trained on."""
        return self.trained_on + self.same_cell + (self.near_copies or 0)

    @property
    def is_clean(self) -> bool:
        """Whether it is known that the model was trained on none of the images."""
        return self.is_known and not self.n_leaking

    def describe(self) -> list[str]:
        """Return plain sentences for people; the first is the one to show."""
        if not self.is_known:
            return [
                "It is not known which images this model was trained on, so leaks cannot be checked. The metrics are"
                " honest only if it was trained on none of these images and on no copy of one."
            ]
        if self.n_leaking:
            kinds = (
                (self.trained_on, "the same image"),
                (self.same_cell, "another image of the same cell"),
                (self.near_copies or 0, "a near copy"),
            )
            parts = ", ".join(f"{kind}: {n:,}" for n, kind in kinds if n)
            sentences = [
                f"The model was trained on {self.n_leaking:,} of these {self.images:,} images ({parts}). The metrics"
                " below are too good."
            ]
        else:
            sentences = ["The model was trained on none of these images."]
        if self.near_copies is None:
            sentences.append(
                "Near copies were not searched for by their pixels: this was switched off, or no other dataset here"
                " holds images that the model was trained on."
            )
        else:
            sentences.append(f"Near copies were searched for in {', '.join(self.compared_with)}.")
        if self.chosen_on:
            sentences.append(
                f"The model's checkpoint or thresholds were chosen on {self.chosen_on:,} of the images. Their metrics"
                " may be a little too good."
            )
        return sentences

    def to_dict(self) -> dict[str, Any]:
        """Return the summary as JSON; `from_dict` reads it."""
        values = asdict(self)
        stored = {("learned" if name == "trained_on" else name): value for name, value in values.items()}
        return stored | {"compared_with": list(self.compared_with)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "LeakSummary":
        """Read a summary as `to_dict` writes it."""
        known = {("trained_on" if name == "learned" else name): value for name, value in values.items()}
        return cls(**known | {"compared_with": tuple(values["compared_with"])})


def check_leaks(
    provenance: Provenance | None,
    sha256: Sequence[str],
    trained_groups: set[int],
    groups: np.ndarray,
    near_copies: tuple[np.ndarray, tuple[str, ...]] | None = None,
) -> tuple[LeakSummary, np.ndarray]:
    """Find out what a model has seen of N images.

    Parameters
    ----------
    provenance : Provenance or None
        What the model was trained on; None where it does not say.
    sha256 : sequence of str, length N
        Of the bytes of each image, in hexadecimal.
    trained_groups : set of int
        Source cells that the model was trained on, by any image of the dataset.
    groups : ndarray of int, shape (N,)
        Source cell of each image.
    near_copies : tuple of (ndarray of bool, shape (N,), tuple of str), optional
        As `find_near_copies` returns it; None where pixels were not compared.

    Returns
    -------
    summary : LeakSummary
    leak_kinds : ndarray of object, shape (N,)
        `TRAINED_ON`, `SAME_CELL`, `NEAR_COPY`, `CHOSEN_ON` or "" for each image.
    """
    leak_kinds = np.full(len(groups), "", object)
    if provenance is None:
        return LeakSummary(False, len(groups)), leak_kinds
    is_trained_on = provenance.is_trained_on(sha256)
    leak_kinds[provenance.is_selected_on(sha256)] = CHOSEN_ON
    if near_copies is not None:
        leak_kinds[near_copies[0]] = NEAR_COPY
    leak_kinds[np.isin(groups, list(trained_groups | set(groups[is_trained_on].tolist())))] = SAME_CELL
    leak_kinds[is_trained_on] = TRAINED_ON
    was_compared = near_copies is not None
    empty = LeakSummary(
        True, 0, near_copies=0 if was_compared else None, compared_with=near_copies[1] if near_copies else ()
    )
    return count_leaks(leak_kinds, empty), leak_kinds


def count_leaks(leak_kinds: np.ndarray, checked: LeakSummary) -> LeakSummary:
    """Count the leaks among the images of an evaluation.

    Parameters
    ----------
    leak_kinds : ndarray of object, shape (N,)
        As `check_leaks` returns it.
    checked : LeakSummary
        Says what was checked; its counts are replaced.

    Returns
    -------
    LeakSummary
    """
    count = Counter(leak_kinds.tolist())
    return replace(
        checked,
        images=len(leak_kinds),
        trained_on=count[TRAINED_ON],
        same_cell=count[SAME_CELL],
        near_copies=None if checked.near_copies is None else count[NEAR_COPY],
        chosen_on=count[CHOSEN_ON],
    )


def find_training_datasets(provenance: Provenance, settings: Settings) -> list[tuple[Dataset, pd.DataFrame]]:
    """Find the registered datasets that hold training images of a model.

    Returns
    -------
    list of (Dataset, DataFrame)
        The rows of its images table that the model was trained on.
    """
    training_datasets = []
    for dataset in list_datasets(settings):
        table = read_images_table(dataset)
        rows = table[(table["problem"] == "") & provenance.is_trained_on(table["sha256"])]
        if len(rows):
            training_datasets.append((dataset, rows))
    return training_datasets


def find_near_copies(
    training_datasets: Sequence[tuple[Dataset, pd.DataFrame]],
    images: Contents,
    records: Sequence[Record],
    on_progress: Progress | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> tuple[np.ndarray, tuple[str, ...]] | None:
    """Compare images with training images by their pixels; takes minutes for thousands.

    Parameters
    ----------
    training_datasets : sequence of (Dataset, DataFrame)
        As `find_training_datasets` returns them.
    images : Contents
    records : sequence of Record, length N
        The images to evaluate.
    on_progress : callable, optional
        Called with what is done, and (done, total) of it.
    should_stop : callable, optional

    Returns
    -------
    tuple of (ndarray of bool, shape (N,), tuple of str), or None
        Whether each is a near copy of a training image, and the names of the datasets compared with; None if there is
        none to compare with.

    Raises
    ------
    DatasetError
        If images cannot be read.
    StoppedError
        If `should_stop` says so.
    """
    if not training_datasets:
        return None
    is_copy = np.zeros(len(records), bool)
    for dataset, rows in training_datasets:

        def report_progress(done: int, total: int, name: str = dataset.name) -> None:
            if on_progress is not None:
                on_progress(f"near copies in {name}", done, total)

        with Contents(dataset.path) as dataset_images:
            trained_records = [Record(file, label) for file, label in rows[["file", "label"]].itertuples(index=False)]
            sets = (ImageSet("trained on", dataset_images, trained_records), ImageSet("evaluated", images, records))
            report = find_leaks(sets, report_progress, should_stop)
        is_copy[[pair.b - len(trained_records) for pair in report.pairs]] = True
    return is_copy, tuple(dataset.name for dataset, _ in training_datasets)
