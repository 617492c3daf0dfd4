"""Fit a U-Net to pictures and their masks, from its first or last finished epoch to its end."""

import keras
import numpy as np

from bloodcell.core.progress import Pace
from bloodcell.imaging.segment import dice, intersection_over_union
from bloodcell.networks.registry import build_default_settings, get_builder
from bloodcell.training.fitting.callbacks import FitCallback, Work, check_images_exist
from bloodcell.training.fitting.losses import MaskLoss
from bloodcell.training.output.history import MASK_COLUMNS
from bloodcell.training.samples.mask_samples import CELL_LEVEL, MaskSamples
from bloodcell.training.specs.masks_spec import MasksSpec

MASK = "mask"
# So many held-back pictures, spread over all, judge an epoch; the finished network is measured on every one.
N_VALIDATION_IMAGES = 200


class MaskBatches(keras.utils.PyDataset):
    """Pictures and masks, every one once an epoch, half of them mirrored; batch `i` of epoch `e` depends on
    (seed, e, i) alone.

    Parameters
    ----------
    samples : MaskSamples
    rows : int array, those to learn from
    spec : MasksSpec
    """

    def __init__(self, samples: MaskSamples, rows: np.ndarray, spec: MasksSpec) -> None:
        super().__init__(workers=1, use_multiprocessing=False, max_queue_size=8)
        self.samples, self.rows, self.spec = samples, rows, spec
        self.epoch = 0

    def __len__(self) -> int:
        return -(-len(self.rows) // self.spec.batch_size)

    def on_epoch_end(self) -> None:
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
    """Stored pictures uint8 (N, H, W, 4) -> what the network takes, float32 (N, H, W, 3), and what it shall give."""
    return pairs[..., :3].astype(np.float32), {MASK: (pairs[..., 3:] == CELL_LEVEL).astype(np.float32)}


def fit_unet(spec: MasksSpec, samples: MaskSamples, work: Work) -> tuple[keras.Model, list[dict]]:
    """Fit a U-Net, going on from its checkpoint where there is one.

    Returns
    -------
    keras.Model of `networks.builders.unet`, and the rows of its epochs

    Raises
    ------
    StoppedError
        If the user stopped it; the epochs that were finished are kept.
    DatasetError
        If the pictures vanish meanwhile.
    RunError
        If the checkpoint cannot be used.
    """
    keras.utils.set_random_seed(spec.seed)
    settings = build_default_settings(
        "unet", 2, height_px=spec.height_px, width_px=spec.width_px, stage_widths=spec.stage_widths
    )
    model = get_builder("unet")(settings)
    batches = MaskBatches(samples, np.flatnonzero(~samples.held_out), spec)
    rate = keras.optimizers.schedules.CosineDecay(spec.learning_rate, spec.epochs * len(batches))
    model.compile(
        optimizer=keras.optimizers.Adam(rate),
        loss={MASK: MaskLoss(name="mask_loss")},
        metrics={MASK: [keras.metrics.BinaryAccuracy(name="accuracy", threshold=0.0)]},
    )
    model.optimizer.build(model.trainable_variables)
    rows = work.checkpoints.load_state(1, model)
    work.control.log(f"U-Net: {model.count_params():,} parameters, {len(batches.rows)} pictures to learn from")
    if rows:
        work.control.log(f"goes on after epoch {len(rows)} of {spec.epochs}")
    if len(rows) < spec.epochs:
        batches.epoch = len(rows)
        callback = _MaskCallback(spec, samples, work, rows, Pace(1, 1, spec.epochs, len(batches), spec.batch_size))
        model.fit(batches, initial_epoch=len(rows), epochs=spec.epochs, shuffle=False, verbose=0, callbacks=[callback])
    return model, rows


class _MaskCallback(FitCallback):
    """Judges every epoch on held-back pictures, at the network's size."""

    def __init__(self, spec: MasksSpec, samples: MaskSamples, work: Work, rows: list[dict], pace: Pace) -> None:
        super().__init__(work, rows, pace, MASK_COLUMNS)
        self.spec, self.samples = spec, samples
        held_out = np.flatnonzero(samples.held_out)
        self.validation_rows = held_out[
            np.unique(np.linspace(0, len(held_out) - 1, min(N_VALIDATION_IMAGES, len(held_out))).round().astype(int))
        ]

    def measure_epoch(self) -> dict[str, float]:
        """The loss, share of right pixels, Dice and IoU, means over pictures."""
        parts = []
        for start in range(0, len(self.validation_rows), self.spec.batch_size):
            rgb, targets = split_pairs(self.samples.pairs[self.validation_rows[start : start + self.spec.batch_size]])
            logits, wanted = self.model(rgb, training=False)[MASK], targets[MASK]
            loss = keras.ops.convert_to_numpy(MaskLoss(reduction=None)(wanted, logits))
            given, is_cell = keras.ops.convert_to_numpy(logits)[..., 0] > 0, wanted[..., 0] > 0
            scores = [(dice(*two), intersection_over_union(*two)) for two in zip(given, is_cell, strict=True)]
            parts.append(np.column_stack([loss, (given == is_cell).mean(axis=(1, 2)), scores]))
        mean = np.concatenate(parts).mean(axis=0)
        names = ("val_loss", "val_accuracy", "val_dice", "val_iou")
        return {name: round(float(value), 4) for name, value in zip(names, mean, strict=True)}

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        super().on_epoch_end(epoch, logs)
        check_images_exist((self.spec.source,), self.work.data_dir)
