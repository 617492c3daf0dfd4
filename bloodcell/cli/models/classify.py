"""``classify``: files in, CSV out, by the same functions as the Classify page."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import Engine as Database
from tqdm import tqdm

from bloodcell.cli.shared.output import check_output_file, check_paths, print_info, write_output
from bloodcell.cli.shared.summary import summarise_batch
from bloodcell.core.labels import UNREADABLE
from bloodcell.core.settings import load_settings
from bloodcell.datasets.sources.uploads import count_paths, read_paths
from bloodcell.db.database import open_database
from bloodcell.inference.engine import Engine
from bloodcell.model_store.folder import get_model
from bloodcell.review.batches import create_batch, get_batch
from bloodcell.review.export import encode_per_cell, encode_per_image
from bloodcell.review.intake import analyse_stream
from bloodcell.review.tables import read_cells_table, read_images_table


def run(args: argparse.Namespace) -> int:
    """Classify ``args.paths`` with ``args.model`` into ``args.out``, plain or ``args.full``.

    Returns
    -------
    int, exit code: 1 if no file could be used (the CSV with the reasons is there all the same), else 0

    Raises
    ------
    BloodcellError
        If a path, the model or the output cannot be used; nothing is written then.
    """
    paths = check_paths(args.paths)
    out = check_output_file(args.out)
    engine = Engine(get_model(args.model, load_settings()).folder)
    db = open_database("sqlite://")
    try:
        batch_id = _classify(db, engine, paths)
        images, cells = read_images_table(db, batch_id), read_cells_table(db, batch_id)
        write_output(
            out,
            encode_per_cell(get_batch(db, batch_id), images, cells) if args.full else encode_per_image(images, cells),
        )
        for line in summarise_batch(images, cells, engine.class_names):
            print_info(line)
    finally:
        db.dispose()
    print_info(f"model {engine.model_name} ({engine.model_sha256[:12]}), written to {out}")
    if (images["image_status"] == UNREADABLE).all():
        print_info("error: none of the files could be used; the reasons stand above.")
        return 1
    return 0


def _classify(db: Database, engine: Engine, paths: Sequence[Path]) -> int:
    """Take in and analyse all files as one batch; return the batch's id."""
    model = (engine.model_name, engine.model_sha256, engine.class_names)
    batch_id = create_batch(db, "command line", *model, who="")
    with tqdm(total=count_paths(paths), unit="image", desc="classify") as bar:
        analyse_stream(db, batch_id, engine, read_paths(paths), bar.update)
    return batch_id
