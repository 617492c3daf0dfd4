"""What the statuses catch and miss."""

from dataclasses import dataclass

import numpy as np

from bloodcell.core.labels import CELL_STATUSES
from bloodcell.evaluation.metrics.predictions import Predictions


@dataclass(frozen=True)
class StatusRow:
    """Pictures of one status ("" for no answer): all, and wrong ones; of how many wrong ones in all."""

    status: str
    pictures: int
    wrong: int
    wrong_in_all: int

    @property
    def right_share(self) -> float | None:
        """Share of its pictures that are right; None where there is none."""
        return 1 - self.wrong / self.pictures if self.pictures else None

    @property
    def share_of_wrong(self) -> float | None:
        """Share of all wrong answers that lie here; None where no answer is wrong."""
        return self.wrong / self.wrong_in_all if self.wrong_in_all else None


def status_rows(answers: Predictions) -> list[StatusRow]:
    """A row a status; that of no answer only where there is one."""
    wrong = answers.y_pred != answers.y_true
    masks = {status: answers.status == status for status in (*CELL_STATUSES, "")}
    return [
        StatusRow(status, int(mine.sum()), int((mine & wrong).sum()), int(np.sum(wrong)))
        for status, mine in masks.items()
        if status or mine.any()
    ]
