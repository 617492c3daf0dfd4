"""The networks that can be trained, in one written-out table; importing it loads no Keras."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from bloodcell.core.errors import SpecError
from bloodcell.imaging.scale import make_fixed_scaling
from bloodcell.networks.settings import NetworkSettings

BY_STEPS: Final = "steps"
BY_SVM: Final = "svm"
BY_MASKS: Final = "masks"


@dataclass(frozen=True)
class Network:
    """One kind of network, with the settings that it is built with by default.

    Attributes
    ----------
    name : str
        What specs call it.
    title : str
        What people call it.
    builder : str
        "module:function", imported on first use; the function takes `NetworkSettings` and returns a keras.Model.
    height_px, width_px, scaling, dropout, ood_head
        As in `NetworkSettings`.
    parameters : int
        All numbers of the network with these settings and four classes, those of batch normalisation included.
    depth : int
        Layers from input to output; of Keras applications as Keras lists them, of others those with a kernel.
    cam_layer : str
        Layer that Grad-CAM uses; "" where Grad-CAM means nothing.
    note : str
        A few words for people who choose.
    source : str
        Who published it.
    pretrained : bool
        Whether there are ImageNet weights for it.
    top1 : float or None
        Published accuracy on ImageNet with those weights.
    augmentation : tuple of str
        Augmentation that it was published with.
    min_stages : int
        Fewest stages that it can be built with.
    trained_by : {"steps", "svm", "masks"}
        "steps" of an optimizer, "svm" (`training.fitting.svm`) or "masks" (`training.masks.train_masks`).
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
        note="our own, for crops of one cell; trains in minutes on two cores; used by wbc4",
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
        note="five blocks of convolution, dropout and pooling, then dense layers; trained on whole images",
        source="published work on the Kaggle blood cell images",
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
        source="published work on the Kaggle blood cell images",
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
        note="four blocks, each with batch normalisation",
        source="published work on the Kaggle blood cell images",
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
        note="four blocks; trained on images with changed rotation, orientation and contrast",
        source="published work on the Kaggle blood cell images",
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
        note="large and slow, an old baseline",
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
        note="from scratch, or with ImageNet weights from keras-hub (requirements-hub.txt)",
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
        note="only a support vector machine on the features of the backbone is trained, in minutes",
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
        note="with the published head of five dense layers, trained in two phases",
        source="Chollet 2017; head from published work on the Kaggle blood cell images",
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
        note="gives a mask of the cell, not a class",
        source="Ronneberger et al. 2015",
        scaling="255",
        dropout=0.1,
        trained_by=BY_MASKS,
    ),
)


def get_network(name: str) -> Network:
    """Return the kind of network called `name`; SpecError names them all if there is no such one.

    Examples
    --------
    >>> get_network("resnet18").title
    'ResNet18'
    """
    for network in NETWORKS:
        if network.name == name:
            return network
    raise SpecError(f"`model` must be one of {[network.name for network in NETWORKS]}. Received: {name!r}.")


def check_stages(name: str, stage_widths: tuple[int, ...]) -> None:
    """Raise SpecError if a network cannot be built with so few stages; () stands for its default ones."""
    min_stages = get_network(name).min_stages
    if stage_widths and len(stage_widths) < min_stages:
        raise SpecError(f"`stage_widths` of {name!r} must name {min_stages} stages or more. Received: {stage_widths}.")


def get_builder(name: str) -> Callable[[NetworkSettings], Any]:
    """Import the function that builds a network from its settings; errors as for `get_network`."""
    module, function = get_network(name).builder.split(":")
    builder: Callable[[NetworkSettings], Any] = getattr(importlib.import_module(module), function)
    return builder


def build_default_settings(name: str, n_classes: int, **changes: Any) -> NetworkSettings:
    """Return the default settings of a network, from scratch.

    Parameters
    ----------
    name : str
        Name of the network.
    n_classes : int
        Number of classes.
    **changes
        Values for other fields of `NetworkSettings`.

    Examples
    --------
    >>> settings = build_default_settings("small", 4, height_px=72)
    >>> settings.height_px, settings.width_px, settings.n_classes
    (72, 64, 4)
    """
    network = get_network(name)
    settings = NetworkSettings(
        height_px=network.height_px,
        width_px=network.width_px,
        n_classes=n_classes,
        dropout=network.dropout,
        scaling=make_fixed_scaling(network.scaling),
        ood_head=network.ood_head,
    )
    return replace(settings, **changes)
