"""What a person does with kubectl, without a flag beyond the command's own, and what they read."""

import pytest
from tests.harness.stage import Stage, condition, manifest


def test_apply_creates_and_the_same_again_is_unchanged(shared: Stage) -> None:
    ceo = manifest("first", purpose="Strategic oversight")
    assert shared.kubectl.apply(ceo).endswith("/first created\n")
    shared.ready("first")
    assert shared.kubectl.apply(ceo).endswith("/first unchanged\n")


def test_diff_shows_a_change_and_apply_makes_it(shared: Stage) -> None:
    shared.kubectl.apply(manifest("changing", purpose="Strategic oversight"))
    shared.ready("changing")
    changed = manifest("changing", purpose="Strategic foresight")
    difference = shared.kubectl("diff", "-f", "-", stdin=changed, code=1).stdout
    assert "-  purpose: Strategic oversight\n+  purpose: Strategic foresight\n" in difference
    assert shared.kubectl.apply(changed).endswith("/changing configured\n")
    assert shared.kubectl("diff", "-f", "-", stdin=changed).stdout == ""


def test_get_shows_what_runs_where(shared: Stage) -> None:
    shared.kubectl.apply(manifest("shown", adapterName="ceo"))
    shared.ready("shown")
    head, row = (line.split() for line in shared.kubectl("get", "pda", "shown").stdout.splitlines())
    assert head == ["NAME", "READY", "REASON", "DEPLOYMENT", "RUNTIME", "AGE"]
    assert row[:5] == ["shown", "True", "Running", "llama-3.3-70b-ceo", "Foundry"]


def test_get_wide_shows_agent_version_and_message_too(shared: Stage) -> None:
    shared.kubectl.apply(manifest("wide", adapterName="ceo", agentId="Chief"))
    shared.ready("wide")
    head, row = shared.kubectl("get", "pda", "wide", "-o", "wide").stdout.splitlines()
    columns = ["NAME", "READY", "REASON", "DEPLOYMENT", "RUNTIME", "AGENT", "VERSION", "MESSAGE", "AGE"]
    assert head.split() == columns
    assert row.split()[5:7] == ["Chief", "1"]
    assert "The agent runs as version 1 on llama-3.3-70b-ceo." in row


def test_describe_shows_the_events(shared: Stage) -> None:
    shared.kubectl.apply(manifest("told"))
    shared.ready("told")
    shared.told("told", "Created")
    described = shared.kubectl("describe", "pda", "told").stdout
    events = described.partition("\nEvents:\n")[2]
    assert "Created agent told, version 1, on llama-3.3-70b." in events
    assert "aos-operator" in events


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("pda", "KIND:       PurposeDrivenAgent"),
        ("pda.spec.purpose", "What the agent is for."),
        ("pda.spec.mcpTools", "Tools of MCP servers that the agent may call."),
        ("pda.spec.mcpTools.inputSchema", "JSON schema of the tool's input"),
        ("pda.status.runtime.deployment", "The deployment it runs on."),
    ],
)
def test_explain_tells_what_a_field_is_for(shared: Stage, path: str, told: str) -> None:
    assert told in shared.kubectl("explain", path).stdout


def test_explain_lists_the_fields_of_a_tool(shared: Stage) -> None:
    explained = shared.kubectl("explain", "pda.spec.mcpTools").stdout
    for field in (
        "serverName\t<string> -required-",
        "toolName\t<string> -required-",
        "inputSchema\t<Object>",
    ):
        assert field in explained


def test_wait_ends_when_the_agent_is_ready(shared: Stage) -> None:
    shared.kubectl.apply(manifest("awaited"))
    waited = shared.kubectl("wait", "--for=condition=Ready", "pda/awaited", "--timeout=20s")
    assert waited.stdout.endswith("/awaited condition met\n")
    assert shared.agent("awaited").enabled


def test_wait_ends_when_the_resource_is_deleted(shared: Stage) -> None:
    shared.kubectl.apply(manifest("leaving"))
    shared.ready("leaving")
    shared.kubectl("delete", "pda", "leaving", "--wait=false")
    shared.kubectl("wait", "--for=delete", "pda/leaving", "--timeout=20s")
    assert shared.read("leaving") is None


def test_delete_returns_when_agent_and_resource_are_gone(shared: Stage) -> None:
    shared.kubectl.apply(manifest("deleted"))
    shared.ready("deleted")
    deleted = shared.kubectl("delete", "pda", "deleted")
    assert 'purposedrivenagent.agentoperatingsystem.io "deleted" deleted' in deleted.stdout
    assert "deleted" not in shared.foundry.agents()
    assert shared.read("deleted") is None


def test_a_label_selects(shared: Stage) -> None:
    shared.kubectl.apply(manifest("labelled"))
    shared.kubectl("label", "pda", "labelled", "kind=label")
    assert shared.kubectl("get", "pda", "-l", "kind=label", "-o", "name").stdout.endswith("/labelled\n")


def test_a_tool_without_a_schema_is_named(shared: Stage) -> None:
    tools = [{"serverName": "erpnext", "toolName": "get_company_overview"}]
    shared.kubectl.apply(manifest("equipped", mcpTools=tools))
    item = shared.ready("equipped")
    assert item["status"]["tools"] == [{"name": "erpnext__get_company_overview", "server": "erpnext"}]
    assert "erpnext/get_company_overview" in condition(item, "ToolsResolved")["message"]
