"""A server on 127.0.0.1 stands in for the sources; nothing leaves the machine."""

import hashlib
import io
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests

from bloodcell.core.errors import DatasetError
from bloodcell.core.settings import Settings
from bloodcell.datasets.public import download, resumable_download
from bloodcell.datasets.public.download import PUBLIC_SETS, PublicSet, download_public_set, get_public_set, get_zip_path
from bloodcell.datasets.public.resumable_download import ResumingDownloader, _parse_extent


@dataclass
class Source:
    """What the server gives, and how it misbehaves."""

    content: bytes
    etag: str = '"v1"'
    drop_after: int = 0  # bytes of the body sent before the connection is cut; 0 sends all
    drops_left: int = 0
    status: int = 0  # sent in place of the file
    tells_length: bool = True
    ranges: list[str] = field(default_factory=list)
    url: str = ""


class _Handler(BaseHTTPRequestHandler):
    source: Source

    def do_GET(self) -> None:
        source = self.source
        asked = self.headers.get("Range", "")
        source.ranges.append(asked)
        if source.status:
            self.send_error(source.status)
            return
        start = 0
        if asked and self.headers.get("If-Range") == source.etag:
            start = int(asked.removeprefix("bytes=").rstrip("-"))
        body = source.content[start:]
        if start and not body:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(source.content)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        if start:
            last = len(source.content) - 1
            self.send_header("Content-Range", f"bytes {start}-{last}/{len(source.content)}")
        if source.etag:
            self.send_header("ETag", source.etag)
        if source.tells_length:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if source.drops_left:
            source.drops_left -= 1
            self.wfile.write(body[: source.drop_after])
            self.wfile.flush()
            self.close_connection = True
        else:
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def source() -> Iterator[Source]:
    made = Source(zip_of({"images/a.png": b"a" * 5000, "labels.csv": bytes(range(256)) * 40}))
    handler = type("Handler", (_Handler,), {"source": made})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    made.url = f"http://127.0.0.1:{server.server_address[1]}/set.zip"
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, db_url="")


@pytest.fixture
def public(source: Source, monkeypatch: pytest.MonkeyPatch) -> PublicSet:
    monkeypatch.setattr(resumable_download, "CHUNK_BYTES", 1000)
    monkeypatch.setattr(ResumingDownloader.__init__, "__defaults__", (None, 0.0))  # no pause between tries
    return use(
        monkeypatch,
        PublicSet("small", "two files", "MIT", "https://example.org/small", source.url, "small.zip", 1),
    )


def use(monkeypatch: pytest.MonkeyPatch, public: PublicSet) -> PublicSet:
    monkeypatch.setattr(download, "PUBLIC_SETS", (public,))
    return public


def zip_of(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_table_of_public_sets_is_complete():
    assert len({public.name for public in PUBLIC_SETS}) == len(PUBLIC_SETS) == 6
    assert len({public.file_name for public in PUBLIC_SETS}) == 6
    for public in PUBLIC_SETS:
        assert public.what
        assert public.licence
        assert public.source.startswith("https://")
        assert public.url == "" or public.url.startswith("https://")
        assert (public.sha256 is None) == (public.sha256_source == "")
        assert public.sha256 is None or len(public.sha256) == 64


def test_unknown_set_names_the_known_ones():
    with pytest.raises(DatasetError, match=r"no public set 'nope'. Available: bccd, kaggle-wbc"):
        get_public_set("nope")


def test_download_unpacks_and_reports(source, public, settings):
    seen: list[tuple[int, int]] = []
    folder = download_public_set("small", settings, lambda done, total: seen.append((done, total)))
    assert folder == settings.datasets_dir / "small"
    assert (folder / "images" / "a.png").read_bytes() == b"a" * 5000
    assert (folder / "labels.csv").stat().st_size == 256 * 40
    assert seen[-1] == (len(source.content), len(source.content))
    assert not list(get_zip_path(public, settings).parent.glob("*.part*"))


def test_second_fetch_asks_nobody(source, public, settings):
    assert download_public_set("small", settings) == download_public_set("small", settings)
    assert len(source.ranges) == 1


def test_dropped_connection_goes_on_where_it_stopped(source, public, settings):
    source.drop_after, source.drops_left = 4000, 2
    download_public_set("small", settings)
    assert source.ranges == ["", "bytes=4000-", "bytes=8000-"]


def test_download_goes_on_after_a_restart(source, public, settings):
    source.drop_after, source.drops_left = 3000, 1
    part = get_zip_path(public, settings).with_name("small.zip.part")
    part.parent.mkdir(parents=True)
    part.write_bytes(source.content[:1000])
    part.with_name("small.zip.part.etag").write_text(source.etag)
    download_public_set("small", settings)
    assert source.ranges == ["bytes=1000-", "bytes=4000-"]


def test_changed_file_starts_anew(source, public, settings):
    part = get_zip_path(public, settings).with_name("small.zip.part")
    part.parent.mkdir(parents=True)
    part.write_bytes(b"old" * 100)
    part.with_name("small.zip.part.etag").write_text('"v0"')
    download_public_set("small", settings)
    assert source.ranges == ["bytes=300-"]
    assert get_zip_path(public, settings).read_bytes() == source.content


def test_part_that_is_whole_is_kept(source, public, settings):
    part = get_zip_path(public, settings).with_name("small.zip.part")
    part.parent.mkdir(parents=True)
    part.write_bytes(source.content)
    part.with_name("small.zip.part.etag").write_text(source.etag)
    download_public_set("small", settings)
    assert get_zip_path(public, settings).read_bytes() == source.content


def test_part_that_is_too_long_starts_anew(source, public, settings):
    part = get_zip_path(public, settings).with_name("small.zip.part")
    part.parent.mkdir(parents=True)
    part.write_bytes(source.content + b"more")
    part.with_name("small.zip.part.etag").write_text(source.etag)
    download_public_set("small", settings)
    assert get_zip_path(public, settings).read_bytes() == source.content
    assert source.ranges[1] == ""


def test_without_an_etag_nothing_is_joined_together(source, public, settings):
    source.etag, source.drop_after, source.drops_left = "", 4000, 1
    download_public_set("small", settings)
    assert source.ranges == ["", ""]


def test_without_a_length_the_total_is_zero(source, public, settings):
    source.tells_length = False
    totals = set()
    download_public_set("small", settings, lambda done, total: totals.add(total))
    assert totals == {0}


def test_server_that_goes_on_elsewhere_is_refused():
    with pytest.raises(DatasetError, match=r"must send bytes from 7. Received: from 5"):
        _parse_extent({"Content-Range": "bytes 5-9/10"}, 7)


def test_connection_that_always_drops_is_one_sentence(source, public, settings):
    source.drop_after, source.drops_left = 0, 99
    with pytest.raises(
        DatasetError,
        match=r"small.zip could not be downloaded from http://127.* \(no connection\)\. .* put it at .*small",
    ):
        download_public_set("small", settings)
    assert len(source.ranges) == 3
    assert not (settings.datasets_dir / "small").exists()


def test_missing_page(source, public, settings):
    source.status = 404
    with pytest.raises(DatasetError, match="the server answered 404"):
        download_public_set("small", settings)


def test_no_network(public, settings, monkeypatch):
    use(monkeypatch, replace(public, url="http://127.0.0.1:9/set.zip"))
    with pytest.raises(DatasetError, match="no connection"):
        download_public_set("small", settings)


def test_server_that_does_not_answer(public, settings, monkeypatch):
    def silent(*args: object, **kwargs: object) -> None:
        raise requests.exceptions.ReadTimeout

    monkeypatch.setattr(requests, "get", silent)
    with pytest.raises(DatasetError, match="the server does not answer"):
        download_public_set("small", settings)


def test_right_checksum_is_said(source, public, settings, monkeypatch):
    use(monkeypatch, replace(public, sha256=sha256(source.content), sha256_source="its authors"))
    said: list[str] = []
    download_public_set("small", settings, on_message=said.append)
    assert said == ["The SHA-256 of small.zip is correct (its authors)."]


def test_wrong_checksum_is_thrown_away(public, settings, monkeypatch):
    use(monkeypatch, replace(public, sha256="0" * 64, sha256_source="its authors"))
    with pytest.raises(DatasetError, match=r"is not the expected file \(its SHA-256 differs\), so it was deleted"):
        download_public_set("small", settings)
    assert not get_zip_path(public, settings).exists()


def test_first_checksum_is_noted_and_then_held_to(source, public, settings):
    said: list[str] = []
    folder = download_public_set("small", settings, on_message=said.append)
    assert said[0].startswith("No source states a checksum for small.zip. Its SHA-256 ")
    archive = get_zip_path(public, settings)
    assert archive.with_name("small.zip.sha256").read_text().split()[0] == sha256(source.content)

    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    download_public_set("small", settings, on_message=said.append)
    assert said[1] == "The SHA-256 of small.zip is correct (noted at the first download)."

    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    archive.write_bytes(zip_of({"other.png": b"other"}))
    with pytest.raises(
        DatasetError, match=r"is not the expected file: its SHA-256 must be .* Delete it \(and small.zip.sha256"
    ):
        download_public_set("small", settings)


def test_set_that_needs_an_account_says_where_to_put_it(public, settings, monkeypatch):
    public = use(monkeypatch, replace(public, url=""))
    with pytest.raises(DatasetError, match=r"asks for an account before .* put the zip at .*downloads/small.zip"):
        download_public_set("small", settings)
    get_zip_path(public, settings).write_bytes(zip_of({"by_hand.png": b"1"}))
    assert (download_public_set("small", settings) / "by_hand.png").read_bytes() == b"1"


def test_zip_that_leads_out_is_not_unpacked(source, public, settings, tmp_path):
    source.content = zip_of({"ok.png": b"1", "../../evil.png": b"2"})
    with pytest.raises(DatasetError, match=r"cannot be unpacked: '../../evil.png': Its path leads out"):
        download_public_set("small", settings)
    assert not list(tmp_path.rglob("evil.png"))
    assert not list(tmp_path.rglob("ok.png"))


def test_what_is_no_zip_is_refused(source, public, settings):
    source.content = b"<html>please log in</html>"
    with pytest.raises(DatasetError, match=r"cannot be unpacked: The zip is damaged"):
        download_public_set("small", settings)


def test_hidden_members_are_left_out(source, public, settings):
    source.content = zip_of({"a.png": b"1", "__MACOSX/._a.png": b"2", "b/.DS_Store": b"3"})
    folder = download_public_set("small", settings)
    assert [path.name for path in folder.rglob("*") if path.is_file()] == ["a.png"]


def test_full_disk_is_one_sentence(public, settings, monkeypatch):
    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(download, "_write_members", full)
    with pytest.raises(DatasetError, match=r"The set small cannot be stored in .*: No space left on device"):
        download_public_set("small", settings)
    assert not (settings.datasets_dir / "small").exists()
