"""The lab's own programs that are told something: a command, or a webhook. Each call is one attempt."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping, Sequence

import httpx

TIMEOUT_S = 10.0


async def call(name: str, command: Sequence[str], said: bytes, timeout_s: float) -> str | None:
    """Run a command with `said` on its standard input, without a shell. Gives why it failed, or None.

    `name` is its key of the configuration. What it leaves running is killed.
    """
    try:
        child = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as exc:
        return f"{name} cannot be started: {exc.strerror}; fix the command"
    except ValueError:
        return f"{name} cannot be started: it has a NUL character; fix the command"
    try:
        async with asyncio.timeout(timeout_s):
            await child.communicate(said)
    except TimeoutError:
        told = f"{name} did not end within {timeout_s:g} s and was killed"
        return f"{told}; make the command faster"
    finally:
        # The command, and what it left; a process of another user (sudo) can't be killed by us.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await child.wait()
    if child.returncode:
        return f"{name} ended with exit code {child.returncode}; fix the command"
    return None


async def post(
    name: str, url: str, said: bytes, timeout_s: float, headers: Mapping[str, str] | None = None
) -> str | None:
    """Send JSON to a webhook. Gives why it failed, or None once it has answered with a status 2xx."""
    sent = {"content-type": "application/json", **(headers or {})}
    try:
        async with (
            asyncio.timeout(timeout_s),
            httpx.AsyncClient(timeout=timeout_s, trust_env=False) as client,
            client.stream("POST", url, content=said, headers=sent) as answer,
        ):
            if answer.is_success:
                return None
            why = f"it answers {answer.status_code}"
    except httpx.RemoteProtocolError:  # its text is what the server sent, of any length
        why = "its answer is no HTTP"
    except TimeoutError:
        why = f"it does not answer within {timeout_s:g} s"
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as exc:
        why = str(exc) or type(exc).__name__
    return f"{name} cannot be reached: {why}; check that its server runs, or fix the address"
