"""Opening: migrations, two processes at once, locks, full disks, lost and damaged files."""

import multiprocessing
import shutil
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, event, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from bloodcell.core.errors import StoreError
from bloodcell.db import database
from bloodcell.db.database import HEAD_REVISION, begin_read, begin_write, open_database
from bloodcell.db.schema import metadata
from bloodcell.jobs.store import list_jobs
from bloodcell.review.batches import create_batch, list_batches
from bloodcell.review.corrections import add_correction
from bloodcell.review.images import list_waiting_images
from bloodcell.review.tables import read_cells_table
from tests.review.batch import analysed, cell, image, new_batch

COLUMNS = "(id, name, model_name, model_sha256, class_names, created_at, created_by)"


def test_migrations_make_exactly_the_schema(db):
    with begin_read(db) as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_a_database_of_before_jobs_keeps_its_batches(tmp_path):
    path = tmp_path / "bloodcell.db"
    config = Config()
    config.set_main_option("script_location", str(database._MIGRATIONS_DIR))
    config.set_main_option("path_separator", "os")
    with create_engine(f"sqlite:///{path}").begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.exec_driver_sql("INSERT INTO batches VALUES (1, 'old', 'm', '', '[]', '', '', NULL)")
    db = open_database(f"sqlite:///{path}")
    assert [batch.name for batch in list_batches(db)] == ["old"]
    assert list_jobs(db) == []


def test_in_memory_database_is_the_same():
    db = open_database("sqlite://")
    with begin_read(db) as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == HEAD_REVISION
    db.dispose()


def test_head_revision_is_the_newest_migration():
    config = Config()
    config.set_main_option("script_location", str(database._MIGRATIONS_DIR))
    config.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD_REVISION]


@pytest.mark.parametrize("table", metadata.sorted_tables, ids=lambda table: table.name)
def test_tables_can_be_made_on_postgresql(table):
    assert f"CREATE TABLE {table.name}" in str(CreateTable(table).compile(dialect=postgresql.dialect()))


def test_sqlite_settings(db):
    with begin_read(db) as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 5000
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2  # full: kept after a power cut


def test_opening_an_up_to_date_database_is_cheap(db_path):
    took_s = []
    for _ in range(5):
        start = time.process_time()
        open_database(f"sqlite:///{db_path}")
        took_s.append(time.process_time() - start)
    assert min(took_s) < 0.05


@pytest.mark.process
def test_opening_an_up_to_date_database_does_not_import_alembic(db_path):
    code = (
        "import sys; from bloodcell.db.database import open_database;"
        f"open_database('sqlite:///{db_path}'); print('alembic' in sys.modules)"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout == "False\n"


def _open_and_note(url, start, answers):
    start.wait()
    try:
        db = open_database(url)
        answers.put(create_batch(db, "b", "m", "0" * 64, ["A"], "x"))
    except StoreError as error:
        answers.put(str(error))


@pytest.mark.process
def test_three_processes_open_a_new_workspace_at_once(tmp_path):
    context = multiprocessing.get_context("spawn")
    start, answers = context.Event(), context.Queue()
    url = f"sqlite:///{tmp_path / 'new' / 'bloodcell.db'}"
    processes = [context.Process(target=_open_and_note, args=(url, start, answers)) for _ in range(3)]
    for process in processes:
        process.start()
    start.set()
    assert sorted(answers.get(timeout=20) for _ in processes) == [1, 2, 3]
    for process in processes:
        process.join()


def test_a_failed_migration_leaves_nothing_behind(tmp_path, monkeypatch):
    path = tmp_path / "bloodcell.db"
    broken = tmp_path / "migrations"
    shutil.copytree(database._MIGRATIONS_DIR, broken)
    first = broken / "versions" / "0001_first_tables.py"
    first.write_text(first.read_text() + "    op.execute('INSERT INTO no_table VALUES (1)')\n")
    monkeypatch.setattr(database, "_MIGRATIONS_DIR", broken)
    with pytest.raises(StoreError, match="lost its tables"):
        open_database(f"sqlite:///{path}")
    with closing(sqlite3.connect(path)) as raw:
        assert raw.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    monkeypatch.undo()
    assert list_batches(open_database(f"sqlite:///{path}")) == []


def test_locked_database_says_so_loses_nothing_and_works_again(db_path):
    db = open_database(f"sqlite:///{db_path}", busy_timeout_s=0.1)
    batch_id = new_batch(db)
    analysed(db, batch_id, "a.jpg", 1, image(cell()))
    cell_id = int(read_cells_table(db, batch_id)["cell_id"][0])
    with closing(sqlite3.connect(db_path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="in use by another program; nothing was changed"):
            add_correction(db, cell_id, "OTHER", "Ada")
        assert read_cells_table(db, batch_id)["correction"].tolist() == [""]  # reading goes on meanwhile
        open_database(f"sqlite:///{db_path}", busy_timeout_s=0.1)  # and so does opening
        other.execute("ROLLBACK")
    add_correction(db, cell_id, "OTHER", "Ada")
    assert read_cells_table(db, batch_id)["correction"].tolist() == ["OTHER"]


@pytest.mark.process
def test_a_write_waits_for_a_short_lock(db_path):
    db = open_database(f"sqlite:///{db_path}")
    code = (
        "import sqlite3, sys, time; c = sqlite3.connect(sys.argv[1], isolation_level=None);"
        "c.execute('BEGIN IMMEDIATE'); print('locked', flush=True); time.sleep(0.3); c.execute('COMMIT')"
    )
    with subprocess.Popen([sys.executable, "-c", code, db_path], stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"locked\n"
        assert new_batch(db) == 1


def test_new_database_that_another_process_holds(tmp_path):
    path = tmp_path / "bloodcell.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreError, match="in use by another program"):
            open_database(f"sqlite:///{path}", busy_timeout_s=0.1)
        other.execute("ROLLBACK")
    assert list_batches(open_database(f"sqlite:///{path}")) == []


def test_switch_to_wal_gives_up_after_the_timeout(tmp_path):
    path = tmp_path / "bloodcell.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("CREATE TABLE t (i)")
        other.execute("BEGIN IMMEDIATE")  # reading is possible, so the version is read first
        with pytest.raises(StoreError, match="in use by another program"):
            open_database(f"sqlite:///{path}", busy_timeout_s=0.1)


def test_full_disk_says_so_and_loses_nothing(db):
    batch_id = new_batch(db)
    with db.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()

    def fill(dbapi_connection, _record):
        dbapi_connection.execute(f"PRAGMA max_page_count = {pages}")

    event.listen(db, "connect", fill)
    with pytest.raises(StoreError, match="The disk is full; nothing was changed"):
        create_batch(db, "x" * 200, "m" * 10_000, "0" * 64, ["A"], "Ada")
    event.remove(db, "connect", fill)
    assert [batch.id for batch in list_batches(db)] == [batch_id]
    assert new_batch(db) == batch_id + 1


def test_a_workspace_can_be_moved(tmp_path):
    db = open_database(f"sqlite:///{tmp_path / 'old' / 'bloodcell.db'}")
    batch_id = new_batch(db)
    analysed(db, batch_id, "a.jpg", 1, image(cell()))
    assert str(tmp_path).encode() not in (tmp_path / "old" / "bloodcell.db").read_bytes()
    shutil.move(tmp_path / "old", tmp_path / "moved")
    moved = open_database(f"sqlite:///{tmp_path / 'moved' / 'bloodcell.db'}")
    assert len(read_cells_table(moved, batch_id)) == 1


def test_a_deleted_workspace_is_made_anew_under_an_open_engine(tmp_path):
    db = open_database(f"sqlite:///{tmp_path / 'ws' / 'bloodcell.db'}")
    batch_id = new_batch(db)
    shutil.rmtree(tmp_path / "ws")
    assert list_batches(db) == []
    with pytest.raises(StoreError, match="There is no batch 1 in this workspace"):
        read_cells_table(db, batch_id)
    assert new_batch(db) == 1
    assert len(list_batches(open_database(f"sqlite:///{tmp_path / 'ws' / 'bloodcell.db'}"))) == 1


def test_database_of_a_newer_bloodcell(db, db_path):
    with begin_write(db) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(
        StoreError, match=r"another version of Bloodcell \(tables 9999, this version knows 0005\): update"
    ):
        open_database(f"sqlite:///{db_path}")


def test_a_file_that_is_no_database(tmp_path):
    path = tmp_path / "bloodcell.db"
    path.write_text("patients' names, not a database" * 100)
    with pytest.raises(StoreError, match="damaged or is not a Bloodcell database"):
        open_database(f"sqlite:///{path}")
    assert path.read_text().startswith("patients' names")


def test_a_folder_in_place_of_the_database(tmp_path):
    with pytest.raises(StoreError, match="cannot be opened; check the permissions"):
        open_database(f"sqlite:///{tmp_path}")


def test_a_workspace_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "ws").write_text("a file")
    with pytest.raises(StoreError, match="workspace folder cannot be created: "):
        open_database(f"sqlite:///{tmp_path / 'ws' / 'bloodcell.db'}")


def test_write_protected_database(db):
    with begin_write(db) as connection:  # as root, permissions do not stop SQLite; its own switch does
        connection.exec_driver_sql("PRAGMA query_only = ON")
        with (
            pytest.raises(StoreError, match="cannot be written to; check the permissions"),
            database._translate_errors(),
        ):
            connection.exec_driver_sql("DELETE FROM audit")


@pytest.mark.parametrize("url", ["no url", "oracle+nosuchdriver://x", "nosuchdialect://x"])
def test_impossible_addresses(url):
    with pytest.raises(StoreError, match="The database address cannot be used: "):
        open_database(url)


def test_missing_postgresql_server_or_driver():
    with pytest.raises(StoreError, match=r"The database (address cannot be used|refused|cannot be opened)"):
        open_database("postgresql://nobody@127.0.0.1:1/nothing")


def test_tables_lost_under_an_open_engine(db):
    with begin_write(db) as connection:
        connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
        connection.exec_driver_sql("DROP TABLE audit")
    with pytest.raises(StoreError, match="has lost its tables; restart Bloodcell to create them"):
        new_batch(db)
    assert list_batches(db) == []  # the whole transaction went back


def test_any_other_refusal_keeps_the_first_line(db):
    insert = f"INSERT INTO batches {COLUMNS} VALUES (1, 'a', 'm', '', '[]', '', ''), (1, 'b', 'm', '', '[]', '', '')"
    refused = pytest.raises(StoreError, match=r"^The database refused: UNIQUE constraint failed: batches\.id\.$")
    with refused, begin_write(db) as connection:
        connection.exec_driver_sql(insert)


def test_a_failed_block_changes_nothing(db):
    with pytest.raises(ZeroDivisionError), begin_write(db) as connection:  # noqa: PT012
        connection.exec_driver_sql(f"INSERT INTO batches {COLUMNS} VALUES (1, 'a', 'm', '', '[]', '', '')")
        1 / 0  # noqa: B018
    assert list_batches(db) == []


def test_foreign_keys_hold(db):
    with pytest.raises(StoreError, match="FOREIGN KEY constraint failed"), begin_write(db) as connection:
        connection.exec_driver_sql("INSERT INTO cells VALUES (1, 99, 1, 0, 0, 1, 1)")


def test_threads_share_one_engine(db):
    with ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(lambda number: new_batch(db, f"batch {number}"), range(40)))
    assert sorted(ids) == list(range(1, 41))
    assert list_waiting_images(db, ids[0]) == []
