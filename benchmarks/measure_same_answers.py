"""Check that a checkout gives the same answers as it did when they were written down: rows of CSVs, numbers of metrics.

    PYTHONPATH=. python benchmarks/measure_same_answers.py --write before
    PYTHONPATH=. python benchmarks/measure_same_answers.py --check

It runs the command line of the checkout in the current folder (``python -m bloodcell``) on the shared data, in a workspace
of its own, and keeps what it says in ``same_answers_NAME.json`` beside this file. Headers, keys and names of files may be
others afterwards; a value of a row, the order of rows and columns, and a number may not.

Left out, as they say nothing of an answer: columns without any value (nobody decides on the command line: correction,
who, when) and the model's SHA-256 (a model file may be written anew; it is kept and told, not compared); of the numbers,
those that hold times, speed, or the version of a format. Answers are compared to the last digit that is written: write
and check on machines of one kind, with the same onnxruntime, numpy and opencv.
"""

import argparse
import csv
import hashlib
import io
import json
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from measurements import require_path

DATA: Final = Path(os.environ.get("BLOODCELL_DATA") or Path.cwd().parent / "shared" / "data").resolve()
OWN_SETTINGS: Final = ("BLOODCELL_HOME", "BLOODCELL_DB", "BLOODCELL_JOBS", "BLOODCELL_RUNNER", "RAY_ADDRESS")
MALARIA_STEP: Final = 40  # every 40th image: 201 of 8,006
NO_FIGURE: Final = re.compile(r"second|_per_s|_ms$|duration|elapsed|speed|format|version")
FINGERPRINT: Final = re.compile(r"[0-9a-f]{64}")
SHOWN: Final = 12  # differences that are told of each part

WBC_MASKS: Final[dict[str, Any]] = {
    "name": "wbc-masks",
    "layout": "csv",
    "csv": "classes.csv",
    "id_column": "image ID",
    "label_column": "class label",
    "file_pattern": "images/{id:0>3}.bmp",
    "labels": [["1", "NEUTROPHIL"], ["2", "LYMPHOCYTE"], ["3", "MONOCYTE"], ["4", "EOSINOPHIL"], ["5", "BASOPHIL"]],
    "groups": "each",
}


@dataclass(frozen=True)
class Case:
    """A model, and images to show it.

    name : of the case
    model : of the model library
    images : what is classified; None to leave that out
    labelled : what is evaluated: a folder with a folder per class, or a JSON of a source; None to leave that out
    """

    name: str
    model: str
    images: Path | None
    labelled: Path | None


@dataclass(frozen=True)
class Table:
    """What is kept of a CSV: hashes of its values, the header not taken in.

    rows : number of rows
    sha256 : of all values that are compared, in order
    columns : (name, hash of its values) of each column that is compared, in order; the name is for people
    row_hashes : one of each row
    without_values : columns in which nothing stands
    model_sha256 : the model's, where a column holds it in each row, or ""
    """

    rows: int
    sha256: str
    columns: list[tuple[str, str]]
    row_hashes: list[str]
    without_values: list[str]
    model_sha256: str


def main() -> int:
    """Write the answers down, or compare them with those that are.

    Returns
    -------
    int
        1 if an answer is another one than was written down, else 0
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--write", metavar="NAME", help="keep the answers as docs/measured/same_answers_NAME.json")
    what.add_argument("--check", nargs="?", const="before", metavar="NAME", help="compare (default: with before)")
    args = parser.parse_args()
    if not (Path.cwd() / "bloodcell").is_dir():
        raise SystemExit("error: run this in the root of a checkout.")
    path = Path("docs/measured") / f"same_answers_{args.write or args.check}.json"
    before = None if args.write else json.loads(path.read_text(encoding="utf-8"))
    now = json.loads(json.dumps(measure()))  # as it comes out of a file: no tuples
    if before is None:
        path.write_text(json.dumps(now, indent=1) + "\n", encoding="utf-8")
        _say(f"written to {path}")
        return 0
    found = differences(before, now)
    for line in found or [f"the same answers as in {path.name}: {_counted(now)}"]:
        _say(line)
    outcome = {"compared": _counted(now), "before": before["revision"], "differences": len(found)}
    Path("docs/measured/same_answers.json").write_text(json.dumps(outcome, indent=2) + "\n", encoding="utf-8")
    return 1 if found else 0


def measure() -> dict[str, Any]:
    """Run every case.

    Returns
    -------
    dict with
        revision : of the checkout
        tables : name -> fields of a Table
        numbers : name of an evaluation -> file -> path of keys -> number
    """
    tables: dict[str, dict[str, Any]] = {}
    numbers: dict[str, dict[str, dict[str, float]]] = {}
    with tempfile.TemporaryDirectory(prefix="same-answers-") as name:
        work = Path(name)
        for case in _cases(work):
            _say(f"{case.name} ...")
            if case.images is not None:
                for kind, options in (("full", ["--full"]), ("plain", [])):
                    out = work / f"{case.name}-{kind}.csv"
                    _bloodcell(work, "classify", case.images, "--model", case.model, "--out", out, *options)
                    tables[f"{case.name}, classify, {kind}"] = asdict(read_table(out.read_text(encoding="utf-8-sig")))
            if case.labelled is not None:
                folder = work / f"{case.name}-evaluation"
                _bloodcell(work, "evaluate", case.model, case.labelled, "--out", folder)
                for path in sorted(folder.glob("*.csv")):
                    table = read_table(path.read_text(encoding="utf-8-sig"))
                    tables[f"{case.name}, evaluate, {path.name}"] = asdict(table)
                numbers[case.name] = {
                    path.name: dict(numbers_in(json.loads(path.read_text(encoding="utf-8"))))
                    for path in sorted(folder.glob("*.json"))
                }
    return {"revision": _revision(), "malaria_step": MALARIA_STEP, "tables": tables, "numbers": numbers}


def read_table(text: str) -> Table:
    """Hash the values of a CSV; what is left out of them is said in the head of this file."""
    header, *rows = csv.reader(io.StringIO(text))
    columns = [(name, [row[at] for row in rows]) for at, name in enumerate(header)]
    empty = [name for name, values in columns if not any(values)]
    models = [values[0] for _, values in columns if len(rows) > 1 and _is_one_fingerprint(values)]
    kept = [(name, values) for name, values in columns if any(values) and not _is_one_fingerprint(values)]
    compared = list(zip(*(values for _, values in kept), strict=True))
    return Table(
        len(rows),
        _hash(compared),
        [(name, _hash(values)[:16]) for name, values in kept],
        [_hash(row)[:8] for row in compared],
        empty,
        models[0] if models else "",
    )


def numbers_in(value: Any, path: str = "") -> Iterator[tuple[str, float]]:
    """Every number in what a JSON holds, as (path of keys, number); true and false are none."""
    if isinstance(value, dict):
        for key, one in value.items():
            if not NO_FIGURE.search(key):
                yield from numbers_in(one, f"{path}/{key}")
    elif isinstance(value, list):
        for at, one in enumerate(value):
            yield from numbers_in(one, f"{path}/{at}")
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield path, value


def differences(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """List what is another answer now, a line each; nothing where all are the same."""
    found = []
    for part in ("tables", "numbers"):
        found += [f"{name}: no longer there" for name in before[part] if name not in now[part]]
        found += [f"{name}: was not there" for name in now[part] if name not in before[part]]
    for name in before["tables"].keys() & now["tables"].keys():
        found += [f"{name}: {line}" for line in _table_differences(before["tables"][name], now["tables"][name])]
    for name in before["numbers"].keys() & now["numbers"].keys():
        found += [f"{name}: {line}" for line in _number_differences(before["numbers"][name], now["numbers"][name])]
    return sorted(found)


def _table_differences(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    if before["sha256"] == now["sha256"] and before["rows"] == now["rows"]:
        return []
    lines = [f"{before['rows']} rows, now {now['rows']}"] if before["rows"] != now["rows"] else []
    was, has = ({one[1] for one in table["columns"]} for table in (before, now))
    gone = [name for name, sha in before["columns"] if sha not in has]
    new = [name for name, sha in now["columns"] if sha not in was]
    if gone or new:
        lines.append(f"values of the columns {', '.join(gone) or 'none'} are no longer there, those of {new} are new")
    else:
        lines.append("the columns stand in another order")
    pairs = enumerate(zip(before["row_hashes"], now["row_hashes"], strict=False), start=1)
    rows = [str(number) for number, (one, other) in pairs if one != other]
    more = f" and {len(rows) - SHOWN} more" if len(rows) > SHOWN else ""
    return [*lines, f"rows that differ: {', '.join(rows[:SHOWN])}{more}"]


def _number_differences(before: dict[str, dict[str, float]], now: dict[str, dict[str, float]]) -> list[str]:
    """Numbers that are there more or less often than before, under whatever keys, with the keys that held them."""
    was, has = (Counter(number for one in files.values() for number in one.values()) for files in (before, now))
    lines = []
    for what, counts, files in (("missing", was - has, before), ("extra", has - was, now)):
        for number, count in sorted(counts.items())[:SHOWN]:
            keys = [f"{file}{key}" for file, held in files.items() for key, one in held.items() if one == number]
            lines.append(f"{what} {count} x {number} (of {', '.join(keys[:4])}{' ...' if len(keys) > 4 else ''})")
        lines += [f"{what}: {len(counts) - SHOWN} numbers more"] if len(counts) > SHOWN else []
    return lines


def _cases(work: Path) -> list[Case]:
    """List what is asked; the sample of malaria and the JSON of wbc-masks are made in `work`."""
    simple = require_path(DATA / "kaggle-wbc" / "TEST_SIMPLE")
    malaria = work / "malaria"
    with zipfile.ZipFile(require_path(DATA / "malaria.zip")) as archive:
        names = sorted(name for name in archive.namelist() if name.lower().endswith(".png"))
        archive.extractall(work, names[::MALARIA_STEP])
    masks = work / "wbc-masks.json"
    masks.write_text(json.dumps(WBC_MASKS | {"path": str(require_path(DATA / "wbc-masks"))}), encoding="utf-8")
    return [
        Case("bccd with wbc4", "wbc4", require_path(DATA / "bccd" / "JPEGImages"), None),
        Case("kaggle-wbc TEST_SIMPLE with wbc4", "wbc4", simple, simple),
        Case("kaggle-wbc TEST_SIMPLE with wbc4-other-stains", "wbc4-other-stains", simple, simple),
        Case("kaggle-wbc TEST_SIMPLE with wbc8", "wbc8", simple, simple),
        Case("malaria sample with malaria", "malaria", malaria, malaria),
        Case("wbc-masks with wbc4", "wbc4", None, masks),
    ]


def _bloodcell(work: Path, *words: str | Path) -> None:
    """Run one command of the checkout; the end of the script with its last words if it fails."""
    env = {name: value for name, value in os.environ.items() if name not in OWN_SETTINGS}
    env |= {"BLOODCELL_HOME": str(work / "home"), "PYTHONPATH": str(Path.cwd())}
    command = [sys.executable, "-m", "bloodcell", *map(str, words)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, errors="replace")
    if done.returncode != 0:
        raise SystemExit(f"error: {' '.join(command)} ended with {done.returncode}:\n{done.stderr[-2000:]}")


def _revision() -> str:
    done = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else ""


def _is_one_fingerprint(values: Sequence[str]) -> bool:
    """Whether each row holds the same SHA-256: the model's."""
    return len(set(values)) == 1 and len(values) > 1 and FINGERPRINT.fullmatch(values[0]) is not None


def _hash(values: Sequence[Any]) -> str:
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()


def _counted(found: dict[str, Any]) -> str:
    rows = sum(table["rows"] for table in found["tables"].values())
    numbers = sum(len(held) for files in found["numbers"].values() for held in files.values())
    return f"{rows:,} rows of {len(found['tables'])} tables, {numbers:,} numbers of {len(found['numbers'])} evaluations"


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
