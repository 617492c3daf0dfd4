"""The table for people who choose a network."""

import json

import pytest

from bloodcell.cli.main import main
from bloodcell.core.errors import ModelError
from bloodcell.networks.network_table import TIMES_FILE, read_network_rows
from bloodcell.networks.registry import NETWORKS


def test_times_come_from_the_measured_file(tmp_path):
    path = tmp_path / "networks.json"
    path.write_text(json.dumps({"networks": {"cnn": {"cpu_ms": 12.5}}}))
    times = {row.network.name: row.cpu_ms for row in read_network_rows(path)}
    assert times["cnn"] == 12.5
    assert times["small"] is None
    assert list(times) == [network.name for network in NETWORKS]


def test_without_a_measured_file_no_time_is_known(tmp_path):
    assert {row.cpu_ms for row in read_network_rows(tmp_path / "none.json")} == {None}


@pytest.mark.parametrize("text", ["{", "[]", '{"networks": {"cnn": {}}}', '{"networks": {"cnn": 3}}'])
def test_a_measured_file_that_makes_no_sense(tmp_path, text):
    path = tmp_path / "networks.json"
    path.write_text(text)
    with pytest.raises(ModelError, match=r"The measured times in .*networks\.json cannot be read"):
        read_network_rows(path)


def test_the_measured_file_of_the_project_knows_every_network():
    assert set(json.loads(TIMES_FILE.read_text())["networks"]) == {network.name for network in NETWORKS}


def test_the_command_prints_a_line_a_network(capsys):
    assert main(["networks"]) == 0
    header, *lines = capsys.readouterr().out.splitlines()
    assert header.split()[:3] == ["NAME", "TITLE", "INPUT"]
    assert [line.split()[0] for line in lines] == [network.name for network in NETWORKS]
    (cnn,) = [line for line in lines if line.startswith("cnn ")]
    assert {"120x160", "13.3", "3,312,964", "7"} <= set(cnn.split())  # 4 bytes each
    (vgg16,) = [line for line in lines if line.startswith("vgg16")]
    assert "71.3%" in vgg16
