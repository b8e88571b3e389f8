"""What the server says of itself: health, discovery and OpenAPI; kubectl needs all three without flags."""

from tests.contract.conftest import Kind, Target

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"


def test_health(target: Target) -> None:
    """Probes of people and tools."""
    for path in ("/healthz", "/livez", "/readyz"):
        assert target.get(path, accept="*/*").status == 200


def test_version(target: Target) -> None:
    """Clients branch on it."""
    body = target.get("/version").body
    assert body["major"] == "1"
    assert int(body["minor"].rstrip("+")) >= 30


def test_the_version_is_the_one_that_is_tested(target: Target) -> None:
    """The embedded API says the minor of the real server that it is held to; kubectl looks for skew."""
    assert target.get("/version").body["gitVersion"].startswith("v1.37.")


def test_groups_one_by_one(target: Target, widgets: Kind) -> None:
    """The older discovery; kopf and the Python client use it."""
    groups = {group["name"]: group for group in target.get("/apis").body["groups"]}
    assert groups[widgets.group]["preferredVersion"]["groupVersion"] == widgets.api_version
    assert {"apiextensions.k8s.io", "coordination.k8s.io", "events.k8s.io"} <= set(groups)
    assert target.get(f"/apis/{widgets.group}").body["versions"][0]["version"] == "v1"


def test_resources_of_a_group(target: Target, widgets: Kind) -> None:
    """Names, scope, verbs and subresources."""
    body = target.get(f"/apis/{widgets.api_version}").body
    resources = {resource["name"]: resource for resource in body["resources"]}
    assert resources["widgets"]["kind"] == "Widget"
    assert resources["widgets"]["namespaced"] is True
    assert {"create", "delete", "get", "list", "patch", "update", "watch"} <= set(
        resources["widgets"]["verbs"]
    )
    assert set(resources["widgets/status"]["verbs"]) == {"get", "patch", "update"}


def test_resources_of_the_core_group(target: Target) -> None:
    """What everything else needs."""
    names = {resource["name"] for resource in target.get("/api/v1").body["resources"]}
    assert {"namespaces", "events", "secrets", "configmaps", "serviceaccounts"} <= names
    assert "v1" in target.get("/api").body["versions"]


def test_aggregated_discovery(target: Target, widgets: Kind) -> None:
    """One request for everything; kubectl asks for this first."""
    answer = target.get("/apis", accept=AGGREGATED)
    assert answer.body["kind"] == "APIGroupDiscoveryList"
    assert "g=apidiscovery.k8s.io" in str(answer.headers.get("Content-Type"))
    groups = {item["metadata"]["name"]: item for item in answer.body["items"]}
    resource = groups[widgets.group]["versions"][0]["resources"][0]
    assert (resource["resource"], resource["scope"]) == ("widgets", "Namespaced")
    assert resource["subresources"][0]["subresource"] == "status"
    assert target.get("/api", accept=AGGREGATED).body["items"][0]["versions"][0]["version"] == "v1"


def test_openapi_describes_the_kind(target: Target, widgets: Kind) -> None:
    """kubectl explain reads descriptions and types from here."""

    def documented() -> bool:
        return f"apis/{widgets.api_version}" in target.get("/openapi/v3").body["paths"]

    target.eventually(documented, "the group is documented")
    where = target.get("/openapi/v3").body["paths"][f"apis/{widgets.api_version}"]["serverRelativeURL"]
    schemas = target.get(where.partition("?")[0]).body["components"]["schemas"]
    kinds = {
        item["kind"]: schema
        for schema in schemas.values()
        for item in schema.get("x-kubernetes-group-version-kind", [])
        if item["group"] == widgets.group
    }
    spec = kinds["Widget"]["properties"]["spec"]
    assert spec["properties"]["parts"]["description"] == "What the widget is made of."
    assert spec["properties"]["parts"]["x-kubernetes-list-map-keys"] == ["name"]
    assert "WidgetList" in kinds


def test_openapi_says_that_validation_is_offered(target: Target, widgets: Kind) -> None:
    """Without it kubectl apply would validate by itself."""
    document = target.get(f"/openapi/v3/apis/{widgets.api_version}").body
    path = f"/apis/{widgets.api_version}/namespaces/{{namespace}}/widgets/{{name}}"
    operation = document["paths"][path]["patch"]
    assert "fieldValidation" in {parameter.get("name") for parameter in operation["parameters"]}
    assert operation["x-kubernetes-group-version-kind"]["kind"] == "Widget"


def test_the_older_openapi_is_there(target: Target) -> None:
    """/openapi/v2, for older readers."""
    assert target.get("/openapi/v2").body["swagger"] == "2.0"
