"""Images a second of training a network three ways; each runs in a process of its own and prints one JSON object.

Called by bench.py: python benchmarks/bench_training.py WAY NETWORK IMAGES_DIR WORK_DIR

`ours` is what `train` does: crops or images made once into a file, drawn from it and augmented by OpenCV in a thread
beside the training. `published` loads every image from its file in every epoch and puts it through Keras' augmentation
layers one by one, as ImageDataGenerator and the published notebooks do. `in_memory` trains on one batch that lies
ready: nothing can be faster. All three take whole images, each once an epoch, with rotation, flip and contrast. The
networks are the published one for 128x128 images and the small one that the Train page offers first.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np

from bloodcell.core.labels import WHITE_CELLS_4
from bloodcell.datasets.catalog.source_spec import SourceSpec
from bloodcell.imaging.augment import REFLECT, Augmentation
from bloodcell.imaging.scale import make_fixed_scaling
from bloodcell.training.fitting.batches import DrawnBatches, build_scaling
from bloodcell.training.fitting.fit_network import build_network
from bloodcell.training.fitting.losses import build_losses
from bloodcell.training.fitting.optimizers import build_optimizer
from bloodcell.training.samples.samples import load_samples
from bloodcell.training.specs.train_spec import PUBLISHED_SETTINGS, TrainSpec

EPOCHS = {"custom_cnn": 3, "small": 8}
TURN_DEG = 36.0  # RandomRotation(0.1): a tenth of a full turn to both sides
CONTRAST = 0.2
SOURCE = SourceSpec(name="bench", path="classes", groups="each")


def build_spec(network: str) -> TrainSpec:
    """Build a run as published, with any network."""
    augmentation = Augmentation(0, 0, 0, 0, 0, 0, TURN_DEG, mirror=True, light=0, contrast=CONTRAST, fill=REFLECT)
    fed = PUBLISHED_SETTINGS | {"epochs": EPOCHS[network], "augment": augmentation}
    return TrainSpec.for_network(network, "bench", (SOURCE,), **fed)


def lay_out(images_dir: Path, work_dir: Path) -> list[Path]:
    """Folders of classes with links to the images, which bench.py has put there with the classes in turns."""
    paths = sorted(images_dir.iterdir())
    for number, path in enumerate(paths):
        link = work_dir / "classes" / WHITE_CELLS_4[number % len(WHITE_CELLS_4)] / path.name
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.exists():
            os.link(path, link)
    return paths


def compile_model(spec: TrainSpec, steps: int, model: keras.Model) -> keras.Model:
    model.compile(optimizer=build_optimizer(spec, steps, spec.epochs, spec.learning_rate), loss=build_losses(spec))
    return model


class Clock(keras.callbacks.Callback):
    """When each epoch ended."""

    def __init__(self) -> None:
        super().__init__()
        self.ends: list[float] = []

    def on_epoch_end(self, *_: Any) -> None:
        self.ends.append(time.perf_counter())


def compute_rates(start: float, ends: list[float], n_images: int) -> dict[str, float]:
    """Images a second of everything, and of the epochs after the first, in which graphs are built."""
    return {
        "images_per_s": len(ends) * n_images / (ends[-1] - start),
        "steady_per_s": (len(ends) - 1) * n_images / (ends[-1] - ends[0]),
    }


def ours(spec: TrainSpec, images_dir: Path, work_dir: Path) -> dict[str, float]:
    """As `train` does, the making of the images' file included."""
    n_images = len(lay_out(images_dir, work_dir))
    clock = Clock()
    start = time.perf_counter()
    samples = load_samples(spec, work_dir, work_dir / f"cache-{os.getpid()}")
    batches = DrawnBatches(samples, spec)
    model = compile_model(spec, len(batches), build_network(spec, build_scaling(spec, samples)))
    model.fit(batches, epochs=spec.epochs, verbose=0, callbacks=[clock])
    return compute_rates(start, clock.ends, n_images)


class PublishedBatches(keras.utils.PyDataset):
    """One image after the other: load, resize, then Keras' layers."""

    def __init__(self, paths: list[Path], spec: TrainSpec) -> None:
        super().__init__(workers=1)
        self.paths, self.spec = paths, spec
        self.layers = [
            keras.layers.RandomRotation(TURN_DEG / 360, fill_mode="reflect"),
            keras.layers.RandomFlip("horizontal"),
            keras.layers.RandomContrast(CONTRAST, value_range=(0, 255)),
        ]

    def __len__(self) -> int:
        return -(-len(self.paths) // self.spec.batch_size)

    def __getitem__(self, index: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        size = self.spec.batch_size
        rows = range(index * size, min((index + 1) * size, len(self.paths)))
        crops = np.stack([self._load_image(self.paths[row]) for row in rows])
        labels = np.eye(len(WHITE_CELLS_4), dtype=np.float32)[[row % len(WHITE_CELLS_4) for row in rows]]
        known = {"known": np.ones((len(crops), 1), np.float32)} if self.spec.ood_head else {}
        return crops, {"logits": labels} | known

    def _load_image(self, path: Path) -> np.ndarray:
        loaded = keras.utils.load_img(path, target_size=(self.spec.height_px, self.spec.width_px))
        image = keras.utils.img_to_array(loaded)[None]
        for layer in self.layers:
            image = layer(image, training=True)
        return np.asarray(keras.ops.convert_to_numpy(image)[0])


def published(spec: TrainSpec, images_dir: Path, work_dir: Path) -> dict[str, float]:
    """Every image loaded and augmented by itself, in every epoch."""
    paths = lay_out(images_dir, work_dir)
    clock = Clock()
    start = time.perf_counter()
    batches = PublishedBatches(paths, spec)
    model = compile_model(spec, len(batches), build_network(spec, make_fixed_scaling(spec.scaling)))
    model.fit(batches, epochs=spec.epochs, verbose=0, callbacks=[clock])
    return compute_rates(start, clock.ends, len(paths))


def in_memory(spec: TrainSpec, images_dir: Path, work_dir: Path) -> dict[str, float]:
    """One batch, ready and unchanged, as often as there are batches."""
    n_images = len(lay_out(images_dir, work_dir))
    clock = Clock()
    samples = load_samples(spec, work_dir, work_dir / f"cache-{os.getpid()}")
    batch = DrawnBatches(samples, spec)[0]
    steps = n_images // spec.batch_size

    model = compile_model(spec, steps, build_network(spec, build_scaling(spec, samples)))
    start = time.perf_counter()
    model.fit((batch for _ in iter(int, 1)), steps_per_epoch=steps, epochs=spec.epochs, verbose=0, callbacks=[clock])
    return compute_rates(start, clock.ends, steps * spec.batch_size)


WAYS = {way.__name__: way for way in (ours, published, in_memory)}

if __name__ == "__main__":
    way, network, images, work = sys.argv[1:]
    print(json.dumps(WAYS[way](build_spec(network), Path(images), Path(work))))
