"""The network of a model folder, for Keras."""

from pathlib import Path

import keras

from bloodcell.core.errors import ModelError
from bloodcell.model_store.model_zip import KERAS_FILE
from bloodcell.networks.builders.open_file import load_keras_file


def load_network(model_dir: Path) -> keras.Model:
    """The network in model.keras, looked through before Keras opens it; ModelError if it is damaged or refused."""
    try:
        return load_keras_file(model_dir / KERAS_FILE)
    except ModelError as error:
        raise ModelError(f"{KERAS_FILE} of the model {model_dir.name} cannot be read: {error}") from error


def save_network(model: keras.Model, path: Path) -> None:
    """Write a network to a `.keras` file without its optimizer, which would be three times as large as its weights.

    Keras leaves the optimizer out of its old format alone, whatever `include_optimizer` says.
    """
    keras.Model(model.input, model.output, name=model.name).save(path)
