"""Write the card of a taught U-Net: what it is for and not for, its figures, its data."""

from pathlib import Path
from typing import Any

from bloodcell.model_store.folder import ModelFolder
from bloodcell.training.specs.masks_spec import DRAWN, MasksSpec


def write_mask_card(folder: Path, spec: MasksSpec, metrics: dict[str, Any]) -> None:
    """Write README.md of the folder of a U-Net; `metrics` as metrics.json holds them."""
    held_out, trained_on = metrics["held_back"], metrics["learned_from"]
    mask_origin = "masks that people drew" if spec.targets == DRAWN else "what Otsu's threshold on green marks"
    lines = [
        f"# {spec.title or spec.name}",
        "",
        f"A U-Net with {metrics['parameters']:,} parameters that marks the pixels of the cell in a picture, resized to"
        f" {spec.height_px}x{spec.width_px} px. Taught on {mask_origin}, from scratch in {metrics['seconds'] / 60:.0f}"
        f" minutes (seed {spec.seed}).",
        "",
        'It gives no class and stands on no shelf. A training uses it to hide the background: `mask` "unet", `mask_model`'
        " this folder. It is no medical device; what it marks must not be measured for a patient.",
        "",
        "## Figures",
        "",
        f"On {held_out['images']} held-back pictures of {held_out['source_cells']} source cells, against {held_out['against']}. Means, in"
        " brackets the 95 % interval over source cells.",
        "",
        "| figure | mean | median | least |",
        "|---|---|---|---|",
    ]
    names = {"dice": "Dice", "iou": "IoU", "dice_of_otsu": "Dice of plain Otsu, same pictures"}
    for name, words in names.items():
        if name in held_out:
            one = held_out[name]
            lines.append(f"| {words} | {one['mean']} {one['interval']} | {one['median']} | {one['least']} |")
    if metrics["leaky"]:
        lines += ["", "**Leaky:** the split has copies of one cell on both sides. These figures are too good."]
    lines += [
        "",
        "## Data it learned from",
        "",
        f"{spec.source.name}: {trained_on['images']} pictures of {trained_on['source_cells']} source cells. {metrics['left_out']}"
        " others were left out: they could not be read, have no mask, or are in no part of the split.",
    ]
    ModelFolder(folder).write_card("\n".join(lines) + "\n")
