"""Stopping processes: those of a session by force, and never one that only has the id of another."""

import subprocess
import sys
import time

import pytest

from bloodcell.jobs.processes import KILL_AFTER_S, TERM_AFTER_S, ProcessId, find_process, is_alive, stop_process
from tests.jobs.light_worker import SLEEPING_CHILD, wait_for

# Says the id of its child once neither hears SIGTERM.
STUBBORN = (
    "import signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    f"child = subprocess.Popen([sys.executable, '-c', {SLEEPING_CHILD!r}], start_new_session={{own}});"
    "print(child.pid, flush=True); time.sleep(300)"
)


@pytest.fixture
def start():
    """Start Python code in a session of its own; what is left of it ends with the test."""
    started = []

    def start_code(code):
        process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True)
        started.append(process)
        return process

    yield start_code
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.mark.process
def test_a_process_is_alive_until_it_ends_reaped_or_not(start):
    process = start("input_ = __import__('time').sleep(300)")
    me = find_process(process.pid)
    assert is_alive(me)
    process.kill()
    wait_for(lambda: not is_alive(me), "the end of a process nobody has reaped")
    process.wait()
    assert not is_alive(me)
    assert find_process(process.pid) is None


@pytest.mark.process
def test_the_same_id_with_another_creation_time_is_another_process(start):
    me = find_process(start("__import__('time').sleep(300)").pid)
    assert not is_alive(ProcessId(me.pid, me.created - 60))


@pytest.mark.process
def test_a_session_that_hears_nothing_is_killed_whole(start):
    leader = start(STUBBORN.format(own=False))
    child = find_process(int(leader.stdout.readline()))
    assert is_alive(child)
    stop_process(find_process(leader.pid), asked_at=0)
    wait_for(lambda: not is_alive(child), "the end of the child")
    assert leader.wait(timeout=10) == -9


@pytest.mark.process
def test_a_child_that_outlives_its_leader_is_killed_too(start):
    leader = start(f"import subprocess, sys; child = subprocess.Popen([sys.executable, '-c', {SLEEPING_CHILD!r}]);"
                   "print(child.pid, flush=True); __import__('time').sleep(300)")  # fmt: skip
    child = find_process(int(leader.stdout.readline()))
    stop_process(
        find_process(leader.pid), asked_at=time.time() - TERM_AFTER_S
    )  # SIGTERM at once, which the leader hears
    wait_for(lambda: not is_alive(child), "the end of the child")
    assert leader.wait(timeout=10) == -15


@pytest.mark.process
def test_a_process_that_stops_by_itself_is_left_to_it(start):
    process = start("__import__('time').sleep(0.3)")
    stop_process(find_process(process.pid), asked_at=time.time() + 60)
    assert process.wait(timeout=10) == 0


@pytest.mark.process
def test_a_process_that_got_the_id_is_never_touched(start):
    other = start(STUBBORN.format(own=False))
    child = find_process(int(other.stdout.readline()))
    me = find_process(other.pid)
    stop_process(ProcessId(me.pid, me.created - 60), asked_at=0)
    assert is_alive(me)
    assert is_alive(child)
    stop_process(me, asked_at=0)


def test_all_is_gone_within_five_seconds_of_the_asking():
    assert TERM_AFTER_S < KILL_AFTER_S < 5
