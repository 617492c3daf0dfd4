"""From files to stored results, in steps that a killed process can go on with."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import Engine as Database

from bloodcell.core.errors import BloodcellError, ModelError, StoreError
from bloodcell.core.labels import UNREADABLE
from bloodcell.core.progress import OnProgress
from bloodcell.datasets.sources.uploads import IncomingFile
from bloodcell.inference.detector import Detector
from bloodcell.inference.engine import Engine
from bloodcell.inference.field_finder import FieldFinder
from bloodcell.inference.field_scale import MAX_SCALE_IMAGES, measure_batch_scale
from bloodcell.inference.pipeline import analyse
from bloodcell.inference.results import ImageResult
from bloodcell.review.batches import Batch, get_batch
from bloodcell.review.images import Arrival, add_images, list_waiting_images, store_results
from bloodcell.review.scale import read_scale, store_measured_scale
from bloodcell.review.tries import MAX_TRIES, count_tries, forget_tries, note_tries

_GIVEN_UP = ImageResult(
    UNREADABLE,
    (),
    f"This image ended the program {MAX_TRIES} times while it was analysed, so it is not tried again.",
    0,
    0,
)
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
    detector: Detector | None = None,
) -> int:
    """Find and classify the cells of every waiting image, storing the results chunk by chunk.

    If it is killed, the rest of the images waits; called again, it goes on there. Images that another process had when
    it died come last and one by one, so that only the one that is to blame can end a second process; it becomes an
    unreadable one and is not tried again. So does an image whose bytes are missing or damaged.

    Parameters
    ----------
    db : Engine of SQLAlchemy
    blobs : Blobs
    batch_id : int
    engine : Engine
        With the model that the batch was created with.
    on_progress : callable, optional
        Called with (done, total) after each image.
    detector : Detector, optional
        Finds red cells and platelets too, at the scale of the batch, which is measured now where it is not known.

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
    n_tries = count_tries(db, batch_id)
    given_up = [image_id for image_id, _ in waiting if n_tries.get(image_id, 0) >= MAX_TRIES]
    store_results(db, [(image_id, _GIVEN_UP) for image_id in given_up], engine.model_name, engine.model_sha256)
    fresh = [image for image in waiting if image[0] not in n_tries]
    suspects = [[image] for image in waiting if 0 < n_tries.get(image[0], 0) < MAX_TRIES]
    done = len(given_up)
    try:
        finder = _make_finder(db, blobs, batch_id, engine, detector, fresh)
        for group in filter(None, [fresh, *suspects]):
            for _ in _analyse_group(db, blobs, engine, finder, group):
                done += 1
                if on_progress is not None:
                    on_progress(done, len(waiting))
    finally:  # a killed process does not come here
        forget_tries(db, batch_id)
    return len(waiting)


def _make_finder(
    db: Database,
    blobs: Blobs,
    batch_id: int,
    engine: Engine,
    detector: Detector | None,
    waiting: Sequence[tuple[int, str]],
) -> FieldFinder | None:
    """Make the finder for a batch, and measure the scale on its first waiting images where it is not known."""
    if detector is None or not engine.io_spec.needs_white_cell:
        return None
    if read_scale(db, batch_id) is None and waiting:
        first = waiting[:MAX_SCALE_IMAGES]
        note_tries(db, [image_id for image_id, _ in first])
        images = _read_blobs(blobs, [sha256 for _, sha256 in first])
        store_measured_scale(db, batch_id, measure_batch_scale(detector, images))
    scale = read_scale(db, batch_id)
    return FieldFinder(detector, scale.red_cell_px if scale else None, engine.class_names)


def _analyse_group(
    db: Database, blobs: Blobs, engine: Engine, finder: FieldFinder | None, group: Sequence[tuple[int, str]]
) -> Iterator[tuple[int, ImageResult]]:
    """Analyse images, given as (image_id, sha256), and store the results, a chunk per transaction; yield each result."""

    def read_and_note() -> Iterator[bytes | BloodcellError]:
        for start in range(0, len(group), CHUNK_IMAGES):
            chunk = group[start : start + CHUNK_IMAGES]
            note_tries(db, [image_id for image_id, _ in chunk])
            yield from _read_blobs(blobs, [sha256 for _, sha256 in chunk])

    pending: list[tuple[int, ImageResult]] = []
    for (image_id, _), result in zip(group, analyse(engine, read_and_note(), finder), strict=True):
        pending.append((image_id, result))
        if len(pending) == CHUNK_IMAGES:
            store_results(db, pending, engine.model_name, engine.model_sha256)
            pending = []
        yield image_id, result
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
