"""Jobs on a real Ray cluster of one node, which these tests start and stop; and what is said where there is none."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from urllib.request import urlopen

import pytest
from sqlalchemy import update

from bloodcell.cli import main
from bloodcell.core.errors import JobError
from bloodcell.db.database import begin_write
from bloodcell.db.schema import jobs
from bloodcell.jobs.files import LOG_FILE, job_dir, read_log
from bloodcell.jobs.processes import ProcessId, find_process, is_alive, stop_process
from bloodcell.jobs.queue import open_queue
from bloodcell.jobs.runners import local, ray_cluster
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
)
from bloodcell.jobs.worker import FULL_DISK
from tests.jobs.light_worker import light_queue, new_job, wait_for, wait_status

LONG_S = 240  # of a busy machine
needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed (requirements-ray.txt)")
FREE_PORTS = ("dashboard", "dashboard-agent-listen", "dashboard-agent-grpc", "runtime-env-agent", "metrics-export")


def free_ports(n):
    listening = [socket.create_server(("127.0.0.1", 0)) for _ in range(n)]
    ports = [one.getsockname()[1] for one in listening]
    for one in listening:
        one.close()
    return ports


@pytest.fixture(scope="module")
def cluster():
    """The address of a cluster with one processor; all its processes are one session, ended at the end."""
    folder = Path(tempfile.mkdtemp(prefix="bcray-"))  # short: paths of sockets have at most 107 characters
    ports = dict(zip(FREE_PORTS, free_ports(len(FREE_PORTS)), strict=True))
    command = [Path(sys.executable).with_name("ray"), "start", "--head", "--block", "--port=0", "--num-cpus=1"]
    command += ["--node-ip-address=127.0.0.1", "--dashboard-host=127.0.0.1", f"--temp-dir={folder}"]
    command += ["--object-store-memory=100000000", "--disable-usage-stats", "--include-log-monitor=false"]
    command += [f"--{name}-port={port}" for name, port in ports.items()]
    env = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    address = f"http://127.0.0.1:{ports['dashboard']}"
    with (folder / "out").open("wb") as out:
        head = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env=env, start_new_session=True)
    try:
        wait_for(lambda: answers(f"{address}/api/version"), "the cluster", LONG_S)
        yield address
    finally:
        stop_process(find_process(head.pid), asked_at=0)
        head.wait()
        shutil.rmtree(folder, ignore_errors=True)


def answers(url):
    try:
        return urlopen(url, timeout=5).status == 200
    except OSError:
        return False


@pytest.fixture
def queue(cluster, db, settings):
    """A queue of light jobs of which two may run, on a node that has room for one."""
    queue = light_queue(db, replace(settings, runner="ray", ray_address=cluster, jobs_at_once=2))
    yield queue
    for job in list_jobs(db, (RUNNING,)):
        queue.runner.end_now(job)


@pytest.fixture
def on_ray(queue, monkeypatch):
    """The command line looks at the same jobs."""
    for name, value in {"RUNNER": "ray", "HOME": queue.settings.home, "DB": queue.settings.db_url}.items():
        monkeypatch.setenv(f"BLOODCELL_{name}", str(value))
    monkeypatch.setenv("RAY_ADDRESS", queue.settings.ray_address)


def wait_step(queue, job_id, step):
    return wait_for(lambda: get_job(queue.db, job_id).progress.get("step", 0) >= step, f"step {step}", LONG_S)


@pytest.mark.slow
@needs_ray
@pytest.mark.usefixtures("on_ray")
def test_jobs_run_one_after_the_other_and_are_followed(queue, capfd):
    queue = light_queue(queue.db, replace(queue.settings, jobs_at_once=1))
    first, second = queue.submit(new_job(steps=2, step_s=0.2)), queue.submit(new_job("fill_disk"))
    assert (first.status, second.status) == (RUNNING, QUEUED)
    one = wait_status(queue, first.id, DONE, dispatch=False, timeout_s=LONG_S)
    assert (one.result, one.progress["step"], one.attempt) == ("counted", 2, 1)
    failed = wait_status(
        queue, second.id, FAILED, dispatch=False, timeout_s=LONG_S
    )  # the first one's worker started it
    assert failed.error == FULL_DISK
    assert (job_dir(queue.settings, second.id) / "kept").is_file()
    text, _ = queue.runner.read_log(failed)
    assert "OSError" in text
    assert read_log(queue.settings, second.id)[0] == text
    assert text in queue.runner.read_ray_output(failed)  # the whole log can be read in Ray's dashboard too
    capfd.readouterr()
    assert main.main(["jobs", "follow", str(second.id)]) == 1
    assert capfd.readouterr().out == text


@pytest.mark.slow
@needs_ray
def test_a_worker_that_hears_nothing_and_one_that_waits_are_cancelled(queue):
    deaf, waiting = queue.submit(new_job("deaf")), queue.submit(new_job())
    assert (deaf.status, waiting.status) == (RUNNING, RUNNING)
    child = find_process(wait_for(lambda: get_job(queue.db, deaf.id).progress.get("child"), "the child", LONG_S))
    worker = get_job(queue.db, deaf.id)
    queue.cancel(waiting.id)
    given_up = wait_status(queue, waiting.id, CANCELLED, timeout_s=LONG_S)
    assert (given_up.pid, get_job(queue.db, deaf.id).status) == (None, RUNNING)
    queue.cancel(deaf.id)
    wait_status(queue, deaf.id, CANCELLED, dispatch=False, timeout_s=LONG_S)  # the helper tends
    for process in (ProcessId(worker.pid, worker.pid_created), child):
        wait_for(lambda one=process: not is_alive(one), f"the end of process {process.pid}", LONG_S)


@pytest.mark.slow
@needs_ray
def test_a_killed_worker_is_interrupted_and_goes_on(queue):
    job = queue.submit(new_job(steps=3, step_s=2))
    wait_step(queue, job.id, 1)
    os.kill(get_job(queue.db, job.id).pid, signal.SIGKILL)
    wait_status(queue, job.id, INTERRUPTED, timeout_s=LONG_S)
    queue.resume(job.id)
    assert wait_status(queue, job.id, DONE, timeout_s=LONG_S).attempt == 2
    steps = (job_dir(queue.settings, job.id) / "history.csv").read_text().split()
    assert steps == ["1", "2", "3"]


@pytest.mark.slow
@needs_ray
@pytest.mark.usefixtures("on_ray")
def test_a_node_that_does_not_see_the_workspace_says_so_and_its_log_comes_from_ray(queue, capfd):
    job_id = add_job(queue.db, new_job())  # without the folder that `submit` makes
    queue.dispatch()
    failed = wait_status(queue, job_id, FAILED, timeout_s=LONG_S)
    assert f"{local.get_host_name()} does not see the job's folder {job_dir(queue.settings, job_id)}" in failed.error
    text, at = queue.runner.read_log(failed)
    assert at < 0
    assert queue.runner.read_log(failed, at) == ("", at)
    assert queue.runner.read_log(replace(failed, pid=None))[0] == text  # as of one that never came up
    assert "Running entrypoint for job bloodcell-1-1-" in text
    assert text.endswith(f"  failed {failed.error}\n")
    job_dir(queue.settings, job_id).mkdir(parents=True)
    (job_dir(queue.settings, job_id) / LOG_FILE).write_text("another log\n")
    assert queue.runner.read_log(failed, at) == ("", at)  # who reads Ray's goes on with it
    assert queue.runner.read_log(failed)[0] == "another log\n"
    shutil.rmtree(job_dir(queue.settings, job_id))
    capfd.readouterr()
    assert main.main(["jobs", "log", str(job_id)]) == 0
    assert capfd.readouterr().out == text


@pytest.mark.slow
@needs_ray
def test_what_ray_refuses_and_what_it_does_not_know(queue):
    add_job(queue.db, new_job())
    job = claim_next(queue.db, 1)
    assert not queue.runner.is_gone(job)  # claimed, but not yet handed over
    silent_since = time.time() - local.HEARTBEAT_TIMEOUT_S - 1
    assert queue.runner.is_gone(replace(job, started_at=silent_since))
    assert queue.runner.is_gone(replace(job, pid=1, heartbeat_at=silent_since))  # the cluster was started anew
    assert not queue.runner.is_gone(replace(job, pid=1, heartbeat_at=time.time()))  # started before there was a cluster
    assert queue.runner.read_log(replace(job, status=INTERRUPTED)) == ("", 0)
    with pytest.raises(JobError, match="does not know the job"):
        queue.runner.end_now(job)
    queue.runner.start(job)
    with pytest.raises(JobError, match=r"The Ray cluster at http://.* refused: .*already exists"):
        queue.runner.start(job)


@needs_ray
def test_a_cluster_that_does_not_answer(db, settings):
    (port,) = free_ports(1)
    queue = light_queue(db, replace(settings, runner="ray", ray_address=f"http://127.0.0.1:{port}"))
    job = queue.submit(new_job())
    assert job.status == FAILED
    assert job.error == f"The Ray cluster at http://127.0.0.1:{port} does not answer; check RAY_ADDRESS."
    with pytest.raises(JobError, match="does not answer"):
        queue.runner.read_log(job)
    add_job(db, new_job())
    job = claim_next(db, 1)
    queue.dispatch()
    assert get_job(db, job.id).status == RUNNING  # it may well go on
    with begin_write(db) as connection:
        connection.execute(update(jobs).values(started_at=time.time() - local.HEARTBEAT_TIMEOUT_S - 1))
    queue.dispatch()
    assert get_job(db, job.id).status == INTERRUPTED


def test_what_is_missing_is_named(settings, monkeypatch):
    monkeypatch.setenv("BLOODCELL_RUNNER", "ray")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with pytest.raises(JobError, match=r"needs RAY_ADDRESS, such as http://10\.0\.0\.5:8265\. Received: nothing"):
        open_queue()
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(JobError, match=r"needs Ray: pip install 'bloodcell\[ray\]'\."):
        ray_cluster.RayRunner(replace(settings, ray_address="http://127.0.0.1:8265"))


class RecordingClient:
    """Stands for Ray's client: it has the keywords of `JobSubmissionClient.submit_job`, and remembers what came."""

    def submit_job(self, *, entrypoint, submission_id=None, runtime_env=None, entrypoint_num_cpus=None):
        self.received = {"entrypoint": entrypoint, "submission_id": submission_id, "runtime_env": runtime_env}
        self.n_cpus = entrypoint_num_cpus


def test_what_ray_is_asked_to_start(db, settings, monkeypatch):
    """Without Ray itself: the names of the keywords are Ray's."""
    client = RecordingClient()
    monkeypatch.setattr(ray_cluster.RayRunner, "__init__", lambda *_: None)
    monkeypatch.setattr(ray_cluster.RayRunner, "_connect_client", lambda _: nullcontext(client))
    runner = ray_cluster.RayRunner(settings)
    runner.settings, runner.worker = settings, "worker.module"
    add_job(db, new_job())
    job = claim_next(db, 1)
    runner.start(job)
    assert client.received["entrypoint"] == "python -m worker.module 1 1"
    assert client.received["submission_id"] == ray_cluster.make_submission_id(job)
    assert client.received["runtime_env"]["env_vars"]["BLOODCELL_HOME"] == str(settings.home)
    assert client.n_cpus == 1
