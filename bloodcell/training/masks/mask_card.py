"""Write the card of a trained U-Net: what it is for and not for, its metrics, its data."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bloodcell.model_store.folder import ModelFolder
from bloodcell.training.specs.masks_spec import DRAWN, MasksSpec

_SCORE_TITLES = {"dice": "Dice", "iou": "IoU", "dice_of_otsu": "Dice of Otsu alone, same images"}


def write_mask_card(folder: Path, spec: MasksSpec, metrics: Mapping[str, Any]) -> None:
    """Write README.md of the folder of a U-Net.

    Parameters
    ----------
    folder : Path
        The folder; it must exist.
    spec : MasksSpec
        How the U-Net was trained.
    metrics : mapping
        Contents of metrics.json.
    """
    held_out, trained_on = metrics["held_back"], metrics["learned_from"]
    mask_origin = "masks drawn by people" if spec.targets == DRAWN else "what Otsu's threshold on green marks"
    lines = [
        f"# {spec.title or spec.name}",
        "",
        f"A U-Net with {metrics['parameters']:,} parameters that marks the pixels of the cell in an image, resized to"
        f" {spec.height_px}x{spec.width_px} px. Trained on {mask_origin}, from scratch in {metrics['seconds'] / 60:.0f}"
        f" minutes (seed {spec.seed}).",
        "",
        "It predicts no class and is not in the model library. A training run uses it to hide the background: `mask`"
        ' "unet", `mask_model` this folder. It is not a medical device; do not take measurements of its masks for a'
        " patient.",
        "",
        "## Performance",
        "",
        f"On {held_out['images']} held-out images of {held_out['source_cells']} source cells, compared with"
        f" {held_out['against']}. In brackets the 95 % interval over source cells.",
        "",
        "| metric | mean | median | minimum |",
        "|---|---|---|---|",
    ]
    for name, title in _SCORE_TITLES.items():
        if name in held_out:
            scores = held_out[name]
            lines.append(
                f"| {title} | {scores['mean']} {scores['interval']} | {scores['median']} | {scores['least']} |"
            )
    if metrics["leaky"]:
        lines += ["", "**Leaky:** the split has copies of one cell on both sides, so these metrics are too good."]
    lines += [
        "",
        "## Training data",
        "",
        f"{spec.source.name}: {trained_on['images']} images of {trained_on['source_cells']} source cells. Left out, as they"
        f" could not be read, have no mask or are in no part of the split: {metrics['left_out']}.",
    ]
    ModelFolder(folder).write_card("\n".join(lines) + "\n")
