"""The settings of the runtime: each is read, each wrong value names its setting, and no plain connection."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
from tests.unit.samples import ENDPOINT

from AgentOperatingSystem.model.errors import ConfigurationError, EndpointNotConfigured
from AgentOperatingSystem.model.facts import ModelCheck, RuntimeFacts, RuntimeType
from AgentOperatingSystem.runtime import RuntimeConfig
from AgentOperatingSystem.runtime.connection import connect
from AgentOperatingSystem.runtime.endpoints import is_loopback

SETTINGS = {
    "project_endpoint": ("AZURE_AI_PROJECT_ENDPOINT", ENDPOINT, ENDPOINT, None),
    "model_deployment": ("AZURE_AI_MODEL_DEPLOYMENT", "llama-4", "llama-4", "llama-3.3-70b"),
    "lora_adapters": ("ENABLE_LORA_ADAPTERS", "false", False, True),
    "stateful_threads": ("ENABLE_STATEFUL_THREADS", "false", False, True),
    "timeout": ("RUNTIME_TIMEOUT", "7.5", 7.5, 60.0),
    "max_retries": ("RUNTIME_MAX_RETRIES", "0", 0, 3),
    "max_in_flight": ("AOS_MAX_IN_FLIGHT", "4", 4, 32),
    "listing_age": ("AOS_DRIFT_INTERVAL", "300", 300.0, 60.0),
    "requests_per_second": ("AOS_REQUESTS_PER_SECOND", "2.5", 2.5, 50.0),
    "model_check": ("AOS_MODEL_CHECK", "warn", ModelCheck.WARN, ModelCheck.ENFORCE),
    "max_deletes_per_minute": ("AOS_MAX_DELETES_PER_MINUTE", "5", 5, 30),
    "cluster_id": ("AOS_CLUSTER_ID", "c1", "c1", ""),
    "type": ("AOS_RUNTIME", "foundryclassic", RuntimeType.FOUNDRY_CLASSIC, RuntimeType.FOUNDRY),
}
# What only a runtime's own resource says, where a tenant is to be kept within bounds.
OF_A_RESOURCE = {
    "identity",
    "source",
    "deployment_template",
    "agent_name_template",
    "allowed_models",
    "allowed_vector_stores",
    "max_agents",
    "shared",
}


def test_every_field_has_a_setting() -> None:
    assert {field.name for field in fields(RuntimeConfig)} == set(SETTINGS) | OF_A_RESOURCE


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_is_read_and_has_a_default(name: str) -> None:
    setting, text, value, default = SETTINGS[name]
    assert getattr(RuntimeConfig.from_env({setting: text}), name) == value
    assert getattr(RuntimeConfig.from_env({setting: f"  {text} "}), name) == value, "outer space says nothing"
    assert getattr(RuntimeConfig.from_env({}), name) == default
    assert getattr(RuntimeConfig.from_env({setting: " "}), name) == default, "blank is as good as unset"


def test_the_process_environment_is_what_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_AI_MODEL_DEPLOYMENT", "llama-4")
    assert RuntimeConfig.from_env().model_deployment == "llama-4"


@pytest.mark.parametrize("word", ["true", "True", "1", "yes", "ON"])
def test_a_flag_may_be_said_yes_to_in_these_words(word: str) -> None:
    assert RuntimeConfig.from_env({"ENABLE_LORA_ADAPTERS": word, "USE_FOUNDRY_RUNTIME": word}).lora_adapters


@pytest.mark.parametrize("word", ["false", "FALSE", "0", "no", "off"])
def test_a_flag_may_be_said_no_to_in_these_words(word: str) -> None:
    assert not RuntimeConfig.from_env({"ENABLE_LORA_ADAPTERS": word}).lora_adapters


@pytest.mark.parametrize(
    ("setting", "value", "reason"),
    [
        ("USE_FOUNDRY_RUNTIME", "false", "there is no other runtime yet"),
        ("USE_FOUNDRY_RUNTIME", "maybe", "neither true nor false"),
        ("ENABLE_LORA_ADAPTERS", "2", "neither true nor false"),
        ("ENABLE_STATEFUL_THREADS", "y", "neither true nor false"),
        ("RUNTIME_TIMEOUT", "0", "nothing answers in no time"),
        ("RUNTIME_TIMEOUT", "soon", "no number"),
        ("RUNTIME_TIMEOUT", "nan", "no number to compare with"),
        ("RUNTIME_TIMEOUT", "inf", "a hung call must end"),
        ("RUNTIME_MAX_RETRIES", "-1", "fewer than none"),
        ("AOS_MAX_IN_FLIGHT", "0", "nothing would ever be sent"),
        ("AOS_REQUESTS_PER_SECOND", "0", "nothing would ever be sent"),
        ("AOS_MAX_DELETES_PER_MINUTE", "0", "nothing would ever be deleted"),
        ("AOS_MODEL_CHECK", "sometimes", "no such word"),
        ("AOS_DRIFT_INTERVAL", "0.5", "a listing twice a second is an attack"),
        ("AZURE_AI_PROJECT_ENDPOINT", "acme.services.ai.azure.com", "no URL"),
        ("AZURE_AI_PROJECT_ENDPOINT", "ftp://acme/", "another protocol"),
        ("AZURE_AI_PROJECT_ENDPOINT", "https:///api/projects/board", "no host"),
        ("AZURE_AI_PROJECT_ENDPOINT", "https://me:secret@acme/", "a password in a URL ends in logs"),
        ("AZURE_AI_PROJECT_ENDPOINT", "https://acme/?key=secret", "and so does a query"),
        ("AZURE_AI_PROJECT_ENDPOINT", "https://acme/#secret", "and so does a fragment"),
    ],
)
def test_a_wrong_value_names_its_setting(setting: str, value: str, reason: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        RuntimeConfig.from_env({setting: value})
    assert caught.value.setting == setting, reason
    assert str(caught.value).startswith(setting)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("value", ["https://[::1", "https://acme:port/", "https://acme:99999/"])
def test_an_endpoint_that_no_client_can_reach_names_its_setting(value: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        RuntimeConfig.from_env({"AZURE_AI_PROJECT_ENDPOINT": value})
    assert caught.value.setting == "AZURE_AI_PROJECT_ENDPOINT"


@pytest.mark.parametrize(
    "setting", ["RUNTIME_MAX_RETRIES", "AOS_MAX_IN_FLIGHT", "AOS_MAX_DELETES_PER_MINUTE"]
)
def test_a_count_is_a_whole_number(setting: str) -> None:
    with pytest.raises(ConfigurationError, match=setting):
        RuntimeConfig.from_env({setting: "2.7"})


@pytest.mark.parametrize(
    ("endpoint", "allowed", "reason"),
    [
        ("https://acme.services.ai.azure.com/api/projects/board", True, "TLS"),
        ("http://127.0.0.1:8080/api/projects/board", True, "the sandbox"),
        ("http://localhost:8080/api/projects/board", True, "the sandbox by its name"),
        ("http://[::1]:8080/api/projects/board", True, "the sandbox in IPv6"),
        ("http://127.9.9.9/api/projects/board", True, "all of 127/8 is this machine"),
        ("http://acme.services.ai.azure.com/api/projects/board", False, "a token in the clear"),
        ("http://10.0.0.1/api/projects/board", False, "private is not this machine"),
        ("http://0.0.0.0/api/projects/board", False, "every address is not this machine"),
        ("http://localhost.acme.com/api/projects/board", False, "only looks like it"),
        ("http://127.0.0.1.acme.com/api/projects/board", False, "only looks like it"),
        ("http://acme.com/?localhost", False, "only looks like it"),
    ],
)
def test_plain_http_is_for_this_machine_alone(endpoint: str, allowed: bool, reason: str) -> None:
    if allowed:
        assert RuntimeConfig.from_env({"AZURE_AI_PROJECT_ENDPOINT": endpoint}).project_endpoint == endpoint
    else:
        with pytest.raises(ConfigurationError):
            RuntimeConfig.from_env({"AZURE_AI_PROJECT_ENDPOINT": endpoint})
    assert is_loopback(endpoint) is (allowed and endpoint.startswith("http:")), reason


def test_an_endpoint_is_the_same_with_a_slash_at_its_end() -> None:
    """The endpoint is compared with the recorded one: two spellings would be two projects."""
    assert RuntimeConfig.from_env({"AZURE_AI_PROJECT_ENDPOINT": f"{ENDPOINT}/"}).project_endpoint == ENDPOINT


def test_the_facts_are_what_decides_an_agent() -> None:
    config = RuntimeConfig(
        project_endpoint=ENDPOINT,
        cluster_id="c1",
        lora_adapters=False,
        stateful_threads=False,
        model_check=ModelCheck.OFF,
    )
    assert config.facts() == RuntimeFacts(
        type=RuntimeType.FOUNDRY,
        endpoint=ENDPOINT,
        base_model="llama-3.3-70b",
        cluster_id="c1",
        lora_adapters=False,
        stateful_threads=False,
        model_check=ModelCheck.OFF,
    )


def test_without_a_project_the_setting_is_named_in_the_words_of_the_guide() -> None:
    with pytest.raises(EndpointNotConfigured, match="AZURE_AI_PROJECT_ENDPOINT not configured"):
        RuntimeConfig.from_env({}).facts()


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://acme.services.ai.azure.com/api/projects/board",
        "HTTP://acme.services.ai.azure.com/api/projects/board",
    ],
)
async def test_no_client_is_made_for_plain_http_elsewhere(endpoint: str) -> None:
    """A config that was built in a program has not passed from_env."""
    made: Any = None
    try:
        with pytest.raises(ConfigurationError):
            made = connect(endpoint, RuntimeConfig(project_endpoint=endpoint))
    finally:
        if made is not None:
            await made.close()
