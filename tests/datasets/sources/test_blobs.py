import errno
import hashlib
import os
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bloodcell.core.errors import StoreError
from bloodcell.datasets.sources.blobs import BlobStore


@pytest.fixture
def store(tmp_path: Path) -> BlobStore:
    return BlobStore(tmp_path / "images")


def files(store: BlobStore) -> list[Path]:
    return [path for path in store.folder.rglob("*") if path.is_file()]


def test_bytes_come_back_under_their_sha256(store):
    sha256 = store.put(b"abc")
    assert sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert store.get(sha256) == b"abc"
    assert files(store) == [store.folder / "ba" / sha256]


def test_same_bytes_are_stored_once(store):
    assert store.put(b"abc") == store.put(b"abc")
    assert len(files(store)) == 1


def test_missing_bytes(store):
    sha256 = hashlib.sha256(b"never").hexdigest()
    with pytest.raises(StoreError, match=f"The image {sha256[:12]} is not in the workspace"):
        store.get(sha256)


def test_damaged_bytes_are_noticed(store):
    sha256 = store.put(b"abc")
    (store.folder / "ba" / sha256).write_bytes(b"abd")
    with pytest.raises(StoreError, match="is damaged: its content no longer matches"):
        store.get(sha256)


def test_shortened_file_is_replaced_by_the_next_put(store):
    sha256 = store.put(b"abc")
    (store.folder / "ba" / sha256).write_bytes(b"")
    store.put(b"abc")
    assert store.get(sha256) == b"abc"


def test_unreadable_file(store):
    sha256 = hashlib.sha256(b"abc").hexdigest()
    (store.folder / "ba" / sha256).mkdir(parents=True)
    with pytest.raises(StoreError, match="cannot be read: Is a directory"):
        store.get(sha256)


@pytest.mark.parametrize("wrong", ["", "ab", "../../etc/passwd", "A" * 64, "g" * 64])
def test_only_a_sha256_is_a_name(store, wrong):
    with pytest.raises(StoreError, match="must be 64 hexadecimal digits in lower case"):
        store.get(wrong)


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_full_disk_leaves_nothing_behind(store, monkeypatch, step, code):
    def full(*args: object) -> None:
        raise OSError(code, os.strerror(code))

    kept = store.put(b"kept")
    monkeypatch.setattr(os, step, full)
    with pytest.raises(StoreError, match=r"The workspace disk is full: .* has no room for another image"):
        store.put(b"lost")
    assert [path.name for path in files(store)] == [kept]
    monkeypatch.undo()
    assert store.get(store.put(b"lost")) == b"lost"


def test_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "images").write_text("a file where the folder should be")
    with pytest.raises(StoreError, match=r"The workspace .*images cannot be written to: "):
        BlobStore(tmp_path / "images").put(b"abc")


def test_interrupt_leaves_nothing_behind(store, monkeypatch):
    def interrupted(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        store.put(b"abc")
    assert files(store) == []


def test_threads_may_store_the_same_bytes_at_once(store):
    threads = [threading.Thread(target=store.put, args=(b"same" * 1000,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(files(store)) == 1
    assert store.get(files(store)[0].name) == b"same" * 1000


@settings(max_examples=30, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_come_back(tmp_path_factory, data):
    store = BlobStore(tmp_path_factory.getbasetemp() / "any")
    assert store.get(store.put(data)) == data
