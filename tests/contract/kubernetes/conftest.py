"""What takes a real control plane long: begun with the suite, looked at near its end."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from tests.contract.conftest import Answer, Home, Kind, Target, unique


@dataclass(frozen=True)
class Leaving:
    """A namespace on its way out: its phase while an object was held in it, and how it refused another."""

    path: str
    phase: str
    refused: Answer


@pytest.fixture(scope="session", autouse=True)
def leaving(target: Target, widgets: Kind) -> Leaving:
    """A namespace that is deleted as soon as the suite starts: a real one needs ten seconds to go."""
    name = unique("leaving")
    path = f"/api/v1/namespaces/{name}"
    target.post("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    home = Home(widgets, name)
    home.create("held", {"finalizers": ["example.com/hold"]})
    target.delete(path)
    target.eventually(
        lambda: "deletionTimestamp" in target.get(home.one("held")).body["metadata"], "the content is deleted"
    )
    phase = target.get(path).body["status"]["phase"]
    refused = target.post(home.all, widgets.make("late"))
    target.patch(home.one("held"), {"metadata": {"finalizers": None}})
    return Leaving(path, phase, refused)
