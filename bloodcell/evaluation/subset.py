"""An evaluation on some of its pictures: figures anew from the kept answers, no picture is classified again."""

from collections.abc import Collection
from dataclasses import replace

from bloodcell.core.clock import now_utc
from bloodcell.core.errors import DatasetError
from bloodcell.evaluation.evaluate import hash_evaluated_images
from bloodcell.evaluation.evaluation_folder import Evaluation
from bloodcell.evaluation.leak_check import LeakSummary, count_leaks
from bloodcell.evaluation.metrics.measure import compute_report


def exclude_images(evaluation: Evaluation, marked: Collection[str]) -> Evaluation:
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
    leak = count_leaks(answers["leak"].to_numpy(), LeakSummary.from_json(evaluation.protocol["leak"]))
    protocol = evaluation.protocol | {
        "created": now_utc(),
        "left_out_marked": [*evaluation.protocol["left_out_marked"], *evaluation.answers["file"][is_marked]],
        "leak": leak.to_json(),
        "images_sha256": hash_evaluated_images(answers),
    }
    remaining = Evaluation(protocol, answers, {})
    return replace(remaining, report=compute_report(remaining.predictions()))
