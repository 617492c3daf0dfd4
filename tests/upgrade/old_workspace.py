"""The workspace of an older version, unpacked in another folder than it was made in."""

import json
import os
import sqlite3
import zipfile
from dataclasses import replace
from functools import cache
from pathlib import Path

from bloodcell.core.settings import load_settings

FOLDER = Path(__file__).parent
TEXT_FILES = (".json", ".csv", ".txt", ".md")


@cache
def read_expected():
    return json.loads((FOLDER / "workspace-0.1.expected.json").read_text(encoding="utf-8"))


def unpack(parent):
    """Unpack the workspace below `parent` and return its settings; paths in it lead to where it is now."""
    expected = read_expected()
    with zipfile.ZipFile(FOLDER / "workspace-0.1.zip") as archive:
        archive.extractall(parent)
    home = parent / expected["in_zip"].rstrip("/")
    before, after = expected["made_at"], str(home)
    for name in expected["holds_made_at"]:
        path = home / name
        if path.suffix in TEXT_FILES:
            path.write_bytes(path.read_bytes().replace(before.encode(), after.encode()))
    for name, (_, mtime_ns) in expected["files"].items():
        if not name.endswith(".db"):
            os.utime(home / name, ns=(mtime_ns, mtime_ns))
    database = sqlite3.connect(home / "bloodcell.db")
    with database:
        for column in ("spec", "data_dir", "error", "progress"):
            database.execute(f"UPDATE jobs SET {column} = replace({column}, ?, ?)", (before, after))
    database.close()
    return replace(load_settings(), home=home, db_url=f"sqlite:///{home / 'bloodcell.db'}")


def expect(part, settings):
    """What 0.1 said of a part of the workspace, with the paths that hold here."""
    text = json.dumps(read_expected()["said"][part])
    return json.loads(text.replace(read_expected()["made_at"], str(settings.home)))


def rows(table):
    """The values of a table as the expectations hold them; NaN as None."""
    return json.loads(table.to_json(orient="values", double_precision=6))
