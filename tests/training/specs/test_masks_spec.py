"""Settings of a U-Net: what is allowed, and that a file gives back what was written."""

import json
from dataclasses import replace

import pytest

from bloodcell.core.errors import SpecError
from bloodcell.datasets.catalog.source_spec import SourceSpec
from bloodcell.training.specs.masks_spec import MasksSpec
from tests.places import SPECS

PLAIN = MasksSpec("net", SourceSpec("cells", "cells"))


def test_what_is_written_is_read_again():
    spec = replace(PLAIN, targets="drawn", masks="masks/{stem}.png", cell_values=(128, 255), stage_widths=(8, 16))
    assert MasksSpec.from_json(spec.to_json()) == spec


def test_the_example_in_specs_is_one():
    assert MasksSpec.read(SPECS / "unet-wbc-masks.json").targets == "drawn"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": ""}, "A name for the U-Net is needed"),
        ({"targets": "true"}, r"`targets` must be one of \('otsu', 'drawn'\)\. Received: 'true'"),
        ({"masks": "m"}, r"are for `targets` 'drawn' only\. Received: 'm', \(\)"),
        ({"cell_values": (1,)}, r"are for `targets` 'drawn' only\. Received: '', \(1,\)"),
        ({"targets": "drawn", "cell_values": (256,)}, r"from 0 to 255\. Received: \(256,\)"),
        (
            {"targets": "drawn", "cell_values": ("x",)},
            "An entry of `cell_values` must be a whole number. Received: 'x'",
        ),
        ({"height_px": 100}, "`height_px` must be a multiple of 8 from 32 to 640. Received: 100"),
        ({"width_px": 24}, "`width_px` must be a multiple of 8 from 32 to 640. Received: 24"),
        ({"width_px": 648}, "Received: 648"),
        ({"stage_widths": (8, 8, 8, 8, 8), "height_px": 40}, "a multiple of 16 from 32 to 640. Received: 40"),
        ({"stage_widths": (8,)}, r"two or more whole numbers of 1 or more\. Received: \(8,\)"),
        ({"stage_widths": (8, 0)}, r"two or more whole numbers"),
        ({"epochs": 0}, "`epochs` must be 1 or more. Received: 0"),
        ({"epochs": 2.5}, "`epochs` must be a whole number"),
        ({"batch_size": 0}, "`batch_size` must be"),
        ({"limit": -1}, "`limit` must be"),
        ({"learning_rate": 1.0}, "`learning_rate` must be between 0 and 1. Received: 1.0"),
        ({"held_share": 0.0}, "`held_share` must be above 0 and at most 0.5. Received: 0.0"),
        ({"held_share": 0.6}, "Received: 0.6"),
        ({"source": SourceSpec("c", "c", limits=(("A", 3),))}, "`limits` of classes have no meaning for masks"),
    ],
)
def test_what_cannot_be(changes, said):
    with pytest.raises(SpecError, match=said):
        replace(PLAIN, **changes)


def test_files_that_are_none(tmp_path):
    with pytest.raises(SpecError, match=r"Unknown settings \['colour'\]"):
        MasksSpec.from_json(json.dumps({"name": "n", "colour": 1, "source": {"name": "a", "path": "a"}}))
    with pytest.raises(SpecError, match="`source` must be an object"):
        MasksSpec.from_json('{"name": "n", "source": 3}')
    with pytest.raises(SpecError, match=r"lacks the settings \['source'\]"):
        MasksSpec.from_json('{"name": "n"}')
    with pytest.raises(SpecError, match="cannot be read"):
        MasksSpec.read(tmp_path / "none.json")
