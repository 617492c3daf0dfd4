"""Training batches, augmented: classes as the spec says, sources by weight, cells equally, a share of unknowns."""

import keras
import numpy as np

from bloodcell.core.errors import DatasetError
from bloodcell.imaging.augment import augment_crop
from bloodcell.imaging.crop import crop_middle
from bloodcell.imaging.scale import CROPS_PER_CHUNK, FIXED, Scaling, fit_scaling, make_fixed_scaling
from bloodcell.model_store.io_spec import IN_DISTRIBUTION, LOGITS
from bloodcell.synthetic.hard_negatives import draw_hard_negative
from bloodcell.training.samples.imbalance import compute_loss_weights, compute_sampling_shares
from bloodcell.training.samples.samples import OOD, Samples
from bloodcell.training.specs.choices import EQUAL_PARTS, EVERY_IMAGE
from bloodcell.training.specs.train_spec import TrainSpec

# Of the unknown crops, the part that is drawn rather than taken from cells of other classes.
SYNTHETIC_OOD_SHARE = 0.6
# Of the answer to "is it a known kind", in the loss, beside 1 for the class.
OOD_LOSS_WEIGHT = 0.3


class DrawnBatches(keras.utils.PyDataset):
    """Batches for one `fit`; batch `i` of epoch `e` depends on (seed, e, i) alone.

    Parameters
    ----------
    samples : Samples to draw from
    spec : TrainSpec
    """

    def __init__(self, samples: Samples, spec: TrainSpec) -> None:
        super().__init__(workers=1, use_multiprocessing=False, max_queue_size=8)
        self.samples, self.spec = samples, spec
        self.epoch = 0
        self.shares = compute_sampling_shares(spec, samples)
        self.pools = self._build_class_pools()
        self.class_weights = compute_loss_weights(spec, self.shares)
        self.known = np.flatnonzero(samples.class_index != OOD)
        self.others = np.flatnonzero(samples.class_index == OOD)

    def _build_class_pools(self) -> list[list[tuple[float, list[np.ndarray]]]]:
        """Per class: share of each source that holds it, and the rows of each of its source cells there."""
        pools = []
        for class_index in range(len(self.spec.class_names)):
            found = []
            for number in range(len(self.spec.sources)):
                rows = np.flatnonzero((self.samples.class_index == class_index) & (self.samples.source == number))
                if len(rows):
                    found.append((self.shares[number, class_index], _split_by_cell(rows, self.samples.group[rows])))
            if not found:
                raise DatasetError(f"There is no {self.spec.class_names[class_index]} to learn from.")
            pools.append(found)
        return pools

    @property
    def images(self) -> int:
        """Crops an epoch."""
        spec, n_known = self.spec, len(self.known)
        if spec.class_sampling == EVERY_IMAGE:
            return min(spec.images_per_epoch or n_known, n_known)
        return spec.images_per_epoch // spec.batch_size * spec.batch_size

    def __len__(self) -> int:
        return -(-self.images // self.spec.batch_size)

    def on_epoch_end(self) -> None:
        self.epoch += 1

    def __getitem__(self, index: int) -> tuple[np.ndarray, dict[str, np.ndarray], dict[str, np.ndarray]]:
        rng = np.random.default_rng((self.spec.seed, self.epoch, index))
        if self.spec.class_sampling == EVERY_IMAGE:
            rows = self._select_rows(index)
            class_index = self.samples.class_index[rows]
            crops = [self._augment_crop(row, rng) for row in rows]
        else:
            class_index = self._draw_classes(rng)
            crops = [self._draw_crop(one, rng) for one in class_index.tolist()]
        return (np.stack(crops).astype(np.float32), *self._build_targets(class_index))

    def _select_rows(self, index: int) -> np.ndarray:
        """The rows of a batch when all are learned from once an epoch, in an order of that epoch."""
        order = np.random.default_rng((self.spec.seed, self.epoch)).permutation(self.known)[: self.images]
        return order[index * self.spec.batch_size : (index + 1) * self.spec.batch_size]

    def _draw_classes(self, rng: np.random.Generator) -> np.ndarray:
        n, n_classes = self.spec.batch_size, len(self.spec.class_names)
        if self.spec.class_sampling == EQUAL_PARTS:
            class_index = np.arange(n) % n_classes
        else:
            class_index = rng.choice(n_classes, n, p=self.shares.sum(axis=0))
        class_index[: round(self.spec.unknown_share * n)] = OOD
        return class_index

    def _build_targets(self, class_index: np.ndarray) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """What the network shall answer, and what each answer weighs in the loss."""
        n, n_classes = len(class_index), len(self.spec.class_names)
        smooth = self.spec.label_smoothing
        labels = np.full((n, n_classes), smooth / n_classes, np.float32)
        known = class_index != OOD
        labels[known, class_index[known]] += 1 - smooth
        of_class = np.where(known, self.class_weights[class_index], 0).astype(np.float32)
        if not self.spec.ood_head:
            return {LOGITS: labels}, {LOGITS: of_class}
        targets = {LOGITS: labels, IN_DISTRIBUTION: known.astype(np.float32)[:, None]}
        return targets, {LOGITS: of_class, IN_DISTRIBUTION: np.full(n, OOD_LOSS_WEIGHT, np.float32)}

    def _draw_crop(self, class_index: int, rng: np.random.Generator) -> np.ndarray:
        stored_crops = self.samples.stored_crops
        if class_index == OOD:
            if len(self.others) == 0 or rng.random() < SYNTHETIC_OOD_SHARE:
                return draw_hard_negative(self.spec.height_px, stored_crops[rng.integers(len(stored_crops))], rng)
            return self._augment_crop(rng.choice(self.others), rng)
        pools = self.pools[class_index]
        shares = np.array([share for share, _ in pools])
        cells = pools[rng.choice(len(pools), p=shares / shares.sum())][1]
        return self._augment_crop(rng.choice(cells[rng.integers(len(cells))]), rng)

    def _augment_crop(self, row: int, rng: np.random.Generator) -> np.ndarray:
        return augment_crop(
            self.samples.stored_crops[row], self.spec.height_px, self.spec.width_px, self.spec.augment, rng
        )


def _split_by_cell(rows: np.ndarray, group: np.ndarray) -> list[np.ndarray]:
    """Part `rows` by source cell, so that a cell with many copies is drawn no more often than others."""
    order = np.argsort(group, kind="stable")
    return np.split(rows[order], np.flatnonzero(np.diff(group[order])) + 1)


def cut_centre_crops(stored_crops: np.ndarray, spec: TrainSpec) -> np.ndarray:
    """The middle of stored crops, as the net sees them in use: (N, H, W, 3) -> (N, height_px, width_px, 3)."""
    return crop_middle(stored_crops, spec.height_px, spec.width_px)


def build_scaling(spec: TrainSpec, training_samples: Samples) -> Scaling:
    """The spec's scaling; where it is fitted, on the crops of known classes that are learned from, each image once.

    Parameters
    ----------
    learned : Samples that the network learns from, and no others
    """
    if spec.scaling in FIXED:
        return make_fixed_scaling(spec.scaling)
    rows = np.flatnonzero(training_samples.class_index != OOD)
    parts = (
        training_samples.stored_crops[rows[start : start + CROPS_PER_CHUNK]]
        for start in range(0, len(rows), CROPS_PER_CHUNK)
    )
    return fit_scaling(spec.scaling, (cut_centre_crops(part, spec) for part in parts))
