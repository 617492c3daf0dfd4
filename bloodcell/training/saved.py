"""The network of a model folder, for Keras."""

from pathlib import Path

import keras

from bloodcell.errors import ModelError

KERAS_FILE = "model.keras"


def load_network(model_dir: Path) -> keras.Model:
    """The network in model.keras, without anything that would run code of the file's own; ModelError if it is damaged."""
    try:
        return keras.models.load_model(model_dir / KERAS_FILE, compile=False, safe_mode=True)
    except (OSError, ValueError, TypeError, KeyError) as error:
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise ModelError(f"{KERAS_FILE} of the model {model_dir.name} cannot be read: {reason}") from error
