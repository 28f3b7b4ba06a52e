"""The described interface against the real daemon over its real socket: whatever is asked, it answers as
described, and never with a fault of its own.
"""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.support.inprocess import Lab, worked_off

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
ENDLESS = {"/events"}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A daemon on scripted engines in a thread, with some finished tasks, and a client of its socket."""
    lab = Lab(tmp_path_factory.mktemp("lab"))
    for student in ("s001", "s002", "s003"):
        lab.hand_in(f"{student}_me.mp4")
    ready, end = threading.Event(), threading.Event()

    async def run() -> None:
        async with lab.daemon() as daemon:
            await worked_off(daemon)
            ready.set()
            await asyncio.to_thread(end.wait)

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    try:
        assert ready.wait(60)
        transport = httpx.HTTPTransport(uds=str(lab.config.paths.socket))
        with httpx.Client(transport=transport, base_url="http://introeval", timeout=30) as opened:
            yield opened
    finally:
        end.set()
        thread.join(60)


def test_every_answer_is_as_described(client: httpx.Client) -> None:
    schema = schemathesis.openapi.from_dict(client.get("/openapi.json").json())
    asked = set()
    for result in schema.get_all_operations():
        operation: Any = result.ok()  # type: ignore[union-attr]  # the schema is ours and valid
        if operation.path in ENDLESS:
            continue
        asked.add(f"{operation.method.upper()} {operation.path}")

        @given(case=operation.as_strategy())
        @settings(max_examples=12, deadline=None, database=None, derandomize=True,
                  suppress_health_check=list(HealthCheck))  # fmt: skip
        def holds(case: Any) -> None:
            kwargs = case.as_transport_kwargs(base_url="http://introeval")
            kwargs.pop("cookies", None)
            request = client.build_request(**kwargs)
            case.validate_response(client.send(request), checks=CHECKS)

        holds()
    assert len(asked) == len(list(schema.get_all_operations())) - len(ENDLESS)
    assert client.get("/healthz").json() == {"status": "ok"}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/nothing/here", None),
        ("DELETE", "/status", None),
        ("POST", "/deadline", {"at": "soon"}),
        ("POST", "/deadline", {"at": "2026-03-04T10:45:00"}),
        ("POST", "/deadline", {"at": "9999-03-04T10:45:00Z"}),
        ("POST", "/dance", None),
        ("POST", "/accept/elsewhere", None),
        ("POST", "/fairness/accept", {"by": "Dr. Imhof", "reason": "no card is here"}),
        ("POST", "/tasks/1/dance", None),
        ("GET", "/tasks?offset=99999999999999999999", None),
        ("GET", "/tasks/99999999999999999999999", None),
        ("GET", "/logs?source=../../etc/passwd", None),
        ("POST", "/forget/..%2f..%2fetc", None),
        ("POST", "/forget/nobody", None),
    ],
)
def test_what_cannot_be_answered_is_a_problem_in_one_line(
    client: httpx.Client, method: str, path: str, body: dict[str, str] | None
) -> None:
    answer = client.request(method, path, json=body)
    assert 400 <= answer.status_code < 500
    problem = answer.json()
    assert set(problem) == {"error", "message"}
    assert "\n" not in problem["message"]
