"""The rules of a training spec; each error says what is allowed and what was received."""

import math
from typing import Any

from bloodcell.core.spec import require, require_range, require_unique
from bloodcell.model_store.io_spec import BOX_FRAME, MASK_UNET
from bloodcell.networks.registry import BY_MASKS, check_stages, get_network
from bloodcell.training.specs.choices import BALANCED, EQUAL_PARTS, EVERY_IMAGE, KEEP_BEST, PLATEAU

MIN_SIDE_PX, MAX_SIDE_PX = 32, 640


def check_spec(spec: Any) -> None:
    """Raise SpecError at the first rule that a `TrainSpec` breaks."""
    _check_classes_and_sources(spec)
    _check_network(spec)
    _check_numbers(spec)
    _check_sampling(spec)
    _check_held_out_needs(spec)


def require_held_out_fold(fold: int) -> None:
    """Raise SpecError unless `fold` is one held-out fold, 0 or more, that trials can be measured on."""
    require(
        fold >= 0,
        "Trials are measured on one held-out fold, the same for all: choose which (`fold` must be 0 or more)."
        f" Received: {fold}, each in turn.",
    )


def _check_classes_and_sources(spec: Any) -> None:
    require(len(spec.class_names) >= 2, f"A model needs two classes or more. Received: {spec.class_names}.")
    require(all(spec.class_names), "Class names must not be empty.")
    require_unique("Class names", spec.class_names)
    require(len(spec.sources) >= 1, "A training run needs at least one source of labelled images.")
    require_unique("Names of sources", tuple(source.name for source in spec.sources))
    for source in spec.sources:
        unlisted_names = [name for name, _ in source.limits if name not in spec.class_names]
        require(not unlisted_names, f"`limits` must name classes of {spec.class_names}. Received: {unlisted_names}.")


def _check_network(spec: Any) -> None:
    family = get_network(spec.model)
    require(
        family.trained_by != BY_MASKS,
        f"`model` {spec.model!r} gives masks, no classes: it is trained by the command `train-masks`.",
    )
    require_range(spec, MIN_SIDE_PX, MAX_SIDE_PX, "height_px", "width_px")
    require(bool(spec.weights), "`weights` must be 'none', 'imagenet' or the path of a file. Received: ''.")
    has_filters = all(width >= 1 for width in spec.stage_widths)
    require(has_filters, f"`stage_widths` must be whole numbers of 1 or more. Received: {spec.stage_widths}.")
    check_stages(spec.model, spec.stage_widths)
    is_square_cell = spec.input == "cell" and spec.height_px == spec.width_px
    require(
        spec.unknown_share == 0 or is_square_cell,
        "`unknown_share` must be 0 unless the network takes square cells."
        f" Received: {spec.unknown_share} with {spec.input}s of {spec.height_px}x{spec.width_px} px.",
    )
    require(
        spec.frame == BOX_FRAME or spec.input == "cell",
        f"`frame` {spec.frame!r} is for cells: `input` must be 'cell'. Received: {spec.input!r}.",
    )
    require(
        (spec.mask == MASK_UNET) == bool(spec.mask_model),
        f"`mask_model` names the folder of a U-Net where `mask` is {MASK_UNET!r}, and is empty otherwise."
        f" Received: {spec.mask!r} and {spec.mask_model!r}.",
    )


def _check_numbers(spec: Any) -> None:
    for name in ("learning_rate", "frozen_rate", "rate_factor"):
        value = getattr(spec, name)
        require(0 < value < 1, f"`{name}` must be between 0 and 1. Received: {value}.")
    for name in ("dropout", "momentum"):
        value = getattr(spec, name)
        require(0 <= value < 1, f"`{name}` must be from 0 to below 1. Received: {value}.")
    for name in ("label_smoothing", "unknown_share"):
        value = getattr(spec, name)
        require(0 <= value < 0.5, f"`{name}` must be from 0 to below 0.5. Received: {value}.")
    require_range(spec, 0, math.inf, "patience")
    require_range(spec, 1, math.inf, "epochs", "plateau_patience")
    require_range(spec, 2, math.inf, "batch_size", "folds")
    require_range(spec, 0, 10, "focal_gamma")
    require_range(spec, -1, spec.folds - 1, "fold")
    require(
        0 <= spec.frozen_epochs < spec.epochs,
        f"`frozen_epochs` must be from 0 to below `epochs`. Received: {spec.frozen_epochs} of {spec.epochs}.",
    )


def _check_sampling(spec: Any) -> None:
    is_every_image = spec.class_sampling == EVERY_IMAGE
    require(
        spec.images_per_epoch >= spec.batch_size or (is_every_image and spec.images_per_epoch == 0),
        f"`images_per_epoch` must be at least one batch ({spec.batch_size}), or 0 for all with `class_sampling`"
        f" {EVERY_IMAGE!r}. Received: {spec.images_per_epoch}.",
    )
    require(
        not (is_every_image and spec.unknown_share),
        f"`class_sampling` {EVERY_IMAGE!r} draws no crops of unknown cells: `unknown_share` must be 0."
        f" Received: {spec.unknown_share}.",
    )
    require(
        spec.class_weights != BALANCED or spec.class_sampling != EQUAL_PARTS,
        f"`class_weights` {BALANCED!r} need another `class_sampling` than {EQUAL_PARTS!r}: classes drawn in equal parts"
        " are balanced already.",
    )


def _check_held_out_needs(spec: Any) -> None:
    wants = {"patience": spec.patience > 0, "keep": spec.keep == KEEP_BEST, "schedule": spec.schedule == PLATEAU}
    blind = [f"`{name}` {getattr(spec, name)!r}" for name, is_wanted in wants.items() if is_wanted and spec.fold < 0]
    require(
        not blind,
        f"{' and '.join(blind)} need cells held out from the model: `fold` must be 0 or more. Received: -1.",
    )
