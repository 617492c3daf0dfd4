"""A network in a file: without its optimizer, and answering as before."""

import numpy as np

from tests.training.tiny_run import FOREIGN_WARNINGS

pytestmark = FOREIGN_WARNINGS


def test_a_saved_network_has_no_optimizer(tmp_path):
    import keras
    from keras import layers

    from bloodcell.networks.builders.keras_file import save_network

    crops = keras.Input((8, 8, 3))
    wide = layers.Dense(64, name="wide")(layers.Flatten()(crops))
    model = keras.Model(crops, {"logits": layers.Dense(2)(wide)}, name="net")
    model.compile("adam", {"logits": keras.losses.SparseCategoricalCrossentropy(from_logits=True)})
    images = np.random.default_rng(0).normal(size=(4, 8, 8, 3)).astype(np.float32)
    model.fit(images, {"logits": np.array([0, 1, 0, 1])}, verbose=0)
    save_network(model, tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.name == "net"
    np.testing.assert_array_equal(again(images)["logits"], model(images)["logits"])
    weights = sum(one.nbytes for one in model.get_weights())
    assert (tmp_path / "model.keras").stat().st_size < 2 * weights  # Adam's moments would make it three times that
