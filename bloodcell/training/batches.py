"""Draw augmented training batches: classes as the spec says, sources by weight, cells equally, a share of unknowns."""

import keras
import numpy as np

from bloodcell.errors import DatasetError
from bloodcell.imaging.augment import Variation, vary_crop
from bloodcell.imaging.scale import FIXED, PART, Scaling, fit_scaling, fixed_scaling
from bloodcell.training.imbalance import drawn_shares, loss_weights
from bloodcell.training.samples import UNKNOWN, Samples
from bloodcell.training.spec import EQUAL_PARTS, TrainSpec
from bloodcell.training.unknowns import draw_unknown

# The channels mix into each other by this part of the stain's jitter.
MIXING_OF_STAIN = 0.2
# Of the unknown crops, the part that is drawn rather than taken from cells of other classes.
DRAWN_UNKNOWNS = 0.6


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
        self.variation = Variation(stain=spec.stain_jitter, mixing=MIXING_OF_STAIN * spec.stain_jitter)
        self.shares = drawn_shares(spec, samples)
        self.pools = self._class_pools()
        self.class_weights = loss_weights(spec, self.shares)
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

    def __len__(self) -> int:
        return self.spec.images_per_epoch // self.spec.batch_size

    def on_epoch_end(self) -> None:
        self.epoch += 1

    def __getitem__(self, index: int) -> tuple[np.ndarray, dict[str, np.ndarray], dict[str, np.ndarray]]:
        rng = np.random.default_rng((self.spec.seed, self.epoch, index))
        n, n_classes = self.spec.batch_size, len(self.spec.class_names)
        crops = np.empty((n, self.spec.side_px, self.spec.side_px, 3), np.float32)
        if self.spec.class_sampling == EQUAL_PARTS:
            class_index = np.arange(n) % n_classes
        else:
            class_index = rng.choice(n_classes, n, p=self.shares.sum(axis=0))
        class_index[: round(self.spec.unknown_share * n)] = UNKNOWN
        for place in range(n):
            crops[place] = self._draw(int(class_index[place]), rng)
        smooth = self.spec.label_smoothing
        labels = np.full((n, n_classes), smooth / n_classes, np.float32)
        known = class_index != UNKNOWN
        labels[known, class_index[known]] += 1 - smooth
        targets = {"logits": labels, "known": known.astype(np.float32)[:, None]}
        of_class = np.where(known, self.class_weights[class_index], 0)
        weights = {"logits": of_class.astype(np.float32), "known": np.full(n, 0.3, np.float32)}
        return crops, targets, weights

    def _draw(self, class_index: int, rng: np.random.Generator) -> np.ndarray:
        side_px, wide = self.spec.side_px, self.samples.wide
        if class_index == UNKNOWN:
            if len(self.others) == 0 or rng.random() < DRAWN_UNKNOWNS:
                return draw_unknown(side_px, wide[rng.integers(len(wide))], rng)
            return vary_crop(wide[rng.choice(self.others)], side_px, side_px, self.variation, rng)
        pools = self.pools[class_index]
        shares = np.array([share for share, _ in pools])
        cells = pools[rng.choice(len(pools), p=shares / shares.sum())][1]
        row = rng.choice(cells[rng.integers(len(cells))])
        return vary_crop(wide[row], side_px, side_px, self.variation, rng)


def _by_cell(rows: np.ndarray, group: np.ndarray) -> list[np.ndarray]:
    """Part `rows` by source cell, so that a cell with many copies is drawn no more often than others."""
    order = np.argsort(group, kind="stable")
    return np.split(rows[order], np.flatnonzero(np.diff(group[order])) + 1)


def plain_crops(wide: np.ndarray, side_px: int) -> np.ndarray:
    """The middle of stored crops, as the net sees them in use: (N, S, S, 3) -> (N, side_px, side_px, 3)."""
    start = (wide.shape[1] - side_px) // 2
    return wide[:, start : start + side_px, start : start + side_px]


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
    return fit_scaling(spec.scaling, (plain_crops(part, spec.side_px) for part in parts))
