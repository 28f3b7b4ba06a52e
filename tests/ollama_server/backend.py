"""The answers of a real model: forwarding to an OpenAI-compatible server such as llama.cpp's."""

import asyncio
import http.client
import json
import threading
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

_ANSWER_S = 300.0


class BackendFailed(Exception):
    """The backend did not answer."""


async def pieces(url: str, key: str, request: dict[str, Any], limit: int) -> AsyncIterator[str]:
    """The answer to one of Ollama's requests, as it comes; one piece more than `limit` tells that it was cut.

    Raises BackendFailed.
    """
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[str | BackendFailed | None] = asyncio.Queue()

    def put(piece: str | BackendFailed | None) -> None:
        loop.call_soon_threadsafe(queue.put_nowait, piece)

    def read() -> None:
        try:
            for piece in _stream(url, key, _body(request, limit + 1)):
                put(piece)
            put(None)
        except (OSError, http.client.HTTPException, ValueError) as exc:
            put(BackendFailed(str(exc)))

    threading.Thread(target=read, daemon=True).start()
    while (piece := await queue.get()) is not None:
        if isinstance(piece, BackendFailed):
            raise piece
        yield piece


def _stream(url: str, key: str, body: dict[str, Any]) -> Any:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=_ANSWER_S)
    headers = {"content-type": "application/json", "authorization": f"Bearer {key}"}
    try:
        connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
        reply = connection.getresponse()
        if reply.status != 200:
            raise OSError(f"the backend answered {reply.status}: {reply.read(200)!r}")
        for line in reply:
            content = line.decode().strip().removeprefix("data: ")
            if content == "[DONE]":
                return
            for choice in (json.loads(content) if content else {}).get("choices") or []:
                if piece := choice.get("delta", {}).get("content"):
                    yield piece
    finally:
        connection.close()


def _body(request: dict[str, Any], limit: int) -> dict[str, Any]:
    options = request.get("options") or {}
    body: dict[str, Any] = {
        "messages": [{"role": "user", "content": request["prompt"]}],
        "max_tokens": limit,
        "stream": True,
        "cache_prompt": True,
        **{key: options[key] for key in ("temperature", "top_p", "seed") if key in options},
    }
    if isinstance(request.get("format"), dict):
        body["response_format"] = {
            "type": "json_schema",
            "json_schema": {"name": "answer", "strict": True, "schema": request["format"]},
        }
    return body
