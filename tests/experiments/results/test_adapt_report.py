"""The comparison of an adaptation, read back; a damaged one is one sentence."""

import json

import pytest

from bloodcell.core.errors import RunError
from bloodcell.experiments.results.adapt_report import Share, read_comparison
from tests.experiments.results.adapt_reports import REPORT, write_report


def test_what_is_read(tmp_path):
    found = read_comparison(write_report(tmp_path))
    assert found.balanced == (Share(0.5, 0.3, 0.7), Share(0.75, 0.5, 0.9))
    assert found.difference == Share(0.25, 0.05, 0.4)
    assert not found.may_be_chance
    eosinophil, monocyte = found.recalls
    assert (eosinophil.before, eosinophil.after, eosinophil.images) == (Share(0.5, 0, 1), Share(1, 1, 1), 2)
    assert (monocyte.before, monocyte.after, monocyte.source_cells) == (None, None, 0)
    assert (found.trained_on, found.held_out, found.source_cells, found.old) == (30, 12, 10, 0)


@pytest.mark.parametrize(("interval", "expected"), [([-0.1, 0.3], True), ([0.0, 0.3], True), ([-0.3, -0.1], False)])
def test_chance_is_where_the_interval_holds_0(tmp_path, interval, expected):
    assert read_comparison(write_report(tmp_path, difference_interval=interval)).may_be_chance == expected


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '"a"',
        json.dumps(REPORT | {"before": 3}),
        json.dumps(REPORT | {"difference": None}),
        json.dumps(REPORT | {"difference": float("nan")}),
        json.dumps(REPORT | {"difference_interval": [1]}),
        json.dumps({name: REPORT[name] for name in REPORT if name != "cells"}),
        json.dumps(REPORT | {"after": REPORT["after"] | {"recall": {}}}),
    ],
)
def test_a_damaged_comparison(tmp_path, text):
    (tmp_path / "adapt.json").write_text(text)
    with pytest.raises(RunError, match=r"The comparison .*adapt\.json is damaged"):
        read_comparison(tmp_path)


def test_a_missing_comparison(tmp_path):
    with pytest.raises(RunError, match=r"The comparison .*adapt\.json cannot be read: No such file"):
        read_comparison(tmp_path)
