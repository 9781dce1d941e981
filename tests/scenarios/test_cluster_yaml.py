"""`cluster.yaml` is what Ray's cluster launcher takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from actors.launch import RESOURCES

FILE = Path(__file__).resolve().parents[2] / "cluster.yaml"


@pytest.fixture(scope="module")
def config() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(FILE.read_text())
    return loaded


def test_the_launchers_own_schema_accepts_it(config: dict[str, Any]) -> None:
    from ray.autoscaler._private.util import prepare_config, validate_config

    prepared = prepare_config(config)
    validate_config(prepared)
    assert prepared["provider"]["type"] == "local"
    assert prepared["available_node_types"]


def test_a_misspelt_key_is_refused(config: dict[str, Any]) -> None:
    from ray.autoscaler._private.util import prepare_config, validate_config

    with pytest.raises(Exception, match="initialisation_commands"):
        validate_config(prepare_config(config | {"initialisation_commands": []}))


@pytest.mark.parametrize("commands", ["head_start_ray_commands", "worker_start_ray_commands"])
def test_every_node_offers_keepers_a_place_and_asks_for_the_token(
    commands: str, config: dict[str, Any]
) -> None:
    start = next(command for command in config[commands] if "ray start" in command)
    assert f'"{RESOURCES["keeper_shard"]}": ' in start
    assert "RAY_AUTH_MODE=token" in start
    assert "--disable-usage-stats" in start


def test_the_head_takes_every_role_that_has_a_resource(config: dict[str, Any]) -> None:
    start = next(command for command in config["head_start_ray_commands"] if "ray start" in command)
    assert all(f'"{resource}": ' in start for resource in RESOURCES.values())
