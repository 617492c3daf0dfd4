"""The table of networks for people who choose one: size, depth, what it reached, and time on this machine."""

import json
from dataclasses import dataclass
from pathlib import Path

from bloodcell.core.errors import ModelError
from bloodcell.core.installation import FILES_DIR
from bloodcell.networks.registry import NETWORKS, Network

TIMES_FILE = FILES_DIR / "docs" / "measured" / "networks.json"


@dataclass(frozen=True)
class NetworkRow:
    """One network as one chooses it.

    cpu_ms : median time of one image on one processor core by ONNX Runtime, at the family's own size; None where
        it was not measured
    """

    network: Network
    cpu_ms: float | None


def read_network_rows(measured: Path = TIMES_FILE) -> list[NetworkRow]:
    """Every family in the order of the registry, with the time that `scripts/measure_networks.py` measured.

    Parameters
    ----------
    measured : file of that script; where it is absent, no time is known

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
