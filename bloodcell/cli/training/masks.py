"""``teach-masks``: pictures and masks in, a folder with a U-Net out."""

import argparse
import shutil
from pathlib import Path

from bloodcell.cli.shared.output import tell
from bloodcell.cli.shared.run_folder import Terminal, begun_folder, existing_data, keeping_epochs
from bloodcell.core.settings import load_settings
from bloodcell.training.output.result_folder import RESULT_DIR
from bloodcell.training.specs.masks_spec import MasksSpec


def run(args: argparse.Namespace) -> int:
    """Teach the U-Net of ``args.spec`` on the data in ``args.data`` into the folder ``args.out``.

    Raises
    ------
    BloodcellError
        If the spec, the data or the output folder cannot be used.
    """
    spec = MasksSpec.read(Path(args.spec))
    data_dir, out = existing_data(args.data), Path(args.out)
    begun = begun_folder(out, args.resume)
    tell("Loading the training library ...")
    from bloodcell.training.masks.train_masks import teach_masks

    with keeping_epochs(begun):
        metrics = teach_masks(begun, spec, data_dir, load_settings().home / "cache", Terminal())
    (begun / RESULT_DIR).replace(out)
    shutil.rmtree(begun)
    held = metrics["held_back"]
    for name in ("dice", "iou"):
        tell(f"{name} {held[name]['mean']} {held[name]['interval']} on {held['images']} held-back pictures")
    tell(f"held against {held['against']}")
    tell(f"written to {out}")
    return 0
