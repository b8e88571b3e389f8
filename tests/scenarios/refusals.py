"""What the API server itself refuses, on every control plane: one table for all who check the answers."""

from typing import Any

TOOL = {"serverName": "erpnext", "toolName": "get"}

REFUSALS: list[tuple[str, str, dict[str, Any], str, str]] = [
    # reason, name, spec, field, mend
    ("no purpose", "x", {"purpose": None}, "spec.purpose", "Required value"),
    ("a blank purpose", "x", {"purpose": " "}, "spec.purpose", "must not be blank"),
    (
        "an adapter that no deployment can be named after",
        "x",
        {"adapterName": "ceo/v2"},
        "spec.adapterName",
        "use letters, digits, '.', '_' and '-'",
    ),
    (
        "a deployment with too long a name",
        "x",
        {"model": "m" * 30, "adapterName": "a" * 40},
        "spec.adapterName",
        "the deployment {model}-{adapterName} may have at most 64 characters",
    ),
    (
        "a name over 63",
        "x" * 64,
        {},
        "metadata.name",
        "use at most 63 lower-case letters, digits and '-'; or set spec.agentId",
    ),
    (
        "an agent id over 63",
        "x",
        {"agentId": "x" * 64},
        "spec.agentId",
        "may not be more than 63",
    ),
    (
        "7 pairs of runtime metadata, where the stamp leaves room for 6",
        "x",
        {"runtimeMetadata": {f"pair{number}": "" for number in range(7)}},
        "spec.runtimeMetadata",
        "must have at most 6 items",
    ),
    (
        "a key that is the stamp's",
        "x",
        {"runtimeMetadata": {"aos_owner": "me"}},
        "spec.runtimeMetadata",
        "belong to the operator: use other keys",
    ),
    (
        "a system message of 300,000 characters",
        "x",
        {"systemMessage": "x" * 300_000},
        "spec.systemMessage",
        "may not be more than 32768",
    ),
    (
        "two tools of one name",
        "x",
        {"mcpTools": [TOOL, TOOL]},
        "spec.mcpTools[1]",
        "Duplicate value",
    ),
    (
        "an input schema for something other than an object",
        "x",
        {"mcpTools": [{**TOOL, "inputSchema": {"type": "string"}}]},
        "spec.mcpTools[0].inputSchema.type",
        'supported values: "object"',
    ),
    ("a field that does not exist", "x", {"purpse": "x"}, "spec.purpse", "unknown field"),
]
