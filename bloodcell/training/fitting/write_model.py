"""Write the folder of a trained model: its networks, and the files that describe it."""

import contextlib
import io
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras

from bloodcell.imaging.crop import crop_middle
from bloodcell.inference.ood import FeatureStatistics
from bloodcell.model_store.folder import (
    FEATURE_STATISTICS_FILE,
    HISTORY_FILE,
    KERAS_FILE,
    MASK_FILE,
    NETWORK_FILE,
    ModelFolder,
)
from bloodcell.model_store.provenance import Provenance
from bloodcell.networks.builders.keras_file import save_network
from bloodcell.training.fitting.export import export_onnx
from bloodcell.training.output.history import HistoryRow, write_history
from bloodcell.training.output.model_card import write_model_card
from bloodcell.training.samples.samples import Samples

# The exported network is compared with Keras on about so many crops, evenly over all.
N_CHECK_CROPS = 64


def write_networks(
    folder: Path,
    model: keras.Model,
    feature_statistics: FeatureStatistics,
    samples: Samples,
    mask_file: Path | None,
) -> tuple[str, ...]:
    """Write model.keras, model.onnx and all that prediction needs beside them.

    Parameters
    ----------
    folder : Path
        The model folder; it must exist.
    model : keras.Model
        The network.
    feature_statistics : FeatureStatistics
        Of the cells it was trained on.
    samples : Samples
        All samples of the run; the exported network is checked on some of them.
    mask_file : Path or None
        The U-Net that hides the background, if there is one.

    Returns
    -------
    tuple of str
        Outputs of model.onnx, in order.

    Raises
    ------
    ModelError
        If the exported network differs from Keras.
    """
    if mask_file is not None:
        shutil.copyfile(mask_file, folder / MASK_FILE)
    feature_statistics.save(folder / FEATURE_STATISTICS_FILE)
    save_network(model, folder / KERAS_FILE)
    check_crops = samples.stored_crops[:: max(1, len(samples.stored_crops) // N_CHECK_CROPS)]
    with contextlib.redirect_stdout(io.StringIO()):
        return export_onnx(model, folder / NETWORK_FILE, crop_middle(check_crops, *model.input.shape[1:3]))


def write_records(
    folder: Path,
    description: Mapping[str, Any],
    metrics: Mapping[str, Any],
    rows: Sequence[HistoryRow],
    provenance: Provenance | None,
) -> None:
    """Write spec.json, metrics.json, history.csv, the model card and, if it is known, the provenance.

    Parameters
    ----------
    folder : Path
        The model folder; it must exist.
    description : mapping
        Contents of spec.json.
    metrics : mapping
        Contents of metrics.json.
    rows : sequence of HistoryRow
        Epochs of the network.
    provenance : Provenance or None
        The images that the model was trained and selected on.
    """
    model_folder = ModelFolder(folder)
    model_folder.write_description(dict(description))
    model_folder.write_metrics(dict(metrics))
    write_history(folder / HISTORY_FILE, rows)
    if provenance is not None:
        model_folder.write_provenance(provenance)
    write_model_card(folder, description, metrics)
