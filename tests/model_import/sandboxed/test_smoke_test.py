"""A model tried on drawn cells: what it said, and models that cannot be served."""

import pytest

from bloodcell.core.errors import ModelError
from bloodcell.model_import.sandboxed.smoke_test import run_smoke_test
from tests.inference.net import write_net, write_spec
from tests.pages.tiny_model import write_tiny_model


def test_what_a_model_said(tmp_path):
    trial = run_smoke_test(write_tiny_model(tmp_path / "tiny"))
    assert trial.n_cells == sum(trial.named.values()) >= 10
    assert trial.ms_per_cell >= 0


def test_models_that_cannot_be_served(tmp_path):
    with pytest.raises(ModelError, match="has 2 classes"):
        run_smoke_test(write_net(tmp_path / "two", n_outputs=2))
    outside = write_net(tmp_path / "outside", pixel=(99, 99))  # a pixel that the crop does not have
    with pytest.raises(ModelError, match="The network fails on a drawn cell"):
        run_smoke_test(outside)


def test_another_size_than_the_network_takes(tmp_path):
    folder = write_net(tmp_path / "wide")
    write_spec(folder, side_px=48)
    with pytest.raises(
        ModelError, match=r"network of wide is \['N', 32, 32, 3\], but spec\.json names \(N, 48, 48, 3\)"
    ):
        run_smoke_test(folder)
