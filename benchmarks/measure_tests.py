"""Run and time the tests of `make unit`, `make test` (without lint) and `make test-wheel`; writes test_times.json.

    python benchmarks/measure_tests.py [--workers 2] [--only unit]

The section on tests in docs/benchmarks.md is written again with it. Times of before a change are kept under the name
given by --name, so that both stand side by side.
"""

import argparse
import json
import math
import os
import re
import resource
import subprocess
import sys
import time
from typing import Any

from measurements import PROJECT, RESULTS_DIR, write_measurement
from result_tables import format_verdict, table

TIERS = {"unit": ["--unit"], "test": ["-m", "not slow", "--no-loadscope-reorder"], "test-wheel": ["tests/packaging"]}
BARS_S = {"unit": 90, "test": 480}  # that of the wheel: its tests pass
REPORT = PROJECT / "docs" / "benchmarks.md"
MARKS = ("<!-- tests -->\n", "<!-- /tests -->")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", choices=tuple(TIERS), help="one of them (default: all)")
    parser.add_argument("--name", default="now", help="what the times are kept under (default: %(default)s)")
    args = parser.parse_args()
    path = RESULTS_DIR / "test_times.json"
    measured: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    times = measured.setdefault(args.name, {})
    for tier in [args.only] if args.only else TIERS:
        times[tier] = time_tests(TIERS[tier], args.workers)
    write_measurement("test_times", measured)
    REPORT.write_text(replace_section(REPORT.read_text(encoding="utf-8"), render_section(measured)), encoding="utf-8")


def time_tests(options: list[str], workers: int) -> dict[str, Any]:
    """Run the tests; wall time, processor time, what pytest says at its end, and the load of the machine before."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, "-m", "pytest", "-q", *options, "-n", str(workers), "--dist", "loadfile"]
    done = subprocess.run(
        command, cwd=PROJECT, env=os.environ | {"PYTHONPATH": "."}, stdout=subprocess.PIPE, text=True, check=False
    )
    wall_s, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    last = done.stdout.strip().splitlines()[-1] if done.stdout.strip() else ""
    return {
        "wall_s": round(wall_s),
        "cpu_s": round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime),
        "outcome": re.sub(r" in [\d.]+s.*", "", last.strip("= ")),
        "load_before": None if load is None else round(load, 1),
        "workers": workers,
        "exit_code": done.returncode,
    }


def render_section(measured: dict[str, Any]) -> str:
    """Render the section on tests in docs/benchmarks.md."""
    rows = [
        [
            f"`make {tier}`, {name}",
            f"<= {BARS_S[tier]} s" if tier in BARS_S else "passes",
            f"{one['wall_s']} s ({one['cpu_s']} s of processor time)",
            one["outcome"],
            ""
            if name != "now"
            else format_verdict(one["exit_code"] == 0 and one["wall_s"] <= BARS_S.get(tier, math.inf)),
        ]
        for name, times in measured.items()
        for tier, one in times.items()
    ]
    lines = [
        "## Tests",
        "",
        "`benchmarks/measure_tests.py`, two workers on two cores, without lint. The machine is shared: the processor time says"
        " more than the wall time.",
        "",
        *table(["tests", "bar", "measured", "outcome", ""], rows),
    ]
    return "\n".join(lines)


def replace_section(report: str, section: str) -> str:
    """Return the report with its section on tests replaced, or added at its end."""
    start, end = MARKS
    before, _, rest = report.partition(start)
    after = rest.partition(end)[2]
    return f"{before.rstrip()}\n\n{start}{section}{end}{after or chr(10)}"


if __name__ == "__main__":
    main()
