import io
import struct
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bloodcell.core.errors import IntakeError
from bloodcell.datasets.sources import archives
from bloodcell.datasets.sources.archives import SafeZip, is_plain_path


def zip_of(members: dict[str, bytes], packing: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", packing) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def with_listed_size(data: bytes, old: int, new: int) -> bytes:
    """The same zip, lying about the unpacked size of its member in both places that tell it."""
    assert data.count(struct.pack("<I", old)) == 2
    return data.replace(struct.pack("<I", old), struct.pack("<I", new))


def only_problem(data: bytes) -> str:
    with SafeZip(io.BytesIO(data)) as archive:
        (info,) = archive.members
        problem = archive.find_problem(info)
        if problem:
            with pytest.raises(IntakeError) as caught:
                archive.read(info)
            assert str(caught.value) == problem
        return problem


def test_members_are_read():
    with SafeZip(io.BytesIO(zip_of({"a.png": b"one", "b/": b"", "b/c.png": b"two"}))) as archive:
        read = {info.filename: archive.read(info) for info in archive.members}
    assert read == {"a.png": b"one", "b/c.png": b"two"}


@pytest.mark.parametrize(
    "data",
    [b"", b"no zip", b"PK\x03\x04" + bytes(40), zip_of({"a": b"1"})[:-10]],
    ids=["empty", "text", "header only", "cut short"],
)
def test_damaged_zip(data):
    with pytest.raises(IntakeError, match="The zip is damaged and cannot be opened"):
        SafeZip(io.BytesIO(data))


@pytest.mark.parametrize(
    "name", ["../a.png", "a/../../b.png", "/etc/a.png", "C:\\a.png", "c:a.png", "..\\a.png", "\\\\host\\a.png"]
)
def test_path_that_leads_out(name):
    assert not is_plain_path(name)
    assert only_problem(zip_of({name: b"1"})) == "Its path leads out of the zip, so it is refused."


@pytest.mark.parametrize("name", ["a.png", "a/b.png", "..a.png", "a..b/c.png", "./a.png", "=cmd.png", "ä😀.png"])
def test_plain_paths(name):
    assert is_plain_path(name)


def test_link():
    info = zipfile.ZipInfo("link.png")
    info.external_attr = 0o120777 << 16
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(info, "/etc/passwd")
    assert only_problem(buffer.getvalue()).startswith("It is a link inside a zip")


def test_encrypted_member():
    data = bytearray(zip_of({"a.png": b"secret"}))
    data[data.index(b"PK\x01\x02") + 8] |= 1  # bit 0 of the flags in the list of members
    assert only_problem(bytes(data)).startswith("It is encrypted")


@pytest.mark.parametrize("packing", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_unusual_packing(packing):
    assert only_problem(zip_of({"a.png": b"1" * 100}, packing)).startswith("Its compression method is not supported")


def test_zip_bomb_by_its_ratio():
    bomb = zip_of({"bomb.bmp": bytes(4 * 2**20)})
    assert only_problem(bomb).startswith("It unpacks to more than 200 times its size, like a zip bomb")
    assert only_problem(zip_of({"blank.bmp": bytes(archives.RATIO_FREE_BYTES)})) == ""


def test_large_member_by_its_listed_size():
    with SafeZip(io.BytesIO(zip_of({"a": bytes(3 * 2**20)}, zipfile.ZIP_STORED)), max_member_bytes=2**20) as archive:
        sentence = "The file is too large: at most 1 MB are allowed. Received: 3 MB."
        assert archive.find_problem(archive.members[0]) == sentence
        with pytest.raises(IntakeError, match=sentence):
            archive.read(archive.members[0])


def test_member_that_hides_its_size():
    """The list says 1,000 bytes where 3 million come out: never more is unpacked than was listed."""
    data = with_listed_size(zip_of({"bomb.bmp": bytes(3_000_000)}), 3_000_000, 1000)
    with (
        SafeZip(io.BytesIO(data)) as archive,
        pytest.raises(IntakeError, match="It is damaged inside the zip, so it cannot be unpacked"),
    ):
        archive.read(archive.members[0])


def test_limits_hold_while_unpacking_whatever_was_listed(monkeypatch):
    data = zip_of({"a": bytes(600_000), "b": bytes(600_000)}, zipfile.ZIP_STORED)
    with SafeZip(io.BytesIO(data), max_total_bytes=1_300_000) as archive:
        archive.max_total_bytes = 1_000_000
        assert len(archive.read(archive.members[0])) == 600_000
        with pytest.raises(
            IntakeError, match=r"is too large when unpacked: at most 0.0 GB are allowed. Received: more"
        ):
            archive.read(archive.members[1])
    with SafeZip(io.BytesIO(data)) as archive:
        monkeypatch.setattr(archive, "find_problem", lambda info: "")
        archive.max_member_bytes = 500_000
        with pytest.raises(IntakeError, match="The file is too large"):
            archive.read(archive.members[0])


def test_listed_total_is_refused_at_once():
    with pytest.raises(IntakeError, match=r"too large when unpacked: at most 0.0 GB are allowed. Received: 0.0 GB"):
        SafeZip(io.BytesIO(zip_of({"a": bytes(600), "b": bytes(600)})), max_total_bytes=1000)


def test_too_many_members(monkeypatch):
    data = zip_of({f"{number}.png": b"" for number in range(6)})
    monkeypatch.setattr(archives, "MAX_ZIP_MEMBERS", 5)
    with pytest.raises(IntakeError, match=r"has too many files: at most 5 are allowed. Received: 6"):
        SafeZip(io.BytesIO(data))
    monkeypatch.setattr(archives, "MAX_ZIP_DIRECTORY_BYTES", 100)
    with pytest.raises(IntakeError, match=r"too many files: at most 5 are allowed. Received: a list of 0 MB"):
        SafeZip(io.BytesIO(data))


def test_damaged_member():
    data = bytearray(zip_of({"a.png": b"0123456789" * 50}, zipfile.ZIP_STORED))
    data[100] ^= 0xFF
    with (
        SafeZip(io.BytesIO(bytes(data))) as archive,
        pytest.raises(IntakeError, match="It is damaged inside the zip"),
    ):
        archive.read(archive.members[0])


WHOLE = zip_of({"a.png": b"one" * 30, "b/c.png": b"two"})


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damaged_zips_raise_intake_errors_only(data):
    damaged = bytearray(WHOLE)
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    try:
        archive = SafeZip(io.BytesIO(bytes(damaged)))
    except IntakeError:
        return
    with archive:
        for info in archive.members:
            try:
                archive.read(info)
            except IntakeError:
                continue
