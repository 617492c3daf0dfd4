"""An evaluation on some of its pictures: figures anew from the kept answers, no picture is classified again."""

from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime

from bloodcell.errors import DatasetError
from bloodcell.evaluate.judging import images_sha256
from bloodcell.evaluate.leak_check import CHOSEN_ON, LEARNED, NEAR_COPY, SAME_CELL, LeakFound
from bloodcell.evaluate.report import report
from bloodcell.evaluate.stored import Evaluation


def without(evaluation: Evaluation, marked: Collection[str]) -> Evaluation:
    """Leave out pictures whose labels are marked as wrong, and say so in the protocol.

    Parameters
    ----------
    marked : files; those that the evaluation does not hold mean nothing

    Raises
    ------
    DatasetError
        If no picture is left.
    """
    is_marked = evaluation.answers["file"].isin(list(marked))
    answers = evaluation.answers[~is_marked].reset_index(drop=True)
    if answers.empty:
        raise DatasetError(f"All {len(is_marked)} pictures are marked as label errors, so none is left to judge.")
    kinds = answers["leak"].value_counts()
    leak = LeakFound.from_json(evaluation.protocol["leak"])
    leak = replace(
        leak,
        images=len(answers),
        learned=int(kinds.get(LEARNED, 0)),
        same_cell=int(kinds.get(SAME_CELL, 0)),
        near_copies=None if leak.near_copies is None else int(kinds.get(NEAR_COPY, 0)),
        chosen_on=int(kinds.get(CHOSEN_ON, 0)),
    )
    protocol = evaluation.protocol | {
        "created": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "left_out_marked": [*evaluation.protocol["left_out_marked"], *evaluation.answers["file"][is_marked]],
        "leak": leak.to_json(),
        "images_sha256": images_sha256(answers),
    }
    left = Evaluation(protocol, answers, {})
    return replace(left, report=report(left.predictions()))
