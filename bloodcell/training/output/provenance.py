"""Which images a training run was trained and selected on, as the model's folder records them."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from bloodcell.datasets.catalog.open_sources import open_source
from bloodcell.datasets.catalog.source_spec import SourceSpec
from bloodcell.model_store.provenance import Provenance
from bloodcell.training.samples.samples import Samples


def collect_provenance(
    sources: Sequence[SourceSpec], data_dir: Path, training_samples: Samples, held_out: Samples | None
) -> Provenance:
    """Read the images of a run again and hash their contents.

    Parameters
    ----------
    sources : sequence of SourceSpec
        The sources of the samples, in order.
    data_dir : Path
        Folder that the sources' paths start from.
    training_samples : Samples
        What the network was trained on.
    held_out : Samples or None
        What its best checkpoint or its thresholds were chosen on; None where nothing else was.

    Returns
    -------
    Provenance

    Raises
    ------
    DatasetError
        If a source is no longer there.
    """
    selection_hashes = _hash_images(sources, data_dir, held_out) if held_out else []
    return Provenance.from_sha256(_hash_images(sources, data_dir, training_samples), selection_hashes)


def _hash_images(sources: Sequence[SourceSpec], data_dir: Path, samples: Samples) -> list[str]:
    hashes: list[str] = []
    for number, source in enumerate(sources):
        files = {file for file, of in zip(samples.file, samples.source.tolist(), strict=True) if of == number}
        if files:
            with open_source(source, data_dir)[0] as images:
                hashes += [hashlib.sha256(images.read(file)).hexdigest() for file in sorted(files)]
    return hashes
