"""What all sessions share: the database, the stored images and the loaded models."""

import contextlib
from pathlib import Path

import streamlit as st
from sqlalchemy import Engine as Database

from bloodcell.core.errors import ModelError
from bloodcell.core.settings import load_settings
from bloodcell.datasets.sources.blobs import BlobStore
from bloodcell.db.database import open_database
from bloodcell.inference.detector import Detector
from bloodcell.inference.engine import Engine
from bloodcell.jobs.queue import JobQueue
from bloodcell.model_store.detectors import SHIPPED_DETECTOR
from bloodcell.model_store.library import ModelInfo


def get_database() -> Database:
    """Return the workspace's database."""
    return _open_cached(load_settings().db_url)


def get_job_queue() -> JobQueue:
    """Return the workspace's queue of jobs."""
    return JobQueue(get_database(), load_settings())


def get_blob_store() -> BlobStore:
    """Return the store of uploaded images."""
    return BlobStore(load_settings().blobs_dir)


@st.cache_resource(max_entries=2, show_spinner=False)
def get_engine(folder: str, sha256: str) -> Engine:
    """Return a loaded model; its SHA-256 is part of the cache key, so a replaced model is loaded anew."""
    del sha256
    return Engine(Path(folder))


@st.cache_resource(max_entries=1, show_spinner=False)
def get_detector(folder: str = str(SHIPPED_DETECTOR)) -> Detector:
    """Return the loaded detector of white cells, red cells and platelets."""
    return Detector(Path(folder))


def preload_engine(model: ModelInfo) -> None:
    """Load a model while the user still chooses images; an error is shown only when the model is used."""
    with contextlib.suppress(ModelError):
        get_engine(str(model.folder), model.sha256)


@st.cache_resource(max_entries=4, show_spinner=False)
def _open_cached(url: str) -> Database:
    return open_database(url)
