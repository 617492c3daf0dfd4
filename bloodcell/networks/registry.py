"""The networks that can be trained, in one written-out table; importing it loads no Keras."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from bloodcell.core.errors import SpecError
from bloodcell.imaging.scale import make_fixed_scaling
from bloodcell.networks.settings import NetworkSettings

BY_STEPS, BY_SVM, BY_MASKS = "steps", "svm", "masks"


@dataclass(frozen=True)
class Network:
    """One family of networks, with the settings that it is built with unless others are asked for.

    title : for people
    builder : "module:function", imported on first use; takes a NetworkSettings and gives a keras.Model
    height_px, width_px, scaling, dropout, known_head : as in `NetworkSettings`
    parameters : all numbers of the network at these settings and four classes, those of batch normalisation included
    depth : layers from input to answer, of Keras applications as Keras lists them, of others those with a kernel
    cam_layer : the layer whose maps a heat map is drawn from; "" where that means nothing
    source : who published it
    pretrained : whether there are ImageNet weights for it
    top1 : accuracy on ImageNet as published with those weights; None without
    augmentation : what it was published with, by name; training's matter
    least_stages : fewest filters that `stage_widths` may name
    taught : "steps" of an optimizer, "svm" (`training.fitting.svm`) or "masks" (`training.masks.train_masks`)
    """

    name: str
    title: str
    builder: str
    height_px: int
    width_px: int
    parameters: int
    depth: int
    cam_layer: str
    note: str
    source: str
    scaling: str = "-1..1"
    dropout: float = 0.3
    ood_head: bool = False
    pretrained: bool = False
    top1: float | None = None
    augmentation: tuple[str, ...] = ()
    min_stages: int = 1
    trained_by: str = BY_STEPS

    @property
    def size_mb(self) -> float:
        """Size of its numbers, four bytes each, in units of 10^6 bytes."""
        return 4 * self.parameters / 1e6


NETWORKS = (
    Network(
        name="small",
        title="Small residual net",
        builder="bloodcell.networks.builders.small:build_small",
        height_px=64,
        width_px=64,
        parameters=561_037,
        depth=10,
        cam_layer="stage3_out",
        note="our own for crops of one cell, minutes on two cores; what wbc4 uses",
        source="Bloodcell, after He et al. 2016",
        ood_head=True,
    ),
    Network(
        name="cnn",
        title="CNN",
        builder="bloodcell.networks.builders.published:build_cnn",
        height_px=120,
        width_px=160,
        parameters=3_312_964,
        depth=7,
        cam_layer="block5_conv",
        note="five blocks of convolution, dropout and pooling, then dense; learns from whole pictures",
        source="published work on the Kaggle blood cells",
        scaling="255",
    ),
    Network(
        name="fcn",
        title="FCN",
        builder="bloodcell.networks.builders.published:build_fcn",
        height_px=120,
        width_px=160,
        parameters=2_853_892,
        depth=7,
        cam_layer="block5_conv",
        note="the CNN with 1x1 convolutions in place of dense layers",
        source="published work on the Kaggle blood cells",
        scaling="255",
        dropout=0.1,
        min_stages=2,
    ),
    Network(
        name="cnn_batch_norm",
        title="CNN with batch normalisation",
        builder="bloodcell.networks.builders.published:build_cnn_batch_norm",
        height_px=120,
        width_px=160,
        parameters=390_884,
        depth=5,
        cam_layer="block4_out",
        note="four blocks, each normalised",
        source="published work on the Kaggle blood cells",
        scaling="255",
        dropout=0.25,
    ),
    Network(
        name="custom_cnn",
        title="Custom CNN 128x128",
        builder="bloodcell.networks.builders.published:build_custom_cnn",
        height_px=128,
        width_px=128,
        parameters=1_290_052,
        depth=6,
        cam_layer="block4_conv",
        note="four blocks on turned, flipped and contrasted pictures",
        source="published work on the Kaggle blood cells",
        scaling="255",
        dropout=0.5,
        augmentation=("rotation", "flip", "contrast"),
    ),
    Network(
        name="vgg16",
        title="VGG16",
        builder="bloodcell.networks.builders.pretrained:build_vgg16",
        height_px=224,
        width_px=224,
        parameters=14_716_740,
        depth=16,
        cam_layer="block5_conv3",
        note="large and slow, an old yardstick",
        source="Simonyan & Zisserman 2015",
        scaling="imagenet caffe",
        pretrained=True,
        top1=0.713,
    ),
    Network(
        name="resnet18",
        title="ResNet18",
        builder="bloodcell.networks.builders.resnet18:build_resnet18",
        height_px=224,
        width_px=224,
        parameters=11_188_164,
        depth=18,
        cam_layer="stack3_block1_out",
        note="from scratch; ImageNet weights through keras-hub (requirements-hub.txt)",
        source="He et al. 2016",
        scaling="imagenet torch",
        pretrained=True,
        top1=0.698,
    ),
    Network(
        name="resnet50",
        title="ResNet50",
        builder="bloodcell.networks.builders.pretrained:build_resnet50",
        height_px=224,
        width_px=224,
        parameters=23_595_908,
        depth=107,
        cam_layer="conv5_block3_out",
        note="the usual backbone",
        source="He et al. 2016",
        scaling="imagenet caffe",
        pretrained=True,
        top1=0.749,
    ),
    Network(
        name="resnet50_svm",
        title="ResNet50 features and SVM",
        builder="bloodcell.networks.builders.svm:build_resnet50_svm",
        height_px=224,
        width_px=224,
        parameters=23_600_058,
        depth=107,
        cam_layer="",
        note="the backbone is not taught, a support vector machine is, one class against one; minutes",
        source="He et al. 2016; Cortes & Vapnik 1995",
        scaling="imagenet caffe",
        pretrained=True,
        top1=0.749,
        trained_by=BY_SVM,
    ),
    Network(
        name="xception",
        title="Xception",
        builder="bloodcell.networks.builders.pretrained:build_xception",
        height_px=240,
        width_px=320,
        parameters=23_558_932,
        depth=81,
        cam_layer="block14_sepconv2_act",
        note="with the published head of five dense layers, in two rounds",
        source="Chollet 2017; head from published work on the Kaggle blood cells",
        pretrained=True,
        top1=0.790,
    ),
    Network(
        name="efficientnet_b4",
        title="EfficientNetB4",
        builder="bloodcell.networks.builders.pretrained:build_efficientnet_b4",
        height_px=380,
        width_px=380,
        parameters=17_680_988,
        depth=258,
        cam_layer="top_activation",
        note="fewer parameters, many layers",
        source="Tan & Le 2019",
        scaling="imagenet torch",
        pretrained=True,
        top1=0.829,
    ),
    Network(
        name="unet",
        title="U-Net",
        builder="bloodcell.networks.builders.unet:build_unet",
        height_px=128,
        width_px=128,
        parameters=482_033,
        depth=18,
        cam_layer="",
        note="gives a mask of the cell, no class",
        source="Ronneberger et al. 2015",
        scaling="255",
        dropout=0.1,
        trained_by=BY_MASKS,
    ),
)


def get_network(name: str) -> Network:
    """The family called `name`; SpecError names those there are."""
    for one in NETWORKS:
        if one.name == name:
            return one
    raise SpecError(f"`model` must be one of {[one.name for one in NETWORKS]}. Received: {name!r}.")


def check_stages(name: str, stage_widths: tuple[int, ...]) -> None:
    """Raise SpecError if a family cannot be built with so few stages; () stands for its own."""
    least = get_network(name).min_stages
    if stage_widths and len(stage_widths) < least:
        raise SpecError(f"`stage_widths` of {name!r} must name {least} stages or more. Received: {stage_widths}.")


def get_builder(name: str) -> Callable[[NetworkSettings], Any]:
    """The function that builds a network from its settings; SpecError names the families there are."""
    module, function = get_network(name).builder.split(":")
    return getattr(importlib.import_module(module), function)


def build_default_settings(name: str, n_classes: int, **changes: Any) -> NetworkSettings:
    """What a family is built with: its own settings, from scratch, and `changes` of fields of NetworkSettings."""
    family = get_network(name)
    settings = NetworkSettings(
        height_px=family.height_px,
        width_px=family.width_px,
        n_classes=n_classes,
        dropout=family.dropout,
        scaling=make_fixed_scaling(family.scaling),
        ood_head=family.ood_head,
    )
    return replace(settings, **changes)
