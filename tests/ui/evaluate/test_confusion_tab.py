"""Which rows of an evaluation a filter of the page selects, and in which order."""

import pandas as pd
import pytest

from bloodcell.ui.evaluate.confusion_tab import ALL, CORRECT, INCORRECT, NO_PREDICTION, _Filter, select_rows

ANY = _Filter("", "", ALL, (), 0.0, 1.0, is_ascending=False)
TABLE = pd.DataFrame(
    [  # true class, predicted class, status, probabilities of A and B
        ("A", "A", "confident", 0.9, 0.1),
        ("A", "B", "check", 0.4, 0.6),
        ("B", "B", "check", 0.4, 0.6),
        ("B", "A", "unfamiliar", 0.7, 0.3),
        ("B", "", "", 0.0, 0.0),  # no cell was found
    ],
    columns=["label", "prediction", "status", "prob_A", "prob_B"],
)


@pytest.mark.parametrize(
    ("changes", "rows"),
    [
        ({}, [0, 3, 1, 2, 4]),  # 1 and 2 are tied: in the order of the table
        ({"is_ascending": True}, [4, 1, 2, 3, 0]),
        ({"which": CORRECT}, [0, 2]),
        ({"which": INCORRECT}, [3, 1, 4]),
        ({"label": "B"}, [3, 2, 4]),
        ({"label": "B", "prediction": "A"}, [3]),
        ({"prediction": NO_PREDICTION}, [4]),
        ({"statuses": ("check", "unfamiliar")}, [3, 1, 2]),
        ({"low": 0.6, "high": 0.7}, [3, 1, 2]),  # both bounds are included
        ({"label": "A", "which": CORRECT, "statuses": ("check",)}, []),
    ],
)
def test_a_filter_selects_exactly_its_rows(changes, rows):
    chosen = _Filter(**{name: changes.get(name, getattr(ANY, name)) for name in ANY.__dataclass_fields__})
    assert select_rows(TABLE, chosen).tolist() == rows
