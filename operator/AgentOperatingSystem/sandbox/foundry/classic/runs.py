"""Runs: an assistant answers on a thread, step by step, as it is polled.

Why a GET takes a run on: a client that polls sees every status in the same order at any speed, and no test
has to wait. A run is queued, then in progress, then the model answers: it requires action, or it is done.
Only the account's clock ends it otherwise: past `expires_at` it has expired.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

from AgentOperatingSystem.sandbox.foundry import definitions
from AgentOperatingSystem.sandbox.foundry.chat import tool_from_chat
from AgentOperatingSystem.sandbox.foundry.classic import assistants, threads
from AgentOperatingSystem.sandbox.foundry.classic.records import (
    ClassicMessage,
    ClassicRun,
    RunStatus,
    RunStep,
    StepStatus,
)
from AgentOperatingSystem.sandbox.foundry.errors import ApiError, Json, conflicting, invalid, unknown_object
from AgentOperatingSystem.sandbox.foundry.model import Call, Model, Say, Turn
from AgentOperatingSystem.sandbox.foundry.state import Project
from AgentOperatingSystem.sandbox.foundry.storage import check_tool_resources

SETTINGS: Mapping[str, object] = {
    "temperature": 1.0,
    "top_p": 1.0,
    "max_completion_tokens": None,
    "max_prompt_tokens": None,
    "truncation_strategy": {"type": "auto", "last_messages": None},
    "response_format": "auto",
    "tool_choice": "auto",
    "parallel_tool_calls": True,
}
TOO_MANY_REQUESTS = 429


# What a client asks for


def create_run(project: Project, thread_id: str, body: Json) -> ClassicRun:
    """A queued run. Raises ApiError 404, and 400 for a wrong body or while another run holds the thread."""
    threads.get_thread(project, thread_id)
    _refuse_stream(body)
    active = threads.active_run(project, thread_id)
    if active is not None:
        raise conflicting(f"Thread {thread_id} already has an active run {active.id}.")
    run = _new_run(project, thread_id, body)
    messages = threads.drafts_of(project, thread_id, "additional_messages", body)
    threads.append(project, thread_id, messages)
    return _store(project, replace(run, id=project.new_id("run")))


def create_thread_and_run(project: Project, body: Json) -> ClassicRun:
    """A new thread and a queued run on it. Raises ApiError; what is wrong leaves neither."""
    _refuse_stream(body)
    run = _new_run(project, "", body)
    wanted = body.get("thread") or {}
    if not isinstance(wanted, dict):
        raise invalid("thread", "thread must be an object")
    thread = threads.create_thread(project, wanted)
    return _store(project, replace(run, id=project.new_id("run"), thread_id=thread.id))


def get_run(project: Project, thread_id: str, run_id: str) -> ClassicRun:
    """As it is now, without taking it on. Raises ApiError 404."""
    threads.get_thread(project, thread_id)
    run = project.runs.get(run_id)
    if run is None or run.thread_id != thread_id:
        raise unknown_object("run", run_id)
    if run.active and project.account.clock() >= run.expires_at:
        run = _store(project, _ended(run, "expired", run.expires_at))
    return run


def list_runs(project: Project, thread_id: str) -> list[ClassicRun]:
    """The runs of a thread, oldest first, without taking them on. Raises ApiError 404."""
    threads.get_thread(project, thread_id)
    ids = [run.id for run in project.runs.values() if run.thread_id == thread_id]
    return [get_run(project, thread_id, run_id) for run_id in ids]


async def poll_run(project: Project, thread_id: str, run_id: str, model: Model) -> ClassicRun:
    """Answers where the run stands, one stage further than at the last look. Raises ApiError 404."""
    run, now = get_run(project, thread_id, run_id), project.account.clock()
    if run.status == "queued":
        return _store(project, replace(run, status="in_progress", started_at=run.started_at or now, polls=0))
    if run.status == "cancelling":
        return _store(project, _ended(run, "cancelled", now))
    if run.status != "in_progress" or run.id in project.busy:
        return run
    if run.polls + 1 < project.account.behaviour.run_polls:
        return _store(project, replace(run, polls=run.polls + 1))
    return await _answer(project, run, model)


def update_run(project: Project, thread_id: str, run_id: str, body: Json) -> ClassicRun:
    """Only the metadata can change. Raises ApiError."""
    run = get_run(project, thread_id, run_id)
    return _store(project, replace(run, metadata=definitions.read_metadata(body.get("metadata"))))


def submit_tool_outputs(project: Project, thread_id: str, run_id: str, body: Json) -> ClassicRun:
    """Every pending call must get its output; the run is queued again. Raises ApiError."""
    run, now = get_run(project, thread_id, run_id), project.account.clock()
    _refuse_stream(body)
    if run.status != "requires_action":
        raise conflicting(f'Runs in status "{run.status}" do not accept tool outputs.')
    outputs = _read_outputs(body.get("tool_outputs"))
    wanted = [call["call_id"] for call in run.pending]
    if sorted(outputs) != sorted(wanted):
        raise conflicting(f"Expected tool outputs for call_ids {wanted}, got {list(outputs)}")
    given = tuple(
        {"type": "function_call_output", "call_id": call, "output": outputs[call]} for call in wanted
    )
    steps = (*run.steps[:-1], _with_outputs(run.steps[-1], outputs, now))
    return _store(project, replace(run, status="queued", items=(*run.items, *given), steps=steps, pending=()))


def cancel_run(project: Project, thread_id: str, run_id: str) -> ClassicRun:
    """What is in progress is seen cancelling once; the rest is cancelled at once. Raises ApiError."""
    run = get_run(project, thread_id, run_id)
    if not run.active or run.status == "cancelling":
        raise conflicting(f"Cannot cancel run with status '{run.status}'.")
    if run.status == "in_progress":
        return _store(project, replace(run, status="cancelling"))
    return _store(project, _ended(run, "cancelled", project.account.clock()))


# One turn of the model


async def _answer(project: Project, run: ClassicRun, model: Model) -> ClassicRun:
    """The run after the model's turn. The model takes its time, so that what came meanwhile counts."""
    project.busy.add(run.id)
    try:
        answered = await _outcome(project, run, model)
    except ApiError as error:
        code = "rate_limit_exceeded" if error.status == TOO_MANY_REQUESTS else "server_error"
        answered = _failed(project, run, code, error.message)
    finally:
        project.busy.discard(run.id)
    present = get_run(project, run.thread_id, run.id)
    if present.status != "in_progress":
        return present
    if isinstance(answered, ClassicMessage):
        threads.append(project, run.thread_id, [answered])
        answered = _with_message(project, present, answered)
    return _store(project, replace(answered, metadata=present.metadata))


async def _outcome(project: Project, run: ClassicRun, model: Model) -> ClassicRun | ClassicMessage:
    """The run when it wants calls or has failed, otherwise the message that ends it."""
    if not project.account.serves(run.model):
        return _failed(project, run, "invalid_engine_error", f"Failed to resolve model info for: {run.model}")
    thread = threads.get_thread(project, run.thread_id)
    turn = Turn(
        deployment=run.model,
        instructions=run.instructions,
        tools=tuple(tool_from_chat(tool) for tool in run.tools),
        items=(*(_item(message) for message in thread.messages), *run.items),
        agent=run.assistant_name or run.assistant_id,
    )
    parts = await model.answer(turn)
    calls = [part for part in parts if isinstance(part, Call)]
    if calls:
        return _with_calls(project, run, calls)
    return _message(project, run, "".join(part.text for part in parts if isinstance(part, Say)))


def _item(message: ClassicMessage) -> Json:
    return {"type": "message", "role": message.role, "content": message.text}


def _message(project: Project, run: ClassicRun, text: str) -> ClassicMessage:
    return ClassicMessage(
        id=project.new_id("msg"),
        thread_id=run.thread_id,
        created_at=project.account.clock(),
        role="assistant",
        content=(threads.text_part(text),),
        assistant_id=run.assistant_id,
        run_id=run.id,
    )


def _with_calls(project: Project, run: ClassicRun, calls: Sequence[Call]) -> ClassicRun:
    items = tuple(
        {
            "type": "function_call",
            "call_id": project.account.ids.next("call"),
            "name": call.name,
            "arguments": call.arguments,
        }
        for call in calls
    )
    details = {"type": "tool_calls", "tool_calls": [_call_body(item) for item in items]}
    step = RunStep(project.new_id("step"), project.account.clock(), "in_progress", details)
    return replace(
        run, status="requires_action", items=(*run.items, *items), steps=(*run.steps, step), pending=items
    )


def _with_message(project: Project, run: ClassicRun, message: ClassicMessage) -> ClassicRun:
    now = project.account.clock()
    details = {"type": "message_creation", "message_creation": {"message_id": message.id}}
    step = RunStep(project.new_id("step"), now, "completed", details, ended_at=now)
    finished = replace(run, steps=(*run.steps, step), usage=_usage(project, run, message))
    return _ended(finished, "completed", now)


def _usage(project: Project, run: ClassicRun, answer: ClassicMessage) -> Json:
    """Counts words as if they were tokens: plausible and deterministic."""
    thread = project.threads[run.thread_id]
    taken = sum(len(message.text.split()) for message in thread.messages if message is not answer)
    taken += sum(len(str(item.get("output", "")).split()) for item in run.items)
    given = len(answer.text.split())
    return {"prompt_tokens": taken, "completion_tokens": given, "total_tokens": taken + given}


def _failed(project: Project, run: ClassicRun, code: str, message: str) -> ClassicRun:
    error = {"code": code, "message": message}
    return _ended(replace(run, error=error), "failed", project.account.clock())


def _ended(
    run: ClassicRun, status: Literal["cancelled", "failed", "completed", "expired"], at: float
) -> ClassicRun:
    steps = tuple(
        replace(step, status=status, ended_at=at) if step.status == "in_progress" else step
        for step in run.steps
    )
    return replace(run, status=status, ended_at=at, steps=steps, pending=())


# As it goes over the wire


def run_body(run: ClassicRun) -> Json:
    """A run as it goes over the wire."""
    return {
        "id": run.id,
        "object": "thread.run",
        "created_at": int(run.created_at),
        "assistant_id": run.assistant_id,
        "thread_id": run.thread_id,
        "status": run.status,
        "started_at": _seconds(run.started_at),
        "expires_at": int(run.expires_at) if run.active else None,
        **{f"{status}_at": _ended_at(run, status) for status in ("cancelled", "failed", "completed")},
        "required_action": _required_action(run),
        "last_error": run.error,
        "model": run.model,
        "instructions": run.instructions,
        "tools": list(run.tools),
        "tool_resources": run.tool_resources,
        "metadata": run.metadata,
        **run.settings,
        "incomplete_details": None,
        "usage": run.usage,
    }


def step_body(run: ClassicRun, step: RunStep) -> Json:
    """A step as it goes over the wire."""
    ends: tuple[StepStatus, ...] = ("expired", "cancelled", "failed", "completed")
    return {
        "id": step.id,
        "object": "thread.run.step",
        "created_at": int(step.created_at),
        "run_id": run.id,
        "assistant_id": run.assistant_id,
        "thread_id": run.thread_id,
        "type": step.details["type"],
        "status": step.status,
        **{f"{end}_at": _seconds(step.ended_at) if step.status == end else None for end in ends},
        "last_error": run.error if step.status == "failed" else None,
        "step_details": step.details,
        "usage": None,
        "metadata": {},
    }


def _required_action(run: ClassicRun) -> Json | None:
    if run.status != "requires_action":
        return None
    calls = [_call_body(call) for call in run.pending]
    return {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": calls}}


def _call_body(item: Json) -> Json:
    function = {"name": item["name"], "arguments": item["arguments"]}
    return {"id": item["call_id"], "type": "function", "function": function}


def _ended_at(run: ClassicRun, status: RunStatus) -> int | None:
    return _seconds(run.ended_at) if run.status == status else None


def _seconds(at: float | None) -> int | None:
    return None if at is None else int(at)


# What a body may contain


def _new_run(project: Project, thread_id: str, body: Json) -> ClassicRun:
    """A checked run without an id: what it does not say, the assistant does."""
    assistant = assistants.get_assistant(project, str(body.get("assistant_id")))
    now, behaviour = project.account.clock(), project.account.behaviour
    own = definitions.read_text("instructions", body.get("instructions"), definitions.INSTRUCTIONS)
    instructions = [assistant.instructions or "" if own is None else own]
    more = definitions.read_text(
        "additional_instructions", body.get("additional_instructions"), definitions.INSTRUCTIONS
    )
    settings = {**SETTINGS, "temperature": assistant.temperature, "top_p": assistant.top_p}
    settings |= {key: body[key] for key in SETTINGS if body.get(key) is not None}
    tools, resources = body.get("tools"), check_tool_resources(project, body.get("tool_resources"))
    return ClassicRun(
        id="",
        thread_id=thread_id,
        assistant_id=assistant.id,
        assistant_name=assistant.name,
        created_at=now,
        expires_at=now + behaviour.run_seconds,
        status="queued",
        model=str(body.get("model") or assistant.model),
        instructions="\n".join([*instructions, *([more] if more else [])]),
        tools=assistant.tools if tools is None else definitions.read_tools("tools", tools),
        tool_resources=resources or assistant.tool_resources,
        metadata=definitions.read_metadata(body.get("metadata")),
        settings=settings,
    )


def _refuse_stream(body: Json) -> None:
    if body.get("stream"):
        raise invalid("stream", "the sandbox does not stream runs: poll instead")


def _read_outputs(value: object) -> dict[str, str]:
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise invalid("tool_outputs", "tool_outputs must be a list of objects")
    return {str(one.get("tool_call_id")): str(one.get("output") or "") for one in value}


def _with_outputs(step: RunStep, outputs: Mapping[str, str], now: float) -> RunStep:
    calls = [
        {**call, "function": {**call["function"], "output": outputs[call["id"]]}}
        for call in step.details["tool_calls"]
    ]
    return replace(step, status="completed", details={**step.details, "tool_calls": calls}, ended_at=now)


def _store(project: Project, run: ClassicRun) -> ClassicRun:
    """Remembers it, unless it was deleted with its thread meanwhile."""
    if run.thread_id in project.threads:
        project.runs[run.id] = run
    return run
