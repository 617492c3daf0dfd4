"""What all sessions share: the database, the stored images and the loaded models."""

from pathlib import Path

import streamlit as st
from sqlalchemy import Engine as Database

from bloodcell.data.blobs import BlobStore
from bloodcell.infer.engine import Engine
from bloodcell.review.database import open_database
from bloodcell.settings import load_settings


def database() -> Database:
    """Return the workspace's database."""
    return _open(load_settings().db_url)


def blobs() -> BlobStore:
    """Return the store of uploaded images."""
    return BlobStore(load_settings().blobs_dir)


@st.cache_resource(max_entries=2, show_spinner="Loading the model …")
def engine(folder: str, sha256: str) -> Engine:
    """Return a loaded model; the hash is in the key, so a replaced model is loaded anew."""
    del sha256
    return Engine(Path(folder))


@st.cache_resource(max_entries=4, show_spinner=False)
def _open(url: str) -> Database:
    return open_database(url)
