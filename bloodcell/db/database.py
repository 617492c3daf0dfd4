"""Opening the database of a workspace, and the two transactions by which everything reads and writes.

All that differs between SQLite and PostgreSQL is in this file.
"""

import json
import math
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, func, inspect, select, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.pool import NullPool, StaticPool

from bloodcell.core.errors import StoreError
from bloodcell.db.schema import metadata

HEAD_REVISION = "0005"  # the newest file of migrations/versions; spares importing Alembic when up to date
BUSY_TIMEOUT_S = 5.0
CONNECT_TIMEOUT_S = 10  # to a server
MIGRATION_LOCK_KEY = 0x626C6F6F  # any number, the same in every process ("bloo")
_MIGRATIONS_DIR = Path(__file__).parent / "migrations"
_alembic_lock = threading.Lock()  # Alembic keeps its context in module globals

# Words in the message of a driver, and the plain sentence for it; the first that fits is used.
_REASONS = (
    (
        ("locked", "busy", "lock timeout", "deadlock"),
        "The database is in use by another program; nothing was changed. Try again.",
    ),
    (
        ("disk is full", "no space left", "diskfull"),
        "The disk is full; nothing was changed. Free some space, then try again.",
    ),
    (("readonly", "read-only"), "The database cannot be written to; check the permissions of the workspace."),
    (
        ("unable to open",),
        "The database cannot be opened; check the permissions of the workspace.",
    ),
    (("not a database", "malformed"), "The database file is damaged or is not a Bloodcell database."),
    (
        ("connection refused", "connection timeout", "could not connect", "server closed", "starting up"),
        "The database server does not answer; check that it is running, and the address in BLOODCELL_DB.",
    ),
    (("no such table", 'relation "'), "The database has lost its tables; restart Bloodcell to create them."),
)


def open_database(url: str, busy_timeout_s: float = BUSY_TIMEOUT_S) -> Engine:
    """Open the database of a workspace and bring its tables up to date; a missing one is created.

    Parameters
    ----------
    url : str
        SQLAlchemy URL; ``sqlite://`` alone is a database in memory that ends with the process.
    busy_timeout_s : float, default 5
        How long a write waits for another process before it gives up.

    Returns
    -------
    Engine
        To be handed to the functions of `bloodcell.review` and `bloodcell.jobs`; safe to use from several threads.
        A SQLite file that vanishes later (workspace moved or deleted) is created again at the next use.

    Raises
    ------
    StoreError
        If the URL cannot be used, or the database is locked, damaged, not writable or newer than Bloodcell.

    Examples
    --------
    >>> db = open_database("sqlite://")
    >>> with begin_read(db) as connection:
    ...     connection.scalar(text("SELECT count(*) FROM batches"))
    0
    """
    db = _create_engine(url, busy_timeout_s)
    _prepare(db)
    return db


@contextmanager
def begin_read(db: Engine) -> Iterator[Connection]:
    """Open a transaction for a consistent read; errors of the database come out as StoreError."""
    with _translate_errors():
        _recreate_if_missing(db)
        with db.connect() as connection:
            if connection.dialect.name == "postgresql":  # by itself it would let each query see a later state
                connection.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():
                yield connection


@contextmanager
def begin_write(db: Engine) -> Iterator[Connection]:
    """Open a transaction whose changes are all kept at the end, or none of them; errors come out as StoreError.

    SQLite takes the write lock at once: a transaction that reads first and asks for the lock later would
    be refused without waiting whenever another one wrote in between.
    """
    with _translate_errors():
        _recreate_if_missing(db)
        with db.connect().execution_options(sqlite_begin="BEGIN IMMEDIATE") as connection, connection.begin():
            yield connection


def take_lock(connection: Connection, key: int) -> None:
    """Let no other process pass this place with the same `key` until the transaction of `begin_write` ends.

    SQLite has one writer anyway; PostgreSQL would let two count the same rows.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(key)))


def _create_engine(url: str, busy_timeout_s: float) -> Engine:
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() != "sqlite":
            return create_engine(
                parsed,
                pool_pre_ping=True,
                json_serializer=_dump_json,
                connect_args=_make_server_args(parsed, busy_timeout_s),
            )
        connect_args = {"timeout": busy_timeout_s, "check_same_thread": False}
        # NullPool: a kept connection would go on writing into a database file that has been deleted.
        pool = StaticPool if _sqlite_path(parsed) is None else NullPool
        db = create_engine(parsed, connect_args=connect_args, poolclass=pool, json_serializer=_dump_json)
    except (ArgumentError, ModuleNotFoundError) as error:
        raise StoreError(f"The database address cannot be used: {str(error).splitlines()[0]}") from error
    event.listen(db, "connect", _on_sqlite_connect)
    event.listen(db, "begin", _on_sqlite_begin)
    return db


def _make_server_args(url: URL, busy_timeout_s: float) -> dict[str, Any]:
    """Make the arguments of PostgreSQL's driver besides the address."""
    if url.get_backend_name() != "postgresql":
        return {}
    return {"connect_timeout": CONNECT_TIMEOUT_S, "options": f"-c lock_timeout={round(busy_timeout_s * 1000)}"}


def _dump_json(value: Any) -> str:
    """Write JSON without NaN and infinity, which it does not know and PostgreSQL refuses: they become null."""
    try:
        return json.dumps(value, allow_nan=False)
    except ValueError:
        return json.dumps(_replace_nan(value))


def _replace_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _replace_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_replace_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _on_sqlite_connect(dbapi_connection: sqlite3.Connection, _record: object) -> None:
    dbapi_connection.isolation_level = None  # sqlite3 must not begin transactions of its own
    dbapi_connection.execute("PRAGMA foreign_keys = ON")


def _on_sqlite_begin(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("sqlite_begin", "BEGIN"))


def _sqlite_path(url: URL) -> Path | None:
    """Return the file of a SQLite URL; None for a database in memory or of another make."""
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        return None
    return Path(str(url.database))


def _recreate_if_missing(db: Engine) -> None:
    """Create the database again if its file is gone."""
    path = _sqlite_path(db.url)
    if path is not None and not path.exists():
        _prepare(db)


def _prepare(db: Engine) -> None:
    """Create folder, file and tables as far as they are missing."""
    path = _sqlite_path(db.url)
    if path is not None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"The workspace folder cannot be created: {error.strerror}.") from error
    with _translate_errors():
        with db.connect() as connection, connection.begin():
            revision = _read_revision(connection)
        if revision == HEAD_REVISION:
            return
        if path is not None:
            _switch_to_wal(db)
        with db.connect().execution_options(sqlite_begin="BEGIN IMMEDIATE") as connection, connection.begin():
            _upgrade(connection)


def _read_revision(connection: Connection) -> str | None:
    """Return the version of the tables, None where there are none yet."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision


def _switch_to_wal(db: Engine) -> None:
    """Turn on write-ahead logging, which stays with the file: readers then never wait for a writer."""
    raw = db.raw_connection()  # SQLAlchemy would begin a transaction, inside which SQLite refuses the switch
    try:
        give_up_at = time.monotonic() + raw.cursor().execute("PRAGMA busy_timeout").fetchone()[0] / 1000
        while True:  # SQLite does not wait by itself while another process makes the same switch
            try:
                raw.cursor().execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:
                if time.monotonic() >= give_up_at:
                    raise StoreError(_describe_error(error)) from error
                time.sleep(0.02)
    finally:
        raw.close()


def _upgrade(connection: Connection) -> None:
    """Run the migrations that are missing, inside the transaction of `connection`."""
    take_lock(connection, MIGRATION_LOCK_KEY)
    revision = _read_revision(connection)  # again: another process may have been quicker
    if revision == HEAD_REVISION:
        return
    if connection.dialect.name == "sqlite" and _sqlite_path(connection.engine.url) is None:
        # In memory: always new, so there is no history to walk through.
        metadata.create_all(connection)
        connection.exec_driver_sql("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
        connection.execute(text("INSERT INTO alembic_version VALUES (:head)"), {"head": HEAD_REVISION})
        return

    # Imported here: it costs 0.2 s, and an up-to-date database does not need it.
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS_DIR).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    try:
        with _alembic_lock:
            command.upgrade(config, "head")
    except CommandError as error:
        raise StoreError(
            f"The database was written by another version of Bloodcell (tables {revision}, this version knows"
            f" {HEAD_REVISION}): update Bloodcell."
        ) from error


@contextmanager
def _translate_errors() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        raise StoreError(_describe_error(error.orig or error)) from error


def _describe_error(error: BaseException) -> str:
    """Say in one sentence what the driver reports."""
    message = str(error)
    for words, sentence in _REASONS:
        if any(word in message.lower() for word in words):
            return sentence
    first_line = next(iter(message.strip().splitlines()), type(error).__name__)
    return f"The database refused: {first_line.rstrip('.')}."
