"""What the statuses catch and miss."""

from dataclasses import dataclass

import numpy as np

from bloodcell.core.labels import CELL_STATUSES
from bloodcell.evaluation.metrics.predictions import Predictions


@dataclass(frozen=True)
class StatusRow:
    """Pictures of one status ("" for no answer): all, and wrong ones; of how many wrong ones in all."""

    status: str
    n_images: int
    wrong: int
    n_wrong_total: int

    @property
    def accuracy(self) -> float | None:
        """Share of its pictures that are right; None where there is none."""
        return 1 - self.wrong / self.n_images if self.n_images else None

    @property
    def share_of_wrong(self) -> float | None:
        """Share of all wrong answers that lie here; None where no answer is wrong."""
        return self.wrong / self.n_wrong_total if self.n_wrong_total else None


def count_by_status(predictions: Predictions) -> list[StatusRow]:
    """A row a status; that of no answer only where there is one."""
    wrong = predictions.y_pred != predictions.y_true
    masks = {status: predictions.status == status for status in (*CELL_STATUSES, "")}
    return [
        StatusRow(status, int(has_status.sum()), int((has_status & wrong).sum()), int(np.sum(wrong)))
        for status, has_status in masks.items()
        if status or has_status.any()
    ]
