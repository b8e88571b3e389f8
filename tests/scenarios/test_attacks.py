"""What a tenant may try: each attack is refused in words on the resource, and nothing goes to the attacker.

The danger is the confused deputy. So every row looks past the operator's own words: at a decoy that listens
at the attacker's place, at the token service, and at what was asked of the other tenants' projects.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from kubernetes import client
from tests.harness.decoy import Decoy, open_decoy
from tests.harness.polling import eventually
from tests.harness.stage import CLUSTER_ID, GROUP, VERSION, Stage, condition
from tests.harness.tenants import (
    OWN,
    Tenants,
    agent,
    cluster_runtime,
    open_tenants,
    own_runtime,
    secret_manifest,
)

from AgentOperatingSystem.sandbox.foundry import Fault, ProjectControl

CREATED_AT_ONCE, ALLOWED = 20, 5
REASONS = ("Running", "NotAllowed", "RuntimeMoved", "RuntimeRefused", "OwnershipConflict", "Migrating")


@pytest.fixture(scope="module")
def tenants(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tenants]:
    """One operator for all namespaces."""
    kind = pytestconfig.getoption("--control-plane")
    with open_tenants(kind, tmp_path_factory.mktemp("tenants")) as opened:
        yield opened


@pytest.fixture(scope="module")
def decoy() -> Iterator[Decoy]:
    """The attacker's place."""
    with open_decoy() as listening:
        yield listening


@dataclass(frozen=True)
class Scene:
    """An attacker's namespace with a Secret of their own, and their project."""

    tenants: Tenants
    stage: Stage
    project: ProjectControl
    client_id: str
    decoy: Decoy

    def own(self, endpoint: str | None = None, **spec: Any) -> str:
        """The attacker's AgentRuntime."""
        return own_runtime("mine", endpoint or self.project.endpoint, self.client_id, **spec)

    def shared(self, name: str = "", **spec: Any) -> str:
        """A ClusterAgentRuntime on the project, lent to the attacker unless told otherwise."""
        return cluster_runtime(name or self.stage.namespace, self.project.endpoint, **spec)


@pytest.fixture
def scene(tenants: Tenants, decoy: Decoy) -> Iterator[Scene]:
    """A new attacker; afterwards nobody was at their place."""
    stage = tenants.namespace()
    client_id = f"app-of-{stage.namespace}"
    stage.kubectl.apply(secret_manifest(tenants.principal(client_id)))
    before = decoy.connections
    yield Scene(tenants, stage, tenants.project(f"of-{stage.namespace}"), client_id, decoy)
    assert decoy.connections == before, "somebody called at the attacker's place"


@dataclass(frozen=True)
class Attack:
    """What is applied, and how the agent `x` is refused: the reason, and words in its message.

    `silent`: the project is not asked for anything of an agent's, and `tokenless`: no token is asked for.
    """

    reason: str
    manifests: Callable[[Scene], list[str]]
    refused: str
    words: str
    silent: bool = True
    tokenless: bool = False


ATTACKS = [
    Attack(
        "an endpoint off the list, with a Secret of one's own",
        lambda scene: [scene.own(scene.decoy.endpoint), agent("x", "mine")],
        "NotAllowed",
        "AOS_ALLOWED_ENDPOINTS",
        tokenless=True,
    ),
    Attack(
        "an endpoint off the list that a careless administrator lends the operator's identity to",
        lambda scene: [
            cluster_runtime(scene.stage.namespace, scene.decoy.endpoint),
            agent("x", scene.stage.namespace, shared=True),
        ],
        "NotAllowed",
        "AOS_ALLOWED_ENDPOINTS",
    ),
    Attack(
        "the allowed host as the name of a folder elsewhere",
        lambda scene: [
            scene.own(f"{scene.decoy.url}/{scene.tenants.azure.allowed.replace(':', '-')}/api/projects/x"),
            agent("x", "mine"),
        ],
        "NotAllowed",
        "AOS_ALLOWED_ENDPOINTS",
        tokenless=True,
    ),
    Attack(
        "a namespace that is not allowed by name",
        lambda scene: [
            scene.shared(allowedNamespaces={"names": ["somebody-else"]}),
            agent("x", scene.stage.namespace, shared=True),
        ],
        "NotAllowed",
        "allowedNamespaces",
    ),
    Attack(
        "a namespace that is not allowed by label",
        lambda scene: [
            scene.shared(allowedNamespaces={"selector": {"matchLabels": {"foundry": "allowed"}}}),
            agent("x", scene.stage.namespace, shared=True),
        ],
        "NotAllowed",
        "allowedNamespaces",
    ),
    Attack(
        "the operator's own project, which is for other namespaces",
        lambda _: [agent("x", None)],
        "NotAllowed",
        "AOS_DEFAULT_RUNTIME_NAMESPACES",
        tokenless=True,
    ),
    Attack(
        "a Secret whose name exists in another namespace only",
        lambda scene: [_secret_of_another(scene), scene.own(secret="theirs"), agent("x", "mine")],
        "WaitingForReference",
        "no Secret theirs in",
        tokenless=True,
    ),
    Attack(
        "a vector store that is not allowed",
        lambda scene: [
            scene.shared(allowedVectorStores=["vs_ours"]),
            agent(
                "x",
                scene.stage.namespace,
                shared=True,
                tools={"fileSearch": {"vectorStoreIds": ["vs_ours", "vs_theirs"]}},
            ),
        ],
        "NotAllowed",
        "vs_theirs",
    ),
    Attack(
        "a model that is not allowed",
        lambda scene: [
            scene.shared(allowedModels=[]),
            agent("x", scene.stage.namespace, shared=True, model="gpt-dear"),
        ],
        "NotAllowed",
        "gpt-dear",
    ),
    Attack(
        "a model that is not allowed, by way of an adapter whose template has no model",
        lambda scene: [
            scene.shared(allowedModels=[], deploymentTemplate="{adapter}"),
            agent("x", scene.stage.namespace, shared=True, adapterName="gpt-dear"),
        ],
        "NotAllowed",
        "gpt-dear",
    ),
    Attack(
        "a model of somebody's connection that is not allowed",
        lambda scene: [
            scene.shared(allowedModels=["llama-3.3-70b-ceo"]),
            agent("x", scene.stage.namespace, shared=True, model="connection/gpt-dear"),
        ],
        "NotAllowed",
        "connection/gpt-dear",
    ),
]


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.reason)
def test_an_attack_is_refused_in_words_and_nothing_is_sent(scene: Scene, attack: Attack) -> None:
    operators = len(scene.tenants.azure.identity.requests)
    scene.stage.kubectl.apply(*attack.manifests(scene))
    refused = scene.stage.reason("x", attack.refused)
    assert attack.words in condition(refused, "Ready")["message"]
    assert condition(refused, "Ready")["status"] == "False"
    asked = {one.operation for one in scene.tenants.asked(scene.project)}
    assert asked <= {"list_deployments"}, "the runtime's own look, and nothing for the agent"
    if attack.tokenless:
        assert scene.tenants.tokens_for(scene.client_id) == 0
        assert len(scene.tenants.azure.identity.requests) == operators
    if scene.tenants.read(OWN, "mine", scene.stage):
        scene.tenants.runtime("mine", attack.refused, scene.stage)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_to_another_host_is_not_followed(scene: Scene, status: int) -> None:
    fault = Fault(project=scene.project.name, status=status, location=scene.decoy.endpoint)
    with scene.stage.fault(fault):
        scene.stage.kubectl.apply(scene.own(), agent("x", "mine"))
        refused = scene.stage.reason("x", "RuntimeRefused")
        assert "redirect" in condition(refused, "Ready")["message"]
        assert scene.decoy.url not in json.dumps(refused["status"]), "whoever redirects chooses no words"
        scene.tenants.runtime("mine", "RuntimeRefused", scene.stage)


def test_a_link_to_another_host_is_not_followed(scene: Scene) -> None:
    scene.tenants.azure.foundry.behave(next_link_origin=scene.decoy.url)
    try:
        scene.stage.kubectl.apply(scene.own(), agent("x", "mine"))
        refused = scene.stage.reason("x", "NotAllowed")
        assert "another host" in condition(refused, "Ready")["message"]
        scene.tenants.runtime("mine", "NotAllowed", scene.stage)
    finally:
        scene.tenants.azure.foundry.behave(next_link_origin="")
    assert scene.project.agents() == {}


def test_there_is_no_way_to_name_a_secret_of_another_namespace(scene: Scene) -> None:
    body = json.loads(scene.own())
    body["spec"]["servicePrincipal"]["secretRef"]["namespace"] = scene.tenants.home.namespace
    assert 'unknown field "spec.servicePrincipal.secretRef.namespace"' in scene.stage.kubectl.refused(
        json.dumps(body)
    )
    for name in (f"../../{scene.tenants.home.namespace}/secrets/principal", "a/b", ".."):
        assert "must be the name of an object" in scene.stage.kubectl.refused(scene.own(secret=name))


def test_an_own_runtime_has_no_way_to_the_operators_identity(scene: Scene) -> None:
    body = json.loads(scene.own())
    body["spec"]["identity"] = {"clientId": "the-operators"}
    assert 'unknown field "spec.identity"' in scene.stage.kubectl.refused(json.dumps(body))
    del body["spec"]["identity"], body["spec"]["servicePrincipal"]
    assert "servicePrincipal: Required value" in scene.stage.kubectl.refused(json.dumps(body))


def test_of_many_agents_at_once_only_so_many_as_allowed_are_ever_made(scene: Scene) -> None:
    names = [f"x-{number}" for number in range(CREATED_AT_ONCE)]
    runtime = scene.stage.namespace
    scene.stage.kubectl.apply(scene.shared(maxAgents=ALLOWED))
    scene.stage.kubectl.apply(*(agent(name, runtime, shared=True) for name in names))
    refused = _settled(scene, CREATED_AT_ONCE - ALLOWED)
    assert all("maxAgents" in condition(item, "Ready")["message"] for item in refused)
    # Neither by another look, nor by another connection.
    scene.stage.kubectl("annotate", "pda", "--all", f"{GROUP}/reconcile-requested-at=now")
    scene.stage.kubectl.apply(scene.shared(maxAgents=ALLOWED, limits={"inFlight": 7}))
    eventually(
        lambda: [item["status"].get("lastHandledReconcileAt") for item in scene.stage.read_all()],
        lambda seen: set(seen) == {"now"},
        what="everyone was looked at again",
    )
    _settled(scene, CREATED_AT_ONCE - ALLOWED)
    assert len(scene.project.agents()) == ALLOWED
    assert len(scene.tenants.asked(scene.project, "create_version")) == ALLOWED
    assert len(scene.project.conversations()) == ALLOWED


@pytest.mark.parametrize("lost", [False, True], ids=["", "and their answers lost"])
def test_agents_that_are_being_made_over_the_connection_before_are_counted(scene: Scene, lost: bool) -> None:
    names = [f"x-{number}" for number in range(CREATED_AT_ONCE)]
    runtime = scene.stage.namespace
    scene.stage.kubectl.apply(scene.shared(maxAgents=ALLOWED))
    slow = Fault(operation="create_version", project=scene.project.name, delay=1.5, lost=lost, times=ALLOWED)
    with scene.stage.fault(slow):
        scene.stage.kubectl.apply(*(agent(name, runtime, shared=True) for name in names))
        eventually(lambda: scene.tenants.asked(scene.project, "create_version"), what="some are being made")
        # A new connection, while those on the one before are about to be made.
        scene.stage.kubectl.apply(scene.shared(maxAgents=ALLOWED, limits={"inFlight": 7}))
        _settled(scene, CREATED_AT_ONCE - ALLOWED)
    assert len(scene.project.agents()) == ALLOWED


def test_a_runtime_cannot_be_edited_to_another_endpoint(scene: Scene) -> None:
    scene.stage.kubectl.apply(scene.own(), agent("x", "mine"))
    scene.stage.ready("x")
    assert "cannot be changed" in scene.stage.kubectl.refused(scene.own(scene.decoy.endpoint))


def test_a_runtime_that_names_another_project_after_all_gets_nothing_of_the_agents(scene: Scene) -> None:
    """As where the rule of the CRD is not there yet: made anew under its name, past its finalizer."""
    other = scene.tenants.project(f"other-{scene.stage.namespace}")
    scene.stage.kubectl.apply(scene.own(), agent("x", "mine"))
    before = scene.stage.ready("x")
    for endpoint, reason in ((other.endpoint, "RuntimeMoved"), (scene.decoy.endpoint, "NotAllowed")):
        _tear_out(scene, "mine")
        scene.stage.kubectl.apply(scene.own(endpoint))
        refused = scene.stage.reason("x", reason)
        assert refused["status"]["runtime"] == before["status"]["runtime"]
        scene.stage.kubectl.apply(agent("y", "mine", notes={"runtime-endpoint": scene.project.endpoint}))
        scene.stage.reason("y", reason)
        assert {one.operation for one in scene.tenants.asked(other)} <= {"list_deployments"}
        scene.stage.kubectl("delete", "pda", "y", "--wait=false")
    assert set(scene.project.agents()) == {"x"}


@dataclass(frozen=True)
class Victim:
    """Another tenant's agent `board` on the same project, with something said on its conversation."""

    stage: Stage
    thread: str
    agents: dict[str, Any]


@pytest.fixture
def victim(scene: Scene) -> Victim:
    """It lives on the runtime that the attacker may use too."""
    stage = scene.tenants.namespace()
    stage.kubectl.apply(scene.shared(), agent("board", scene.stage.namespace, shared=True))
    thread = stage.ready("board")["status"]["runtime"]["threadId"]
    return Victim(stage, thread, scene.project.agents())


@dataclass(frozen=True)
class Forgery:
    """Annotations, where `{thread}`, `{other}` and `{owner}` are filled in, and more of the spec."""

    reason: str
    notes: dict[str, str]
    spec: dict[str, Any]


FORGERIES = [
    Forgery("another's conversation as one's own", {"thread-id": "{thread}"}, {}),
    Forgery("another's as the one that is being filled", {"successor-thread-id": "{thread}"}, {}),
    Forgery(
        "a move from the classic generation that never was, into another's conversation",
        {
            "runtime-endpoint": "{here}",
            "runtime-type": "FoundryClassic",
            "successor-thread-id": "{thread}",
            "thread-id": "{thread}",
        },
        {},
    ),
    Forgery(
        "another's agent and conversation as what a move left behind",
        {"runtime-endpoint": "{here}", "moved-from": "board {thread} 2020-01-01T00:00:00Z"},
        {},
    ),
    Forgery("another project", {"runtime-endpoint": "{other}", "thread-id": "{thread}"}, {}),
    Forgery(
        "another's agent by its name",
        {"runtime-endpoint": "{here}", "runtime-agent-name": "board", "thread-id": "{thread}"},
        {},
    ),
    Forgery("another's agent by its id", {"runtime-endpoint": "{here}"}, {"agentId": "board"}),
    Forgery(
        "taking over what belongs to a resource in another namespace",
        {"adopt-from": "{owner}"},
        {"agentId": "board"},
    ),
    Forgery(
        "left in another's name",
        {"runtime-endpoint": "{here}", "runtime-agent-name": "board", "reconcile-policy": "detach-on-delete"},
        {"deletionPolicy": "Orphan"},
    ),
]


@pytest.mark.parametrize("forgery", FORGERIES, ids=lambda forgery: forgery.reason)
def test_a_forged_annotation_reads_and_removes_nothing_of_others(
    scene: Scene, victim: Victim, forgery: Forgery
) -> None:
    other = scene.tenants.project(f"other-{scene.stage.namespace}")
    filled = {
        "thread": victim.thread,
        "here": scene.project.endpoint,
        "other": other.endpoint,
        "owner": f"{CLUSTER_ID}/{victim.stage.namespace}/board",
    }
    notes = {name: text.format(**filled) for name, text in forgery.notes.items()}
    runtime = scene.stage.namespace
    said = scene.project.conversations()[victim.thread]

    # From the beginning, and on one that runs.
    scene.stage.kubectl.apply(agent("x", runtime, shared=True, notes=notes, **forgery.spec))
    _judged(scene, "x")
    if "agentId" not in forgery.spec:
        scene.stage.kubectl.apply(agent("y", runtime, shared=True))
        scene.stage.ready("y")
        scene.stage.kubectl.apply(
            agent("y", runtime, shared=True, notes={**notes, "reconcile-requested-at": "now"})
        )
        eventually(
            lambda: (scene.stage.read("y") or {}).get("status", {}).get("lastHandledReconcileAt"),
            what="the annotated one was looked at",
        )
    _check_untouched(scene, victim, said)

    scene.stage.kubectl("delete", "pda", "--all", "--wait=false")
    eventually(
        lambda: all(_is_parted(item) for item in scene.stage.read_all()), what="gone, or held in words"
    )
    _check_untouched(scene, victim, said)
    assert scene.tenants.asked(other) == []


def _check_untouched(scene: Scene, victim: Victim, said: Any) -> None:
    agents = scene.project.agents()
    assert agents["board"] == victim.agents["board"]
    assert scene.project.conversations()[victim.thread] == said
    about = [one for one in scene.tenants.asked(scene.project) if victim.thread in one.path]
    # Whose it is is asked; what is said on it is not.
    assert {(one.method, one.path.endswith("/items")) for one in about} <= {("GET", False), ("POST", False)}
    assert condition(victim.stage.ready("board"), "Ready")["status"] == "True"


def _judged(scene: Scene, name: str) -> None:
    eventually(
        lambda: condition(scene.stage.read(name) or {}, "Ready").get("reason"),
        lambda reason: reason in REASONS,
        what=f"{name} is judged",
    )


def _is_parted(item: dict[str, Any]) -> bool:
    """True for a resource that is held in words: those that go are not there any more."""
    return condition(item, "Ready").get("reason") in ("RuntimeMoved", "NotAllowed", "RuntimeRefused")


def _settled(scene: Scene, refused: int) -> list[dict[str, Any]]:
    """Wait until everyone is made or refused; the refused ones."""

    def reasons() -> list[str]:
        return sorted(condition(item, "Ready").get("reason", "") for item in scene.stage.read_all())

    wanted = sorted(["NotAllowed"] * refused + ["Running"] * (CREATED_AT_ONCE - refused))
    eventually(reasons, lambda seen: seen == wanted, what=f"{refused} are refused")
    return [item for item in scene.stage.read_all() if condition(item, "Ready")["reason"] == "NotAllowed"]


def _secret_of_another(scene: Scene) -> str:
    """Another tenant has a Secret of that name; what is applied here is a harmless one."""
    scene.tenants.home.kubectl.apply(secret_manifest("for-others", name="theirs"))
    return secret_manifest("of-no-use", name="unused")


def _tear_out(scene: Scene, name: str) -> None:
    """Remove a runtime in use, as an administrator can who takes the finalizer off."""
    scene.stage.kubectl("delete", "art", name, "--wait=false")
    objects = client.CustomObjectsApi(scene.tenants.plane.api)
    where = (GROUP, VERSION, scene.stage.namespace, OWN, name)
    objects.patch_namespaced_custom_object(*where, {"metadata": {"finalizers": None}})
    eventually(lambda: scene.tenants.read(OWN, name, scene.stage) is None, what="it is gone")
