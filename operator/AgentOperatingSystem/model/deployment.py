"""The names that templates make: the model deployment that an agent runs on, and the agent's own.

A template is text with words in braces; nothing else of Python's formatting is understood, so that one that
came from a tenant can do no more than stand for a name.
"""

from __future__ import annotations

DEPLOYMENT_NAME_LIMIT = 64
AGENT_NAME_LIMIT = 63
DEPLOYMENT_TEMPLATE = "{model}-{adapter}"
AGENT_NAME_TEMPLATE = "{agentId}"


def deployment_name(model: str, adapter: str, template: str = DEPLOYMENT_TEMPLATE) -> str:
    """`{model}-{adapter}`, the LoRA-tuned deployment, or `{model}` for an agent without an adapter."""
    return filled(template, model=model, adapter=adapter) if adapter else model


def agent_name(template: str, *, agent_id: str, namespace: str, name: str) -> str:
    """The agent's name in the runtime, from the template's `{agentId}`, `{namespace}` and `{name}`."""
    return filled(template, agentId=agent_id, namespace=namespace, name=name)


def filled(template: str, **words: str) -> str:
    """`template` with each `{word}` replaced; what was put in is not looked at again."""
    text = ""
    rest = template
    while rest:
        before, brace, behind = rest.partition("{")
        word, end, after = behind.partition("}")
        text += before
        if not brace:
            break
        text += words[word] if end and word in words else f"{{{word}{end}"
        rest = after
    return text
