"""An image with the test server and a Python of its own, for containers that the product makes itself."""

import hashlib
import io
import re
import subprocess
import sys
import tarfile
from pathlib import Path

from tests.docker.engine import LABEL, REPOSITORY, Engine

OLLAMA = "introeval-test:ollama"
_SERVER = REPOSITORY / "tests" / "ollama_server"
_LEFT_OUT = (
    "test",
    "site-packages",
    "__pycache__",
    "ensurepip",
    "idlelib",
    "tkinter",
    "lib2to3",
    "turtledemo",
)


def ollama_image(engine: Engine) -> str:
    """Make the image, unless the engine has it with the test server as it is now. Its name."""
    sources = b"".join(path.read_bytes() for path in sorted(_SERVER.glob("*.py")))
    made_from = hashlib.sha256(sources).hexdigest()
    if not engine.client.images.list(OLLAMA, filters={"label": f"{LABEL}={made_from}"}):
        repository, _, tag = OLLAMA.partition(":")
        server = f'"{_python()}", "-m", "tests.ollama_server", "--host", "0.0.0.0", "--port", "11434"'
        changes = [f"ENTRYPOINT [{server}]", "WORKDIR /server", "ENV PYTHONDONTWRITEBYTECODE=1"]
        changes.append(f"LABEL {LABEL}={made_from}")
        engine.client.api.import_image_from_data(_tar(), repository=repository, tag=tag, changes=changes)
    return OLLAMA


def _python() -> str:
    return str(Path(sys.base_prefix, "bin", f"python{sys.version_info.major}.{sys.version_info.minor}"))


def _tar() -> bytes:
    python = Path(_python()).resolve()
    library = Path(sys.base_prefix, "lib", f"python{sys.version_info.major}.{sys.version_info.minor}")
    files = [path for path in library.rglob("*") if path.is_file() and _counts(path.relative_to(library))]
    shared = _shared([python, *(path for path in files if path.suffix == ".so")])
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", dereference=True) as tar:
        for path in (*files, *shared):
            tar.add(path, str(path).lstrip("/"))
        tar.add(python, _python().lstrip("/"))
        for path in _SERVER.glob("*.py"):
            tar.add(path, f"server/tests/ollama_server/{path.name}")
        tar.addfile(tarfile.TarInfo("server/tests/__init__.py"))
    return buffer.getvalue()


def _counts(path: Path) -> bool:
    return not any(part in _LEFT_OUT or part.startswith("config-") for part in path.parts)


def _shared(programs: list[Path]) -> list[Path]:
    """The shared libraries that programs need, and their loader."""
    said = subprocess.run(["ldd", *map(str, programs)], capture_output=True, text=True, check=False).stdout
    return [Path(each) for each in sorted(set(re.findall(r"(/\S+\.so\S*) \(", said)))]
