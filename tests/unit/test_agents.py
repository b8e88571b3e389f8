"""`PurposeDrivenAgent`: an Agent Framework agent in every way, that knows its purpose and no runtime."""

from __future__ import annotations

import ast
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Self

import agent_framework
import pytest
from agent_framework import (
    Agent,
    BaseChatClient,
    ChatResponse,
    ChatResponseUpdate,
    Content,
    FunctionInvocationLayer,
    Message,
    SupportsAgentRun,
)

from AgentOperatingSystem import agents
from AgentOperatingSystem.agents import AgentStopped, ChatClientNotConfigured, PurposeDrivenAgent
from AgentOperatingSystem.agents.chat_client import NO_KEY, ChatSettings, chat_client
from AgentOperatingSystem.purpose import Purpose, compile_instructions

SECRET = "sk-very-secret"


class FakeClient(FunctionInvocationLayer[Any], BaseChatClient[Any]):
    """Answers each request with the number of messages it was sent, and counts how often it is opened."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[list[tuple[str, str]]] = []
        self.options: list[Mapping[str, Any]] = []
        self.opened = 0

    async def __aenter__(self) -> Self:
        self.opened += 1
        return self

    async def __aexit__(self, *_error: object) -> None:
        self.opened -= 1

    def _inner_get_response(self, *, messages: Any, stream: bool, options: Any, **_: Any) -> Any:
        self.requests.append([(str(message.role), message.text) for message in messages])
        self.options.append(dict(options))
        text = f"answer {len(self.requests)}"
        return self._build_response_stream(self._updates(text)) if stream else self._response(text)

    async def _response(self, text: str) -> ChatResponse[Any]:
        return ChatResponse(messages=[Message("assistant", [text])])

    async def _updates(self, text: str) -> AsyncIterator[ChatResponseUpdate]:
        for word in text.split():
            yield ChatResponseUpdate(role="assistant", contents=[Content.from_text(word)])


@pytest.fixture(autouse=True)
def unconfigured(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's own settings decide no test."""
    for name in ("AOS_CHAT_BASE_URL", "AOS_CHAT_MODEL", "AOS_CHAT_API_KEY"):
        monkeypatch.delenv(name, raising=False)


def ceo(client: FakeClient | None = None, **more: Any) -> PurposeDrivenAgent:
    return PurposeDrivenAgent(
        agent_id="ceo", purpose="Strategic oversight", adapter_name="ceo", client=client, **more
    )


async def test_the_seed_s_own_lines_work() -> None:
    agent = PurposeDrivenAgent(
        agent_id="ceo",
        purpose="Strategic oversight and decision-making",
        purpose_scope="Strategic planning, major decisions",
        adapter_name="ceo",
    )
    await agent.initialize()
    await agent.start()
    assert (agent.agent_id, agent.purpose, agent.purpose_scope, agent.adapter_name) == (
        "ceo",
        "Strategic oversight and decision-making",
        "Strategic planning, major decisions",
        "ceo",
    )
    await agent.stop()


def test_it_is_an_agent_of_the_framework() -> None:
    agent = ceo()
    assert isinstance(agent, Agent)
    assert isinstance(agent, SupportsAgentRun)
    assert (agent.id, agent.name, agent.description) == ("ceo", "ceo", "Strategic oversight")


def test_everything_that_was_said_of_it_is_readable() -> None:
    agent = ceo(success_criteria=["Drive growth"], system_message="You are the CEO.")
    assert agent.success_criteria == ("Drive growth",)
    assert agent.system_message == "You are the CEO."
    assert agent.purpose_scope == ""


def test_without_an_adapter_it_has_none() -> None:
    assert PurposeDrivenAgent(agent_id="ceo", purpose="p").adapter_name is None


@pytest.mark.parametrize(
    ("agent_id", "purpose", "word"), [("", "p", "agent_id"), (" ", "p", "agent_id"), ("ceo", "\n", "purpose")]
)
def test_an_agent_without_a_name_or_a_purpose_is_refused(agent_id: str, purpose: str, word: str) -> None:
    with pytest.raises(ValueError, match=word):
        PurposeDrivenAgent(agent_id=agent_id, purpose=purpose)


async def test_it_runs_with_the_instructions_that_the_operator_compiles() -> None:
    client = FakeClient()
    agent = ceo(
        client, purpose_scope="Planning", success_criteria=["Drive growth"], system_message="You are the CEO."
    )
    await agent.run("Which market?")
    assert client.options[0]["instructions"] == compile_instructions(
        Purpose("ceo", "Strategic oversight", "Planning", ("Drive growth",), "You are the CEO.")
    )


async def test_the_adapter_does_not_decide_the_model() -> None:
    client = FakeClient()
    await ceo(client).run("Which market?")
    assert "model" not in client.options[0]
    await ceo(client, default_options={"model": "llama-4"}).run("Which market?")
    assert client.options[1]["model"] == "llama-4"


async def test_its_tools_reach_the_client() -> None:
    @agent_framework.tool(approval_mode="never_require")
    def revenue(year: int) -> int:
        """The revenue of a year."""
        return year

    client = FakeClient()
    await ceo(client, tools=[revenue]).run("Which market?")
    assert [tool.name for tool in client.options[0]["tools"]] == ["revenue"]


async def test_consecutive_runs_are_one_conversation() -> None:
    client = FakeClient()
    agent = ceo(client)
    assert (await agent.run("One?")).text == "answer 1"
    await agent.run("Two?")
    assert client.requests[1] == [("user", "One?"), ("assistant", "answer 1"), ("user", "Two?")]


async def test_a_session_of_the_caller_s_own_stands_alone() -> None:
    client = FakeClient()
    agent = ceo(client)
    await agent.run("One?")
    other = agent.create_session()
    await agent.run("Two?", session=other)
    await agent.run("Three?", session=other)
    assert client.requests[1] == [("user", "Two?")]
    assert client.requests[2] == [("user", "Two?"), ("assistant", "answer 2"), ("user", "Three?")]


async def test_a_conversation_of_the_service_wins_over_the_agent_s_own() -> None:
    client = FakeClient()
    await ceo(client).run("One?", options={"conversation_id": "conv_1"})
    assert client.options[0]["conversation_id"] == "conv_1"
    await ceo(client, default_options={"conversation_id": "conv_2"}).run("One?")
    assert client.options[1]["conversation_id"] == "conv_2"


async def test_a_streamed_run_is_remembered_too() -> None:
    client = FakeClient()
    agent = ceo(client)
    stream = agent.run("One?", stream=True)
    assert [update.text async for update in stream] == ["answer", "1"]
    assert (await stream.get_final_response()).text == "answer1"
    await agent.run("Two?")
    assert client.requests[1][:2] == [("user", "One?"), ("assistant", "answer1")]


async def test_two_agents_share_no_conversation() -> None:
    client = FakeClient()
    await ceo(client).run("One?")
    await ceo(client).run("Two?")
    assert client.requests[1] == [("user", "Two?")]


async def test_an_agent_goes_through_its_states_and_no_step_does_harm_twice() -> None:
    client = FakeClient()
    agent = ceo(client)
    assert (agent.state, client.opened) == ("new", 0)
    for _ in range(2):
        await agent.initialize()
        assert (agent.state, client.opened) == ("initialized", 0)
    for _ in range(2):
        await agent.start()
        assert (agent.state, client.opened) == ("running", 1)
    await agent.initialize()
    assert agent.state == "running"
    for _ in range(2):
        await agent.stop()
        assert (agent.state, client.opened) == ("stopped", 0)


async def test_starting_initializes() -> None:
    agent = ceo(FakeClient())
    await agent.start()
    assert agent.state == "running"
    await agent.stop()


async def test_an_agent_runs_without_being_started_as_the_framework_s_do() -> None:
    assert (await ceo(FakeClient()).run("One?")).text == "answer 1"


async def test_a_stopped_agent_does_not_run_until_it_is_started_again() -> None:
    client = FakeClient()
    agent = ceo(client)
    await agent.run("One?")
    await agent.stop()
    with pytest.raises(AgentStopped, match=r"ceo was stopped.*start\(\)"):
        await agent.run("Two?")
    await agent.start()
    await agent.run("Three?")
    assert client.requests[-1][0] == ("user", "One?"), "what was said is not forgotten"
    await agent.stop()


async def test_an_agent_that_cannot_be_opened_is_not_called_running() -> None:
    class Broken(FakeClient):
        async def __aenter__(self) -> Self:
            raise ConnectionError("no")

    agent = ceo(Broken())
    with pytest.raises(ConnectionError):
        await agent.start()
    assert agent.state == "initialized"


async def test_an_agent_is_a_context() -> None:
    client = FakeClient()
    async with ceo(client) as agent:
        assert isinstance(agent, PurposeDrivenAgent)
        assert (agent.state, client.opened) == ("running", 1)
    assert (agent.state, client.opened) == ("stopped", 0)


async def test_without_a_client_only_running_names_the_setting() -> None:
    async with ceo() as agent:
        for stream in (False, True):
            with pytest.raises(
                ChatClientNotConfigured, match=r"AOS_CHAT_BASE_URL is not set.*client="
            ) as caught:
                await agent.run("One?", stream=stream)
            assert caught.value.setting == "AOS_CHAT_BASE_URL"


async def test_the_client_is_made_from_the_environment_on_the_first_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[ChatSettings] = []
    fake = FakeClient()
    fake.client = _Connection()

    def make(settings: ChatSettings) -> FakeClient:
        made.append(settings)
        return fake

    monkeypatch.setattr("AgentOperatingSystem.agents.purpose_driven.chat_client", make)
    agent = ceo()
    await agent.start()
    monkeypatch.setenv("AOS_CHAT_BASE_URL", "https://models.acme.com/v1/")
    monkeypatch.setenv("AOS_CHAT_MODEL", "llama-3.3-70b-ceo")
    monkeypatch.setenv("AOS_CHAT_API_KEY", SECRET)
    assert made == []
    await agent.run("One?")
    await agent.run("Two?")
    assert made == [ChatSettings("https://models.acme.com/v1", "llama-3.3-70b-ceo", SECRET)]
    await agent.stop()
    assert fake.client.closed == 1
    await agent.start()
    await agent.run("Three?")
    assert len(made) == 2, "a closed client is not used again"
    await agent.stop()


class _Connection:
    closed = 0

    async def close(self) -> None:
        self.closed += 1


BASE = {"AOS_CHAT_BASE_URL": "https://models.acme.com/v1", "AOS_CHAT_MODEL": "llama"}


@pytest.mark.parametrize(
    ("change", "setting", "reason"),
    [
        ({"AOS_CHAT_BASE_URL": ""}, "AOS_CHAT_BASE_URL", "missing"),
        ({"AOS_CHAT_BASE_URL": "  "}, "AOS_CHAT_BASE_URL", "blank"),
        ({"AOS_CHAT_MODEL": ""}, "AOS_CHAT_MODEL", "missing"),
        ({"AOS_CHAT_BASE_URL": "models.acme.com/v1"}, "AOS_CHAT_BASE_URL", "no URL"),
        ({"AOS_CHAT_BASE_URL": "ftp://models.acme.com"}, "AOS_CHAT_BASE_URL", "another protocol"),
        ({"AOS_CHAT_BASE_URL": "https:///v1"}, "AOS_CHAT_BASE_URL", "no host"),
        ({"AOS_CHAT_BASE_URL": "https://[::1"}, "AOS_CHAT_BASE_URL", "half an address"),
        ({"AOS_CHAT_BASE_URL": "https://acme:port/v1"}, "AOS_CHAT_BASE_URL", "no port"),
        ({"AOS_CHAT_BASE_URL": f"https://me:{SECRET}@acme/v1"}, "AOS_CHAT_BASE_URL", "a secret in a URL"),
        ({"AOS_CHAT_BASE_URL": f"https://acme/v1?key={SECRET}"}, "AOS_CHAT_BASE_URL", "a secret in a URL"),
    ],
)
def test_a_wrong_chat_setting_is_named(change: dict[str, str], setting: str, reason: str) -> None:
    with pytest.raises(ChatClientNotConfigured) as caught:
        ChatSettings.from_env({**BASE, **change})
    assert caught.value.setting == setting, reason
    assert str(caught.value).startswith(setting)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "key", "allowed", "reason"),
    [
        ("https://models.acme.com/v1", SECRET, True, "TLS"),
        ("http://127.0.0.1:8000/v1", SECRET, True, "this machine"),
        ("http://localhost:8000/v1", SECRET, True, "this machine"),
        ("http://[::1]:8000/v1", SECRET, True, "this machine"),
        ("http://vllm.models.svc:8000/v1", "", True, "no key to lose"),
        ("http://vllm.models.svc:8000/v1", SECRET, False, "a key in the clear"),
        ("HTTP://vllm.models.svc:8000/v1", SECRET, False, "however it is written"),
        ("http://localhost.acme.com/v1", SECRET, False, "only looks like this machine"),
        ("http://10.0.0.1/v1", SECRET, False, "private is not this machine"),
    ],
)
def test_no_key_goes_over_plain_http_to_elsewhere(url: str, key: str, allowed: bool, reason: str) -> None:
    environ = {**BASE, "AOS_CHAT_BASE_URL": url, "AOS_CHAT_API_KEY": key}
    if allowed:
        assert ChatSettings.from_env(environ) == ChatSettings(url, "llama", key), reason
        return
    with pytest.raises(ChatClientNotConfigured, match="must be https") as caught:
        ChatSettings.from_env(environ)
    assert SECRET not in str(caught.value), reason


def test_a_key_is_not_shown() -> None:
    assert SECRET not in repr(ChatSettings("https://models.acme.com/v1", "llama", SECRET))


@pytest.mark.parametrize(("key", "sent"), [(SECRET, SECRET), ("", NO_KEY)])
async def test_the_client_goes_where_the_settings_say_and_nowhere_else(
    key: str, sent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Settings for other services must not turn it aside, nor their keys be sent along."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-another-service")
    monkeypatch.setenv("OPENAI_BASE_URL", "https://api.openai.com/v1")
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", "https://acme.openai.azure.com")
    made = chat_client(ChatSettings("https://models.acme.com/v1", "llama-ceo", key))
    try:
        assert str(made.client.base_url) == "https://models.acme.com/v1/"
        assert made.client.api_key == sent
        assert made.model == "llama-ceo"
    finally:
        await made.client.close()


def test_the_class_imports_the_compiler_of_purposes_and_nothing_else_of_ours() -> None:
    folder = Path(str(agents.__file__)).parent
    names = set()
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                names.add(str(node.module))
    ours = {name for name in names if name.startswith("AgentOperatingSystem")}
    allowed = ("AgentOperatingSystem.agents", "AgentOperatingSystem.purpose")
    assert [name for name in ours if not name.startswith(allowed)] == []
