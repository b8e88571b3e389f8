"""The client of the control surface: synchronous, typed, without any dependency.

Why its own small client: a test looks at the service and meddles with it while an SDK talks to it, in this
process or another, and must not need an event loop or a credential for that.
"""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from AgentOperatingSystem.sandbox.foundry.classic.control import ClassicControl
from AgentOperatingSystem.sandbox.foundry.control_entry import DEFAULT_PROJECT
from AgentOperatingSystem.sandbox.foundry.errors import Json
from AgentOperatingSystem.sandbox.foundry.faults import Fault
from AgentOperatingSystem.sandbox.foundry.gate import fingerprint
from AgentOperatingSystem.sandbox.foundry.records import Agent, Behaviour, Conversation, RequestRecord
from AgentOperatingSystem.sandbox.foundry.storage_control import StorageControl

TIMEOUT_SECONDS = 10.0


class ControlRefused(Exception):
    """The control surface refused; the message is its own."""


class ControlWire:
    """One JSON request at a time, each on a connection of its own; with `tls` over https."""

    def __init__(self, base_url: str, tls: ssl.SSLContext | None = None) -> None:
        self.base_url = base_url.rstrip("/")
        self._tls = tls

    def send(self, method: str, path: str, body: Json | None = None, **query: str) -> Json:
        """The answer, empty when there is none. Raises ControlRefused, or OSError when nobody listens."""
        connection = self._connection()
        target = f"/_sandbox/{path}" + (f"?{urlencode(query)}" if query else "")
        try:
            connection.request(method, target, None if body is None else json.dumps(body))
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        if answer.status >= 400:
            raise ControlRefused(f"{method} {target}: {answer.status} {text}")
        parsed: Json = json.loads(text) if text else {}
        return parsed

    def _connection(self) -> http.client.HTTPConnection:
        where = urlsplit(self.base_url).netloc
        if self._tls is None:
            return http.client.HTTPConnection(where, timeout=TIMEOUT_SECONDS)
        return http.client.HTTPSConnection(where, timeout=TIMEOUT_SECONDS, context=self._tls)


class ProjectControl(ClassicControl, StorageControl):
    """One project of the emulated account: what it holds, and how to change it behind its owner's back."""

    def __init__(self, wire: ControlWire, name: str) -> None:
        self._wire = wire
        self.name = name

    @property
    def endpoint(self) -> str:
        """The project endpoint that an SDK client takes."""
        return f"{self._wire.base_url}/api/projects/{self.name}"

    def _send(self, method: str, path: str, body: Json | None = None) -> Json:
        return self._wire.send(method, path, body, project=self.name)

    def agents(self) -> dict[str, Agent]:
        """A snapshot of the agents by name."""
        held = self._send("GET", "project")["agents"]
        return {name: Agent.from_json(agent) for name, agent in held.items()}

    def conversations(self) -> dict[str, Conversation]:
        """A snapshot of the conversations by id, with their items."""
        held = self._send("GET", "project")["conversations"]
        return {key: Conversation.from_json(one) for key, one in held.items()}

    def add_agent(
        self,
        name: str,
        model: str,
        *,
        metadata: dict[str, str] | None = None,
        description: str = "",
        **definition: Any,
    ) -> int:
        """An agent that somebody else made; nothing is checked. Answers the version's number."""
        body = {
            "definition": {"kind": "prompt", "model": model, **definition},
            "metadata": metadata or {},
            "description": description,
        }
        number: int = self._send("PUT", f"agents/{quote(name, safe='')}", body)["version"]
        return number

    def edit_agent(self, name: str, **changes: Any) -> int:
        """Someone edits it in the portal: a new version with the changed fields of the definition.

        Everything else is kept, the metadata too; `metadata` and `description` can be changed as well, and
        None takes a field out. Answers the version's number.
        """
        number: int = self._send("POST", f"agents/{quote(name, safe='')}:edit", changes)["version"]
        return number

    def remove_agent(self, name: str) -> None:
        """Someone deletes it in the portal."""
        self._send("DELETE", f"agents/{quote(name, safe='')}")

    def remove_conversation(self, conversation_id: str) -> None:
        """The thread is gone, as after the service's retention."""
        self._send("DELETE", f"conversations/{quote(conversation_id, safe='')}")

    def put_connection(self, name: str, **connection: Any) -> None:
        """A connection of the project, e.g. `type="AppInsights", target=..., credentials={...}`."""
        self._send("PUT", f"connections/{quote(name, safe='')}", connection)

    def accept(
        self, tokens: Iterable[str] | None = None, *, denied: Iterable[str] = (), denied_status: int = 403
    ) -> None:
        """Accept only these bearer tokens (None: any; others are 401); refuse `denied` for want of a role.

        The service has been seen to answer a missing role with 401 as well. Only fingerprints are sent.
        """
        accepted = None if tokens is None else [fingerprint(token) for token in tokens]
        body = {
            "accepted": accepted,
            "denied": [fingerprint(token) for token in denied],
            "denied_status": denied_status,
        }
        self._send("PUT", "access", body)

    def admit(self, client_ids: Iterable[str] | None, *, denied_status: int = 403) -> None:
        """Let only these applications in, by their client ids (None: any); the others lack the role.

        It is for a service that knows its principals, and in place of `accept`.
        """
        clients = None if client_ids is None else list(client_ids)
        self._send("PUT", "access", {"clients": clients, "denied_status": denied_status})


class DeploymentsControl:
    """The model deployments of the account, shared by its projects."""

    def __init__(self, wire: ControlWire) -> None:
        self._wire = wire

    def add(self, name: str) -> None:
        """Deploy a model; nothing happens when it is there."""
        self._wire.send("PUT", f"deployments/{quote(name, safe='')}")

    def remove(self, name: str) -> None:
        """Delete a deployment; agents that name it stay."""
        self._wire.send("DELETE", f"deployments/{quote(name, safe='')}")

    def names(self) -> tuple[str, ...]:
        """In the order in which they were deployed."""
        return tuple(self._wire.send("GET", "state")["deployments"])


class FaultsControl:
    """The faults that are armed."""

    def __init__(self, wire: ControlWire) -> None:
        self._wire = wire

    def add(self, fault: Fault) -> str:
        """Arms a fault; answers the id to remove it by. The first added that strikes counts."""
        fault_id: str = self._wire.send("POST", "faults", asdict(fault))["id"]
        return fault_id

    def remove(self, fault_id: str) -> None:
        """Disarms one."""
        self._wire.send("DELETE", f"faults/{quote(fault_id, safe='')}")

    def clear(self) -> None:
        """Disarms all."""
        self._wire.send("DELETE", "faults")

    def struck(self) -> dict[str, int]:
        """How often each armed fault has struck, by id."""
        return {one["id"]: one["struck"] for one in self._wire.send("GET", "faults")["faults"]}


class FoundryControl(ProjectControl):
    """The whole emulated account; as a project it is the one called `sandbox`.

    `base_url` is the server's, without a path: `http://127.0.0.1:PORT`; `tls` is for one with https.
    """

    def __init__(self, base_url: str, *, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(ControlWire(base_url, tls), DEFAULT_PROJECT)
        self.deployments = DeploymentsControl(self._wire)
        self.faults = FaultsControl(self._wire)

    @property
    def base_url(self) -> str:
        """The server's URL, without a path."""
        return self._wire.base_url

    @property
    def requests(self) -> tuple[RequestRecord, ...]:
        """A snapshot of the data-plane requests seen so far, oldest first."""
        return tuple(RequestRecord(**one) for one in self._wire.send("GET", "requests")["requests"])

    def clear_requests(self) -> None:
        """Forget the requests seen so far."""
        self._wire.send("DELETE", "requests")

    def project(self, name: str) -> ProjectControl:
        """Another project, isolated from this one; it needs no creation."""
        return ProjectControl(self._wire, name)

    def behave(self, **switches: Any) -> Behaviour:
        """Sets switches of `Behaviour`, e.g. `behave(normalise=True)`; answers all of them."""
        return Behaviour(**self._wire.send("PATCH", "behaviour", switches))

    def down(self, seconds: float | None = None) -> None:
        """Abort every connection, for so many seconds or until `up`; the control surface stays."""
        self._wire.send("POST", "down", {"seconds": seconds})

    def up(self) -> None:
        """Serve again."""
        self._wire.send("POST", "up")

    def state(self) -> Json:
        """Everything as JSON: down, deployments, behaviour, faults and the projects."""
        return self._wire.send("GET", "state")
