"""Argo CD's health checks as Argo CD runs them: in Lua 5.1, with the resource as the global `obj`."""

from __future__ import annotations

from typing import Any

import yaml
from lupa.lua51 import LuaRuntime
from tests.chart.helm import EXAMPLES, Json

ARGOCD = EXAMPLES / "argocd"
_KEY = "resource.customizations.health."


def scripts() -> dict[str, str]:
    """The health checks of argocd-cm.yaml, by group and kind."""
    config = yaml.safe_load((ARGOCD / "argocd-cm.yaml").read_text(encoding="utf-8"))
    return {key.removeprefix(_KEY): text for key, text in config["data"].items() if key.startswith(_KEY)}


def health(script: str, resource: Json) -> tuple[str, str]:
    """The status and the message that the script gives the resource."""
    # Argo CD's interpreter has no way out of it either: no files, no modules.
    lua = LuaRuntime(register_eval=False, register_builtins=False, unpack_returned_tuples=True)
    for name in ("io", "os", "require", "package", "dofile", "loadfile", "debug"):
        lua.globals()[name] = None
    lua.globals()["obj"] = _table(lua, resource)
    result = lua.execute(script)
    return result["status"], result["message"]


def _table(lua: Any, value: object) -> Any:
    if isinstance(value, dict):
        return lua.table_from({key: _table(lua, child) for key, child in value.items()})
    if isinstance(value, list):
        return lua.table_from([_table(lua, child) for child in value])
    return value
