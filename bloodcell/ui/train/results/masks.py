"""The result of training a U-Net: its agreement with the held-out masks, and images from the worst to the best."""

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

IMAGES_PER_ROW = 8  # even, so that the two images of an example stay side by side


def show(job: Job) -> None:
    """Show Dice and IoU with their intervals, and held-out images with the true and the predicted mask."""
    model = read_mask_model(load_settings().runs_dir / job.result)
    metrics = model.metrics
    titles = {"Dice": "dice", "IoU": "iou", "Dice of Otsu's threshold": "dice_of_otsu"}
    shown = {title: metrics[name] for title, name in titles.items() if name in metrics}
    columns = st.columns(4)
    for column, (title, metric) in zip(columns, shown.items(), strict=False):
        low, high = metric["interval"]
        column.metric(title, f"{metric['mean']:.3f}", f"{low:.3f} to {high:.3f}", delta_color="off", delta_arrow="off")
    columns[-1].metric(
        "Held-out images",
        f"{metrics['images']:,}",
        f"of {format_count(metrics['source_cells'], 'source cell')}",
        delta_color="off",
        delta_arrow="off",
    )
    st.caption(
        f"Compared with {escape_md(metrics['against'])}. Below each mean: the 95 % interval over source cells. The worst "
        f"image has a Dice of {metrics['dice']['least']:.3f}."
    )
    stamp = (model.folder / EXAMPLES_FILE).stat().st_mtime_ns
    images = get_or_compute(
        ("mask-examples", str(model.folder), stamp), lambda: _make_grid_images(model.folder / EXAMPLES_FILE)
    )
    st.markdown(f"**{format_count(len(images) // 2, 'held-out image')}, from the worst to the best**")
    show_image_grid(images, f"repeat({IMAGES_PER_ROW},minmax(0,1fr))")


def _make_grid_images(path: Path) -> list[tuple[str, str]]:
    """Two images per example: outlined by the true mask, and by the one that the U-Net predicted."""
    examples, images = Examples.load(path), []
    for rgb, true_mask, predicted_mask, dice, file in zip(
        examples.rgb, examples.true_mask, examples.predicted_mask, examples.dice.tolist(), examples.file, strict=True
    ):
        name = file.rsplit("/", 1)[-1]
        for mask, caption in ((true_mask, f"{name}: true mask"), (predicted_mask, f"U-Net: Dice {dice:.3f}")):
            images.append((data_uri(encode_jpeg(draw_outline(rgb, mask))), caption))
    return images
