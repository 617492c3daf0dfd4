"""Jobs as rows: what each step changes, who may take it, and two processes that want the same job."""

import multiprocessing

import pytest

from bloodcell.core.errors import JobError
from bloodcell.db.database import open_database
from bloodcell.jobs import store
from bloodcell.jobs.store import (
    CANCELLED,
    DONE,
    FAILED,
    QUEUED,
    RUNNING,
    add_job,
    claim_next,
    end_attempt,
    get_job,
    list_jobs,
    register_process,
    remove_job,
    request_cancel,
    requeue_job,
    write_heartbeat,
)
from tests.jobs.light_worker import new_job


def test_a_new_job_waits(db):
    job = get_job(db, add_job(db, new_job(spec={"epochs": 3, "limits": [["A", 1]]}, name="mine")))
    assert (job.status, job.attempt, job.name, job.who, job.progress) == (QUEUED, 0, "mine", "Ada", {})
    assert job.spec == {"epochs": 3, "limits": [["A", 1]]}
    assert (job.started_at, job.pid, job.result, job.is_over) == (None, None, "", False)


def test_no_such_job(db):
    with pytest.raises(JobError, match="There is no job 7"):
        get_job(db, 7)


def test_the_first_to_come_is_claimed_first_and_one_at_a_time(db):
    first, second = add_job(db, new_job()), add_job(db, new_job())
    claimed = claim_next(db, 1)
    assert (claimed.id, claimed.status, claimed.attempt) == (first, RUNNING, 1)
    assert claim_next(db, 1) is None
    assert claim_next(db, 2).id == second
    assert claim_next(db, 3) is None
    assert [job.id for job in list_jobs(db)] == [second, first]
    assert [job.id for job in list_jobs(db, (QUEUED,))] == []


def test_one_short_job_runs_beside_the_others(db):
    """A training runs and one waits; of two short ones the first begins all the same, the second after it."""
    long, _, quick, quicker = (add_job(db, new_job(kind=kind)) for kind in ("count", "count", "short", "short"))
    assert claim_next(db, 1, ["short"]).id == long
    assert claim_next(db, 1) is None
    claimed = claim_next(db, 1, ["short"])
    assert claimed.id == quick
    assert claim_next(db, 1, ["short"]) is None
    end_attempt(db, claimed, DONE)
    assert claim_next(db, 1, ["short"]).id == quicker


def test_a_short_job_takes_no_place_of_the_others(db):
    quick, long = add_job(db, new_job(kind="short")), add_job(db, new_job())
    assert [claim_next(db, 1, ["short"]).id, claim_next(db, 1, ["short"]).id] == [quick, long]


def test_a_job_queued_again_goes_behind(db):
    first, second = add_job(db, new_job()), add_job(db, new_job())
    end_attempt(db, claim_next(db, 1), FAILED, error="No.")
    assert get_job(db, first).error == "No."
    assert requeue_job(db, first)
    assert not requeue_job(db, first)
    assert [claim_next(db, 2).id, claim_next(db, 2).id] == [second, first]
    job = get_job(db, first)
    assert (job.attempt, job.error, job.ended_at) == (2, "", None)


def _claim_all(url, start, claimed):
    db = open_database(url)
    start.wait()
    mine = []
    while (job := claim_next(db, 1000)) is not None:
        mine.append(job.id)
    claimed.put(mine)


@pytest.mark.process
def test_two_processes_never_get_the_same_job(db, db_path):
    ids = [add_job(db, new_job()) for _ in range(20)]
    context = multiprocessing.get_context("spawn")
    start, claimed = context.Event(), context.Queue()
    url = f"sqlite:///{db_path}"
    racers = [context.Process(target=_claim_all, args=(url, start, claimed)) for _ in range(2)]
    for racer in racers:
        racer.start()
    start.set()
    got = [claimed.get(timeout=60) for _ in racers]
    for racer in racers:
        racer.join()
    assert sorted(got[0] + got[1]) == ids


def _claim_one(url, start, claimed):
    db = open_database(url)
    start.wait()
    job = claim_next(db, 1)
    claimed.put(None if job is None else job.id)


@pytest.mark.process
def test_two_processes_never_start_two_where_one_may_run(db, db_path):
    first, _ = add_job(db, new_job()), add_job(db, new_job())
    context = multiprocessing.get_context("spawn")
    start, claimed = context.Event(), context.Queue()
    racers = [context.Process(target=_claim_one, args=(f"sqlite:///{db_path}", start, claimed)) for _ in range(2)]
    for racer in racers:
        racer.start()
    start.set()
    got = {claimed.get(timeout=60) for _ in racers}
    for racer in racers:
        racer.join()
    assert got == {first, None}


def test_only_the_process_of_this_attempt_may_write(db):
    add_job(db, new_job())
    old = claim_next(db, 1)
    assert register_process(db, old, "here", 11, 1.0)
    assert not register_process(db, old, "here", 12, 2.0)  # another process of the same attempt
    assert register_process(db, old, "here", 11, 1.0)  # who started it and the process itself both tell
    assert write_heartbeat(db, old, {"epoch": 1}) is False
    assert end_attempt(db, old, store.INTERRUPTED)
    requeue_job(db, old.id)
    new = claim_next(db, 1)
    assert (new.pid, new.progress) == (None, {})
    assert write_heartbeat(db, old, {"epoch": 9}) is None
    assert not end_attempt(db, old, DONE)
    assert not register_process(db, old, "here", 11, 1.0)
    assert write_heartbeat(db, new, {"epoch": 2}) is False
    assert get_job(db, new.id).progress == {"epoch": 2}


def test_cancelling_takes_a_waiting_job_away_and_flags_a_running_one(db):
    waiting, running = add_job(db, new_job()), None
    request_cancel(db, waiting)
    assert get_job(db, waiting).status == CANCELLED
    running = add_job(db, new_job())
    job = claim_next(db, 1)
    request_cancel(db, running)
    assert get_job(db, running).status == RUNNING
    assert write_heartbeat(db, job, {}) is True
    end_attempt(db, job, CANCELLED)
    request_cancel(db, running)
    requeue_job(db, running)
    assert write_heartbeat(db, claim_next(db, 1), {}) is False  # the flag of before is gone


def test_a_running_job_is_not_deleted(db):
    job_id = add_job(db, new_job())
    job = claim_next(db, 1)
    assert not remove_job(db, job_id)
    end_attempt(db, job, DONE, result="it")
    assert get_job(db, job_id).result == "it"
    assert remove_job(db, job_id)
    assert not remove_job(db, job_id)
    assert list_jobs(db) == []


def test_the_process_that_only_reads_writes_nothing(db, db_path):
    before = db_path.stat().st_mtime_ns
    assert claim_next(db, 1) is None
    assert db_path.stat().st_mtime_ns == before
