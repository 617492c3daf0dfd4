"""Training batches, augmented: classes as the spec says, sources by weight, cells equally, a share of unknowns."""

import keras
import numpy as np

from bloodcell.core.errors import DatasetError
from bloodcell.imaging.augment import vary_crop
from bloodcell.imaging.crop import middle_of
from bloodcell.imaging.scale import FIXED, PART, Scaling, fit_scaling, fixed_scaling
from bloodcell.model_store.io_spec import KNOWN, LOGITS
from bloodcell.synthetic.hard_negatives import draw_unknown
from bloodcell.training.samples.imbalance import drawn_shares, loss_weights
from bloodcell.training.samples.samples import UNKNOWN, Samples
from bloodcell.training.specs.choices import EQUAL_PARTS, EVERY_IMAGE
from bloodcell.training.specs.train_spec import TrainSpec

# Of the unknown crops, the part that is drawn rather than taken from cells of other classes.
DRAWN_UNKNOWNS = 0.6
# Of the answer to "is it a known kind", in the loss, beside 1 for the class.
KNOWN_WEIGHT = 0.3


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
        self.shares = drawn_shares(spec, samples)
        self.pools = self._class_pools()
        self.class_weights = loss_weights(spec, self.shares)
        self.known = np.flatnonzero(samples.class_index != UNKNOWN)
        self.others = np.flatnonzero(samples.class_index == UNKNOWN)

    def _class_pools(self) -> list[list[tuple[float, list[np.ndarray]]]]:
        """Per class: share of each source that holds it, and the rows of each of its source cells there."""
        pools = []
        for class_index in range(len(self.spec.class_names)):
            found = []
            for number in range(len(self.spec.sources)):
                rows = np.flatnonzero((self.samples.class_index == class_index) & (self.samples.source == number))
                if len(rows):
                    found.append((self.shares[number, class_index], _by_cell(rows, self.samples.group[rows])))
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
            rows = self._rows_in_turn(index)
            class_index = self.samples.class_index[rows]
            crops = [self._vary(row, rng) for row in rows]
        else:
            class_index = self._drawn_classes(rng)
            crops = [self._draw(one, rng) for one in class_index.tolist()]
        return (np.stack(crops).astype(np.float32), *self._answers(class_index))

    def _rows_in_turn(self, index: int) -> np.ndarray:
        """The rows of a batch when all are learned from once an epoch, in an order of that epoch."""
        order = np.random.default_rng((self.spec.seed, self.epoch)).permutation(self.known)[: self.images]
        return order[index * self.spec.batch_size : (index + 1) * self.spec.batch_size]

    def _drawn_classes(self, rng: np.random.Generator) -> np.ndarray:
        n, n_classes = self.spec.batch_size, len(self.spec.class_names)
        if self.spec.class_sampling == EQUAL_PARTS:
            class_index = np.arange(n) % n_classes
        else:
            class_index = rng.choice(n_classes, n, p=self.shares.sum(axis=0))
        class_index[: round(self.spec.unknown_share * n)] = UNKNOWN
        return class_index

    def _answers(self, class_index: np.ndarray) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """What the network shall answer, and what each answer weighs in the loss."""
        n, n_classes = len(class_index), len(self.spec.class_names)
        smooth = self.spec.label_smoothing
        labels = np.full((n, n_classes), smooth / n_classes, np.float32)
        known = class_index != UNKNOWN
        labels[known, class_index[known]] += 1 - smooth
        of_class = np.where(known, self.class_weights[class_index], 0).astype(np.float32)
        if not self.spec.known_head:
            return {LOGITS: labels}, {LOGITS: of_class}
        targets = {LOGITS: labels, KNOWN: known.astype(np.float32)[:, None]}
        return targets, {LOGITS: of_class, KNOWN: np.full(n, KNOWN_WEIGHT, np.float32)}

    def _draw(self, class_index: int, rng: np.random.Generator) -> np.ndarray:
        wide = self.samples.wide
        if class_index == UNKNOWN:
            if len(self.others) == 0 or rng.random() < DRAWN_UNKNOWNS:
                return draw_unknown(self.spec.height_px, wide[rng.integers(len(wide))], rng)
            return self._vary(rng.choice(self.others), rng)
        pools = self.pools[class_index]
        shares = np.array([share for share, _ in pools])
        cells = pools[rng.choice(len(pools), p=shares / shares.sum())][1]
        return self._vary(rng.choice(cells[rng.integers(len(cells))]), rng)

    def _vary(self, row: int, rng: np.random.Generator) -> np.ndarray:
        return vary_crop(self.samples.wide[row], self.spec.height_px, self.spec.width_px, self.spec.augment, rng)


def _by_cell(rows: np.ndarray, group: np.ndarray) -> list[np.ndarray]:
    """Part `rows` by source cell, so that a cell with many copies is drawn no more often than others."""
    order = np.argsort(group, kind="stable")
    return np.split(rows[order], np.flatnonzero(np.diff(group[order])) + 1)


def plain_crops(wide: np.ndarray, spec: TrainSpec) -> np.ndarray:
    """The middle of stored crops, as the net sees them in use: (N, H, W, 3) -> (N, height_px, width_px, 3)."""
    return middle_of(wide, spec.height_px, spec.width_px)


def scaling_of(spec: TrainSpec, learned: Samples) -> Scaling:
    """The spec's scaling; where it is fitted, on the crops of known classes that are learned from, each image once.

    Parameters
    ----------
    learned : Samples that the network learns from, and no others
    """
    if spec.scaling in FIXED:
        return fixed_scaling(spec.scaling)
    rows = np.flatnonzero(learned.class_index != UNKNOWN)
    parts = (learned.wide[rows[start : start + PART]] for start in range(0, len(rows), PART))
    return fit_scaling(spec.scaling, (plain_crops(part, spec) for part in parts))
