"""``train-masks``: images and masks in, a folder with a U-Net out."""

import argparse
from pathlib import Path

from bloodcell.cli.shared.arguments import add_experiment_arguments
from bloodcell.cli.shared.output import print_info
from bloodcell.cli.shared.run_folder import open_run_folder
from bloodcell.reports.numbers import format_count
from bloodcell.training.specs.masks_spec import MasksSpec

DETAILS = (
    "It is trained on masks that Otsu's method makes, or on drawn ones. The setting mask_model of a training names the folder "
    "that it writes; its metrics.json holds Dice and IoU on held-out images. Ctrl-C stops training, --resume continues it. "
    "`jobs submit --kind masks` trains in the background."
)
EXAMPLE = "train-masks specs/unet-wbc-masks.json --data ../shared/data --out workspace/runs/unet"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``train-masks``."""
    add_experiment_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Train the U-Net of ``args.spec`` on the data in ``args.data`` into the folder ``args.out``.

    Raises
    ------
    BloodcellError
        If the settings, the data or the output folder cannot be used.
    """
    spec = MasksSpec.read(Path(args.spec))
    with open_run_folder(args) as folder:
        from bloodcell.training.masks.train_masks import train_mask_model

        metrics = train_mask_model(folder.work_dir, spec, folder.data_dir, folder.cache_dir, folder.progress)
        held_out = metrics["held_back"]
        for name, title in (("dice", "Dice"), ("iou", "IoU")):
            values = f"{held_out[name]['mean']} {held_out[name]['interval']}"
            print_info(f"{title} {values} on {format_count(held_out['images'], 'held-out image')}")
        print_info(f"compared with {held_out['against']}")
    return 0
