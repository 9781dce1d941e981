"""Every setting stands in docs/settings.md, every provider in docs/providers.md, every error pickles."""

from __future__ import annotations

import inspect
import pickle
from pathlib import Path

import msgspec
import pytest
import yaml

from actors.feeds.registry import parsed_providers
from deployments.settings import SECTIONS
from domain import errors

ROOT = Path(__file__).resolve().parents[2]
FEED_SECTIONS = {section for section in SECTIONS if section.startswith("feeds.")}


@pytest.mark.parametrize("section", sorted(set(SECTIONS) - FEED_SECTIONS))
def test_every_setting_is_documented(section: str) -> None:
    text = (ROOT / "docs" / "settings.md").read_text()
    fields = {field.name for field in msgspec.structs.fields(SECTIONS[section])}
    sections = {name.removeprefix("feeds.") for name in FEED_SECTIONS}
    missing = {name for name in fields - sections if f"\n{name} =" not in text and f"# {name}," not in text}
    assert f"\n[{section}]\n" in text and not missing


def test_every_feed_setting_is_documented() -> None:
    text = (ROOT / "docs" / "settings.md").read_text()
    fields = {field.name for field in msgspec.structs.fields(SECTIONS["feeds.sim"])}
    assert not {name for name in fields if name not in text}


@pytest.mark.parametrize("provider", parsed_providers())
def test_every_provider_is_documented(provider: str) -> None:
    assert f"`{provider}`" in (ROOT / "docs" / "providers.md").read_text()


@pytest.mark.parametrize(
    "error_type",
    [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, Exception)],
)
def test_every_error_survives_pickling(error_type: type[Exception]) -> None:
    error = error_type("what happened")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is error_type and str(again) == "what happened"


def test_every_error_stands_in_the_tree_of_the_docstring() -> None:
    tree = errors.__doc__ or ""
    names = [
        name for name, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, Exception)
    ]
    assert not [name for name in names if name not in tree]


def test_lock_files_name_no_registry() -> None:
    for lock in (ROOT / "requirements").glob("*.txt"):
        assert "://" not in lock.read_text(), lock


def test_cluster_yaml_is_valid_for_the_cluster_launcher() -> None:
    config = yaml.safe_load((ROOT / "cluster.yaml").read_text())
    commands = " ".join(config["head_start_ray_commands"])
    assert config["provider"]["type"] == "local"
    assert all(resource in commands for resource in ("feed", "keeper", "gateway"))
