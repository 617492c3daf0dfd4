"""``teach-masks``: pictures and masks in, a folder with a U-Net out."""

import argparse
import shutil
from pathlib import Path

from bloodcell.cli.shared.output import print_info
from bloodcell.cli.shared.run_folder import TerminalProgress, find_data_dir, find_work_dir, print_resume_hint
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
    data_dir, out = find_data_dir(args.data), Path(args.out)
    work_dir = find_work_dir(out, args.resume)
    print_info("Loading the training library ...")
    from bloodcell.training.masks.train_masks import train_mask_model

    with print_resume_hint(work_dir):
        metrics = train_mask_model(work_dir, spec, data_dir, load_settings().home / "cache", TerminalProgress())
    (work_dir / RESULT_DIR).replace(out)
    shutil.rmtree(work_dir)
    held_out = metrics["held_back"]
    for name in ("dice", "iou"):
        print_info(
            f"{name} {held_out[name]['mean']} {held_out[name]['interval']} on {held_out['images']} held-back pictures"
        )
    print_info(f"held against {held_out['against']}")
    print_info(f"written to {out}")
    return 0
