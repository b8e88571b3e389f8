"""The account, its projects and their agents: everything that the emulated service remembers.

Only the server's own event loop touches it, so there are no locks; whoever else wants to look or to
meddle asks over HTTP. The clock is passed in.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from AgentOperatingSystem.sandbox.foundry import definitions
from AgentOperatingSystem.sandbox.foundry.classic.records import Assistant, ClassicRun, ClassicThread
from AgentOperatingSystem.sandbox.foundry.errors import (
    Json,
    invalid,
    unknown_agent,
    unknown_item,
    unknown_version,
)
from AgentOperatingSystem.sandbox.foundry.records import (
    Agent,
    AgentVersion,
    Behaviour,
    Conversation,
    StoredFile,
    StoredResponse,
    VectorStore,
)


class Identifiers:
    """Ids as `conv_<nonce><number>`: in order within a server, never those of an earlier one.

    Why the nonce: a resource that still names the thread of a sandbox that is gone must not meet another.
    """

    def __init__(self, nonce: str | None = None) -> None:
        self._nonce = secrets.token_hex(4) if nonce is None else nonce
        self._last = 0

    def next(self, prefix: str, separator: str = "_") -> str:
        """A new id, e.g. `next("conv")`."""
        self._last += 1
        return f"{prefix}{separator}{self._nonce}{self._last:016d}"


@dataclass(frozen=True)
class Access:
    """Which bearer tokens a project accepts, by fingerprint; None accepts any.

    `denied` are known principals without a role, refused with `denied_status`, as are the applications whose
    client id is not in `clients`, when that is given.
    """

    accepted: frozenset[str] | None = None
    denied: frozenset[str] = frozenset()
    denied_status: int = 403
    clients: frozenset[str] | None = None


@dataclass
class Project:
    """One isolated project and what it holds: each generation's own, and the files that they share.

    `places` is where everything listed stands in the order of creation, also what is gone.
    """

    account: Account
    name: str
    agents: dict[str, Agent] = field(default_factory=dict)
    places: dict[str, int] = field(default_factory=dict)
    conversations: dict[str, Conversation] = field(default_factory=dict)
    responses: dict[str, StoredResponse] = field(default_factory=dict)
    connections: dict[str, Json] = field(default_factory=dict)
    assistants: dict[str, Assistant] = field(default_factory=dict)
    threads: dict[str, ClassicThread] = field(default_factory=dict)
    runs: dict[str, ClassicRun] = field(default_factory=dict)
    files: dict[str, StoredFile] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)
    vector_stores: dict[str, VectorStore] = field(default_factory=dict)
    busy: set[str] = field(default_factory=set)
    access: Access = field(default_factory=Access)

    def new_id(self, prefix: str, separator: str = "_") -> str:
        """A new id with its place in the order of creation."""
        identifier = self.account.ids.next(prefix, separator)
        self.places[identifier] = self.account.next_place()
        return identifier

    def agent(self, name: str) -> Agent:
        """Raises ApiError 404."""
        if name not in self.agents:
            raise unknown_agent(name)
        return self.agents[name]

    def version(self, name: str, number: str) -> AgentVersion:
        """Raises ApiError 404 for the agent or the version."""
        for version in self.agent(name).versions:
            if str(version.number) == number:
                return version
        raise unknown_version(name, number)

    def conversation(self, conversation_id: str) -> Conversation:
        """Raises ApiError 404."""
        if conversation_id not in self.conversations:
            raise unknown_item("Conversation", conversation_id)
        return self.conversations[conversation_id]

    def create_version(self, name: str, body: Json) -> AgentVersion:
        """Checks the body and always makes a new version, even of an identical definition."""
        definitions.check_name(name)
        definition = definitions.read_definition(body.get("definition"), self.account.accepts_model)
        metadata = definitions.read_metadata(body.get("metadata"))
        description = definitions.read_description(body.get("description"))
        if name in self.agents and len(self.agents[name].versions) >= definitions.VERSIONS:
            raise invalid(
                "agent_name", f"Agent {name} has {definitions.VERSIONS} versions, delete some first"
            )
        return self.put_version(name, definition, metadata, description)

    def put_version(
        self, name: str, definition: Json, metadata: dict[str, str], description: str = ""
    ) -> AgentVersion:
        """Store a new version without any check, as the portal of the real service could."""
        account, now = self.account, self.account.clock()
        agent = self.agents.get(name)
        if account.behaviour.normalise:
            definition = definitions.normalised(definition)
        version = AgentVersion(
            agent=name,
            number=1 if agent is None else agent.next_number,
            created_at=now,
            definition=definition,
            metadata=metadata,
            description=description,
            ready_at=now + account.behaviour.creating_seconds,
            fails=account.behaviour.versions_fail,
        )
        if agent is None:
            self.places[name] = account.next_place()
            agent = Agent(name=name, sequence=self.places[name], versions=(), next_number=1)
        self.agents[name] = replace(
            agent, versions=(*agent.versions, version), next_number=version.number + 1
        )
        return version

    def edit_agent(self, name: str, changes: Json) -> AgentVersion:
        """Someone edits it in the portal: a new version with the changed fields, the metadata kept."""
        latest = self.agent(name).latest
        changes = dict(changes)
        metadata = definitions.read_metadata(changes.pop("metadata", latest.metadata))
        description = str(changes.pop("description", latest.description))
        merged = {**latest.definition, **changes}
        definition = {key: value for key, value in merged.items() if value is not None}
        return self.put_version(name, definition, metadata, description)

    def delete_agent(self, name: str) -> None:
        """Raises ApiError 404."""
        del self.agents[self.agent(name).name]

    def delete_version(self, name: str, number: str) -> None:
        """The latest moves when it goes; the only version cannot go."""
        version, agent = self.version(name, number), self.agent(name)
        if len(agent.versions) == 1:
            raise invalid(
                "agent_version", f"Version {number} is the only one of agent {name}: delete the agent"
            )
        left = tuple(one for one in agent.versions if one.number != version.number)
        self.agents[name] = replace(agent, versions=left)

    def set_enabled(self, name: str, *, enabled: bool) -> None:
        """Idempotent."""
        self.agents[name] = replace(self.agent(name), enabled=enabled)

    def patch_details(self, name: str, patch: Json) -> Agent:
        """Merge-patch of what is not versioned; the definition and the metadata cannot be changed here."""
        for key in patch:
            if key not in ("agent_endpoint", "agent_card"):
                raise invalid(key, f"'{key}' cannot be updated")
        agent = self.agent(name)
        merged = {**agent.details, **patch}
        details = {key: value for key, value in merged.items() if value is not None}
        self.agents[name] = replace(agent, details=details)
        return self.agents[name]


class Account:
    """A Foundry resource: its model deployments, shared by the projects, and the switches of the service."""

    def __init__(
        self,
        *,
        deployments: Iterable[str],
        behaviour: Behaviour,
        accepted: frozenset[str] | None,
        clock: Callable[[], float],
        azure_page_size: int = 50,
    ) -> None:
        self.azure_page_size = azure_page_size
        self.deployments = dict.fromkeys(deployments)
        self.behaviour = behaviour
        self.clock = clock
        self.ids = Identifiers()
        self.projects: dict[str, Project] = {}
        self._accepted = accepted
        self._place = 0

    def project(self, name: str) -> Project:
        """The project, made on first use."""
        if name not in self.projects:
            self.projects[name] = Project(self, name, access=Access(accepted=self._accepted))
        return self.projects[name]

    def accepts_model(self, model: str) -> bool:
        """Is it a deployment here, or a model behind a connection (`<connection>/<model>`)?"""
        return not self.behaviour.refuse_unknown_models or self.serves(model)

    def serves(self, model: str) -> bool:
        """Could a request to this model be answered?"""
        return model in self.deployments or "/" in model

    def next_place(self) -> int:
        """A place in the order of creation, across everything that is listed."""
        self._place += 1
        return self._place
