"""``jobs``: work in the background, listed, started, stopped and followed."""

import argparse
import os
import sys
import time
from dataclasses import replace
from pathlib import Path

from bloodcell.cli.shared.arguments import DATA_HELP, SPEC_HELP, add_action
from bloodcell.cli.shared.output import print_info, print_table
from bloodcell.core.errors import JobError
from bloodcell.core.io import find_data_dir
from bloodcell.jobs.kinds.table import FILE_KINDS, find_kind
from bloodcell.jobs.queue import JobQueue, open_queue
from bloodcell.jobs.store import DONE, FAILED, Job, get_job, list_jobs
from bloodcell.training.specs.trials_spec import TrialsSpec

FOLLOW_EVERY_S = 0.5
_ACTIONS = {
    "cancel": "stop a job, or take it out of the queue; finished epochs are kept",
    "resume": "continue a stopped or failed job after its last finished epoch",
    "retry": "start a stopped or failed job again from the beginning",
    "delete": "delete a job with its log and checkpoint; its model is kept",
    "log": "print the log of a job",
    "follow": "print the log of a job as it grows, until the job ends; Ctrl-C leaves the job running",
}


DETAILS = (
    "Without an action, the jobs are listed. They continue when this terminal is closed; BLOODCELL_JOBS of them run at a time "
    "(default 1)."
)
EXAMPLE = "jobs"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the actions of ``jobs``."""
    parser.set_defaults(action="list")
    actions = parser.add_subparsers(title="actions", metavar="ACTION")
    submit = add_action(
        actions,
        "submit",
        "add a job to the queue",
        "jobs submit specs/wbc4.json --data ../shared/data --name mine",
        "For --kind adapt, the settings are those of an adaptation: name, model, cells (a source below --data). For --kind "
        "evaluate, they are those of an evaluation: name, model, data, as its report shows them.",
    )
    submit.add_argument("spec", metavar="SPEC.json", help=SPEC_HELP)
    submit.add_argument(
        "--kind",
        choices=tuple(kind.name for kind in FILE_KINDS),
        default="train",
        help="what to do (default: %(default)s)",
    )
    submit.add_argument("--n", type=int, metavar="N", help="number of trials (default: as in the settings, or 10)")
    submit.add_argument("--data", required=True, metavar="DIR", help=DATA_HELP)
    submit.add_argument(
        "--name", metavar="NAME", help="name of the result in the workspace (default: that of the settings)"
    )
    for action, help_text in _ACTIONS.items():
        action_parser = add_action(actions, action, help_text, f"jobs {action} 3")
        action_parser.add_argument("id", type=int, metavar="ID", help="number of the job, see `bloodcell jobs`")
        if action == "delete":
            action_parser.add_argument("--yes", action="store_true", help="delete without asking")


def run(args: argparse.Namespace) -> int:
    """Do ``args.action`` with the jobs of the workspace.

    Raises
    ------
    BloodcellError
        If there is no such job, it is in no state for that action, or the settings cannot be used.
    """
    queue = open_queue()
    queue.dispatch()
    if args.action == "list":
        print_table(("id", "status", "title", "progress", "result"), [_format_row(job) for job in list_jobs(queue.db)])
        return 0
    if args.action == "submit":
        return _submit(queue, args)
    job = get_job(queue.db, args.id)
    if args.action == "log":
        sys.stdout.write(queue.runner.read_log(job)[0])
        return 0
    if args.action == "follow":
        return _follow(queue, job)
    if args.action == "delete" and not (args.yes or _confirm_delete(job)):
        raise JobError(f"Job {job.id} was not deleted.")
    {"cancel": queue.cancel, "resume": queue.resume, "retry": queue.retry, "delete": queue.delete}[args.action](job.id)
    print_info(f"job {job.id}: {'deleted' if args.action == 'delete' else get_job(queue.db, job.id).status}")
    return 0


def _submit(queue: JobQueue, args: argparse.Namespace) -> int:
    kind = find_kind(args.kind)
    spec = kind.spec_type.read(Path(args.spec))
    if args.n is not None and isinstance(spec, TrialsSpec):
        spec = replace(spec, n=args.n)
    data_dir = find_data_dir(args.data).resolve()
    who = os.environ.get("USER") or "command line"
    new = kind.make_job(spec, data_dir, who)
    if args.name:
        new = replace(new, name=args.name)
    job = queue.submit(new)
    sys.stdout.write(f"{job.id}\n")
    print_info(f"job {job.id}: {job.status}; follow it with: bloodcell jobs follow {job.id}")
    return 0


def _follow(queue: JobQueue, job: Job) -> int:
    """Print the log as it grows; return 0 if the job is done in the end, else 1."""
    offset = 0
    while True:
        queue.dispatch()
        job = get_job(queue.db, job.id)
        text, offset = queue.runner.read_log(job, offset)
        sys.stdout.write(text)
        sys.stdout.flush()
        if job.is_over:
            break
        time.sleep(FOLLOW_EVERY_S)
    print_info(f"job {job.id}: {' '.join([job.status, job.error or job.result]).strip()}")
    return 0 if job.status == DONE else 1


def _confirm_delete(job: Job) -> bool:
    sys.stderr.write(f"Delete job {job.id} ({job.title}, {job.status}) with its log and checkpoint? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _format_row(job: Job) -> tuple[str, ...]:
    return str(job.id), job.status, job.title, _format_progress(job), job.error if job.status == FAILED else job.result


def _format_progress(job: Job) -> str:
    progress = job.progress
    if "epoch" in progress:
        fit = f"fit {progress['fit']}/{progress['fits']}, " if progress["fits"] > 1 else ""
        epoch = f"epoch {progress['epoch']}/{progress['epochs']}, batch {progress['batch']}/{progress['batches']}"
        left = f", {progress['seconds_left'] / 60:.0f} min left" if not job.is_over else ""
        return f"{fit}{epoch}, loss {progress['loss']}{left}"
    return f"{progress['source']}: {progress['done']}/{progress['total']} images" if "source" in progress else ""
