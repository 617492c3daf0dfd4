"""Why a job failed, in one sentence for the person who asked for it."""

import errno

from bloodcell.core.errors import BloodcellError

FULL_DISK = "The disk is full: make some room, then resume; the finished epochs are kept."
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def describe_failure(error: BaseException) -> str:
    """Say what went wrong; a full disk is found behind what a library made of it.

    Returns
    -------
    str
        The sentence of our own errors; what and where of the system's; else the name of the error, to be read with
        the log.
    """
    chain: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in chain:
        chain.append(link)
        link = link.__cause__ or link.__context__
    if any(_is_full_disk(one) for one in chain):
        return FULL_DISK
    if isinstance(error, BloodcellError):
        return " ".join(str(error).split())
    if isinstance(error, MemoryError):
        return "There is too little memory: take a smaller batch or network."
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return f"The system refused: {where}{error.strerror}."
    first_line = next(iter(str(error).strip().splitlines()), "")
    return f"Unexpected {type(error).__name__}: {first_line[:200].rstrip('.')}; see the log."


def _is_full_disk(error: BaseException) -> bool:
    if not isinstance(error, OSError):
        return False
    return error.errno in _FULL or "No space left on device" in str(error)  # HDF5 says it in words only
