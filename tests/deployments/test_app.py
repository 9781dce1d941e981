"""What Ray is told before it starts."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from deployments.app import check_port, free_port, short_folder
from domain.errors import Rejected

HAPROXY_SOCKET_BYTES = 97
RAY_SUBFOLDER = 56


def test_sockets_of_a_deep_data_directory_have_a_short_path_of_their_own(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100) / "run"
    folder = short_folder(deep)
    try:
        assert len(str(folder)) + RAY_SUBFOLDER + len("/haproxy.sock") < HAPROXY_SOCKET_BYTES
        assert folder == short_folder(deep) != short_folder(tmp_path)
        assert folder.stat().st_mode & 0o077 == 0
    finally:
        folder.rmdir()
        short_folder(tmp_path).rmdir()


def test_a_folder_that_others_may_enter_is_refused(tmp_path: Path) -> None:
    folder = short_folder(tmp_path)
    folder.chmod(0o755)
    try:
        with pytest.raises(Rejected, match="remove it"):
            short_folder(tmp_path)
    finally:
        folder.rmdir()


def test_a_port_in_use_is_refused_and_another_one_found() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(Rejected, match=f"127.0.0.1:{port}"):
            check_port("127.0.0.1", port)
        assert free_port(port) != port
