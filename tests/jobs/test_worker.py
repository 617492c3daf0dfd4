"""Errors of all sorts as one sentence for the person who asked for the job."""

import errno

import pytest

from bloodcell.core.errors import DatasetError, StoreError
from bloodcell.jobs.worker import FULL_DISK, describe_failure


def behind(cause, error):
    error.__context__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (DatasetError("There is no\nsuch folder."), "There is no such folder."),
        (OSError(errno.ENOSPC, "No space left on device"), FULL_DISK),
        (OSError("Unable to write (error message = 'No space left on device')"), FULL_DISK),
        (behind(OSError(errno.ENOSPC, "x"), ValueError("Can't close the ZIP file")), FULL_DISK),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), FULL_DISK),
        (StoreError("The disk is full; nothing was changed."), "The disk is full; nothing was changed."),
        (PermissionError(errno.EACCES, "Permission denied", "a.npz"), "The system refused: a.npz: Permission denied."),
        (MemoryError(), "There is not enough memory: use a smaller batch size or network."),
        (KeyError("x"), "Unexpected KeyError: 'x'; see the log."),
        (ValueError(""), "Unexpected ValueError: ; see the log."),
        (ValueError("one.\ntwo"), "Unexpected ValueError: one; see the log."),
    ],
)
def test_reasons(error, reason):
    assert describe_failure(error) == reason
