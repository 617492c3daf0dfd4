"""What came of teaching a U-Net: how well it meets the masks held back, and pictures from the worst to the best."""

from pathlib import Path

import streamlit as st

from bloodcell.core.settings import load_settings
from bloodcell.imaging.read import encode_jpeg
from bloodcell.jobs.store import Job
from bloodcell.model_store.mask_models import EXAMPLES_FILE, Examples, read_mask_model
from bloodcell.plots.cell_images import draw_outline
from bloodcell.reports.numbers import format_count
from bloodcell.ui.shared.cache import get_or_compute
from bloodcell.ui.shared.image_grid import data_uri, show_image_grid
from bloodcell.ui.shared.messages import escape_md

IMAGES_PER_ROW = 8  # pictures: even, so that the two of an example stay side by side


def show(job: Job) -> None:
    """Show Dice and IoU with their intervals, and held-back pictures with the mask wanted and the mask given."""
    model = read_mask_model(load_settings().runs_dir / job.result)
    figures = model.metrics
    parts = {"Dice": "dice", "IoU": "iou", "Dice of plain Otsu": "dice_of_otsu"}
    known = {words: figures[name] for words, name in parts.items() if name in figures}
    columns = st.columns(4)
    for column, (words, one) in zip(columns, known.items(), strict=False):
        low, high = one["interval"]
        column.metric(words, f"{one['mean']:.3f}", f"{low:.3f} to {high:.3f}", delta_color="off", delta_arrow="off")
    columns[-1].metric(
        "Held-back pictures",
        f"{figures['images']:,}",
        f"of {figures['source_cells']:,} source cells",
        delta_color="off",
        delta_arrow="off",
    )
    st.caption(
        f"Held against {escape_md(figures['against'])}. Below each mean, the 95 % interval over source cells. The worst picture "
        f"has Dice {figures['dice']['least']:.3f}."
    )
    stamp = (model.folder / EXAMPLES_FILE).stat().st_mtime_ns
    images = get_or_compute(
        ("mask-examples", str(model.folder), stamp), lambda: _make_grid_images(model.folder / EXAMPLES_FILE)
    )
    st.markdown(f"**{format_count(len(images) // 2, 'held-back picture')}, from the worst to the best**")
    show_image_grid(images, f"repeat({IMAGES_PER_ROW},minmax(0,1fr))")


def _make_grid_images(path: Path) -> list[tuple[str, str]]:
    """Two pictures an example: outlined by the mask that was wanted, and by the one that the U-Net gave."""
    examples, figures = Examples.load(path), []
    for rgb, wanted, given, dice, file in zip(
        examples.rgb, examples.wanted, examples.given, examples.dice.tolist(), examples.file, strict=True
    ):
        name = file.rsplit("/", 1)[-1]
        for mask, words in ((wanted, f"{name}: wanted"), (given, f"U-Net: Dice {dice:.3f}")):
            figures.append((data_uri(encode_jpeg(draw_outline(rgb, mask))), words))
    return figures
