"""Processes known by id and time of creation, since the system reuses ids; stopping one with all that it started."""

import contextlib
import os
import signal
import time
from dataclasses import dataclass

import psutil

# Linux counts the creation of a process from the boot, whose time moves when the clock is set.
SAME_TIME_S = 1.0
# Counted from when the job was asked to stop; everything is gone within five seconds.
TERM_AFTER_S, KILL_AFTER_S = 2.5, 3.7
GONE_AFTER_S = 10.0  # a killed process takes a moment to go, longer where the machine is busy
POLL_S = 0.1


@dataclass(frozen=True)
class ProcessId:
    """A process of this machine.

    Attributes
    ----------
    pid : int
    created : float
        When it was created, in seconds since 1970.
    """

    pid: int
    created: float


def find_process(pid: int) -> ProcessId | None:
    """Return the process that has this id now; None if there is none."""
    try:
        return ProcessId(pid, psutil.Process(pid).create_time())
    except psutil.NoSuchProcess:
        return None


def is_alive(process: ProcessId) -> bool:
    """Return whether this very process still runs: neither ended, nor a zombie, nor another one with its id."""
    try:
        current = psutil.Process(process.pid)
        is_same = abs(current.create_time() - process.created) < SAME_TIME_S
        return is_same and bool(current.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def stop_process(process: ProcessId, asked_at: float) -> None:
    """Wait for a process that was asked to stop, then end its whole session by SIGTERM, then SIGKILL, and wait for that.

    Only processes that belong to it are signalled: it must lead a session of its own, and have been created when
    `process` says. Those that it started are remembered, and each is checked again before it is signalled.

    Parameters
    ----------
    process : ProcessId
        Leader of a session (started with ``start_new_session``).
    asked_at : float
        When it was asked to stop, in seconds since 1970.
    """
    members = [process]
    for at_s, number in ((TERM_AFTER_S, signal.SIGTERM), (KILL_AFTER_S, signal.SIGKILL)):
        while time.time() < asked_at + at_s:
            members = _list_session(process) or members
            if not any(map(is_alive, members)):
                return
            time.sleep(POLL_S)
        members = _list_session(process) or members
        for member in members:
            _send_signal(member, number)
    give_up_at = time.time() + GONE_AFTER_S
    while any(map(is_alive, members)) and time.time() < give_up_at:  # the next dispatch must find them gone
        time.sleep(POLL_S)


def _list_session(leader: ProcessId) -> list[ProcessId]:
    """List the leader and its session; empty where it is gone or leads none, as then nobody knows whose they are."""
    if not is_alive(leader) or _get_session_id(leader.pid) != leader.pid:
        return []
    members = (find_process(pid) for pid in psutil.pids() if _get_session_id(pid) == leader.pid)
    return [member for member in members if member is not None]


def _get_session_id(pid: int) -> int:
    try:
        return os.getsid(pid)
    except OSError:
        return -1


def _send_signal(process: ProcessId, number: signal.Signals) -> None:
    if is_alive(process):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, number)
