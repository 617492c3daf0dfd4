"""Initial weights of a backbone: those for ImageNet, which Keras downloads into its cache, a local file, or none."""

import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import keras

from bloodcell.core.errors import ModelError
from bloodcell.networks.settings import FROM_SCRATCH, IMAGENET

HUB_PRESET: Final = "resnet_18_imagenet"
_SCRATCH: Final = f'or choose the weights "{FROM_SCRATCH}" (from scratch)'


@dataclass(frozen=True)
class WeightsFile:
    """One file of ImageNet weights without the top, as Keras publishes it.

    Attributes
    ----------
    name : str
        Name of the file.
    url : str
        Where it is downloaded from.
    md5 : str
        Checked after a download.
    """

    name: str
    url: str
    md5: str


_GOOGLE: Final = "https://storage.googleapis.com/tensorflow/keras-applications"
IMAGENET_FILES: Final = {
    "VGG16": WeightsFile(
        "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
        f"{_GOOGLE}/vgg16/vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "6d6bbae143d832006294945121d1f1fc",
    ),
    "ResNet50": WeightsFile(
        "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5",
        f"{_GOOGLE}/resnet/resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "4d473c1dd8becc155b73f8504c6f6626",
    ),
    "Xception": WeightsFile(
        "xception_weights_tf_dim_ordering_tf_kernels_notop.h5",
        f"{_GOOGLE}/xception/xception_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "b0042744bf5b25fce3cb969f33bebb97",
    ),
    "EfficientNetB4": WeightsFile(
        "efficientnetb4_notop.h5",
        "https://storage.googleapis.com/keras-applications/efficientnetb4_notop.h5",
        "ebc24e6d6c33eaebbd558eafbeedf1ba",
    ),
}


def load_backbone_weights(backbone: keras.Model, architecture: str, weights: str) -> None:
    """Load weights into a backbone.

    Parameters
    ----------
    backbone : keras.Model
        Whole, as `keras.applications` builds it without its top.
    architecture : str
        A key of `IMAGENET_FILES`.
    weights : str
        "none", "imagenet", or the path of a file that Keras wrote of the same backbone (.h5, .weights.h5).

    Raises
    ------
    ModelError
        If the weights cannot be downloaded, or the file is missing or holds those of another network.
    """
    if weights == FROM_SCRATCH:
        return
    path = _fetch_imagenet_file(architecture) if weights == IMAGENET else Path(weights).expanduser()
    if not path.is_file():
        raise ModelError(
            f"There is no file of weights {path}. Name one that exists, or choose {IMAGENET!r} or {FROM_SCRATCH!r}."
        )
    try:
        with warnings.catch_warnings():
            # Keras only warns about layers that the file lacks, and leaves them as they were.
            warnings.simplefilter("error")
            backbone.load_weights(path)
    except (ValueError, OSError, KeyError, TypeError, Warning) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelError(f"The weights in {path} do not fit the backbone of {architecture}: {reason}") from error


def find_keras_cache() -> Path:
    """Return the folder that Keras keeps weights in: models, in KERAS_HOME or ~/.keras, whatever they are now."""
    return Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser() / "models"


def _fetch_imagenet_file(architecture: str) -> Path:
    file = IMAGENET_FILES[architecture]
    path = find_keras_cache() / file.name
    if path.is_file():
        return path
    try:
        keras.utils.get_file(
            file.name,
            file.url,
            file_hash=file.md5,
            hash_algorithm="md5",
            cache_dir=path.parent.parent,
            cache_subdir="models",
        )
    except Exception as error:  # Keras raises nothing narrower
        raise ModelError(
            f"The ImageNet weights of {architecture} could not be downloaded: put {file.name} from {file.url} into"
            f" {path.parent}, {_SCRATCH}."
        ) from error
    return path


def load_hub_weights(backbone: keras.Model) -> None:
    """Load the ImageNet weights of keras-hub into ResNet18; only this function imports keras-hub, an extra.

    Parameters
    ----------
    backbone : keras.Model
        ResNet18 from the input to the last stage.

    Raises
    ------
    ModelError
        If keras-hub is not installed, the preset cannot be downloaded, or its layers differ from ours.
    """
    try:
        import keras_hub
    except ImportError as error:
        raise ModelError(
            "The ImageNet weights of ResNet18 need keras-hub: pip install 'bloodcell[hub]', or in a checkout"
            f" pip install -r requirements-hub.txt; {_SCRATCH}."
        ) from error
    try:
        preset = keras_hub.models.ResNetBackbone.from_preset(HUB_PRESET)
    except Exception as error:  # the clients of Kaggle and Hugging Face share no parent
        raise ModelError(
            f"The ImageNet weights of ResNet18 could not be downloaded: put the preset {HUB_PRESET} of keras-hub into the"
            f" cache of kagglehub (~/.cache/kagglehub/models/keras/resnetv1/keras/{HUB_PRESET}/3), {_SCRATCH}."
        ) from error
    copy_weights_by_name(preset, backbone)


def copy_weights_by_name(source: keras.Model, target: keras.Model) -> None:
    """Copy weights between two builds of one network, layer by layer of the same name.

    Parameters
    ----------
    source, target : keras.Model
        Only convolutions and batch normalisations are compared and copied.

    Raises
    ------
    ModelError
        If the layers or their shapes differ.
    """
    kinds = (keras.layers.Conv2D, keras.layers.BatchNormalization)
    target_layers, source_layers = (
        {layer.name: layer for layer in model.layers if isinstance(layer, kinds)} for model in (target, source)
    )
    target_shapes, source_shapes = (
        {name: [weights.shape for weights in layer.weights] for name, layer in layers.items()}
        for layers in (target_layers, source_layers)
    )
    if target_shapes != source_shapes:
        names = target_shapes.keys() | source_shapes.keys()
        different = sorted(name for name in names if target_shapes.get(name) != source_shapes.get(name))
        raise ModelError(
            f"The weights are those of another network than {target.name}: {', '.join(different[:4])} differ."
        )
    for name, layer in target_layers.items():
        layer.set_weights(source_layers[name].get_weights())
