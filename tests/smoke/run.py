"""Both plays of a run and their comparison: what is recorded, and what is said of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Protocol
from urllib.parse import urlsplit

from tests.smoke.comparing import Difference, differences
from tests.smoke.play import HASTY, PATIENT, Outcome, Patience, open_scene, play, steps
from tests.smoke.settings import Settings, as_the_operator, new_name
from tests.smoke.shapes import Scrubber, Told, dumped, to_json
from tests.smoke.wire import Exchange, Wire, listening

from AgentOperatingSystem.runtime.config import RuntimeConfig
from AgentOperatingSystem.sandbox.foundry import EmbeddedFoundry

PACKAGES = ("azure-ai-projects", "azure-ai-agents", "azure-core", "openai")


class Reader(Protocol):
    """Whoever is told how it goes."""

    def begins(self, where: str) -> None:
        """A play begins."""

    def ended(self, outcome: Outcome) -> None:
        """A step has ended."""

    def compared(self, found: list[Difference], exchanges: int) -> None:
        """All differences, over so many exchanges."""


@dataclass(frozen=True)
class Recording:
    """One play as it may be told. `exchanges` is raw, and for the last check only."""

    outcomes: tuple[Outcome, ...]
    told: tuple[Told, ...]
    exchanges: tuple[Exchange, ...]
    left: tuple[str, ...] = ()

    @property
    def failed(self) -> bool:
        """Whether a step did, or something is left behind."""
        return bool(self.left) or any(outcome.problem for outcome in self.outcomes)


async def record(
    config: RuntimeConfig,
    scrubber: Callable[[str], Scrubber],
    patience: Patience,
    tell: Callable[[Outcome], None],
    *,
    asks: bool,
) -> Recording:
    """Play all steps on the project of `config`, and hear what goes over the wire."""
    name = new_name()
    wire = Wire(config.facts().endpoint)
    with listening(wire, config.type):
        async with open_scene(as_the_operator(config, name), name, wire, patience) as scene:
            outcomes, left = await play(scene, steps(asks=asks), tell)
    made = scrubber(name)
    told = tuple(made.told(exchange) for exchange in wire.exchanges)
    return Recording(tuple(outcomes), told, tuple(wire.exchanges), tuple(left))


def scrubber_for(config: RuntimeConfig, name: str, personal: frozenset[str] = frozenset()) -> Scrubber:
    """What is the run's own, and what of the project must not be told."""
    parts = urlsplit(config.facts().endpoint)
    host = parts.hostname or ""
    account, _, _ = host.partition(".")
    project = parts.path.rpartition("/")[2]
    own = (name, config.model_deployment)
    return Scrubber(own, (*personal, parts.netloc, host, account, project))


async def run(
    settings: Settings, reader: Reader, patience: Patience = PATIENT
) -> tuple[bool, dict[str, Any]]:
    """Both plays and the comparison: whether all steps went well, and the document to write."""
    config = settings.config
    reader.begins(f"On Azure, as {config.type}:")
    azure = await record(
        config,
        lambda name: scrubber_for(config, name, settings.personal),
        patience,
        reader.ended,
        asks=settings.asks,
    )
    reader.begins("The same on the embedded Foundry:")
    with EmbeddedFoundry(deployments=(config.model_deployment,), environ={}) as foundry:
        beside = replace(config, project_endpoint=foundry.endpoint)
        embedded = await record(
            beside,
            lambda name: scrubber_for(beside, name),
            HASTY,
            reader.ended,
            asks=settings.asks,
        )
    begun = {outcome.step for outcome in azure.outcomes} & {outcome.step for outcome in embedded.outcomes}
    found = differences(azure.told, embedded.told, begun)
    document = {
        "generation": str(config.type),
        "day": datetime.now(UTC).date().isoformat(),
        "packages": _packages(),
        "azure": _written(azure),
        "embedded": _written(embedded),
        "differences": [asdict(one) for one in found],
    }
    made = scrubber_for(config, "", settings.personal)
    made.check(dumped([document["azure"], document["differences"]]), azure.exchanges)
    reader.compared(found, len(azure.told))
    return not (azure.failed or embedded.failed), document


def _written(recording: Recording) -> dict[str, Any]:
    # Of a failure the kind alone: its sentence names the endpoint.
    steps_told = [{"step": one.step, "failed": one.kind} for one in recording.outcomes]
    return {"steps": steps_told, "exchanges": to_json(recording.told)}


def _packages() -> dict[str, str]:
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions
