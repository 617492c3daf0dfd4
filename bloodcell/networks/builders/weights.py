"""Weights that a backbone starts from: ImageNet's, which Keras downloads into its cache, a local file, or none."""

import os
import warnings
from dataclasses import dataclass
from pathlib import Path

import keras

from bloodcell.core.errors import ModelError
from bloodcell.networks.settings import FROM_SCRATCH, IMAGENET

HUB_PRESET = "resnet_18_imagenet"
_SCRATCH = f'or choose the weights "{FROM_SCRATCH}" (from scratch)'


@dataclass(frozen=True)
class WeightsFile:
    """One file of ImageNet weights without the top, as Keras publishes it; `md5` is checked after a download."""

    name: str
    url: str
    md5: str


_GOOGLE = "https://storage.googleapis.com/tensorflow/keras-applications"
IMAGENET_FILES = {
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


def load_backbone_weights(backbone: keras.Model, family: str, weights: str) -> None:
    """Fill a backbone as the settings say.

    Parameters
    ----------
    backbone : keras.Model, whole, as `keras.applications` builds it without its top
    family : key of `IMAGENET_FILES`
    weights : "none", "imagenet", or the path of a file that Keras wrote of the same backbone (.h5, .weights.h5)

    Raises
    ------
    ModelError
        If the weights cannot be downloaded, the file is missing, or holds those of another network.
    """
    if weights == FROM_SCRATCH:
        return
    path = _fetch_imagenet_file(family) if weights == IMAGENET else Path(weights).expanduser()
    if not path.is_file():
        raise ModelError(f"There is no file of weights {path}: name one, or choose {IMAGENET!r} or {FROM_SCRATCH!r}.")
    try:
        with warnings.catch_warnings():
            # Keras only warns of layers that the file does not hold, and leaves them as they were.
            warnings.simplefilter("error")
            backbone.load_weights(path)
    except (ValueError, OSError, KeyError, TypeError, Warning) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelError(f"The weights in {path} do not fit the backbone of {family}: {reason}") from error


def find_keras_cache() -> Path:
    """The folder that Keras keeps weights in: models, in KERAS_HOME or ~/.keras; read anew each time."""
    return Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser() / "models"


def _fetch_imagenet_file(family: str) -> Path:
    file = IMAGENET_FILES[family]
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
            f"The ImageNet weights of {family} could not be downloaded: put {file.name} from {file.url} into"
            f" {path.parent}, {_SCRATCH}."
        ) from error
    return path


def load_hub_weights(backbone: keras.Model) -> None:
    """Fill our ResNet18 with the ImageNet weights of keras-hub, an extra that is imported here alone.

    Parameters
    ----------
    backbone : keras.Model of `resnet18.build_backbone`, from input to last stage

    Raises
    ------
    ModelError
        If keras-hub is not installed, the preset cannot be downloaded, or its layers are not ours.
    """
    try:
        import keras_hub
    except ImportError as error:
        raise ModelError(
            "The ImageNet weights of ResNet18 need the extra keras-hub: install it by"
            f" `pip install -r requirements-hub.txt`, {_SCRATCH}."
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

    Raises
    ------
    ModelError
        If the two are not of the same layers and shapes.
    """
    kinds = (keras.layers.Conv2D, keras.layers.BatchNormalization)
    ours, theirs = ({layer.name: layer for layer in one.layers if isinstance(layer, kinds)} for one in (target, source))
    shapes = ({name: [w.shape for w in layer.weights] for name, layer in one.items()} for one in (ours, theirs))
    ours_shaped, theirs_shaped = shapes
    if ours_shaped != theirs_shaped:
        other = sorted(name for name in ours.keys() | theirs.keys() if ours_shaped.get(name) != theirs_shaped.get(name))
        raise ModelError(f"The weights are of another network than {target.name}: {', '.join(other[:4])} differ.")
    for name, layer in ours.items():
        layer.set_weights(theirs[name].get_weights())
