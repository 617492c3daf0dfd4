"""Which settings may be searched, and within what bounds."""

import json
from dataclasses import replace

import pytest

from bloodcell.core.errors import SpecError
from bloodcell.training.specs.search_spec import Choices, Range, SearchSpec
from tests.places import SPECS
from tests.training.tiny_run import SPEC

SEARCH = SearchSpec("s", SPEC, (("dropout", Range(0.0, 0.6)), ("stage_widths", Choices(((8, 12), (8,))))), trials=3)


def changed(**changes):
    return SearchSpec.from_json(json.dumps(json.loads(SEARCH.to_json()) | changes))


def test_a_search_is_read_back_as_it_was_written():
    assert SearchSpec.from_json(SEARCH.to_json()) == SEARCH
    assert SEARCH.build_spec({"dropout": 0.1}) == replace(SPEC, dropout=0.1)


def test_the_example_is_a_search(tmp_path):
    assert SearchSpec.read(SPECS / "search-small.json").trials == 30
    with pytest.raises(SpecError, match=r"The spec of a search .*none\.json cannot be read: No such file"):
        SearchSpec.read(tmp_path / "none.json")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"trial": 3}, r"Unknown settings \['trial'\]"),
        ({"trials": 0}, "`trials` must be from 1 to 1000. Received: 0"),
        ({"prune_after": -1}, "`prune_after` must be from 0 to 10000. Received: -1"),
        ({"name": ""}, "A search needs a name"),
        ({"space": {}}, "`space` must name one setting or more"),
        ({"space": []}, "`space` must be an object"),
        ({"space": {"epochs": {"choices": [1, 2]}}}, "A setting of `space` must be one of .* Received: 'epochs'"),
        ({"space": {"batch_size": {"low": 16, "high": 32}}}, "'batch_size' needs `choices`"),
        ({"space": {"dropout": {"low": 0.5, "high": 0.1}}}, "`low` must be below `high`. Received: 0.5, 0.1"),
        ({"space": {"dropout": {"low": 0, "high": 0.5, "log": True}}}, "`low` must be above 0 where `log` is true"),
        ({"space": {"dropout": {"low": 0, "high": 0.5, "log": 2}}}, "`log` must be true or false. Received: 2"),
        ({"space": {"dropout": {"low": 0.5, "high": 1.0}}}, "`dropout` must be from 0 to below 1. Received: 1.0"),
        ({"space": {"dropout": {"lowest": 0.5}}}, r"Unknown settings \['lowest'\]"),
        ({"space": {"scaling": {"choices": []}}}, "`choices` must be a list of one value or more"),
        ({"space": {"scaling": {"choices": ["255", "255"]}}}, "Values of `choices` occur twice"),
        ({"space": {"scaling": {"choices": ["no"]}}}, "`scaling` must be one of .* Received: 'no'"),
        (
            {"space": {"momentum": {"low": 0, "high": 0.9}}},
            r"'momentum' needs the optimizer 'sgd'\. .* \('adamw',\)",
        ),
        ({"space": {"batch_size": {"choices": ["16"]}}}, "`batch_size` must be a whole number. Received: '16'"),
        ({"space": {"kernel_px": {"choices": [2, 3]}}}, r"`kernel_px` can be searched for \('cnn', 'fcn'\)"),
        ({"base": json.loads(replace(SPEC, fold=-1).to_json())}, "must be 0 or more.. Received: -1, each in turn"),
    ],
)
def test_a_search_that_cannot_be(changes, message):
    with pytest.raises(SpecError, match=message):
        changed(**changes)
