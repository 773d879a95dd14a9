"""The four wire formats in which agent programs talk to their models: read a request, write one scripted answer.

Each follows its vendor's public API reference: Anthropic Messages, OpenAI Responses, OpenAI Chat Completions and
Gemini generateContent, streamed as server-sent events the way the four programs ask for them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """The model calls `tool` (as the model knows it) with `arguments`."""

    tool: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Text:
    """The model says `text` and ends its turn."""

    text: str


Reply = ToolCall | Text


@dataclass(frozen=True, slots=True)
class Request:
    """What a program sent to its model: the tools it offers and the results of earlier tool calls, oldest first."""

    tools: tuple[str, ...]
    results: tuple[str, ...]
    body: Json


class Wire(Protocol):
    """One vendor's format. `path` is the part of the URL path that its generation requests contain."""

    path: str

    def read(self, body: Json) -> Request: ...

    def tool(self, name: str) -> str:
        """How a model of this program names the bridge's tool `name` (the server is configured as `mab`)."""
        ...

    def write(self, reply: Reply, unique: str) -> str: ...


def events(*items: Json, named: bool = True) -> str:
    """Server-sent events, one an item; `named` adds the item's type as the name of the event."""
    heads = (f"event: {item['type']}\n" if named else "" for item in items)
    return "".join(f"{head}data: {json.dumps(item)}\n\n" for head, item in zip(heads, items, strict=True))


def flat(content: object) -> str:
    """The text of a content value: a string, or a list of parts that have a text."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(str(part["text"]) for part in content if isinstance(part, dict) and "text" in part)
    return json.dumps(content)


def structure(shown: str) -> Json:
    """The structured result within what a model was shown; programs put remarks of their own around it.

    Raises ValueError when there is none.
    """
    found, _ = json.JSONDecoder().raw_decode(shown[shown.index("{") :])
    return dict(found)


class AnthropicMessages:
    """Claude Code."""

    path = "/v1/messages"

    def read(self, body: Json) -> Request:
        return Request(tuple(tool["name"] for tool in body.get("tools", ())), tuple(self._results(body)), body)

    def _results(self, body: Json) -> Iterator[str]:
        for message in body.get("messages", ()):
            for part in message["content"] if isinstance(message["content"], list) else ():
                if part["type"] == "tool_result":
                    yield flat(part.get("content", ""))

    def tool(self, name: str) -> str:
        return f"mcp__mab__{name}"

    def write(self, reply: Reply, unique: str) -> str:
        block: Json
        delta: Json
        if isinstance(reply, ToolCall):
            block = {"type": "tool_use", "id": f"toolu_{unique}", "name": self.tool(reply.tool), "input": {}}
            delta = {"type": "input_json_delta", "partial_json": json.dumps(reply.arguments)}
        else:
            block = {"type": "text", "text": ""}
            delta = {"type": "text_delta", "text": reply.text}
        stop = "tool_use" if isinstance(reply, ToolCall) else "end_turn"
        message: Json = {
            "id": f"msg_{unique}",
            "type": "message",
            "role": "assistant",
            "model": "stub",
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {"input_tokens": 1, "output_tokens": 1},
        }
        return events(
            {"type": "message_start", "message": message},
            {"type": "content_block_start", "index": 0, "content_block": block},
            {"type": "content_block_delta", "index": 0, "delta": delta},
            {"type": "content_block_stop", "index": 0},
            {
                "type": "message_delta",
                "delta": {"stop_reason": stop, "stop_sequence": None},
                "usage": {"output_tokens": 1},
            },
            {"type": "message_stop"},
        )


class OpenAIResponses:
    """Codex. Tools of an MCP server come as one namespace."""

    path = "/responses"
    namespace = "mcp__mab"

    def read(self, body: Json) -> Request:
        outputs = (item for item in body.get("input", ()) if item.get("type") == "function_call_output")
        return Request(
            tuple(self._tools(body.get("tools", ()))), tuple(flat(item.get("output", "")) for item in outputs), body
        )

    def _tools(self, tools: Iterable[Json]) -> Iterator[str]:
        for tool in tools:
            if tool.get("type") == "namespace":
                yield from (f"{tool['name']}.{inner['name']}" for inner in tool.get("tools", ()))
            elif "name" in tool:
                yield tool["name"]

    def tool(self, name: str) -> str:
        return f"{self.namespace}.{name}"

    def write(self, reply: Reply, unique: str) -> str:
        item: Json
        if isinstance(reply, ToolCall):
            item = {
                "type": "function_call",
                "id": f"fc_{unique}",
                "call_id": f"call_{unique}",
                "namespace": self.namespace,
                "name": reply.tool,
                "arguments": json.dumps(reply.arguments),
                "status": "completed",
            }
        else:
            said = {"type": "output_text", "text": reply.text, "annotations": []}
            item = {
                "type": "message",
                "id": f"msg_{unique}",
                "role": "assistant",
                "status": "completed",
                "content": [said],
            }
        response = {
            "id": f"resp_{unique}",
            "object": "response",
            "created_at": 1,
            "status": "completed",
            "model": "stub",
            "output": [item],
            "usage": {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2},
        }
        return events(
            {"type": "response.created", "response": response | {"status": "in_progress", "output": []}},
            {"type": "response.output_item.added", "output_index": 0, "item": item},
            {"type": "response.output_item.done", "output_index": 0, "item": item},
            {"type": "response.completed", "response": response},
        )


class ChatCompletions:
    """opencode, through its provider for servers compatible with OpenAI."""

    path = "/chat/completions"

    def read(self, body: Json) -> Request:
        tools = tuple(tool["function"]["name"] for tool in body.get("tools", ()))
        results = (flat(message["content"]) for message in body.get("messages", ()) if message["role"] == "tool")
        return Request(tools, tuple(results), body)

    def tool(self, name: str) -> str:
        return f"mab_{name}"

    def write(self, reply: Reply, unique: str) -> str:
        delta: Json = {"role": "assistant", "content": None}
        if isinstance(reply, ToolCall):
            function = {"name": self.tool(reply.tool), "arguments": json.dumps(reply.arguments)}
            delta["tool_calls"] = [{"index": 0, "id": f"call_{unique}", "type": "function", "function": function}]
        else:
            delta["content"] = reply.text
        finish = "tool_calls" if isinstance(reply, ToolCall) else "stop"
        chunk = {"id": f"chatcmpl-{unique}", "object": "chat.completion.chunk", "created": 1, "model": "stub"}
        choices = (
            {"index": 0, "delta": delta, "finish_reason": None},
            {"index": 0, "delta": {}, "finish_reason": finish},
        )
        return events(*(chunk | {"choices": [choice]} for choice in choices), named=False) + "data: [DONE]\n\n"


class GeminiGenerate:
    """Gemini CLI."""

    path = "streamGenerateContent"

    def read(self, body: Json) -> Request:
        declared = (tool for group in body.get("tools", ()) for tool in group.get("functionDeclarations", ()))
        return Request(tuple(tool["name"] for tool in declared), tuple(self._results(body)), body)

    def _results(self, body: Json) -> Iterator[str]:
        for content in body.get("contents", ()):
            for part in content.get("parts", ()):
                if "functionResponse" in part:
                    response = part["functionResponse"]["response"]
                    yield flat(response.get("output", response.get("error", response)))

    def tool(self, name: str) -> str:
        return f"mcp_mab_{name}"

    def write(self, reply: Reply, unique: str) -> str:
        part: Json = {"text": reply.text} if isinstance(reply, Text) else {}
        if isinstance(reply, ToolCall):
            part = {"functionCall": {"name": self.tool(reply.tool), "args": dict(reply.arguments)}}
        candidate = {"content": {"role": "model", "parts": [part]}, "finishReason": "STOP", "index": 0}
        usage = {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2}
        answer = {"candidates": [candidate], "usageMetadata": usage, "modelVersion": "stub", "responseId": unique}
        return events(answer, named=False)
