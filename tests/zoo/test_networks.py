"""Every network of the table: builds, answers with the shapes that export and engine expect, survives saving."""

import subprocess
import sys

import numpy as np
import pytest

from bloodcell.errors import SpecError
from bloodcell.zoo.registry import NETWORKS, builder_of
from tests.training.tiny_run import FOREIGN_WARNINGS

pytestmark = FOREIGN_WARNINGS
NAMES = [network.name for network in NETWORKS]


@pytest.mark.parametrize("name", NAMES)
def test_builds_answers_and_survives_saving(name, tmp_path):
    import keras

    model = builder_of(name)(side_px=48, n_classes=3, stage_widths=(4, 6), dropout=0.5)
    crops = np.random.default_rng(0).uniform(0, 255, (2, 48, 48, 3)).astype(np.float32)
    answered = model(crops, training=False)
    assert answered["logits"].shape == (2, 3)
    assert answered["known"].shape == (2, 1)
    assert model.get_layer("features").output.shape[-1] == 6
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")(crops, training=False)
    for name in ("logits", "known"):
        before, after = (keras.ops.convert_to_numpy(of[name]) for of in (answered, again))
        assert after == pytest.approx(before, abs=1e-5)


def test_names_are_told_apart():
    assert len(set(NAMES)) == len(NAMES)


def test_an_unknown_network():
    with pytest.raises(SpecError, match=rf"`model` must be one of .*{NAMES[0]}.* Received: 'resnet900'"):
        builder_of("resnet900")


def test_the_table_itself_loads_no_keras():
    code = "import sys, bloodcell.zoo.registry; sys.exit('keras' in sys.modules or 'tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
