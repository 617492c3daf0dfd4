"""The last layers that the families share, so that training, export and serving find the same names in each."""

import keras
from keras import layers

from bloodcell.networks.builders.scaling import scale_crops
from bloodcell.networks.settings import NetworkSettings

FEATURES = "features"


def build_scaled_input(settings: NetworkSettings) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """The input "crops" of raw levels, and the same scaled."""
    crops = keras.Input((settings.height_px, settings.width_px, 3), name="crops")
    return crops, scale_crops(crops, settings.scaling)


def add_heads(
    crops: keras.KerasTensor,
    features: keras.KerasTensor,
    settings: NetworkSettings,
    name: str,
    hidden: tuple[int, ...] = (),
    dropout: float | None = None,
) -> keras.Model:
    """Put dropout, dense layers of `hidden` units and the outputs after the layer "features".

    Parameters
    ----------
    features : (N, F), what the layer "features" gives
    dropout : float in place of the settings'; 0 for none

    Returns
    -------
    keras.Model
        Outputs a dict: "logits" (N, n_classes), before the softmax; with `ood_head` also "known" (N, 1), a logit that
        the crop shows a cell of one of the classes at all.
    """
    share = settings.dropout if dropout is None else dropout
    dropped = layers.Dropout(share, name="head_dropout")(features) if share else features
    x = dropped
    for width in hidden:
        x = layers.Dense(width, activation="relu", name=f"head_{width}")(x)
    outputs = {"logits": layers.Dense(settings.n_classes, name="logits")(x)}
    if settings.ood_head:
        outputs["known"] = layers.Dense(1, name="known")(dropped)
    return keras.Model(crops, outputs, name=name)
