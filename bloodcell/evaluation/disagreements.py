"""The pictures on which models do not all say the same."""

from collections.abc import Sequence

import pandas as pd

from bloodcell.datasets.labels.layouts import normalise_label
from bloodcell.evaluation.evaluation_folder import Evaluation

ALL_DISAGREEMENTS, ALL_WRONG = "all on which they differ", "all are wrong"


def find_disagreements(evaluations: Sequence[Evaluation]) -> dict[str, list[str]]:
    """Sort out the pictures that several models were judged on; no answer is an answer of its own.

    Returns
    -------
    dict, words -> files in the order of the first evaluation: `ALL_DISAGREEMENTS`; of each model those that it alone has right;
    `ALL_WRONG`
    """
    tables = [one.answers.set_index("file") for one in evaluations]
    label = tables[0]["label"].map(normalise_label)
    predictions = pd.DataFrame(
        {at: table["prediction"].map(normalise_label).reindex(label.index) for at, table in enumerate(tables)}
    )
    is_right = predictions.eq(label, axis=0)
    alone = is_right.sum(axis=1) == 1
    found = {ALL_DISAGREEMENTS: label.index[predictions.nunique(axis=1) > 1]}
    for at, one in enumerate(evaluations):
        found[f"only {one.protocol['model']} is right"] = label.index[alone & is_right[at]]
    found[ALL_WRONG] = label.index[~is_right.any(axis=1)]
    return {words: files.tolist() for words, files in found.items()}
