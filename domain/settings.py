"""Strict loading of settings: a mapping becomes frozen structs, unknown keys and wrong types are errors.

Takes mappings, never the environment or a file: those are read once, in `deployments/settings.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from domain.errors import Malformed

T = TypeVar("T")

ENV_PREFIX = "FINANCEHUB_"


def load(settings_type: type[T], mapping: Mapping[str, Any], where: str) -> T:
    """Raises Malformed naming the key, as in `financehub.toml: unknown field 'prot' at $.http`."""
    try:
        return msgspec.convert(mapping, settings_type, strict=True)
    except msgspec.ValidationError as error:
        text = str(error).replace("Object contains unknown field", "unknown key").replace("`", "'")
        raise Malformed(f"{where}: {text}") from None


def overlay(
    mapping: Mapping[str, Any], environment: Mapping[str, str], sections: Mapping[str, type]
) -> dict[str, Any]:
    """Lay `FINANCEHUB_<SECTION>_<KEY>=value` over a settings mapping.

    `sections` maps a dotted section (`http`, `feeds.binance`) to its struct type. A variable that names
    no known key is an error, like an unknown key in the file. Values are read as the field's type:
    tuples split at commas outside of brackets.
    """
    result = {key: dict(value) if isinstance(value, Mapping) else value for key, value in mapping.items()}
    names = _variable_names(sections)
    for variable, text in sorted(environment.items()):
        if not variable.startswith(ENV_PREFIX) or variable.startswith(ENV_PREFIX + "TEST_"):
            continue
        if variable not in names:
            raise Malformed(f"environment: {variable} names no setting")
        section, field = names[variable]
        target: dict[str, Any] = result
        for part in section.split("."):
            target[part] = dict(target.get(part, {}))
            target = target[part]
        target[field.encode_name] = _value(text, field.type, variable)
    return result


def _variable_names(
    sections: Mapping[str, type],
) -> dict[str, tuple[str, msgspec.structs.FieldInfo]]:
    names = {}
    for section, struct_type in sections.items():
        for field in msgspec.structs.fields(struct_type):
            variable = f"{ENV_PREFIX}{section.replace('.', '_')}_{field.encode_name}".upper()
            names[variable] = (section, field)
    return names


def _parts(text: str) -> list[str]:
    """Split at commas, but for those within brackets: `sma(50), macd(12,26,9)` are two."""
    parts, depth = [""], 0
    for sign in text:
        depth += (sign == "(") - (sign == ")")
        if sign == "," and depth <= 0:
            parts.append("")
        else:
            parts[-1] += sign
    return parts


def _value(text: str, field_type: Any, variable: str) -> Any:
    if getattr(field_type, "__origin__", None) is tuple:
        return [part.strip() for part in _parts(text) if part.strip()]
    try:
        return msgspec.convert(text, field_type, strict=False)
    except msgspec.ValidationError as error:
        raise Malformed(f"environment: {variable}: {error}") from None
