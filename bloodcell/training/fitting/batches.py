"""Augmented training batches: classes as the spec says, sources by weight, source cells equally, some unknown cells."""

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

# Share of the crops of unknown cells that is drawn by `synthetic` rather than taken from cells of other classes.
SYNTHETIC_OOD_SHARE = 0.6
# Weight of the out-of-distribution head in the loss, where the classes have 1.
OOD_LOSS_WEIGHT = 0.3


class DrawnBatches(keras.utils.PyDataset):
    """Batches of one fit; batch `i` of epoch `e` depends only on (seed, e, i).

    Parameters
    ----------
    samples : Samples
        What is trained on.
    spec : TrainSpec
        How crops are drawn, augmented and weighted.

    Raises
    ------
    DatasetError
        If a class has no sample.
    """

    def __init__(self, samples: Samples, spec: TrainSpec) -> None:
        super().__init__(workers=1, use_multiprocessing=False, max_queue_size=8)
        self.samples, self.spec = samples, spec
        self.epoch = 0
        self.shares = compute_sampling_shares(spec, samples)
        self.pools = self._build_class_pools()
        self.class_weights = compute_loss_weights(spec, self.shares)
        self.class_rows = np.flatnonzero(samples.class_index != OOD)
        self.ood_rows = np.flatnonzero(samples.class_index == OOD)

    def _build_class_pools(self) -> list[list[tuple[float, list[np.ndarray]]]]:
        """Per class: share of each source that has it, and the rows of each of its source cells there."""
        pools = []
        for class_index in range(len(self.spec.class_names)):
            sources = []
            for number in range(len(self.spec.sources)):
                rows = np.flatnonzero((self.samples.class_index == class_index) & (self.samples.source == number))
                if len(rows):
                    sources.append((self.shares[number, class_index], _split_by_cell(rows, self.samples.group[rows])))
            if not sources:
                raise DatasetError(f"There is no {self.spec.class_names[class_index]} to train on.")
            pools.append(sources)
        return pools

    @property
    def images_per_epoch(self) -> int:
        """Crops of an epoch."""
        spec, n_rows = self.spec, len(self.class_rows)
        if spec.class_sampling == EVERY_IMAGE:
            return min(spec.images_per_epoch or n_rows, n_rows)
        return spec.images_per_epoch // spec.batch_size * spec.batch_size

    def __len__(self) -> int:
        return -(-self.images_per_epoch // self.spec.batch_size)

    def on_epoch_end(self) -> None:
        """Go on to the next epoch."""
        self.epoch += 1

    def __getitem__(self, index: int) -> tuple[np.ndarray, dict[str, np.ndarray], dict[str, np.ndarray]]:
        rng = np.random.default_rng((self.spec.seed, self.epoch, index))
        if self.spec.class_sampling == EVERY_IMAGE:
            rows = self._select_rows(index)
            class_index = self.samples.class_index[rows]
            crops = [self._augment_crop(row, rng) for row in rows]
        else:
            class_index = self._draw_classes(rng)
            crops = [self._draw_crop(crop_class, rng) for crop_class in class_index.tolist()]
        return (np.stack(crops).astype(np.float32), *self._build_targets(class_index))

    def _select_rows(self, index: int) -> np.ndarray:
        """Rows of a batch when every image is shown once per epoch, in an order of that epoch."""
        order = np.random.default_rng((self.spec.seed, self.epoch)).permutation(self.class_rows)
        order = order[: self.images_per_epoch]
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
        """Targets of each output of the network, and their weights in the loss."""
        n, n_classes = len(class_index), len(self.spec.class_names)
        smoothing = self.spec.label_smoothing
        labels = np.full((n, n_classes), smoothing / n_classes, np.float32)
        has_class = class_index != OOD
        labels[has_class, class_index[has_class]] += 1 - smoothing
        class_weights = np.where(has_class, self.class_weights[class_index], 0).astype(np.float32)
        if not self.spec.ood_head:
            return {LOGITS: labels}, {LOGITS: class_weights}
        targets = {LOGITS: labels, IN_DISTRIBUTION: has_class.astype(np.float32)[:, None]}
        return targets, {LOGITS: class_weights, IN_DISTRIBUTION: np.full(n, OOD_LOSS_WEIGHT, np.float32)}

    def _draw_crop(self, class_index: int, rng: np.random.Generator) -> np.ndarray:
        stored_crops = self.samples.stored_crops
        if class_index == OOD:
            if len(self.ood_rows) == 0 or rng.random() < SYNTHETIC_OOD_SHARE:
                return draw_hard_negative(self.spec.height_px, stored_crops[rng.integers(len(stored_crops))], rng)
            return self._augment_crop(rng.choice(self.ood_rows), rng)
        pools = self.pools[class_index]
        shares = np.array([share for share, _ in pools])
        cells = pools[rng.choice(len(pools), p=shares / shares.sum())][1]
        return self._augment_crop(rng.choice(cells[rng.integers(len(cells))]), rng)

    def _augment_crop(self, row: int, rng: np.random.Generator) -> np.ndarray:
        return augment_crop(
            self.samples.stored_crops[row], self.spec.height_px, self.spec.width_px, self.spec.augment, rng
        )


def _split_by_cell(rows: np.ndarray, group: np.ndarray) -> list[np.ndarray]:
    """Split `rows` by source cell, so that a cell with many copies is drawn no more often than others."""
    order = np.argsort(group, kind="stable")
    return np.split(rows[order], np.flatnonzero(np.diff(group[order])) + 1)


def cut_centre_crops(stored_crops: np.ndarray, spec: TrainSpec) -> np.ndarray:
    """Cut the centre out of stored crops, as the network sees cells in use.

    Parameters
    ----------
    stored_crops : ndarray of uint8, shape (N, H, W, 3)
        As in `Samples`, of the network's size or larger.
    spec : TrainSpec
        Size of the network's input.

    Returns
    -------
    ndarray of uint8, shape (N, height_px, width_px, 3)
    """
    return crop_middle(stored_crops, spec.height_px, spec.width_px)


def build_scaling(spec: TrainSpec, training_samples: Samples) -> Scaling:
    """Build the spec's scaling; if it is fitted, on the training crops of the classes, each image once.

    Parameters
    ----------
    spec : TrainSpec
        Its `scaling` and input size.
    training_samples : Samples
        What the network is trained on, and nothing else.

    Returns
    -------
    Scaling
    """
    if spec.scaling in FIXED:
        return make_fixed_scaling(spec.scaling)
    rows = np.flatnonzero(training_samples.class_index != OOD)
    chunks = (
        training_samples.stored_crops[rows[start : start + CROPS_PER_CHUNK]]
        for start in range(0, len(rows), CROPS_PER_CHUNK)
    )
    return fit_scaling(spec.scaling, (cut_centre_crops(chunk, spec) for chunk in chunks))
