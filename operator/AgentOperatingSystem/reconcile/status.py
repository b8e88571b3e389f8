"""What is written on the resource after a pass. Pure: time is an argument.

A status never claims more than the pass saw. After a passing failure of the runtime an agent that was
known to serve stays Ready for a while, since a runtime that does not answer us may still serve it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from AgentOperatingSystem.api.conditions import (
    IN_SYNC,
    MODEL_AVAILABLE,
    READY,
    RECONCILING,
    STALLED,
    TOOLS_RESOLVED,
    Statement,
    stated,
    timestamp,
)
from AgentOperatingSystem.api.v1alpha1 import (
    Condition,
    ConditionStatus,
    Drift,
    PurposeDrivenAgentStatus,
    RuntimeStatus,
    ToolStatus,
)
from AgentOperatingSystem.model.definition import CodeInterpreterTool, FileSearchTool, ObservedAgent
from AgentOperatingSystem.model.errors import AOSError, ModelNotFound, ReferenceMissing
from AgentOperatingSystem.model.facts import RETIREMENT, ModelFinding, RuntimeFacts
from AgentOperatingSystem.reconcile.desired import DesiredState
from AgentOperatingSystem.reconcile.resource import Resource
from AgentOperatingSystem.reconcile.verdict import Reason, Retry, Verdict, verdict_on

# How long an agent that served stays Ready while its runtime does not answer.
PATIENCE = timedelta(minutes=5)

# As many and as long as the schema of the status lets through.
DRIFT_LIMIT, DRIFT_PATH_LIMIT = 256, 256

TRUE, FALSE, UNKNOWN = ConditionStatus.TRUE, ConditionStatus.FALSE, ConditionStatus.UNKNOWN


@dataclass(frozen=True, slots=True)
class Findings:
    """What a pass found out, as far as it came: `error` is what stopped it, None when nothing did."""

    facts: RuntimeFacts | None = None
    desired: DesiredState | None = None
    observed: ObservedAgent | None = None
    thread_id: str | None = None
    drift: tuple[str, ...] = ()
    model: ModelFinding | None = None
    error: AOSError | None = None


def make_status(resource: Resource, findings: Findings, now: datetime) -> PurposeDrivenAgentStatus:
    """The status that the findings justify, given the one that the resource has."""
    if findings.error is None:
        statements = _after_success(findings)
    else:
        statements = _after_failure(resource, findings.error, now)
    statements += _on_tools(findings.desired, findings.error)
    statements += _on_model(resource, findings)
    return _status(resource, findings, statements, now)


def make_deleting_status(
    resource: Resource, error: AOSError | None, now: datetime
) -> PurposeDrivenAgentStatus:
    """The status of a resource that waits for its agent to go."""
    if error is None:
        waiting = "Waiting for proof that the agent is gone from the runtime."
        statements = _not_ready(Verdict(Reason.DELETING, False, Retry.SOON), waiting)
    else:
        statements = _not_ready(verdict_on(error), f"Cannot delete the agent yet: {error}")
    return _status(resource, Findings(error=error), statements, now)


def make_bug_status(resource: Resource, kind: str, now: datetime) -> PurposeDrivenAgentStatus:
    """The status after an error that nobody foresaw: `kind` is the exception's class, never its text."""
    message = f"The operator met an unexpected {kind}; see its log. It tries again."
    statements = [
        Statement(READY, UNKNOWN, Reason.INTERNAL_ERROR, message),
        Statement(RECONCILING, TRUE, Reason.INTERNAL_ERROR, message),
    ]
    return _status(resource, Findings(error=AOSError(message)), statements, now)


def _status(
    resource: Resource, findings: Findings, statements: Sequence[Statement], now: datetime
) -> PurposeDrivenAgentStatus:
    return PurposeDrivenAgentStatus(
        observed_generation=resource.generation,
        conditions=stated(statements, resource.status.conditions, generation=resource.generation, now=now),
        runtime=_runtime_status(resource, findings),
        tools=_tool_status(resource, findings.desired),
        drift=_drift_status(resource, findings, now),
        last_handled_reconcile_at=resource.request,
    )


def _after_success(findings: Findings) -> list[Statement]:
    desired, observed = findings.desired, findings.observed
    in_sync = _in_sync(findings.drift)
    if desired is None or not desired.agent.enabled:
        disabled = "spec.enabled is false: the agent does not run, and nothing of it is lost."
        return [Statement(READY, TRUE, Reason.DISABLED, disabled), in_sync]
    if observed is not None and observed.failed:
        failed = (
            f"The runtime could not prepare the agent{_version(observed)}; "
            "see it in the Foundry portal, or change the spec."
        )
        return _not_ready(Verdict(Reason.VERSION_FAILED, True, Retry.SOON), failed)
    if observed is None or not observed.ready:
        preparing = "The runtime prepares the agent's version."
        return _not_ready(Verdict(Reason.PROVISIONING, False, Retry.SOON), preparing)
    as_version = f"as version {observed.version} " if observed.version else ""
    running = f"The agent runs {as_version}on {observed.definition.deployment}.{_retirement(findings.facts)}"
    return [Statement(READY, TRUE, Reason.RUNNING, running), in_sync]


def _version(observed: ObservedAgent) -> str:
    return f", version {observed.version}" if observed.version else ""


def _retirement(facts: RuntimeFacts | None) -> str:
    """A sentence on when the service ends the agent's generation, empty while it does not."""
    date = RETIREMENT.get(facts.type) if facts else None
    return f" Its generation, FoundryClassic, retires on {date}: move it to Foundry." if date else ""


def _in_sync(drift: tuple[str, ...]) -> Statement:
    if not drift:
        return Statement(IN_SYNC, TRUE, "InSync", "The runtime holds what the spec asks for.")
    message = (
        f"Edited in the runtime and left so by spec.driftPolicy: {', '.join(drift)}; set driftPolicy to "
        "Correct to have it repaired, or take the edit over into the spec."
    )
    return Statement(IN_SYNC, FALSE, "Drifted", message)


def _after_failure(resource: Resource, error: AOSError, now: datetime) -> list[Statement]:
    verdict = verdict_on(error)
    if verdict.reason not in (Reason.THROTTLED, Reason.RUNTIME_UNAVAILABLE):
        return _not_ready(verdict, str(error))
    doubt = Statement(IN_SYNC, UNKNOWN, verdict.reason, str(error))
    ready = _condition(resource, READY)
    serving = ready is not None and ready.status is TRUE and not resource.changed
    if ready is not None and serving and not _patience_is_over(resource, now):
        return [Statement(READY, TRUE, ready.reason, ready.message), doubt]
    return [*_not_ready(verdict, str(error)), doubt]


def _patience_is_over(resource: Resource, now: datetime) -> bool:
    """True when the runtime has not answered for longer than PATIENCE: InSync became Unknown then."""
    doubt = _condition(resource, IN_SYNC)
    if doubt is None or doubt.status is not UNKNOWN:
        return False
    since = datetime.strptime(doubt.last_transition_time, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    return now - since > PATIENCE


def _not_ready(verdict: Verdict, message: str) -> list[Statement]:
    why = STALLED if verdict.stalled else RECONCILING
    ready = UNKNOWN if verdict.reason is Reason.INTERNAL_ERROR else FALSE
    return [
        Statement(READY, ready, verdict.reason, message),
        Statement(why, TRUE, verdict.reason, message),
    ]


def _on_tools(desired: DesiredState | None, error: AOSError | None) -> list[Statement]:
    if isinstance(error, ReferenceMissing) and error.tool:
        return [Statement(TOOLS_RESOLVED, FALSE, Reason.WAITING_FOR_REFERENCE, str(error))]
    if desired is None or not (desired.functions or _refers(desired)):
        return []
    open_ones = [
        f"{function.reference.server_name}/{function.reference.tool_name}"
        for function in desired.functions
        if function.schema_is_open
    ]
    if not open_ones:
        resolved = "Every tool is declared, and what it refers to was found."
        return [Statement(TOOLS_RESOLVED, TRUE, "Resolved", resolved)]
    message = (
        f"Declared with an open object schema, for want of an inputSchema: {', '.join(open_ones)}; "
        "give each an inputSchema so that the model knows its arguments."
    )
    return [Statement(TOOLS_RESOLVED, TRUE, "OpenSchema", message)]


def _refers(desired: DesiredState) -> bool:
    """True when a tool names something of the project's."""
    return any(
        (isinstance(tool, FileSearchTool) and tool.vector_store_ids)
        or (isinstance(tool, CodeInterpreterTool) and tool.file_ids)
        for tool in desired.agent.definition.tools
    )


def tools_are_resolved(resource: Resource) -> bool:
    """True unless the status says that something a tool refers to is missing."""
    resolved = _condition(resource, TOOLS_RESOLVED)
    return resolved is None or resolved.status is not FALSE


def _on_model(resource: Resource, findings: Findings) -> list[Statement]:
    """What the check found, or what an earlier one found for the same deployment, or nothing."""
    desired, model = findings.desired, findings.model
    if desired is None:
        return []
    name = desired.agent.definition.deployment
    if isinstance(findings.error, ModelNotFound):
        return [Statement(MODEL_AVAILABLE, FALSE, "DeploymentNotFound", str(findings.error))]
    if model is None:
        if findings.error is None and findings.observed is None:
            return []  # there is no agent that could be on it, and the next pass could not know any more
        before = known_model(resource, name)
        return [Statement(before.type, before.status, before.reason, before.message)] if before else []
    if model.available:
        return [
            Statement(MODEL_AVAILABLE, TRUE, "DeploymentFound", f"The project has the deployment {name}.")
        ]
    return [Statement(MODEL_AVAILABLE, FALSE, "DeploymentNotFound", _missing(name, model, findings.facts))]


def known_model(resource: Resource, deployment: str) -> Condition | None:
    """What the status says of that very deployment, None when it speaks of another or of none."""
    runtime = resource.status.runtime
    if runtime is None or runtime.deployment != deployment:
        return None
    return _condition(resource, MODEL_AVAILABLE)


def _missing(name: str, model: ModelFinding, facts: RuntimeFacts | None) -> str:
    return missing_model(name, model, facts.endpoint if facts else "")


def missing_model(name: str, model: ModelFinding, endpoint: str) -> str:
    """The sentence on a deployment that the project does not have, with what is most like it."""
    nearest = f"the nearest are {', '.join(model.nearest)}" if model.nearest else "it has none"
    host = urlsplit(endpoint).hostname or ""
    account = host.split(".")[0] if host.endswith(".azure.com") else "<account>"
    return (
        f"The project has no deployment {name}; {nearest}. Deploy it or change spec.model or "
        f"spec.adapterName; `az cognitiveservices account deployment list --name {account} "
        "--resource-group <group>` lists them."
    )


def _drift_status(resource: Resource, findings: Findings, now: datetime) -> list[Drift]:
    """The drift that was found and left; after a failure what was known before."""
    if findings.error is not None:
        return resource.status.drift
    since = {drift.path: drift.since for drift in resource.status.drift}
    paths = dict.fromkeys(path[:DRIFT_PATH_LIMIT] for path in findings.drift)
    return [Drift(path=path, since=since.get(path, timestamp(now))) for path in list(paths)[:DRIFT_LIMIT]]


def _runtime_status(resource: Resource, findings: Findings) -> RuntimeStatus | None:
    """What is known of the agent; after a failure what was known before, since it still stands."""
    facts, desired, observed = findings.facts, findings.desired, findings.observed
    if findings.error is not None and resource.status.runtime is not None:
        return resource.status.runtime
    if facts is None or findings.error is not None:
        return None
    present = observed is not None
    return RuntimeStatus(
        type=facts.type,
        endpoint=facts.endpoint,
        agent_id=observed.agent_id if observed else None,
        version=(observed.version or None) if observed else None,
        deployment=observed.definition.deployment if observed else None,
        thread_id=findings.thread_id,
        definition_hash=desired.agent.stamp.hash if desired and present else None,
    )


def _tool_status(resource: Resource, desired: DesiredState | None) -> list[ToolStatus]:
    if desired is None:
        return resource.status.tools
    return [
        ToolStatus(name=function.function.name, server=function.reference.server_name)
        for function in desired.functions
    ]


def _condition(resource: Resource, kind: str) -> Condition | None:
    return next((condition for condition in resource.status.conditions if condition.type == kind), None)
