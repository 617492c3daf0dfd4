"""Write learned.npz of a model that was taught before models kept it: the pictures of the sources in its spec.json.

    python benchmarks/write_provenance.py models/wbc4

Every labelled picture of the sources is noted, also the few in which no white cell was found.
"""

import argparse
import hashlib
import json
from pathlib import Path

from measurements import DATA

from bloodcell.core.spec import build
from bloodcell.datasets.catalog.open_sources import open_source
from bloodcell.datasets.catalog.source_spec import SourceSpec
from bloodcell.model_store.provenance import Provenance


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="folder of the model")
    folder: Path = parser.parse_args().model
    training = json.loads((folder / "spec.json").read_text(encoding="utf-8"))["training"]
    if training.get("fold", -1) != -1:
        raise SystemExit(f"{folder.name} held a fold out, and which pictures lay in it is not known any more.")
    sha256 = []
    for values in training["sources"]:
        images, records = open_source(build(SourceSpec, values), DATA)
        with images:
            sha256 += [hashlib.sha256(images.read(record.file)).hexdigest() for record in records]
    Provenance.of(sha256).save(folder)
    print(f"{folder.name}: {len(set(sha256)):,} pictures noted")


if __name__ == "__main__":
    main()
