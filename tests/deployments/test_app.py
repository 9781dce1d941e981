"""What Ray is told before it starts."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from deployments import app
from deployments.app import check_port, free_port, metrics_may_be_open
from deployments.private_folder import CHOSEN_FILE, ray_folder, short_folder
from deployments.settings import HttpSettings
from domain.errors import Rejected

HAPROXY_SOCKET_BYTES = 97
RAY_SUBFOLDER = 56
SOCKET_BYTES = 107


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


def test_nobody_else_gets_to_the_sockets_of_a_local_ray_whose_paths_are_short_enough(tmp_path: Path) -> None:
    folder = ray_folder(tmp_path / ("d" * 100) / "run")
    try:
        assert folder.parent.stat().st_mode & 0o077 == 0
        assert len(f"{folder}/session_2027-01-01_00-00-00_000000_4194304/sockets/plasma_store") < SOCKET_BYTES
    finally:
        folder.rmdir()
        folder.parent.rmdir()


@pytest.mark.parametrize("squat", ["open", "file", "link", "another user's"])
def test_where_the_usual_place_is_taken_another_is_chosen_and_kept(tmp_path: Path, squat: str) -> None:
    usual = short_folder(tmp_path)
    usual.rmdir()
    take(usual, squat, tmp_path)
    try:
        chosen = short_folder(tmp_path)
        assert chosen != usual and chosen == short_folder(tmp_path)
        assert chosen.stat().st_mode & 0o077 == 0 and len(str(chosen)) <= len(str(usual))
        chosen.rmdir()
        assert short_folder(tmp_path) not in (usual, chosen), "nor is a remembered one trusted that is gone"
        Path((tmp_path / CHOSEN_FILE).read_text()).rmdir()
    finally:
        usual.rmdir() if usual.is_dir() and not usual.is_symlink() else usual.unlink()


def take(place: Path, how: str, folder: Path) -> None:
    if how == "file":
        place.touch()
    elif how == "link":
        place.symlink_to(folder)
    else:
        place.mkdir(mode=0o700)
        if how == "open":
            place.chmod(0o755)
        elif os.geteuid() == 0:
            os.chown(place, 65_534, 65_534)
        else:
            pytest.skip("only root can give a folder away")


def test_a_port_in_use_is_refused_and_another_one_found() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(Rejected, match=f"127.0.0.1:{port}"):
            check_port("127.0.0.1", port)
        assert free_port(port) != port


@pytest.mark.parametrize(
    ("host", "proxy", "is_open"),
    [
        ("127.0.0.1", True, True),
        ("::1", True, True),
        ("localhost", True, True),
        ("0.0.0.0", True, False),
        ("192.0.2.1", True, False),
        ("0.0.0.0", False, True),
    ],
)
def test_metrics_are_open_only_where_who_looks_local_is_local(
    host: str, proxy: bool, is_open: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "platform_has_ha_proxy", lambda: True)
    told = HttpSettings(host=host, ha_proxy=proxy, metrics_open=True)
    assert metrics_may_be_open(told) is is_open
    assert metrics_may_be_open(HttpSettings(host=host, ha_proxy=proxy)) is False
