"""Run `bloodcell reproduce` for published work and keep what it finds; writes docs/measured/reproduction.json.

    python benchmarks/measure_reproduction.py --out DIR [--only NAME ...]

Runs that lie in DIR already are not trained again; what was measured of other recipes stays. TEST is not touched.
"""

import argparse
import json
from pathlib import Path

from measurements import DATA, RESULTS_DIR, require_path, write_measurement

from bloodcell.cli.training.reproduce import RESULT_FILE, reproduce
from bloodcell.training.specs.recipes import RECIPES, get_recipe

NAMES = [one.name for one in RECIPES]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for the runs, one folder a recipe")
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES)
    args = parser.parse_args()
    require_path(DATA / "kaggle-wbc" / "TRAIN")
    path = RESULTS_DIR / "reproduction.json"
    for name in args.only:
        folder = args.out / name
        folder.mkdir(parents=True, exist_ok=True)
        reproduce(get_recipe(name), DATA, folder)
        # Read again, as another process may have measured another recipe meanwhile.
        found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        found[name] = json.loads((folder / RESULT_FILE).read_text(encoding="utf-8"))
        write_measurement("reproduction", {known: found[known] for known in NAMES if known in found})


if __name__ == "__main__":
    main()
