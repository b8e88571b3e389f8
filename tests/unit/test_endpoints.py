"""What counts as an endpoint, and which of them the operator speaks to: each row an attempt, or a slip."""

from __future__ import annotations

import pytest

from AgentOperatingSystem.model.errors import ConfigurationError, NotAllowed
from AgentOperatingSystem.runtime.endpoints import (
    CHINA,
    GOVERNMENT,
    PUBLIC,
    AllowedEndpoints,
    Cloud,
    Endpoint,
    InvalidEndpoint,
)

AZURE = AllowedEndpoints.parse("")
PROJECT = "https://acme.services.ai.azure.com/api/projects/board"


@pytest.mark.parametrize(
    ("endpoint", "url", "reason"),
    [
        (PROJECT, PROJECT, "a project as the portal shows it"),
        (f"{PROJECT}/", PROJECT, "a slash at the end names nothing else"),
        ("HTTPS://Acme.Services.AI.Azure.COM/api/projects/board", PROJECT, "a host has no case"),
        ("https://acme.services.ai.azure.com:443/api/projects/board", PROJECT, "the port that https has"),
        (
            "https://acme.services.ai.azure.com/api/projects/Board",
            "https://acme.services.ai.azure.com/api/projects/Board",
            "a path has case",
        ),
        (
            "https://acme.services.ai.azure.com/api/projects/_project",
            "https://acme.services.ai.azure.com/api/projects/_project",
            "the account's default project",
        ),
        (
            "https://acme.services.ai.azure.us/api/projects/board",
            "https://acme.services.ai.azure.us/api/projects/board",
            "US government",
        ),
    ],
)
def test_a_project_of_azure_is_allowed_and_has_one_spelling(endpoint: str, url: str, reason: str) -> None:
    assert Endpoint.parse(endpoint).url == url, reason
    AZURE.check(endpoint)


@pytest.mark.parametrize(
    ("endpoint", "reason"),
    [
        ("https://evil.com#.services.ai.azure.com", "a fragment hides the ending"),
        ("https://evil.com?.services.ai.azure.com", "a query hides the ending"),
        ("https://evil.com/.services.ai.azure.com", "the ending is in the path"),
        ("https://evil.com\\.services.ai.azure.com/api/projects/p", "a slash to some, a letter to others"),
        ("https://evil.com\\@acme.services.ai.azure.com/api/projects/p", "and before a user"),
        ("https://acme.services.ai.azure.com@evil.com/api/projects/p", "a user that looks like a host"),
        ("https://user:s3cret@acme.services.ai.azure.com/api/projects/p", "a password in a URL ends in logs"),
        ("https://acme.services.ai.azure.com.evil.com/api/projects/p", "the ending in the middle"),
        ("https://evilservices.ai.azure.com/api/projects/p", "no dot before the ending"),
        ("https://.services.ai.azure.com/api/projects/p", "no account"),
        ("https://a.b.services.ai.azure.com/api/projects/p", "an account has no dot"),
        ("https://acme.services.ai.azure.com./api/projects/p", "a trailing dot names the root"),
        ("https://acme..services.ai.azure.com/api/projects/p", "an empty label"),
        ("https://acme.services.ai.azure.com:8443/api/projects/p", "another port is another server"),
        ("https://acme.services.ai.azure.com:0/api/projects/p", "no port"),
        ("https://acme.services.ai.azure.com:99999/api/projects/p", "no port either"),
        ("https://acme.services.ai.azure.com:/api/projects/p", "a port left empty"),
        ("https://acme.services.ai.azure.com:443@evil.com/api/projects/p", "a port that is a password"),
        ("https://acmé.services.ai.azure.com/api/projects/p", "a letter that needs IDNA"),
        ("https://\u0430cme.services.ai.azure.com/api/projects/p", "a Cyrillic letter"),
        ("https://evil.com\uff0f.services.ai.azure.com/api/projects/p", "a wide slash, which IDNA makes one"),
        ("https://evil\u3002com/api/projects/p", "an ideographic dot"),
        ("https://acme.\u017fervices.ai.azure.com/api/projects/p", "a long s, which is an s without case"),
        ("https://bac\u212a.services.ai.azure.com/api/projects/p", "the sign for Kelvin, which is a k"),
        ("https://xn--acm-dma.evil.com/api/projects/p", "IDNA spelt out, elsewhere"),
        ("https://acme.services.ai.azure.com%2eevil.com/api/projects/p", "a dot, percent-encoded"),
        ("https://evil.com%23.services.ai.azure.com/api/projects/p", "a fragment, percent-encoded"),
        ("https://evil.com%00.services.ai.azure.com/api/projects/p", "a NUL ends the name in C"),
        ("https://acme.services.ai.azure.com/api/projects/p%2f..%2fq", "a slash in a path, percent-encoded"),
        (f" {PROJECT}", "a space before it"),
        (f"{PROJECT}\n", "a line feed behind it, which some leave out"),
        ("https://evil.com\t.services.ai.azure.com/api/projects/p", "a tab, which some leave out"),
        ("https://acme.services.ai.azure.com\r\nHost: evil.com/api/projects/p", "a header of its own"),
        ("https:/acme.services.ai.azure.com/api/projects/p", "one slash too few"),
        ("https:acme.services.ai.azure.com/api/projects/p", "two too few"),
        ("https:///acme.services.ai.azure.com/api/projects/p", "one too many, which some leave out"),
        ("//acme.services.ai.azure.com/api/projects/p", "no scheme"),
        ("acme.services.ai.azure.com/api/projects/p", "no scheme either"),
        ("http://acme.services.ai.azure.com/api/projects/p", "a token in the clear"),
        ("ftp://acme.services.ai.azure.com/api/projects/p", "another protocol"),
        ("javascript:https://acme.services.ai.azure.com/api/projects/p", "no URL of a server"),
        ("https://acme.services.ai.azure.com", "the account, not a project"),
        ("https://acme.services.ai.azure.com/", "the same with a slash"),
        ("https://acme.services.ai.azure.com/api/projects", "no project"),
        ("https://acme.services.ai.azure.com/api/projects/", "an empty one"),
        ("https://acme.services.ai.azure.com/api/projects/p/agents", "more than a project"),
        ("https://acme.services.ai.azure.com/models", "another API of the account"),
        ("https://acme.services.ai.azure.com/api/projects/..", "a path that climbs"),
        ("https://acme.services.ai.azure.com/api/projects/../../x", "a path that climbs further"),
        ("https://acme.services.ai.azure.com//api/projects/p", "an empty segment"),
        ("https://acme.openai.azure.com/api/projects/p", "another service of Azure's"),
        ("https://acme.blob.core.windows.net/api/projects/p", "a store that anybody may own"),
        ("https://acme.services.ai.azure.cn/api/projects/p", "Foundry is not offered in China"),
        ("https://acme.services.ai.azure.de/api/projects/p", "a cloud that is closed"),
        ("https://evil.com/api/projects/p", "just another host"),
        ("https://127.0.0.1/api/projects/p", "this machine was not allowed"),
        ("http://127.0.0.1:8080/api/projects/p", "nor its sandbox"),
        ("https://[::1]/api/projects/p", "nor in IPv6"),
        ("https://[::ffff:127.0.0.1]/api/projects/p", "nor IPv4 in IPv6"),
        ("https://[fe80::1%25eth0]/api/projects/p", "an address with a zone"),
        ("https://[::1/api/projects/p", "a bracket left open"),
        ("https://[acme].services.ai.azure.com/api/projects/p", "brackets around a name"),
        ("https://169.254.169.254/metadata/identity", "the machine's own metadata"),
        ("https://2130706433/api/projects/p", "127.0.0.1 as one number"),
        ("https://127.1/api/projects/p", "127.0.0.1 with two numbers"),
        ("https://0x7f.1/api/projects/p", "127.0.0.1 in hexadecimal"),
        ("https://0177.0.0.1/api/projects/p", "127.0.0.1 in octal"),
        ("https://kubernetes.default.svc/api/projects/p", "the cluster's API server"),
        ("https://-acme.services.ai.azure.com/api/projects/p", "no host begins with a hyphen"),
        ("https://ac_me.services.ai.azure.com/api/projects/p", "no account has an underscore"),
        ("https://" + "a" * 64 + ".services.ai.azure.com/api/projects/p", "a label of more than 63 letters"),
        ("", "nothing"),
    ],
)
def test_nothing_else_is_spoken_to(endpoint: str, reason: str) -> None:
    with pytest.raises(NotAllowed) as caught:
        AZURE.check(endpoint)
    message = str(caught.value)
    assert "AOS_ALLOWED_ENDPOINTS" in message or message.startswith("The endpoint must "), reason
    assert "s3cret" not in message, "a password is not quoted"


@pytest.mark.parametrize(
    ("entries", "endpoint", "allowed", "reason"),
    [
        ("127.0.0.1:8443", "https://127.0.0.1:8443/api/projects/p", True, "host and port, exactly"),
        ("127.0.0.1:8443", "https://127.0.0.1:8444/api/projects/p", False, "another port"),
        ("127.0.0.1:8443", "https://127.0.0.1/api/projects/p", False, "the port that https has"),
        ("127.0.0.1:8443", "https://127.0.0.1:18443/api/projects/p", False, "a port that ends alike"),
        ("127.0.0.1:8080", "http://127.0.0.1:8080/api/projects/p", True, "the sandbox, when it is named"),
        ("127.0.0.1", "http://127.0.0.1/api/projects/p", False, "a host alone is https"),
        ("127.0.0.1:80", "http://127.0.0.1/api/projects/p", True, "http has its port too"),
        ("[::1]:8443", "https://[0:0::1]:8443/api/projects/p", True, "an address has one spelling"),
        ("foundry.acme.com", "https://foundry.acme.com/x", True, "a host, on the port of https"),
        ("Foundry.Acme.com:443", "https://foundry.acme.com/x", True, "the same, spelt out"),
        ("foundry.acme.com", "https://foundry.acme.com:8443/x", False, "another port"),
        ("foundry.acme.com", "https://a.foundry.acme.com/x", False, "a host is no suffix"),
        ("foundry.acme.com", "https://xfoundry.acme.com/x", False, "not even of a label"),
        (".acme.com", "https://a.acme.com/x", True, "a suffix"),
        (".acme.com", "https://a.b.acme.com/x", True, "at any depth"),
        (".acme.com", "https://acme.com/x", False, "the suffix itself is not below it"),
        (".acme.com", "https://a.acme.com:8443/x", False, "another port"),
        (".acme.com:8443", "https://a.acme.com:8443/x", True, "a suffix with its port"),
        (".acme.com", "https://a.acme.com.evil.com/x", False, "a suffix is at the end"),
        (" a.com , .acme.com,", "https://a.acme.com/x", True, "spaces and a last comma"),
        (".acme.com", PROJECT, False, "a list of one's own stands in place of Azure's"),
        (".services.ai.azure.cn", "https://a.services.ai.azure.cn/api/projects/p", True, "one's own risk"),
        (
            ".services.ai.azure.com",
            "https://a.services.ai.azure.com/x",
            False,
            "the shape holds all the same",
        ),
    ],
)
def test_the_list_can_be_set(entries: str, endpoint: str, allowed: bool, reason: str) -> None:
    listed = AllowedEndpoints.parse(entries)
    if allowed:
        listed.check(endpoint)
    else:
        with pytest.raises(NotAllowed):
            listed.check(endpoint)


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        ("*", "everything"),
        ("*.acme.com", "a star is written as a dot"),
        (".", "everything"),
        (".com", "everybody's"),
        ("https://acme.com", "a URL"),
        ("acme.com/api", "a path"),
        ("acme.com.", "a trailing dot would never match"),
        ("acmé.com", "write it in ASCII"),
        ("acme.com:0", "no port"),
        ("acme.com:70000", "no port"),
        ("127.1", "not a whole address"),
        (".0.1", "the end of an address"),
        (".[::1]", "an address has nothing below it"),
        ("user@acme.com", "a user"),
    ],
)
def test_a_list_that_cannot_be_names_its_setting(entries: str, reason: str) -> None:
    with pytest.raises(ConfigurationError, match="AOS_ALLOWED_ENDPOINTS") as caught:
        AllowedEndpoints.parse(f"good.acme.com,{entries}")
    assert caught.value.setting == "AOS_ALLOWED_ENDPOINTS", reason


@pytest.mark.parametrize(
    ("endpoint", "cloud"),
    [
        (PROJECT, PUBLIC),
        ("https://acme.services.ai.azure.us/api/projects/p", GOVERNMENT),
        ("https://acme.services.ai.azure.cn/api/projects/p", CHINA),
        ("https://foundry.acme.com/api/projects/p", PUBLIC),
        ("https://azure.us.acme.com/api/projects/p", PUBLIC),
        ("https://notazure.us/api/projects/p", PUBLIC),
    ],
)
def test_the_ending_of_the_host_tells_the_cloud(endpoint: str, cloud: Cloud) -> None:
    assert Endpoint.parse(endpoint).cloud == cloud


@pytest.mark.parametrize(
    ("url", "same", "reason"),
    [
        (f"{PROJECT}/agents?api-version=v1", True, "a request of an SDK"),
        ("https://acme.services.ai.azure.com?x=1", True, "the same host"),
        ("https://ACME.services.ai.azure.com:443/next", True, "as a service may spell itself"),
        ("http://acme.services.ai.azure.com/next", False, "in the clear"),
        ("https://acme.services.ai.azure.com:8443/next", False, "another port"),
        ("https://evil.com/next", False, "another host"),
        ("https://acme.services.ai.azure.com.evil.com/", False, "only begins alike"),
        ("https://acme.services.ai.azure.com@evil.com/", False, "a user"),
        ("https://evil.com\\@acme.services.ai.azure.com/", False, "a backslash"),
        ("https://acme.services.ai.azure.com\\.evil.com/", False, "a backslash"),
        ("https://acme.services.ai.azure.com#@evil.com/", False, "a fragment"),
        ("https://acme.services.ai.azure.com%40evil.com/", False, "percent-encoded"),
        ("//acme.services.ai.azure.com/next", False, "no scheme"),
        ("/next", False, "no host"),
        ("", False, "nothing"),
    ],
)
def test_a_request_goes_to_the_endpoint_or_nowhere(url: str, same: bool, reason: str) -> None:
    assert Endpoint.parse(PROJECT).is_origin_of(url) is same, reason


def test_a_bad_endpoint_is_not_quoted() -> None:
    with pytest.raises(InvalidEndpoint) as caught:
        Endpoint.parse("https://acme/?key=secret")
    assert "secret" not in str(caught.value)
