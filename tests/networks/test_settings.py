import numpy as np
import pytest

from bloodcell.core.errors import SpecError
from bloodcell.imaging.scale import Scaling
from bloodcell.networks.registry import build_default_settings
from bloodcell.networks.settings import NetworkSettings


def test_a_family_brings_its_own():
    settings = build_default_settings("cnn", 4)
    assert (settings.height_px, settings.width_px, settings.dropout) == (120, 160, 0.3)
    assert (settings.scaling.name, settings.ood_head, settings.weights) == ("255", False, "none")
    assert build_default_settings("fcn", 4, dropout=0.5).dropout == 0.5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"height_px": 15}, r"`height_px` and `width_px` must be 16 or more\. Received: \(15, 64\)"),
        ({"n_classes": 1}, r"`n_classes` must be 2 or more\. Received: 1"),
        ({"dropout": 1.0}, r"`dropout` must be from 0 to below 1\. Received: 1\.0"),
        ({"kernel_px": -1}, r"`kernel_px` must be 0 or more\. Received: -1"),
        ({"stage_widths": (4, 0)}, r"`stage_widths` must be 1 or more each\. Received: \(4, 0\)"),
        ({"weights": ""}, r"`weights` must be 'none', 'imagenet' or the path of a file"),
        (
            {"scaling": Scaling("pixel", np.zeros((32, 32, 3)), np.ones((32, 32, 3)), 9)},
            r"fitted on crops of the network's size \(64, 64\)\. Received: \(32, 32\)",
        ),
    ],
)
def test_what_no_network_can_be_built_from(changes, message):
    with pytest.raises(SpecError, match=message):
        NetworkSettings(**({"height_px": 64, "width_px": 64, "n_classes": 4} | changes))
