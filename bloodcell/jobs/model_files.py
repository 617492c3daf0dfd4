"""Model files that were handed over, kept in the workspace until the job that loads them has read them."""

import hashlib
from pathlib import Path

from bloodcell.core.errors import StoreError
from bloodcell.core.io import write_atomic
from bloodcell.core.settings import Settings
from bloodcell.jobs.files import delete_old_files

# A file is kept for so long, so that its job can be tried again.
RETENTION_DAYS = 7


def store_model_file(data: bytes, file_name: str, settings: Settings) -> Path:
    """Keep the bytes of a model's file in the workspace, under their SHA-256, and let older ones go (`RETENTION_DAYS`).

    Raises
    ------
    StoreError
        If the disk is full or refuses.
    """
    delete_old_files(settings.incoming_models_dir, RETENTION_DAYS)
    path = settings.incoming_models_dir / f"{hashlib.sha256(data).hexdigest()}{Path(file_name).suffix.lower()}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, data)
    except OSError as error:
        raise StoreError(f"The file of the model cannot be stored: {error.strerror}.") from error
    return path
