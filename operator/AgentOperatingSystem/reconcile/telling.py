"""The Events on a resource: one sentence for each step that was done in the runtime."""

from __future__ import annotations

import logging

from AgentOperatingSystem.model.definition import ObservedAgent
from AgentOperatingSystem.model.plan import Plan, Step
from AgentOperatingSystem.reconcile.ports import Cluster, Notice
from AgentOperatingSystem.reconcile.resource import Resource

logger = logging.getLogger(__name__)

_DONE = {
    Step.CREATE: ("Created", "Created agent {name}{with_version} on {deployment}."),
    Step.UPDATE: ("Updated", "Updated agent {name}{to_version}: {differences} changed."),
    Step.ADOPT: ("Adopted", "Took over agent {name}{as_version}."),
    Step.ENABLE: ("Enabled", "Enabled agent {name}."),
    Step.DISABLE: ("Disabled", "Disabled agent {name}; nothing of it is lost."),
    Step.RELEASE: ("Released", "Left agent {name} in the runtime, without our stamp."),
    Step.DELETE: ("Deleted", "Deleted agent {name} from the runtime."),
}
_CORRECTED = (
    "DriftCorrected",
    "Agent {name} was edited in the runtime ({differences}); it is as the spec says again{as_version}.",
)


async def announce(cluster: Cluster, resource: Resource, plan: Plan, observed: ObservedAgent | None) -> None:
    """Post an Event for each step of the plan, after which the runtime holds `observed`."""
    for step in plan.steps:
        notice = _notice(_CORRECTED if plan.drift and step is Step.UPDATE else _DONE[step], plan, observed)
        logger.info("%s", notice.message)
        await cluster.emit(resource, notice)


def _notice(told: tuple[str, str], plan: Plan, observed: ObservedAgent | None) -> Notice:
    reason, text = told
    version = observed.version if observed else ""
    message = text.format(
        name=plan.name,
        with_version=f", version {version}," if version else "",
        to_version=f" to version {version}" if version else "",
        as_version=f" as version {version}" if version else "",
        deployment=observed.definition.deployment if observed else "",
        differences=", ".join(plan.differences),
    )
    return Notice(reason, message)
