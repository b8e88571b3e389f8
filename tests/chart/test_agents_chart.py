"""What the agents' chart promises: each agent is a resource as its values say, in the release's namespace."""

from __future__ import annotations

import yaml
from tests.chart.helm import AGENTS_CHART, EXAMPLES, Helm, Json

from AgentOperatingSystem.api.runtimes import AgentRuntimeSpec
from AgentOperatingSystem.api.v1alpha1 import PurposeDrivenAgentSpec

RUNTIME: Json = {
    "endpoint": "https://acme.services.ai.azure.com/api/projects/board",
    "servicePrincipal": {"tenantId": "t", "clientId": "c", "secretRef": {"name": "foundry"}},
    "limits": {"requestsPerSecond": 1000},
}
CEO: Json = {"purpose": "Lead.", "enabled": False, "runtimeMetadata": {"team": "board"}}


def agents(helm: Helm, **values: Json | bool) -> dict[str, Json]:
    found = helm.objects(AGENTS_CHART, values=values, release="board", namespace="boardroom")
    return {one["metadata"]["name"]: one for one in found}


def test_lint_is_strict_and_silent(helm: Helm) -> None:
    told = helm("lint", "--strict", AGENTS_CHART, f"--values={EXAMPLES / 'helm' / 'agents.yaml'}").stdout
    assert "[WARNING]" not in told


def test_lint_of_a_team_is_silent_too(helm: Helm) -> None:
    told = helm("lint", "--strict", AGENTS_CHART, f"--values={EXAMPLES / 'helm' / 'team.yaml'}").stdout
    assert "[WARNING]" not in told


def test_no_agents_are_no_fault(helm: Helm) -> None:
    assert agents(helm) == {}


def test_each_agent_is_what_its_values_say(helm: Helm) -> None:
    (ceo,) = agents(helm, agents={"ceo": CEO}).values()
    assert ceo["metadata"]["namespace"] == "boardroom"
    assert ceo["spec"] == CEO
    spec = PurposeDrivenAgentSpec.model_validate(ceo["spec"])
    assert (spec.purpose, spec.enabled) == ("Lead.", False)


def test_an_agent_wins_over_the_defaults_with_false_too(helm: Helm) -> None:
    defaults: Json = {"enabled": True, "driftPolicy": "Report", "runtimeMetadata": {"unit": "one"}}
    (ceo,) = agents(helm, agents={"ceo": CEO}, defaults=defaults).values()
    assert ceo["spec"] == {**defaults, **CEO}


def test_defaults_of_one_agent_do_not_leak_into_the_next(helm: Helm) -> None:
    found = agents(helm, agents={"a": {**CEO, "adapterName": "x"}, "b": {"purpose": "Help."}})
    assert found["b"]["spec"] == {"purpose": "Help."}


def test_agents_run_on_the_default_runtime_or_on_one_of_their_own(helm: Helm) -> None:
    defaults: Json = {"runtimeRef": {"kind": "AgentRuntime", "name": "board"}}
    own = {"kind": "ClusterAgentRuntime", "name": "company"}
    found = agents(helm, agents={"a": CEO, "b": {**CEO, "runtimeRef": own}}, defaults=defaults)
    assert found["a"]["spec"]["runtimeRef"] == defaults["runtimeRef"]
    assert found["b"]["spec"]["runtimeRef"] == own


def test_a_runtime_is_what_its_values_say_and_comes_before_the_agents(helm: Helm) -> None:
    (runtime,) = agents(helm, runtimes={"board": RUNTIME}, commonAnnotations={"a": "b"}).values()
    assert (runtime["kind"], runtime["metadata"]["namespace"]) == ("AgentRuntime", "boardroom")
    assert runtime["metadata"]["annotations"] == {"argocd.argoproj.io/sync-wave": "-1", "a": "b"}
    assert runtime["metadata"]["labels"]["app.kubernetes.io/component"] == "runtime"
    assert runtime["spec"] == RUNTIME
    assert AgentRuntimeSpec.model_validate(runtime["spec"]).service_principal.secret_ref.name == "foundry"


def test_a_kept_runtime_stays_when_the_release_goes(helm: Helm) -> None:
    (runtime,) = agents(helm, runtimes={"board": RUNTIME}, keep=True).values()
    assert runtime["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"


def test_numbers_of_a_schema_stay_whole(helm: Helm) -> None:
    schema: Json = {"type": "object", "properties": {"size": {"maximum": 10_000_000, "minimum": -1}}}
    tool: Json = {"serverName": "a", "toolName": "b", "inputSchema": schema}
    (ceo,) = agents(helm, agents={"ceo": {"purpose": "x", "mcpTools": [tool]}}).values()
    assert ceo["spec"]["mcpTools"] == [tool]
    assert isinstance(ceo["spec"]["mcpTools"][0]["inputSchema"]["properties"]["size"]["maximum"], int)


def test_kept_agents_stay_when_the_release_goes(helm: Helm) -> None:
    (ceo,) = agents(helm, agents={"ceo": CEO}, keep=True, commonAnnotations={"a": "b"}).values()
    assert ceo["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep", "a": "b"}


def test_each_agent_bears_the_six_labels(helm: Helm) -> None:
    (ceo,) = agents(helm, agents={"ceo": CEO}, commonLabels={"team": "board"}).values()
    assert ceo["metadata"]["labels"] == {
        "team": "board",
        "app.kubernetes.io/name": "ceo",
        "app.kubernetes.io/instance": "board",
        "app.kubernetes.io/version": "0.1.0",
        "app.kubernetes.io/component": "agent",
        "app.kubernetes.io/part-of": "agent-operating-system",
        "app.kubernetes.io/managed-by": "Helm",
        "helm.sh/chart": "aos-agents-0.1.0",
    }


def test_the_notes_tell_the_next_two_commands(helm: Helm) -> None:
    command = ("install", "board", AGENTS_CHART, "-n", "boardroom", "--dry-run=client", "--values=-")
    notes = helm(*command, stdin=yaml.safe_dump({"agents": {"ceo": CEO}})).stdout.partition("NOTES:")[2]
    commands = [line.strip() for line in notes.splitlines() if line.startswith("  ")]
    assert [command.split()[3] for command in commands] == ["wait", "get"]
    assert "1 agents in boardroom: ceo." in notes
