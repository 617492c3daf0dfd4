"""Fit a U-Net to images and their masks, checkpointed after every epoch, from its last finished epoch to its end."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from bloodcell.core.progress import Pace
from bloodcell.imaging.segment import dice, intersection_over_union
from bloodcell.networks.registry import build_default_settings, get_builder
from bloodcell.training.fitting.callbacks import FitCallback, RunContext, check_images_exist
from bloodcell.training.fitting.losses import MaskLoss
from bloodcell.training.output.history import MASK_COLUMNS, HistoryRow
from bloodcell.training.samples.mask_samples import CELL_LEVEL, MaskSamples
from bloodcell.training.specs.masks_spec import MasksSpec

MASK = "mask"
# Epochs are measured on so many held-out images, evenly over all; the finished network is measured on every one.
N_VALIDATION_IMAGES = 200


class MaskBatches(keras.utils.PyDataset):
    """Images and masks, each once per epoch, half of them mirrored; batch `i` of epoch `e` depends only on (seed, e, i).

    Parameters
    ----------
    samples : MaskSamples
        Images and masks.
    rows : ndarray of int
        Those to train on.
    spec : MasksSpec
        Batch size and seed.
    """

    def __init__(self, samples: MaskSamples, rows: np.ndarray, spec: MasksSpec) -> None:
        super().__init__(workers=1, use_multiprocessing=False, max_queue_size=8)
        self.samples, self.rows, self.spec = samples, rows, spec
        self.epoch = 0

    def __len__(self) -> int:
        return -(-len(self.rows) // self.spec.batch_size)

    def on_epoch_end(self) -> None:
        """Go on to the next epoch."""
        self.epoch += 1

    def __getitem__(self, index: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        n = self.spec.batch_size
        order = np.random.default_rng((self.spec.seed, self.epoch)).permutation(self.rows)
        pairs = self.samples.pairs[order[index * n : (index + 1) * n]]
        rng = np.random.default_rng((self.spec.seed, self.epoch, index))
        for axis in (1, 2):
            mirrored = rng.random(len(pairs)) < 0.5
            pairs[mirrored] = np.flip(pairs[mirrored], axis)
        return split_pairs(pairs)


def split_pairs(pairs: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Split stored images with masks into inputs and targets of the network.

    Parameters
    ----------
    pairs : ndarray of uint8, shape (N, H, W, 4)
        As in `MaskSamples`.

    Returns
    -------
    rgb : ndarray of float32, shape (N, H, W, 3)
    targets : dict
        "mask" -> ndarray of float32, shape (N, H, W, 1), 1 on the cell.
    """
    return pairs[..., :3].astype(np.float32), {MASK: (pairs[..., 3:] == CELL_LEVEL).astype(np.float32)}


def fit_unet(spec: MasksSpec, samples: MaskSamples, context: RunContext) -> tuple[keras.Model, list[HistoryRow]]:
    """Fit a U-Net, from its checkpoint where there is one.

    Parameters
    ----------
    spec : MasksSpec
        Settings of the run.
    samples : MaskSamples
        Images and masks; those held out only measure the epochs.
    context : RunContext
        Control, checkpoints and history of the run.

    Returns
    -------
    model : keras.Model
        Of `networks.builders.unet`.
    rows : list of HistoryRow
        Its epochs.

    Raises
    ------
    StoppedError
        If the user stopped it; the finished epochs are kept.
    DatasetError
        If the images vanish meanwhile.
    RunError
        If the checkpoint cannot be used.
    """
    keras.utils.set_random_seed(spec.seed)
    batches = MaskBatches(samples, np.flatnonzero(~samples.held_out), spec)
    model = _build_compiled_unet(spec, len(batches))
    rows = context.checkpoints.load_state(1, model)
    context.control.log(f"U-Net: {model.count_params():,} parameters, {len(batches.rows)} training images")
    if rows:
        context.control.log(f"resumes after epoch {len(rows)} of {spec.epochs}")
    if len(rows) < spec.epochs:
        batches.epoch = len(rows)
        callback = _MaskCallback(spec, samples, context, rows, Pace(1, 1, spec.epochs, len(batches), spec.batch_size))
        model.fit(batches, initial_epoch=len(rows), epochs=spec.epochs, shuffle=False, verbose=0, callbacks=[callback])
    return model, rows


def _build_compiled_unet(spec: MasksSpec, steps_per_epoch: int) -> keras.Model:
    settings = build_default_settings(
        "unet", 2, height_px=spec.height_px, width_px=spec.width_px, stage_widths=spec.stage_widths
    )
    model = get_builder("unet")(settings)
    rate = keras.optimizers.schedules.CosineDecay(spec.learning_rate, spec.epochs * steps_per_epoch)
    model.compile(
        optimizer=keras.optimizers.Adam(rate),
        loss={MASK: MaskLoss(name="mask_loss")},
        metrics={MASK: [keras.metrics.BinaryAccuracy(name="accuracy", threshold=0.0)]},
    )
    model.optimizer.build(model.trainable_variables)
    return model


class _MaskCallback(FitCallback):
    """Measure every epoch on held-out images, at the network's size."""

    def __init__(
        self, spec: MasksSpec, samples: MaskSamples, context: RunContext, rows: list[HistoryRow], pace: Pace
    ) -> None:
        super().__init__(context, rows, pace, MASK_COLUMNS)
        self.spec, self.samples = spec, samples
        held_out = np.flatnonzero(samples.held_out)
        places = np.linspace(0, len(held_out) - 1, min(N_VALIDATION_IMAGES, len(held_out)))
        self.validation_rows = held_out[np.unique(places.round().astype(int))]

    def measure_epoch(self) -> dict[str, float]:
        """Measure loss, share of correct pixels, Dice and IoU, all means over images."""
        batches = []
        for start in range(0, len(self.validation_rows), self.spec.batch_size):
            rgb, targets = split_pairs(self.samples.pairs[self.validation_rows[start : start + self.spec.batch_size]])
            logits, true_masks = self.model(rgb, training=False)[MASK], targets[MASK]
            loss = keras.ops.convert_to_numpy(MaskLoss(reduction=None)(true_masks, logits))
            is_marked, is_cell = keras.ops.convert_to_numpy(logits)[..., 0] > 0, true_masks[..., 0] > 0
            scores = [(dice(*masks), intersection_over_union(*masks)) for masks in zip(is_marked, is_cell, strict=True)]
            batches.append(np.column_stack([loss, (is_marked == is_cell).mean(axis=(1, 2)), scores]))
        means = np.concatenate(batches).mean(axis=0)
        names = ("val_loss", "val_accuracy", "val_dice", "val_iou")
        return {name: round(float(mean), 4) for name, mean in zip(names, means, strict=True)}

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Finish the epoch; DatasetError if the images have vanished."""
        super().on_epoch_end(epoch, logs)
        check_images_exist((self.spec.source,), self.context.data_dir)
