"""A workspace with a registered set of drawn cells and a tiny model, to evaluate for real."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bloodcell.core.settings import Settings
from bloodcell.datasets.catalog.library import register_dataset
from bloodcell.datasets.catalog.registration import Dataset
from bloodcell.datasets.catalog.source_spec import DATASET, SourceSpec
from bloodcell.datasets.labels.recognition import recognise_layout
from bloodcell.datasets.labels.records import Record
from bloodcell.evaluation.evaluate import run_evaluation
from bloodcell.evaluation.evaluation_folder import Evaluation
from bloodcell.evaluation.spec import EvaluateSpec
from bloodcell.imaging.read import encode_png
from bloodcell.model_store.folder import ModelFolder
from bloodcell.model_store.provenance import Provenance
from bloodcell.synthetic.gallery import draw_field
from tests.pages.tiny_model import CLASS_NAMES, write_tiny_model

N = 12


def workspace(home: Path, name: str = "Drawn") -> tuple[Settings, Dataset]:
    """Settings with the model "tiny" and a dataset: three cells of each of four classes, and one basophil."""
    settings = Settings(home / "ws", f"sqlite:///{home / 'ws' / 'bloodcell.db'}", shipped_models_dir=home / "shelf")
    write_tiny_model(settings.runs_dir / "tiny")
    return settings, add_dataset(settings, home, name)


def add_dataset(settings: Settings, home: Path, name: str, first: int = 0) -> Dataset:
    """Register drawn cells; those of another `first` are other cells."""
    for number in range(N + 1):
        label = CLASS_NAMES[number % 4] if number < N else "BASOPHIL"
        drawn = draw_field(first + number, 1, 120, 120, scale=0.45, class_names=[CLASS_NAMES[number % 4]]).rgb
        path = home / name / label.lower() / f"{number:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode_png(drawn))
    return register_dataset(name, home / name, recognise_layout(home / name).choice, settings)


def spec_for(dataset: Dataset, **changes) -> EvaluateSpec:
    """The evaluation of the tiny model on a dataset, each image a cell of its own unless said otherwise."""
    data = SourceSpec(
        dataset.name, dataset.id, DATASET, groups=changes.pop("groups", "each"), split=changes.pop("split", "")
    )
    own: dict[str, Any] = {"name": "tiny-on-drawn", "model": "tiny", "data": data}
    return EvaluateSpec(**own | changes)


def evaluated(settings: Settings, spec: EvaluateSpec) -> Evaluation:
    return run_evaluation(spec, settings.home, settings, lambda *_: None)


def learned_from(settings: Settings, dataset: Dataset, files: list[str], chosen_on: Sequence[str] = ()) -> None:
    """Let the tiny model say that it was trained on these files."""

    def sha(file: str) -> str:
        return hashlib.sha256((dataset.path / file).read_bytes()).hexdigest()

    provenance = Provenance.from_sha256(map(sha, files), map(sha, chosen_on))
    ModelFolder(settings.runs_dir / "tiny").write_provenance(provenance)


def records_of(dataset: Dataset) -> list[Record]:
    return [
        Record(str(path.relative_to(dataset.path)), path.parent.name) for path in sorted(dataset.path.rglob("*.png"))
    ]
