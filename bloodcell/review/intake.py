"""From files to stored results, in steps that a killed process can go on with."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import Engine as Database

from bloodcell.core.errors import BloodcellError, ModelError, StoreError
from bloodcell.core.progress import OnProgress
from bloodcell.datasets.sources.uploads import IncomingFile
from bloodcell.inference.engine import Engine
from bloodcell.inference.pipeline import analyse
from bloodcell.inference.results import ImageResult
from bloodcell.review.batches import Batch, get_batch
from bloodcell.review.images import Arrival, add_images, list_waiting_images, store_results

CHUNK_IMAGES = 64  # one transaction each: what a killed process has to do again at most


class Blobs(Protocol):
    """Where the bytes of images are stored: a `datasets.sources.blobs.BlobStore`, or another place for a test."""

    def put(self, data: bytes) -> str:
        """Store bytes and return their SHA-256."""

    def get(self, sha256: str) -> bytes:
        """Return the bytes; StoreError if they are missing or damaged."""


@dataclass(frozen=True)
class IntakeCounts:
    """How many files were new, were exact duplicates of another one, or could not be used."""

    n_new: int
    n_duplicates: int
    n_problem: int


def add_files(
    db: Database,
    blobs: Blobs,
    batch_id: int,
    incoming: Iterable[IncomingFile],
    on_progress: OnProgress | None = None,
    total: int = 0,
) -> IntakeCounts:
    """Store the bytes of files as they arrive and add them to a batch.

    Parameters
    ----------
    db : Engine
    blobs : Blobs
        Where the bytes go.
    batch_id : int
    incoming : iterable of IncomingFile
        Read once and lazily.
    on_progress : callable, optional
        Called with (done, total) after each file.
    total : int, default 0
        How many files are expected, for `on_progress`.

    Returns
    -------
    IntakeCounts

    Raises
    ------
    StoreError
        If the disk is full or the database refuses. What had arrived before is in the batch; adding the same
        files again adds only the missing ones.
    """
    pending: list[Arrival] = []
    counts = {"new": 0, "duplicate": 0, "problem": 0}

    def note_pending() -> None:
        for arrival, image in zip(pending, add_images(db, batch_id, pending), strict=True):
            kind = "problem" if arrival.sha256 is None else "new" if image.is_new else "duplicate"
            counts[kind] += 1
        pending.clear()

    try:
        for done, file in enumerate(incoming, start=1):
            pending.append(_make_arrival(file, blobs.put))
            if len(pending) == CHUNK_IMAGES:
                note_pending()
            if on_progress is not None:
                on_progress(done, total)
    finally:  # also after an error: what is stored already belongs to the batch
        note_pending()
    return IntakeCounts(counts["new"], counts["duplicate"], counts["problem"])


def analyse_waiting(
    db: Database,
    blobs: Blobs,
    batch_id: int,
    engine: Engine,
    on_progress: OnProgress | None = None,
) -> int:
    """Find and classify the cells of every waiting image, storing the results chunk by chunk.

    If it is killed, the rest of the images waits; called again, it goes on there. An image whose bytes are missing
    or damaged becomes an unreadable one with that reason.

    Parameters
    ----------
    db : Engine of SQLAlchemy
    blobs : Blobs
    batch_id : int
    engine : Engine
        With the model that the batch was created with.
    on_progress : callable, optional
        Called with (done, total) after each image.

    Returns
    -------
    int
        How many images were analysed.

    Raises
    ------
    ModelError
        If the engine holds another model than the batch.
    StoreError
        If there is no such batch, or the database refuses.
    """
    _check_same_model(get_batch(db, batch_id), engine)
    waiting = list_waiting_images(db, batch_id)
    results = analyse(engine, _read_blobs(blobs, [sha256 for _, sha256 in waiting]))
    with_ids = ((image_id, result) for (image_id, _), result in zip(waiting, results, strict=True))
    for done in _store_chunks(db, engine, with_ids):
        if on_progress is not None:
            on_progress(done, len(waiting))
    return len(waiting)


def _store_chunks(db: Database, engine: Engine, results: Iterable[tuple[int, ImageResult]]) -> Iterator[int]:
    """Store the results of images, a chunk per transaction; yield how many images are done so far."""
    pending: list[tuple[int, ImageResult]] = []
    for done, result in enumerate(results, start=1):
        pending.append(result)
        if len(pending) == CHUNK_IMAGES:
            store_results(db, pending, engine.model_name, engine.model_sha256)
            pending = []
        yield done
    if pending:
        store_results(db, pending, engine.model_name, engine.model_sha256)


def _make_arrival(file: IncomingFile, store: Callable[[bytes], str]) -> Arrival:
    """Store the bytes of a file by `store`, which returns their SHA-256, and note what arrived."""
    if file.data is None or file.problem:
        return Arrival(file.name, None, file.problem or "The file could not be read.")
    return Arrival(file.name, store(file.data))


def _read_blobs(blobs: Blobs, sha256s: Sequence[str]) -> Iterator[bytes | BloodcellError]:
    """Read the images one by one, as the pipeline asks for them."""
    for sha256 in sha256s:
        try:
            yield blobs.get(sha256)
        except StoreError as error:
            yield error


def _check_same_model(batch: Batch, engine: Engine) -> None:
    """Refuse to mix the predictions of two models in one batch."""
    if (batch.model_sha256, batch.class_names) != (engine.model_sha256, tuple(engine.class_names)):
        raise ModelError(
            f"The batch was created with the model {batch.model_name} ({batch.model_sha256[:12]})."
            f" Received: {engine.model_name} ({engine.model_sha256[:12]})."
        )
