"""A page of another site cannot reach the app by a host name that leads here (DNS rebinding)."""

import socket

import pytest

pytestmark = pytest.mark.browser


def ask_for_websocket(port, host, origin):
    """Ask for the app's websocket as a browser does; return the HTTP status of the answer."""
    lines = [
        "GET /_stcore/stream HTTP/1.1",
        f"Host: {host}",
        f"Origin: {origin}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ]
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        return int(connection.recv(100).split()[1])


def test_only_names_of_this_machine_get_a_websocket(server):
    def ask(host, origin):
        return ask_for_websocket(server.port, f"{host}:{server.port}", f"http://{origin}:{server.port}")

    assert [ask(own, own) for own in ("127.0.0.1", "localhost", "[::1]")] == [101, 101, 101]
    assert ask("rebound.example", "rebound.example") == 403
    assert ask("127.0.0.1", "rebound.example") == 403
    assert ask("127.0.0.1.rebound.example", "127.0.0.1.rebound.example") == 403
