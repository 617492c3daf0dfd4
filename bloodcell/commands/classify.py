"""``classify``: files in, CSV out, by the same functions as the Classify page."""

import argparse
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from sqlalchemy import Engine as Database
from tqdm import tqdm

from bloodcell.classes import UNREADABLE
from bloodcell.commands.output import existing_paths, output_file, tell, write_whole
from bloodcell.commands.summary import batch_summary
from bloodcell.data.intake import IncomingFile, count_paths, from_paths
from bloodcell.errors import StoreError
from bloodcell.infer.engine import Engine
from bloodcell.review.batches import create_batch
from bloodcell.review.database import open_database
from bloodcell.review.export import full_csv, plain_csv
from bloodcell.review.intake import analyse_waiting, take_in
from bloodcell.review.tables import cells_table, images_table
from bloodcell.runs.folder import get_model
from bloodcell.settings import load_settings

PORTION_FILES = 256
PORTION_BYTES = 64 * 2**20  # what is held in memory at once, give or take one file


class PassingBlobs:
    """Bytes on their way through: kept in memory until they are read once."""

    def __init__(self) -> None:
        self._data: dict[str, bytes] = {}

    def put(self, data: bytes) -> str:
        """Keep bytes and return their SHA-256."""
        sha256 = hashlib.sha256(data).hexdigest()
        self._data[sha256] = data
        return sha256

    def get(self, sha256: str) -> bytes:
        """Give the bytes back and forget them; StoreError if there are none."""
        if sha256 not in self._data:
            raise StoreError(f"The image {sha256[:12]} has passed already.")
        return self._data.pop(sha256)

    def clear(self) -> None:
        """Forget what nobody asked for: images that came twice."""
        self._data.clear()


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
    paths = existing_paths(args.paths)
    out = output_file(args.out)
    engine = Engine(get_model(args.model, load_settings()).folder)
    db = open_database("sqlite://")
    try:
        batch_id = _classify(db, engine, paths)
        write_whole(out, full_csv(db, batch_id) if args.full else plain_csv(db, batch_id))
        images = images_table(db, batch_id)
        for line in batch_summary(images, cells_table(db, batch_id), engine.class_names):
            tell(line)
    finally:
        db.dispose()
    tell(f"model {engine.model_name} ({engine.model_sha256[:12]}), written to {out}")
    if (images["image_status"] == UNREADABLE).all():
        tell("error: none of the files could be used; the reasons stand above.")
        return 1
    return 0


def _classify(db: Database, engine: Engine, paths: Sequence[Path]) -> int:
    """Take in and analyse all files as one batch, portion by portion; return the batch's id."""
    model = (engine.model_name, engine.model_sha256, engine.class_names)
    batch_id = create_batch(db, "command line", *model, who="")
    blobs = PassingBlobs()
    with tqdm(total=count_paths(paths), unit="image", desc="classify") as bar:
        for portion in _portions(from_paths(paths)):
            taken = take_in(db, blobs, batch_id, portion)
            bar.update(taken.n_same + taken.n_problem)
            analyse_waiting(db, blobs, batch_id, engine, lambda _done, _total: bar.update())
            blobs.clear()
    return batch_id


def _portions(incoming: Iterable[IncomingFile]) -> Iterator[list[IncomingFile]]:
    """Cut a stream of files into lists that fit in memory."""
    portion: list[IncomingFile] = []
    n_bytes = 0
    for file in incoming:
        portion.append(file)
        n_bytes += len(file.data or b"")
        if len(portion) == PORTION_FILES or n_bytes >= PORTION_BYTES:
            yield portion
            portion, n_bytes = [], 0
    if portion:
        yield portion
