"""Tenants of one operator: namespaces with their own or the cluster's runtimes, on an Azure of the test's.

Why a control plane of its own for each: a cluster-wide operator would serve other tests' resources too.
"""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from kubernetes import client
from kubernetes.client.exceptions import ApiException
from tests.harness import planes, secrecy
from tests.harness.azure import OPERATOR_ASSERTION, TENANT, Azure, open_azure
from tests.harness.planes import Plane, create_namespace
from tests.harness.polling import PATIENCE_SECONDS, eventually
from tests.harness.process import OperatorProcess
from tests.harness.stage import (
    CLUSTER_ID,
    DEPLOYMENTS,
    GROUP,
    MODEL,
    VERSION,
    Json,
    Stage,
    all_that_is_told,
    is_about,
    manifest,
)

from AgentOperatingSystem.sandbox.foundry import ProjectControl
from AgentOperatingSystem.sandbox.foundry import RequestRecord as RuntimeRequest

OWN, CLUSTERS = "agentruntimes", "clusteragentruntimes"
KINDS = {OWN: "AgentRuntime", CLUSTERS: "ClusterAgentRuntime"}
# The least that a runtime may have.
INTERVAL = 5
EVERYBODY: Json = {"selector": {}}
SECRET = "principal"


def agent(
    name: str, runtime: str | None, /, *, shared: bool = False, notes: Json | None = None, **spec: Any
) -> str:
    """An agent on a runtime of its namespace, or on a `shared` one of the cluster."""
    if runtime is not None:
        spec["runtimeRef"] = {"kind": KINDS[CLUSTERS if shared else OWN], "name": runtime}
    body = json.loads(manifest(name, **spec))
    body["metadata"]["annotations"] = {f"{GROUP}/{key}": value for key, value in (notes or {}).items()}
    return json.dumps(body)


def cluster_runtime(name: str, endpoint: str, /, **spec: Any) -> str:
    """A ClusterAgentRuntime for everybody, unless told otherwise; without `identity` the operator's own."""
    return _runtime(CLUSTERS, name, {"endpoint": endpoint, "allowedNamespaces": EVERYBODY, **spec})


def own_runtime(name: str, endpoint: str, client_id: str, /, *, secret: str = SECRET, **spec: Any) -> str:
    """An AgentRuntime whose client secret is in that Secret."""
    principal = {"tenantId": TENANT, "clientId": client_id, "secretRef": {"name": secret}}
    return _runtime(OWN, name, {"endpoint": endpoint, "servicePrincipal": principal, **spec})


def secret_manifest(value: str, /, *, name: str = SECRET) -> str:
    """A Secret with a client secret."""
    data = {"clientSecret": base64.b64encode(value.encode()).decode()}
    return json.dumps({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": data})


def client_secret(client_id: str, number: int = 1) -> str:
    """A client secret that is nowhere else, and that the search for secrets knows by its shape."""
    return f"{secrecy.CANARY}-of-{client_id}-{number}"


def _runtime(plural: str, name: str, spec: Json) -> str:
    body = {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": KINDS[plural],
        "metadata": {"name": name},
        "spec": {"baseModel": MODEL, "driftIntervalSeconds": INTERVAL, **spec},
    }
    return json.dumps(body)


@dataclass(frozen=True)
class Tenants:
    """A plane, an Azure, and one operator that serves all namespaces; `home` is where the operator is."""

    plane: Plane
    azure: Azure
    home: Stage
    stages: list[Stage] = field(default_factory=list)

    @property
    def operator(self) -> OperatorProcess:
        """The one operator."""
        return self.home.operator

    def namespace(self, *, lends_secrets: bool = True, name: str = "") -> Stage:
        """A new namespace, whose administrator lets the operator read its Secrets, unless told otherwise."""
        name = name or f"tenant-{uuid.uuid4().hex[:8]}"
        create_namespace(self.plane, name)
        if lends_secrets:
            self.plane.lend_secrets(name, self.home.namespace)
        stage = Stage(self.plane, name, self.plane.kubectl(name), self.azure.foundry, self.operator)
        self.stages.append(stage)
        return stage

    def project(self, name: str, *client_ids: str) -> ProjectControl:
        """A project of the Foundry; with client ids, for these applications only."""
        project = self.azure.foundry.project(name)
        if client_ids:
            project.admit(client_ids)
        return project

    def principal(self, client_id: str) -> str:
        """A new application with a client secret; the secret."""
        secret = client_secret(client_id)
        self.azure.identity.add_secret(TENANT, client_id, secret)
        return secret

    def asked(self, project: ProjectControl, *operations: str) -> list[RuntimeRequest]:
        """What was asked of a project so far; with operations, only these."""
        return [
            one
            for one in self.azure.foundry.requests
            if one.project == project.name and (not operations or one.operation in operations)
        ]

    def tokens_for(self, client_id: str) -> int:
        """How often the token service was asked for a token of the application."""
        return sum(one.client_id == client_id for one in self.azure.identity.requests)

    def read(self, plural: str, name: str, stage: Stage | None = None) -> Json | None:
        """A runtime as it is now; None when there is none."""
        objects = client.CustomObjectsApi(self.plane.api)
        try:
            if stage is None:
                return cast("Json", objects.get_cluster_custom_object(GROUP, VERSION, plural, name))
            where = (GROUP, VERSION, stage.namespace, plural, name)
            return cast("Json", objects.get_namespaced_custom_object(*where))
        except ApiException as error:
            if error.status == 404:
                return None
            raise

    def runtime(
        self,
        name: str,
        reason: str,
        stage: Stage | None = None,
        *,
        within: float = PATIENCE_SECONDS,
    ) -> Json:
        """The stage's or the cluster's runtime once its Ready has that reason about its present spec."""
        self.operator.check_running()
        plural = CLUSTERS if stage is None else OWN
        found = eventually(
            lambda: self.read(plural, name, stage),
            lambda item: item is not None and is_about(item, reason),
            what=f"the runtime {name} is {reason}",
            within=within,
        )
        assert found is not None
        return found

    def namespace_is_there(self, name: str) -> bool:
        """False once the namespace is gone."""
        try:
            client.CoreV1Api(self.plane.api).read_namespace(name)
        except ApiException as error:
            if error.status == 404:
                return False
            raise
        return True

    def told(self) -> dict[str, str]:
        """Everything that the operator left for people to read, by where it stands."""
        told = {"log": self.operator.log}
        for stage in [self.home, *self.stages]:
            told |= {f"{stage.namespace} {place}": text for place, text in all_that_is_told(stage).items()}
        objects = client.CustomObjectsApi(self.plane.api)
        for plural in KINDS:
            listing = cast("Json", objects.list_cluster_custom_object(GROUP, VERSION, plural))
            told[plural] = json.dumps([item.get("status", {}) for item in listing["items"]])
        for name, project in self.azure.foundry.state()["projects"].items():
            told[f"project {name}"] = json.dumps(project)
        return told


@contextmanager
def open_tenants(kind: str, folder: Path, *, log_level: str = "debug") -> Iterator[Tenants]:
    """Tenants on a control plane, `embedded` or `real`; the operator runs, and tells everything.

    Afterwards nothing that it told may hold a secret. Without `runtimeRef` only `home` is served, and
    deployments come two to a page.
    """
    with planes.plane_of(kind) as plane, open_azure(folder, deployments=DEPLOYMENTS, page_size=2) as azure:
        home = f"home-{uuid.uuid4().hex[:8]}"
        create_namespace(plane, home)
        operator = OperatorProcess(
            lambda cluster_wide, identity: plane.admit_operator(
                home, cluster_wide=cluster_wide, identity=identity
            ),
            home,
            {
                **secrecy.ENVIRONMENT,
                **azure.environment,
                "AZURE_AI_PROJECT_ENDPOINT": azure.foundry.endpoint,
                "AZURE_AI_MODEL_DEPLOYMENT": MODEL,
                "AOS_CLUSTER_ID": CLUSTER_ID,
                "AOS_DEFAULT_RUNTIME_NAMESPACES": home,
                "AOS_DRIFT_INTERVAL": "1",
                "AOS_LOG_LEVEL": log_level,
            },
            folder / "operator.log",
        )
        tenants = Tenants(plane, azure, Stage(plane, home, plane.kubectl(home), azure.foundry, operator))
        operator.start(cluster_wide=True)
        try:
            yield tenants
        finally:
            operator.kill()
        assert not list(secrecy.secrets_in(tenants.told(), OPERATOR_ASSERTION)), "a secret is told"
