"""The tools an agent may call: how MCP tools are offered to it, and how its calls are executed."""

from AgentOperatingSystem.tools.functions import (
    McpFunction,
    McpToolReference,
    convert_mcp_tools_to_function_tools,
)

__all__ = ["McpFunction", "McpToolReference", "convert_mcp_tools_to_function_tools"]
