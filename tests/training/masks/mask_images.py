"""Drawn images with the masks of their cells, and a U-Net trained on them once per test session."""

from pathlib import Path

import numpy as np

from bloodcell.core.progress import Control
from bloodcell.datasets.catalog.source_spec import SourceSpec
from bloodcell.imaging.read import encode_png
from bloodcell.model_store.folder import MASK_FILE
from bloodcell.training.output.result_folder import RESULT_DIR
from bloodcell.training.specs.masks_spec import DRAWN, MasksSpec

SOURCE = SourceSpec("spots", "spots", groups="each")
SPEC = MasksSpec(
    name="spots-unet",
    source=SOURCE,
    targets=DRAWN,
    masks="masks",
    height_px=32,
    width_px=48,
    stage_widths=(8, 16),
    epochs=12,
    batch_size=4,
    learning_rate=3e-3,
    held_share=0.25,
)
HEIGHT_PX, WIDTH_PX = 64, 96
_DONE: list[tuple[Path, Path]] = []


def spot(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A violet disc with a darker core on light ground, and its mask: 0 ground, 128 rim, 255 core."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:HEIGHT_PX, :WIDTH_PX]
    away = np.hypot(rows - rng.uniform(20, 44), columns - rng.uniform(24, 72))
    radius = rng.uniform(10, 18)
    rgb = np.full((HEIGHT_PX, WIDTH_PX, 3), (225, 215, 220), np.int16)
    rgb[away < radius] = (170, 120, 190)
    rgb[away < radius / 2] = (95, 50, 130)
    noisy = np.clip(rgb + rng.integers(-8, 9, rgb.shape), 0, 255).astype(np.uint8)
    mask = np.where(away < radius / 2, 255, np.where(away < radius, 128, 0)).astype(np.uint8)
    return noisy, mask


def write_spots(data_dir: Path, n: int = 24) -> Path:
    """Write images of two classes to data_dir/spots, and their masks to its folder masks; gives `data_dir`."""
    for seed in range(n):
        rgb, mask = spot(seed)
        folder = data_dir / "spots" / ("A" if seed % 2 else "B")
        for place, image in ((folder, rgb), (data_dir / "spots" / "masks" / folder.name, np.dstack([mask] * 3))):
            place.mkdir(parents=True, exist_ok=True)
            (place / f"{seed:02d}.png").write_bytes(encode_png(image))
    return data_dir


def train_spots(tmp_path_factory) -> tuple[Path, Path]:
    """(data folder, folder of the U-Net) of the one training run."""
    from bloodcell.training.masks.train_masks import train_mask_model

    if not _DONE:
        work = tmp_path_factory.mktemp("spots")
        data_dir = write_spots(work / "data")
        train_mask_model(work / "work", SPEC, data_dir, work / "cache", Control())
        folder = work / "work" / RESULT_DIR
        assert (folder / MASK_FILE).is_file()
        _DONE.append((data_dir, folder))
    return _DONE[0]
