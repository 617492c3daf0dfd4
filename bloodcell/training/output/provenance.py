"""Which pictures a training run learned from, as the model's folder keeps them."""

import hashlib
from pathlib import Path

from bloodcell.datasets.catalog.open_sources import open_source
from bloodcell.model_store.provenance import Provenance
from bloodcell.training.samples.samples import Samples
from bloodcell.training.specs.train_spec import TrainSpec


def collect_provenance(
    spec: TrainSpec, data_dir: Path, training_samples: Samples, held_out: Samples | None
) -> Provenance:
    """Read the pictures of a run again for their SHA-256.

    Parameters
    ----------
    data_dir : folder that the sources' paths start from
    learned : what the network was taught on
    held : what its last epoch or its thresholds were chosen on; None for nothing else

    Raises
    ------
    DatasetError
        If a source is no longer there.
    """
    return Provenance.from_sha256(
        _hash_images(spec, data_dir, training_samples), _hash_images(spec, data_dir, held_out) if held_out else ()
    )


def _hash_images(spec: TrainSpec, data_dir: Path, samples: Samples) -> list[str]:
    found: list[str] = []
    for number, source in enumerate(spec.sources):
        mine = {file for file, of in zip(samples.file, samples.source.tolist(), strict=True) if of == number}
        if mine:
            with open_source(source, data_dir)[0] as images:
                found += [hashlib.sha256(images.read(file)).hexdigest() for file in sorted(mine)]
    return found
