"""Jobs in processes of their own: order, cancelling, death of the worker and of who started it, reused ids."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
from sqlalchemy import update

from bloodcell.core.errors import JobError, SpecError, StoreError
from bloodcell.db.database import begin_write
from bloodcell.db.schema import jobs
from bloodcell.jobs.files import job_dir, read_log
from bloodcell.jobs.processes import ProcessId, find_process, is_alive
from bloodcell.jobs.queue import JobQueue
from bloodcell.jobs.runners import local
from bloodcell.jobs.runners.local import LocalRunner
from bloodcell.jobs.runners.table import make_runner
from bloodcell.jobs.store import (
    CANCELLED,
    DONE,
    FAILED,
    INTERRUPTED,
    QUEUED,
    RUNNING,
    add_job,
    claim_next,
    get_job,
    list_jobs,
    register_process,
    request_cancel,
)
from bloodcell.jobs.worker import FULL_DISK
from tests.jobs.light_worker import KINDS, new_job, wait_for, wait_status
from tests.places import ROOT


def steps_of(queue, job_id):
    return [int(line) for line in (job_dir(queue.settings, job_id) / "history.csv").read_text().split()]


def wait_step(queue, job_id, step):
    return wait_for(lambda: get_job(queue.db, job_id).progress.get("step", 0) >= step, f"step {step}")


@pytest.mark.process
def test_two_jobs_run_in_order_and_nobody_tends_in_between(queue):
    first, second = queue.submit(new_job(steps=2)), queue.submit(new_job(steps=1))
    assert (first.status, second.status) == (RUNNING, QUEUED)
    one, two = (wait_status(queue, job.id, DONE, dispatch=False) for job in (first, second))
    assert one.ended_at <= two.started_at
    assert one.pid != two.pid
    assert (one.result, one.progress["step"]) == ("counted", 2)
    assert one.progress["memory_mb"] > 0
    assert steps_of(queue, first.id) == [1, 2]
    assert "attempt 1" in read_log(queue.settings, first.id)[0]


@pytest.mark.process
def test_a_cancelled_job_keeps_what_it_finished_goes_on_and_frees_its_place(queue):
    job, waiting = queue.submit(new_job(steps=3, step_s=1.5)), queue.submit(new_job())
    wait_step(queue, job.id, 1)
    queue.cancel(job.id)
    done = wait_status(queue, job.id, CANCELLED, dispatch=False)
    wait_for(lambda: not is_alive(ProcessId(done.pid, done.pid_created)), "the end of the worker")
    wait_status(queue, waiting.id, DONE, dispatch=False)
    queue.resume(job.id)
    assert wait_status(queue, job.id, DONE).attempt == 2
    assert steps_of(queue, job.id) == [1, 2, 3]


@pytest.mark.process
def test_a_worker_that_hears_nothing_is_gone_with_its_child_and_the_next_one_starts(queue):
    job, waiting = queue.submit(new_job("deaf")), queue.submit(new_job())
    child = find_process(wait_for(lambda: get_job(queue.db, job.id).progress.get("child"), "the child"))
    worker = get_job(queue.db, job.id)
    queue.cancel(job.id)
    wait_status(queue, waiting.id, DONE, dispatch=False)  # the helper saw to it: nobody else did
    assert get_job(queue.db, job.id).status == CANCELLED
    assert not is_alive(ProcessId(worker.pid, worker.pid_created))
    assert not is_alive(child)


@pytest.mark.process
def test_a_killed_worker_is_interrupted_and_resumed_without_a_gap_or_a_repeat(queue):
    job = queue.submit(new_job(steps=4, step_s=0.4))
    wait_step(queue, job.id, 1)
    os.kill(get_job(queue.db, job.id).pid, signal.SIGKILL)
    wait_status(queue, job.id, INTERRUPTED)
    queue.resume(job.id)
    wait_status(queue, job.id, DONE)
    assert steps_of(queue, job.id) == [1, 2, 3, 4]


SUBMITTER = (
    "import time; from tests.jobs.light_worker import light_queue, new_job;"
    "print(light_queue().submit(new_job(steps=4, step_s=0.4)).id, flush=True); time.sleep(300)"
)


@pytest.mark.process
def test_a_job_outlives_who_submitted_it(queue):
    env = os.environ | {"BLOODCELL_HOME": str(queue.settings.home), "BLOODCELL_DB": queue.settings.db_url}
    command = [sys.executable, "-c", SUBMITTER]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=env, cwd=ROOT) as submitter:
        job_id = int(submitter.stdout.readline())
        wait_step(queue, job_id, 1)
        submitter.kill()
    assert wait_status(queue, job_id, DONE).attempt == 1
    assert steps_of(queue, job_id) == [1, 2, 3, 4]


@pytest.mark.process
def test_a_process_that_got_the_workers_id_is_never_touched(queue):
    """The row names a live process that is not the worker: its id with another creation time."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True) as other:
        me = find_process(other.pid)
        add_job(queue.db, new_job())
        job = claim_next(queue.db, 1)
        register_process(queue.db, job, local.get_host_name(), me.pid, me.created - 60)
        queue.runner.stop(get_job(queue.db, job.id))  # the helper ends by tending: then it has done what it would do
        wait_status(queue, job.id, INTERRUPTED, dispatch=False)
        with pytest.raises(JobError, match="Job 1 is interrupted"):
            queue.cancel(job.id)
        assert is_alive(me)
        other.kill()


def test_a_job_whose_starter_died_before_starting_it_is_given_up(queue):
    add_job(queue.db, new_job())
    job = claim_next(queue.db, 1)
    queue.dispatch()
    assert get_job(queue.db, job.id).status == RUNNING
    with begin_write(queue.db) as connection:
        connection.execute(update(jobs).values(started_at=time.time() - local.START_TIMEOUT_S - 1))
    queue.dispatch()
    assert get_job(queue.db, job.id).status == INTERRUPTED


def test_a_worker_on_another_machine_is_judged_by_its_heartbeat(queue):
    add_job(queue.db, new_job())
    job = claim_next(queue.db, 1)
    register_process(queue.db, job, "elsewhere", os.getpid(), 1.0)
    queue.dispatch()
    assert get_job(queue.db, job.id).status == RUNNING
    with begin_write(queue.db) as connection:
        connection.execute(update(jobs).values(heartbeat_at=time.time() - local.HEARTBEAT_TIMEOUT_S - 1))
    queue.dispatch()
    assert get_job(queue.db, job.id).status == INTERRUPTED


@pytest.mark.process
def test_a_full_disk_is_the_reason_and_what_there_was_stays(queue):
    job = wait_status(queue, queue.submit(new_job("fill_disk")).id, FAILED)
    assert job.error == FULL_DISK
    assert (job_dir(queue.settings, job.id) / "kept").read_text() == "what there was"
    assert "OSError" in read_log(queue.settings, job.id)[0]


@pytest.mark.process
def test_a_job_tried_again_starts_anew_and_a_deleted_one_is_gone(queue):
    job = queue.submit(new_job(steps=50, step_s=0.2))
    wait_step(queue, job.id, 2)
    with pytest.raises(JobError, match=r"queued or done or .* can be deleted\. Job 1 is running"):
        queue.delete(job.id)
    queue.cancel(job.id)
    wait_status(queue, job.id, CANCELLED)
    queue.retry(job.id)
    wait_step(queue, job.id, 1)
    queue.cancel(job.id)
    wait_status(queue, job.id, CANCELLED)
    assert steps_of(queue, job.id)[0] == 1
    assert len(steps_of(queue, job.id)) < 50
    queue.delete(job.id)
    assert list_jobs(queue.db) == []
    assert not job_dir(queue.settings, job.id).exists()


def test_what_cannot_be_done_says_in_which_state_the_job_is(queue):
    job_id = add_job(queue.db, new_job())
    queue.cancel(job_id)
    with pytest.raises(JobError, match=r"Only a job that is queued or running can be cancelled\. Job 1 is cancelled"):
        queue.cancel(job_id)
    with begin_write(queue.db) as connection:
        connection.execute(update(jobs).values(status=DONE))
    with pytest.raises(JobError, match=r"failed or cancelled or interrupted can be resumed\. Job 1 is done"):
        queue.resume(job_id)
    with pytest.raises(JobError, match=r"can be tried again\. Job 1 is done"):
        queue.retry(job_id)


def run_worker(queue, job):
    """A worker that this test starts itself, and waits for."""
    worker = [sys.executable, "-m", "tests.jobs.light_worker", str(job.id), "1"]
    env = os.environ | {"BLOODCELL_HOME": str(queue.settings.home), "BLOODCELL_DB": queue.settings.db_url}
    return subprocess.run(worker, env=env, cwd=ROOT, capture_output=True, text=True, timeout=120)


@pytest.mark.process
def test_a_job_cancelled_before_its_worker_is_up_does_not_begin(queue):
    add_job(queue.db, new_job())
    job = claim_next(queue.db, 1)
    request_cancel(queue.db, job.id)
    done = run_worker(queue, job)
    assert done.returncode == 0
    assert "The job was stopped before it started." in done.stdout
    assert get_job(queue.db, job.id).status == CANCELLED
    assert not (job_dir(queue.settings, job.id) / "history.csv").exists()


@pytest.mark.process
def test_a_worker_that_comes_too_late_does_nothing(queue):
    add_job(queue.db, new_job())
    job = claim_next(queue.db, 1)
    register_process(queue.db, job, local.get_host_name(), 1, 1.0)  # another process has it
    done = run_worker(queue, job)
    assert (done.returncode, done.stdout) == (1, "attempt 1 of job 1 is no longer wanted\n")
    assert not (job_dir(queue.settings, job.id) / "history.csv").exists()


def test_a_worker_that_cannot_be_started_is_a_failed_job(queue):
    queue.settings.jobs_dir.mkdir()
    (queue.settings.jobs_dir / "1").write_text("a file in the way")
    add_job(queue.db, new_job())
    queue.dispatch()
    job = get_job(queue.db, 1)
    assert job.status == FAILED
    assert job.error == "The worker cannot be started: File exists."


def test_a_workspace_that_cannot_be_written_to_keeps_no_half_a_job(queue):
    queue.settings.jobs_dir.write_text("a file in the way")
    with pytest.raises(StoreError, match="The job's folder cannot be written: Not a directory"):
        queue.submit(new_job())
    assert list_jobs(queue.db) == []


@pytest.mark.parametrize("name", ["", ".hidden", "a/b", "x" * 81, "a b"])
def test_names_that_cannot_be_a_folder(queue, name):
    with pytest.raises(JobError, match=r"name of a result must start with a letter or digit.* Received: "):
        queue.submit(new_job(name=name))


def test_unknown_kinds_and_runners_and_wrong_specs(db, settings):
    queue = JobQueue(db, settings)
    with pytest.raises(JobError, match=r"`kind` must be one of \['train', .*\]\. Received: 'bake'"):
        queue.submit(new_job("bake"))
    with pytest.raises(SpecError, match="Unknown settings"):
        queue.submit(new_job("train"))
    with pytest.raises(JobError, match=r"BLOODCELL_RUNNER must be one of \['local', 'ray'\]\. Received: 'cloud'"):
        make_runner(replace(settings, runner="cloud"))
    assert isinstance(make_runner(settings), LocalRunner)
    assert list_jobs(db) == []
    assert len(KINDS) == 3
