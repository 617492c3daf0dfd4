"""Settings of a detector: what is allowed, and that a file gives back what was written."""

import json
import math
from dataclasses import replace

import pytest

from bloodcell.core.errors import SpecError
from bloodcell.core.labels import DETECTED
from bloodcell.training.specs.detector_spec import BoxSourceSpec, DetectorSpec
from tests.places import SPECS

SOURCE = BoxSourceSpec("bccd", "bccd", "MIT")
PLAIN = DetectorSpec("net", (SOURCE,))


def test_what_is_written_is_read_again():
    source = replace(
        SOURCE, names=("W", "R"), labels=(("W", "WBC"), ("R", "RBC")), list_file="l.txt", folder="f", weight=2.5
    )
    spec = replace(PLAIN, box_sources=(source, replace(SOURCE, name="b")), weights="none", tile_px=64, zoom=0, seed=3)
    assert DetectorSpec.from_json(spec.to_json()) == spec


def test_the_example_in_specs_is_one():
    spec = DetectorSpec.read(SPECS / "detector.json")
    assert [source.name for source in spec.box_sources] == ["bccd", "txl"]
    assert all(source.licence for source in spec.box_sources)


def test_the_classes_are_white_cells_red_cells_and_platelets():
    assert DETECTED == ("WBC", "RBC", "PLATELET")


@pytest.mark.parametrize(
    "changes",
    [
        {"tile_px": 64},
        {"tile_px": 1024},
        {"red_cell_px": 16},
        {"red_cell_px": 128},
        {"zoom": 0.0, "stain": 0.0},
        {"zoom": 1, "stain": 1},
        {"epochs": 1, "tiles_per_epoch": 1, "batch_size": 1},
        {"held_share": 0.5},
        {"weights": "none"},
    ],
)
def test_ends_of_the_ranges_are_allowed(changes):
    spec = replace(PLAIN, **changes)
    assert all(getattr(spec, name) == value for name, value in changes.items())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": ""}, r"A name for the detector is needed"),
        ({"box_sources": ()}, r"A detector needs at least one source of boxes"),
        ({"box_sources": (SOURCE, SOURCE)}, r"Names of sources occur twice\. Received: \('bccd', 'bccd'\)"),
        ({"tile_px": 48}, r"`tile_px` must be a multiple of 16 from 64 to 1024\. Received: 48"),
        ({"tile_px": 1040}, r"Received: 1040"),
        ({"tile_px": 100}, r"`tile_px` must be a multiple of 16 from 64 to 1024\. Received: 100"),
        ({"red_cell_px": 15}, r"`red_cell_px` must be from 16 to 128\. Received: 15"),
        ({"red_cell_px": 129}, r"Received: 129"),
        ({"red_cell_px": 36.5}, r"`red_cell_px` must be a whole number\. Received: 36\.5"),
        ({"epochs": 0}, r"`epochs` must be 1 or more\. Received: 0"),
        ({"tiles_per_epoch": 0}, r"`tiles_per_epoch` must be 1 or more"),
        ({"batch_size": 0}, r"`batch_size` must be 1 or more"),
        ({"seed": -1}, r"`seed` must be 0 or more\. Received: -1"),
        ({"zoom": -0.1}, r"`zoom` must be from 0 to 1\. Received: -0\.1"),
        ({"zoom": 1.5}, r"`zoom` must be from 0 to 1"),
        ({"stain": 1.1}, r"`stain` must be from 0 to 1\. Received: 1\.1"),
        ({"stain": math.nan}, r"`stain` must be from 0 to 1\. Received: nan"),
        ({"learning_rate": 0.0}, r"`learning_rate` must be between 0 and 1\. Received: 0\.0"),
        ({"learning_rate": 1.0}, r"`learning_rate` must be between 0 and 1\. Received: 1\.0"),
        ({"held_share": 0.0}, r"`held_share` must be above 0 and at most 0\.5\. Received: 0\.0"),
        ({"held_share": 0.6}, r"Received: 0\.6"),
        ({"weights": "coco"}, r"`weights` must be one of \('imagenet', 'none'\)\. Received: 'coco'"),
    ],
)
def test_what_cannot_be(changes, said):
    with pytest.raises(SpecError, match=said):
        replace(PLAIN, **changes)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"weight": 0.0}, r"`weight` must be above 0\. Received: 0\.0"),
        ({"weight": -1.0}, r"`weight` must be above 0"),
        ({"weight": math.nan}, r"`weight` must be above 0\. Received: nan"),
        (
            {"labels": (("a", "WBC"), ("b", "CELL"))},
            r"`labels` must mean one of \('WBC', 'RBC', 'PLATELET'\)\..*'CELL'",
        ),
        ({"labels": (("a", "b", "c"),)}, r"An entry of `labels` must be a list of 2"),
        ({"labels": {"a": "WBC"}}, r"`labels` must be a list"),
        ({"names": "WBC"}, r"`names` must be a list"),
    ],
)
def test_what_a_source_cannot_be(changes, said):
    with pytest.raises(SpecError, match=said):
        replace(SOURCE, **changes)


def test_files_that_are_none(tmp_path):
    with pytest.raises(SpecError, match=r"Unknown settings \['colour'\] in a spec of a detector"):
        DetectorSpec.from_json(json.dumps(PLAIN.to_dict() | {"colour": 1}))
    with pytest.raises(SpecError, match=r"Unknown settings \['size'\] in a source of boxes"):
        DetectorSpec.from_json(json.dumps(PLAIN.to_dict() | {"box_sources": [SOURCE.to_dict() | {"size": 1}]}))
    with pytest.raises(SpecError, match=r"This spec of a detector lacks the settings \['box_sources'\]"):
        DetectorSpec.from_json('{"name": "n"}')
    with pytest.raises(SpecError, match=r"This source of boxes lacks the settings \['licence'\]"):
        DetectorSpec.from_json('{"name": "n", "box_sources": [{"name": "a", "path": "a"}]}')
    with pytest.raises(SpecError, match="cannot be read"):
        DetectorSpec.read(tmp_path / "none.json")
