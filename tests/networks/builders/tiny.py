"""Every family small enough for a test: few filters, or the first layers of a backbone, on drawn cells."""

import numpy as np

from bloodcell.imaging.crop import resize_image
from bloodcell.networks.registry import NETWORKS, build_default_settings
from bloodcell.synthetic.gallery import draw_field

N_CLASSES = 3
CHANGES = {
    "small": {"height_px": 32, "width_px": 32, "stage_widths": (4, 6)},
    "cnn": {"height_px": 24, "width_px": 32, "stage_widths": (4, 6, 8)},
    "fcn": {"height_px": 30, "width_px": 40, "stage_widths": (4, 6, 8)},
    "cnn_batch_norm": {"height_px": 24, "width_px": 32, "stage_widths": (4, 6)},
    "custom_cnn": {"height_px": 32, "width_px": 32, "stage_widths": (4, 6)},
    "vgg16": {"height_px": 32, "width_px": 48, "backbone_end": "block1_pool"},
    "resnet18": {"height_px": 32, "width_px": 48, "stage_widths": (4, 6)},
    "resnet50": {"height_px": 32, "width_px": 48, "backbone_end": "conv2_block1_out"},
    "resnet50_svm": {"height_px": 32, "width_px": 48, "backbone_end": "pool1_pool"},
    "xception": {"height_px": 71, "width_px": 80, "backbone_end": "block2_sepconv1_bn"},
    "efficientnet_b4": {"height_px": 32, "width_px": 48, "backbone_end": "block1a_project_bn"},
    "unet": {"height_px": 32, "width_px": 48, "stage_widths": (4, 6, 8)},
}
NAMES = [network.name for network in NETWORKS]
OF_CLASSES = [network.name for network in NETWORKS if network.trained_by != "masks"]
BY_STEPS = [network.name for network in NETWORKS if network.trained_by == "steps"]


def tiny_settings(name, **changes):
    return build_default_settings(name, N_CLASSES, **(CHANGES[name] | changes))


def drawn_crops(n, height_px, width_px, seed=0):
    """Drawn cells of three classes in turn, uint8 (n, height_px, width_px, 3), and their classes."""
    class_index = np.arange(n) % N_CLASSES
    kinds = ("LYMPHOCYTE", "EOSINOPHIL", "NEUTROPHIL")
    fields = (
        draw_field(seed + row, 1, 96, 96, scale=0.4, class_names=[kinds[c]], n_platelets=0)
        for row, c in enumerate(class_index)
    )
    return np.stack([resize_image(field.rgb, height_px, width_px) for field in fields]), class_index
