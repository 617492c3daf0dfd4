"""Write the card of a taught U-Net: what it is for and not for, its figures, its data."""

from pathlib import Path
from typing import Any

from bloodcell.training.specs.masks_spec import DRAWN, MasksSpec


def write_mask_card(folder: Path, spec: MasksSpec, metrics: dict[str, Any]) -> None:
    """Write README.md of the folder of a U-Net; `metrics` as metrics.json holds them."""
    held, learned = metrics["held_back"], metrics["learned_from"]
    taught_on = "masks that people drew" if spec.targets == DRAWN else "what Otsu's threshold on green marks"
    lines = [
        f"# {spec.title or spec.name}",
        "",
        f"A U-Net with {metrics['parameters']:,} parameters that marks the pixels of the cell in a picture, resized to"
        f" {spec.height_px}x{spec.width_px} px. Taught on {taught_on}, from scratch in {metrics['seconds'] / 60:.0f}"
        f" minutes (seed {spec.seed}).",
        "",
        'It gives no class and stands on no shelf. A training uses it to hide the background: `mask` "unet", `mask_model`'
        " this folder. It is no medical device; what it marks must not be measured for a patient.",
        "",
        "## Figures",
        "",
        f"On {held['images']} held-back pictures of {held['source_cells']} source cells, against {held['against']}. Means, in"
        " brackets the 95 % interval over source cells.",
        "",
        "| figure | mean | median | least |",
        "|---|---|---|---|",
    ]
    names = {"dice": "Dice", "iou": "IoU", "dice_of_otsu": "Dice of plain Otsu, same pictures"}
    for name, words in names.items():
        if name in held:
            one = held[name]
            lines.append(f"| {words} | {one['mean']} {one['interval']} | {one['median']} | {one['least']} |")
    if metrics["leaky"]:
        lines += ["", "**Leaky:** the split has copies of one cell on both sides. These figures are too good."]
    lines += [
        "",
        "## Data it learned from",
        "",
        f"{spec.source.name}: {learned['images']} pictures of {learned['source_cells']} source cells. {metrics['left_out']}"
        " others were left out: they could not be read, have no mask, or are in no part of the split.",
    ]
    (folder / "README.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
