"""The table of networks for people who choose one: size, depth, ImageNet accuracy, and measured time."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bloodcell.core.errors import ModelError
from bloodcell.core.installation import FILES_DIR
from bloodcell.networks.registry import NETWORKS, Network

TIMES_FILE: Final = FILES_DIR / "docs" / "measured" / "networks.json"


@dataclass(frozen=True)
class NetworkRow:
    """One row of the table.

    Attributes
    ----------
    network : Network
        The network.
    cpu_ms : float or None
        Median time of one image of the default size on one processor core by ONNX Runtime; None if not measured.
    """

    network: Network
    cpu_ms: float | None


def read_network_rows(measured: Path = TIMES_FILE) -> list[NetworkRow]:
    """Read the times that `benchmarks/measure_networks.py` measured, for every network in the order of the registry.

    Parameters
    ----------
    measured : Path, default `TIMES_FILE`
        What the script wrote; where the file is missing, no time is known.

    Raises
    ------
    ModelError
        If the file is there but is not what the script writes.
    """
    times = _read_times(measured) if measured.is_file() else {}
    return [NetworkRow(network, times.get(network.name)) for network in NETWORKS]


def _read_times(measured: Path) -> dict[str, float]:
    try:
        networks = json.loads(measured.read_text(encoding="utf-8"))["networks"]
        return {name: float(metrics["cpu_ms"]) for name, metrics in networks.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"The measured times in {measured} cannot be read: {error}.") from error
