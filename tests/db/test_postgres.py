"""The same database on a real PostgreSQL server of these tests: tables, races, decisions, export, jobs."""

import multiprocessing
import os
import re
import shutil
import subprocess
import tempfile
import threading
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, select, text

from bloodcell.core.errors import StoreError
from bloodcell.core.settings import load_settings
from bloodcell.db.database import begin_read, begin_write, open_database
from bloodcell.db.schema import batches, metadata
from bloodcell.jobs.store import (
    CANCELLED,
    DONE,
    add_job,
    claim_next,
    get_job,
    list_jobs,
    request_cancel,
    write_heartbeat,
)
from bloodcell.review.batches import delete_batch, list_batches, rename_batch, restore_batch
from bloodcell.review.corrections import add_correction, list_corrections, undo_last_correction
from bloodcell.review.export import export_per_cell, export_per_image
from bloodcell.review.images import Arrival, add_images, list_waiting_images, store_results
from bloodcell.review.tables import read_cells_table, read_images_table
from tests.jobs.light_worker import light_queue, new_job, wait_status
from tests.review.batch import MODEL, MODEL_SHA, SMALL_BOX, analysed, cell, image, new_batch, sha

pytest.importorskip("psycopg", reason="psycopg is not installed (requirements-postgres.txt)")


def binary(name):
    """A program of the newest server; Debian keeps them out of the PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]))
    return str(found[-1]) if found else shutil.which(name)


@pytest.fixture(scope="module")
def server():
    """A server of its own that nobody else can reach: a socket in a folder that is deleted at the end."""
    if binary("initdb") is None:
        pytest.skip("no PostgreSQL server is installed (apt install postgresql)")
    owner = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.getuid() == 0 else {}
    folder = Path(tempfile.mkdtemp(prefix="bloodcell-pg-"))
    if owner:
        shutil.chown(folder, "postgres", "postgres")

    def run(name, *args):
        subprocess.run([binary(name), *args], check=True, cwd=folder, stdout=subprocess.DEVNULL, timeout=60, **owner)

    data = str(folder / "data")
    run("initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
    options = f"-k {folder} -c listen_addresses='' -c fsync=off"
    try:
        run("pg_ctl", "-D", data, "-l", str(folder / "log"), "-o", options, "-w", "start")
        yield f"postgresql+psycopg://postgres@/%s?host={folder}"
    finally:
        subprocess.run(
            [binary("pg_ctl"), "-D", data, "-m", "immediate", "stop"], cwd=folder, stdout=subprocess.DEVNULL, **owner
        )
        shutil.rmtree(folder)


numbers = count(1)


@pytest.fixture
def url(server):
    """The address of an empty database."""
    name = f"test{next(numbers)}"
    admin = create_engine(server % "postgres", isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    admin.dispose()
    return server % name


@pytest.fixture
def db(url):
    db = open_database(url)
    yield db
    db.dispose()


def at_once(n, work):
    """What `n` threads get from the same call, sorted."""
    got, gate = [], threading.Barrier(n)

    def one(number):
        gate.wait()
        got.append(work(number))

    threads = [threading.Thread(target=one, args=(number,)) for number in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(got)


def _make_and_claim(url, ready, answers):
    """One of the processes of the race: the tables are made, then the jobs taken, by all at once."""
    db = open_database(url)
    mine = [add_job(db, new_job()) for _ in range(10)]
    ready.wait()
    claimed = []
    while (job := claim_next(db, 1000)) is not None:
        claimed.append(job.id)
    answers.put((mine, claimed))
    db.dispose()


def test_two_processes_make_the_tables_at_once_and_never_get_the_same_job(url):
    context = multiprocessing.get_context("spawn")
    ready, answers = context.Barrier(2), context.Queue()
    processes = [context.Process(target=_make_and_claim, args=(url, ready, answers)) for _ in range(2)]
    for process in processes:
        process.start()
    got = [answers.get(timeout=120) for _ in processes]
    for process in processes:
        process.join()
    added, claimed = ([one for part in parts for one in part] for parts in zip(*got, strict=True))
    assert sorted(claimed) == sorted(added) == list(range(1, 21))
    db = open_database(url)
    with begin_read(db) as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    db.dispose()


def test_never_more_are_started_than_may_run(db):
    first, _ = add_job(db, new_job()), add_job(db, new_job())
    claimed = at_once(4, lambda _: [job.id for job in [claim_next(db, 1)] if job is not None])
    assert claimed == [[], [], [], [first]]


def test_a_job_that_is_being_cancelled_is_passed_over(db):
    first, second = add_job(db, new_job()), add_job(db, new_job())
    with begin_write(db) as connection:
        connection.execute(text("UPDATE jobs SET status = 'cancelled' WHERE id = :id"), {"id": first})
        assert claim_next(db, 1).id == second
    assert get_job(db, first).status == CANCELLED


def test_real_workers_take_one_job_after_the_other(db, url, tmp_path, monkeypatch):
    monkeypatch.setenv("BLOODCELL_DB", url)
    queue = light_queue(db, replace(load_settings(), home=tmp_path, db_url=url))
    first, second, third = (queue.submit(new_job(steps=steps)) for steps in (2, 1, 1))
    queue.cancel(third.id)
    done = [wait_status(queue, job.id, DONE, dispatch=False) for job in (first, second)]
    assert done[0].ended_at <= done[1].started_at
    assert done[0].progress["step"] == 2
    assert [job.status for job in list_jobs(db)] == [CANCELLED, DONE, DONE]


def test_progress_that_is_no_number_is_kept_as_none(db):
    add_job(db, new_job())
    job = claim_next(db, 1)
    assert write_heartbeat(db, job, {"loss": float("nan"), "last_epoch": {"rate": float("inf"), "epoch": 1}}) is False
    assert get_job(db, job.id).progress == {"loss": None, "last_epoch": {"rate": None, "epoch": 1}}
    request_cancel(db, job.id)
    assert write_heartbeat(db, job, {}) is True


def work_through(db):
    """One of everything that people do to a batch; what is exported in the end, without the clock's part."""
    batch_id = new_batch(db, "Monday \0 \udcff")
    analysed(db, batch_id, "=a\0.jpg", 1, image(cell("MONOCYTE"), cell("NEUTROPHIL", SMALL_BOX)))
    analysed(db, batch_id, "b.jpg", 2, image(cell("LYMPHOCYTE")))
    add_images(db, batch_id, [Arrival("b again.jpg", sha(2)), Arrival("bad.jpg", None, "Not an image.")])
    (waiting,) = add_images(db, batch_id, [Arrival("later.jpg", sha(3))])
    assert list_waiting_images(db, batch_id) == [(waiting.image_id, sha(3))]
    assert store_results(db, [(waiting.image_id, image())], MODEL, MODEL_SHA) == 1
    assert store_results(db, [(waiting.image_id, image())], MODEL, MODEL_SHA) == 0
    first, second, third = read_cells_table(db, batch_id)["cell_id"]
    for cell_id, label in ((first, "OTHER"), (first, "EOSINOPHIL"), (third, "NOT_A_CELL"), (second, "MONOCYTE")):
        add_correction(db, int(cell_id), label, "Ada")
    assert undo_last_correction(db, batch_id, "Ada") == second
    assert undo_last_correction(db, batch_id, "Bob") is None
    assert [one.label for one in list_corrections(db, int(first))] == ["OTHER", "EOSINOPHIL"]
    with pytest.raises(StoreError, match="There is no cell 99"):
        add_correction(db, 99, "OTHER", "Ada")
    rename_batch(db, batch_id, "Tuesday", "Ada")
    delete_batch(db, batch_id, "Ada")
    assert list_batches(db) == []
    restore_batch(db, batch_id, "Ada")
    (summary,) = list_batches(db)
    assert (summary.n_images, summary.n_cells, summary.n_corrected, summary.n_waiting) == (4, 3, 2, 0)
    names = read_images_table(db, batch_id)["further_names"].tolist()
    exported = export_per_image(db, batch_id, "Ada") + export_per_cell(db, batch_id, "Ada")
    return names, re.sub(rb"\d{4}-\d\d-\d\dT[\d:]+Z", b"TIME", exported)


def test_a_batch_gives_the_same_bytes_as_on_sqlite(db):
    assert work_through(db) == work_through(open_database("sqlite://"))


def test_what_several_people_do_at_once_is_all_kept(db):
    batch_id = new_batch(db)

    def add(number):
        names = [Arrival(f"{number}.jpg", sha(number % 2)), Arrival(f"own {number}.jpg", sha(100 + number))]
        return sum(one.is_new for one in add_images(db, batch_id, names))

    assert sum(at_once(6, add)) == 8  # two shared by three each, and one of each one's own
    assert read_images_table(db, batch_id)["position"].tolist() == list(range(8))
    image_ids = read_images_table(db, batch_id)["image_id"].tolist()

    def store(number):
        chosen = image_ids if number % 2 else image_ids[::-1]
        return store_results(db, [(image_id, image(cell())) for image_id in chosen], MODEL, MODEL_SHA)

    assert at_once(4, store) == [0, 0, 0, 8]
    cell_ids = read_cells_table(db, batch_id)["cell_id"].tolist()
    assert len(cell_ids) == 8
    for cell_id in cell_ids[:4]:
        add_correction(db, cell_id, "OTHER", "Ada")
    assert at_once(4, lambda _: undo_last_correction(db, batch_id, "Ada")) == sorted(cell_ids[:4])


def test_a_lock_that_lasts_a_lost_table_and_a_server_that_is_not_there(db, url):
    batch_id = new_batch(db)
    hasty = open_database(url, busy_timeout_s=0.1)
    with begin_write(db) as connection:
        connection.execute(select(batches).where(batches.c.id == batch_id).with_for_update())
        with pytest.raises(StoreError, match="in use by another program; nothing was changed"):
            rename_batch(hasty, batch_id, "Tuesday", "Ada")
    hasty.dispose()
    with begin_write(db) as connection:
        connection.execute(text("DROP TABLE jobs"))
    with pytest.raises(StoreError, match="has lost its tables"):
        list_jobs(db)
    with pytest.raises(StoreError, match="database server does not answer; check that it is running"):
        open_database("postgresql+psycopg://127.0.0.1:1/x")
