"""Ask which network to train and from which weights; compare all networks in a table."""

import pandas as pd
import streamlit as st

from bloodcell.networks.network_table import NetworkRow, read_network_rows
from bloodcell.networks.registry import BY_MASKS, Network
from bloodcell.networks.settings import FROM_SCRATCH, IMAGENET
from bloodcell.ui.shared.messages import escape_md

_FILE = "file"
_STARTS = {FROM_SCRATCH: "random", IMAGENET: "ImageNet", _FILE: "a weights file"}


def ask_network() -> tuple[Network, str]:
    """Ask for a network and its starting weights: "none", "imagenet" or the path of a file."""
    by_name = {row.network.name: row for row in _list_rows()}
    name = st.selectbox("Model", list(by_name), format_func=lambda name: by_name[name].network.title, key="train-model")
    row = by_name[name]
    st.caption(escape_md(_describe_network(row)))
    return row.network, _ask_weights(row.network)


def show_comparison() -> None:
    """Show all networks side by side."""
    with st.expander("Compare all models", icon=":material/table:"):
        st.dataframe(
            make_networks_table(_list_rows()),
            hide_index=True,
            key="train-models",
            height="content",
            placeholder="-",
            column_config={
                "Model": st.column_config.Column(pinned=True),
                "Parameters": st.column_config.NumberColumn(format="localized"),
                "MB": st.column_config.NumberColumn(format="%.1f"),
                "ImageNet top-1 (%)": st.column_config.NumberColumn(format="%.1f"),
                "ms per image": st.column_config.NumberColumn(format="%.1f"),
            },
        )
        st.caption(
            "ms per image: measured on one processor core of the machine that Bloodcell was built on. Top-1: published "
            "accuracy on ImageNet of the weights that the model can start from."
        )


def make_networks_table(rows: list[NetworkRow]) -> pd.DataFrame:
    """Make the table to choose a network from, a row each."""
    return pd.DataFrame(
        {
            "Model": [row.network.title for row in rows],
            "Size (px)": [f"{row.network.height_px} x {row.network.width_px}" for row in rows],
            "Parameters": [row.network.parameters for row in rows],
            "MB": [row.network.size_mb for row in rows],
            "Depth": [row.network.depth for row in rows],
            "ImageNet top-1 (%)": [None if row.network.top1 is None else 100 * row.network.top1 for row in rows],
            "ms per image": [row.cpu_ms for row in rows],
            "Description": [row.network.note for row in rows],
        }
    )


def _list_rows() -> list[NetworkRow]:
    return [row for row in read_network_rows() if row.network.trained_by != BY_MASKS]


def _describe_network(row: NetworkRow) -> str:
    network = row.network
    facts = [
        network.note[0].upper() + network.note[1:],
        f"{network.height_px} x {network.width_px} px",
        f"{network.parameters / 1e6:.1f} million parameters",
        f"{network.depth} layers",
    ]
    if network.top1 is not None:
        facts.append(f"ImageNet top-1 {network.top1:.1%}")
    if row.cpu_ms is not None:
        facts.append(f"{row.cpu_ms:.1f} ms per image")
    return " · ".join(facts)


def _ask_weights(network: Network) -> str:
    if not network.pretrained:
        return FROM_SCRATCH
    start = st.radio(
        "Starting weights",
        list(_STARTS),
        format_func=_STARTS.__getitem__,
        horizontal=True,
        key=f"train-{network.name}-start",
        help="With weights from ImageNet, the network already detects edges and shapes and needs fewer images.",
    )
    if start == IMAGENET:
        st.caption(
            "Keras downloads the weights once. Without an internet connection, the job ends with the name of the file and "
            "the folder to put it in."
        )
    if start != _FILE:
        return start
    return st.text_input("Weights file on this computer", key=f"train-{network.name}-weights").strip()
