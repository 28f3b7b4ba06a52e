"""A text in the person's own editor, while the dashboard leaves them the terminal."""

import os
import shlex
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from textual.app import App, SuspendNotSupported

_LIKELY = "sensible-editor"


class EditorFailed(Exception):
    """The text was not edited; the message is one line that says what to do."""


def edited(app: App[Any], text: str) -> str:
    """The text after the editor of `$VISUAL` or `$EDITOR` has ended. Raises EditorFailed."""
    command = os.environ.get("VISUAL") or os.environ.get("EDITOR") or _LIKELY
    handle, name = tempfile.mkstemp(prefix="introeval-", suffix=".txt")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text + "\n")
        with app.suspend():
            ended = subprocess.run([*shlex.split(command), name], check=False)
        if ended.returncode:
            raise EditorFailed(f"the editor {command} ended with {ended.returncode}: nothing is changed")
        return Path(name).read_text(encoding="utf-8").strip()
    except SuspendNotSupported as exc:
        raise EditorFailed("this terminal cannot be left to an editor; run: introeval decide") from exc
    except (OSError, ValueError) as exc:
        raise EditorFailed(
            f"the editor {command} cannot be used ({exc}); set EDITOR, as in EDITOR=nano"
        ) from exc
    finally:
        Path(name).unlink(missing_ok=True)
