"""Which images were being analysed when a process died: one that ended two is not tried a third time.

A process notes its mark on images before it decodes them, and takes it off those that it gives back unfinished. So the
mark of another process on a waiting image says that this process was killed, or ran out of memory, while it had it.
"""

import secrets
from collections.abc import Sequence
from typing import Final

from sqlalchemy import Engine, func, select

from bloodcell.db.database import begin_read, begin_write
from bloodcell.db.schema import images

MAX_TRIES: Final = 2
PROCESS: Final = secrets.token_hex(4)  # the mark of this process


def count_tries(db: Engine, batch_id: int, process: str = PROCESS) -> dict[int, int]:
    """Count by how many other processes each waiting image of a batch was tried; images without a try are left out."""
    query = select(images.c.id, images.c.tried_by)
    query = query.where(images.c.batch_id == batch_id, images.c.status == "", images.c.tried_by != "")
    with begin_read(db) as connection:
        rows = connection.execute(query).all()
    counts = {row.id: len(set(row.tried_by.split()) - {process}) for row in rows}
    return {image_id: n_tries for image_id, n_tries in counts.items() if n_tries}


def note_tries(db: Engine, image_ids: Sequence[int], process: str = PROCESS) -> None:
    """Put the mark of a process on images that it is about to analyse."""
    is_new = images.c.id.in_(image_ids) & ~images.c.tried_by.contains(process)
    with begin_write(db) as connection:
        connection.execute(images.update().where(is_new).values(tried_by=images.c.tried_by + f"{process} "))


def forget_tries(db: Engine, batch_id: int, process: str = PROCESS) -> None:
    """Take the mark of a process off the waiting images of a batch."""
    is_marked = (images.c.batch_id == batch_id) & (images.c.status == "") & images.c.tried_by.contains(process)
    with begin_write(db) as connection:
        without = func.replace(images.c.tried_by, f"{process} ", "")
        connection.execute(images.update().where(is_marked).values(tried_by=without))
