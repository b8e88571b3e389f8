"""The embedded API and the real one, word for word: what kubectl prints on one it prints on the other.

The contract probes compare what the two do; this compares what a person reads, which is all that a newcomer
who began with the sandbox knows of a cluster.
"""

import difflib
import re

import pytest
from tests.harness.kubectl import Kubectl
from tests.harness.planes import EmbeddedPlane, Plane, RealPlane, create_namespace
from tests.harness.stage import manifest
from tests.scenarios.refusals import REFUSALS

pytestmark = pytest.mark.timeout(1800)

NAMESPACE = "literal"
STATUS = """{"status": {"observedGeneration": 1, "conditions": [{
    "type": "Ready", "status": "True", "reason": "Running", "message": "The agent runs.",
    "lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": 1}],
  "runtime": {"type": "Foundry", "endpoint": "https://x.example", "agentId": "ceo", "version": "1",
    "deployment": "llama-3.3-70b-ceo"}}}"""
CEO = manifest("ceo", adapterName="ceo", mcpTools=[{"serverName": "erpnext", "toolName": "get"}])
TUNED = manifest("ceo", adapterName="cfo")
FULL = manifest(
    "full",
    agentId="Chief",
    tools={"codeInterpreter": {}, "fileSearch": {"vectorStoreIds": ["vs_1"]}},
    thread={},
    mcpTools=[{"serverName": "a", "toolName": "b", "inputSchema": {"type": "object", "x": 1}}],
    runtimeMetadata={"team": "board"},
)

Step = tuple[tuple[str, ...], str | None]

APPLY = ("apply", "-f", "-")
DIALOGUE: list[Step] = [
    (("api-resources", "--api-group=agentoperatingsystem.io", "-o", "wide"), None),
    (("explain", "pda"), None),
    (("explain", "pda.spec"), None),
    (("explain", "pda.spec.mcpTools"), None),
    (("explain", "pda.spec.deletionPolicy"), None),
    (("explain", "pda.spec.nothing"), None),
    (("explain", "pda.status.conditions"), None),
    (("explain", "pda", "--recursive"), None),
    (("get", "pda"), None),
    (("get", "pda", "ceo"), None),
    ((*APPLY, "--dry-run=server"), CEO),
    ((*APPLY, "--dry-run=server", "-o", "yaml"), CEO),
    (("diff", "-f", "-"), CEO),
    (APPLY, CEO),
    (APPLY, CEO),
    (("create", "-f", "-"), CEO),
    (("get", "pda"), None),
    (("patch", "pda", "ceo", "--subresource=status", "--type=merge", "-p", STATUS), None),
    (("get", "pda"), None),
    (("get", "pda", "-o", "wide"), None),
    (("get", "aos"), None),
    (("get", "pda", "ceo", "-o", "yaml"), None),
    (("get", "pda", "ceo", "-o", "json"), None),
    (("get", "pda", "ceo", "-o", "jsonpath={.status.runtime}"), None),
    (("describe", "pda", "ceo"), None),
    (("wait", "--for=condition=Ready", "pda/ceo", "--timeout=5s"), None),
    (("diff", "-f", "-"), TUNED),
    (APPLY, TUNED),
    (("get", "pda", "ceo", "-o", "jsonpath={.metadata.generation}"), None),
    (("label", "pda", "ceo", "team=board"), None),
    (("label", "pda", "ceo", "team=board"), None),
    (("label", "pda", "ceo", "team=staff"), None),
    (("annotate", "pda", "ceo", "note=short"), None),
    (("get", "pda", "-l", "team=board", "-o", "name"), None),
    (("patch", "pda", "ceo", "--type=merge", "-p", '{"spec": {"purpose": null}}'), None),
    (("patch", "pda", "ceo", "--type=merge", "-p", '{"spec": {"enabled": "yes"}}'), None),
    (("patch", "pda", "ceo", "--type=json", "-p", '[{"op": "remove", "path": "/spec/nothing"}]'), None),
    (("patch", "pda", "ceo", "--type=merge", "-p", '{"spec": {"agentId": "other"}}'), None),
    (APPLY, FULL),
    (("get", "pda", "full", "-o", "yaml"), None),
    (APPLY, manifest("full")),
    *((APPLY, manifest(name, **spec)) for _, name, spec, _, _ in REFUSALS),
    (("apply", "--server-side", "-f", "-"), manifest("other")),
    (("apply", "--server-side", "-f", "-"), manifest("other")),
    (("get", "pda", "--sort-by=.metadata.name", "-o", "name"), None),
    (("delete", "pda", "nobody"), None),
    (("delete", "pda", "ceo", "full"), None),
    (("wait", "--for=delete", "pda/ceo", "--timeout=5s"), None),
    (("delete", "pda", "--all"), None),
    (("get", "pda"), None),
]

MASKS = [
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "<uid>"),
    (re.compile(r'(resource ?version"?:\s+)"?\d+"?', re.IGNORECASE), r"\1<version>"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"), "<time>"),
    (re.compile(r"\b(?:\d+[dhms])+$", re.MULTILINE), "<age>"),
    (re.compile(r"\S*/(LIVE|MERGED)-\d+"), r"\1"),
    (re.compile(r"^(---|\+\+\+) (\S+)\t.*$", re.MULTILINE), r"\1 \2"),
]


def test_kubectl_prints_the_same_on_both(embedded_plane: EmbeddedPlane, real_plane: RealPlane) -> None:
    embedded, real = (_transcript(plane) for plane in (embedded_plane, real_plane))
    difference = difflib.unified_diff(
        embedded.splitlines(), real.splitlines(), "embedded", "real", lineterm="", n=4
    )
    if told := "\n".join(difference):
        pytest.fail(f"what kubectl prints differs:\n{told}", pytrace=False)


def _transcript(plane: Plane) -> str:
    """What a terminal shows of the whole dialogue, with what may differ masked."""
    create_namespace(plane, NAMESPACE)
    kubectl = plane.kubectl(NAMESPACE)
    return "\n".join(_masked(_shown(kubectl, *step)) for step in DIALOGUE)


def _shown(kubectl: Kubectl, arguments: tuple[str, ...], stdin: str | None) -> str:
    outcome = kubectl.run(*arguments, stdin=stdin)
    typed = " ".join(arguments) + (f" < {stdin[:200]}" if stdin else "")
    return f"$ kubectl {typed}\n{outcome.stdout}{outcome.stderr}[exit code {outcome.code}]"


def _masked(text: str) -> str:
    for pattern, mask in MASKS:
        text = pattern.sub(mask, text)
    return text
