"""The configuration: one TOML file with environment overrides, checked as a whole before anything starts.

The file is the first of: `--config`, `$INTROEVAL_CONFIG`, `./introeval.toml`,
`/etc/introeval/introeval.toml`. Every key has a default, so an empty file works; relative paths are
relative to the file that names them, or to the working directory when there is no file.
"""

import difflib
import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

from pydantic import BaseModel, Field, ValidationError, model_validator

from daemon.config.cluster import ClusterSettings
from daemon.config.records import (
    AlertSettings,
    ExportSettings,
    HookSettings,
    LogSettings,
    RetentionSettings,
    ReviewSettings,
)
from daemon.config.sections import (
    ApiSettings,
    BatchSettings,
    DockerSettings,
    EmbeddedSettings,
    GpuSettings,
    IntakeSettings,
    ModelSettings,
    OutboxSettings,
    PathSettings,
    PromptSettings,
    RateModelSettings,
    RetrySettings,
    RunSettings,
    Settings,
    SttSettings,
)
from daemon.core.errors import ConfigError
from daemon.core.model_ref import parse

SYSTEM_FOLDER = Path("/etc")
SYSTEM_FILE = SYSTEM_FOLDER / "introeval" / "introeval.toml"
LOCAL_FILE = Path("introeval.toml")
FILE_VARIABLE = "INTROEVAL_CONFIG"
_PREFIX, _NESTED = "INTROEVAL_", "__"
# Read by the tests and by nothing else; they start the program with their own environment.
_OF_TESTS = ("INTROEVAL_CI", "INTROEVAL_TEST_", "INTROEVAL_WRITE_DOCS")

S = TypeVar("S", bound=Settings)

SYSTEM_PATHS = {
    "inbox": "/srv/introeval/inbox",
    "outbox": "/srv/introeval/outbox",
    "state": "/var/lib/introeval",
    "socket": "/run/introeval/introeval.sock",
}
"""The defaults of `[paths]` for a configuration file below /etc."""


class Config(Settings):
    """The whole configuration. `load` makes every path absolute."""

    runtime: Literal["embedded", "docker"] = "embedded"
    """Who hosts the language models: `embedded`, a small one on the processor, or `docker`, the lab's."""
    paths: PathSettings = Field(default_factory=PathSettings)
    intake: IntakeSettings = Field(default_factory=IntakeSettings)
    batch: BatchSettings = Field(default_factory=BatchSettings)
    retry: RetrySettings = Field(default_factory=RetrySettings)
    stt: SttSettings = Field(default_factory=SttSettings)
    gpu: GpuSettings = Field(default_factory=GpuSettings)
    extract: ModelSettings = Field(default_factory=ModelSettings)
    rate: RateModelSettings = Field(default_factory=RateModelSettings)
    docker: DockerSettings = Field(default_factory=DockerSettings)
    review: ReviewSettings = Field(default_factory=ReviewSettings)
    exports: ExportSettings = Field(default_factory=ExportSettings)
    retention: RetentionSettings = Field(default_factory=RetentionSettings)
    alerts: AlertSettings = Field(default_factory=AlertSettings)
    hooks: HookSettings = Field(default_factory=HookSettings)
    logs: LogSettings = Field(default_factory=LogSettings)
    embedded: EmbeddedSettings = Field(default_factory=EmbeddedSettings)
    prompts: PromptSettings = Field(default_factory=PromptSettings)
    outbox: OutboxSettings = Field(default_factory=OutboxSettings)
    api: ApiSettings = Field(default_factory=ApiSettings)
    run: RunSettings = Field(default_factory=RunSettings)
    cluster: ClusterSettings = Field(default_factory=ClusterSettings)

    @model_validator(mode="after")
    def _apart(self) -> Self:
        named = {name: getattr(self.paths, name).resolve() for name in ("inbox", "outbox", "state")}
        for one, path in named.items():
            for other, below in named.items():
                if one != other and below.is_relative_to(path):
                    raise ValueError(f"paths.{other} ({below}) must not lie in paths.{one} ({path})")
        return self


_EMPTY: dict[str, Any] = {name: {} for name in Config.model_fields if name != "runtime"}
"""All tables: as parts of the whole they are checked by one validator, where each default needs its own."""


def load(
    path: Path | None = None, environ: Mapping[str, str] = os.environ, *, runtime: str | None = None
) -> Config:
    """Read and check the configuration; `runtime` overrides the file's.

    Raises ConfigError with one line for each error.
    """
    file = find(path, environ)
    base = file.parent if file else Path.cwd()
    table: dict[str, Any] = {}
    if file is not None:
        try:
            table = tomllib.loads(file.read_text())
        except OSError as exc:
            raise ConfigError(f"{file} cannot be read: {exc.strerror}") from exc
        except ValueError as exc:
            raise ConfigError(f"{file} is not valid TOML: {exc}") from exc
    if (
        file is not None
        and file.is_relative_to(SYSTEM_FOLDER)
        and isinstance(table.setdefault("paths", {}), dict)
    ):
        table["paths"] = {**SYSTEM_PATHS, **table["paths"]}
    if runtime is not None:
        table["runtime"] = runtime
    if unknown := _unknown_variables(environ):
        raise ConfigError("\n".join(unknown))
    for section, given in _of_environment(environ).items():
        ours = table.get(section)
        table[section] = {**ours, **given} if isinstance(ours, dict) and isinstance(given, dict) else given
    try:
        config = Config(**_EMPTY | table)
    except ValidationError as exc:
        where = str(file) if file else "the environment"
        raise ConfigError("\n".join(f"{where}: {_explain(error)}" for error in exc.errors())) from exc
    return config.model_copy(
        update={
            "paths": _absolute(config.paths, base),
            "prompts": _absolute(config.prompts, base),
            "stt": _absolute(_models_absolute(config.stt, base), base),
            "extract": _absolute(config.extract, base),
            "rate": _absolute(config.rate, base),
            "embedded": _models_absolute(config.embedded, base),
            "hooks": _absolute(config.hooks, base),
            "cluster": _absolute(config.cluster, base),
        }
    )


def find(path: Path | None, environ: Mapping[str, str] = os.environ) -> Path | None:
    """The configuration file in use, or None. Raises ConfigError when a named one is missing."""
    named = path or (Path(environ[FILE_VARIABLE]) if environ.get(FILE_VARIABLE) else None)
    if named is not None:
        if not named.is_file():
            raise ConfigError(f"there is no configuration file {named}; name another one, or create it")
        return named.absolute()
    return next((file.absolute() for file in (LOCAL_FILE, SYSTEM_FILE) if file.is_file()), None)


def _absolute(section: S, base: Path) -> S:
    return section.model_copy(
        update={name: base / value for name, value in section if isinstance(value, Path)}
    )


def _models_absolute(section: S, base: Path) -> S:
    """Models that are named by a path."""
    named = {name: value for name, value in section if name.endswith("model") and value}
    return section.model_copy(
        update={
            name: str(base / Path(path).expanduser())
            for name, value in named.items()
            if (path := parse(value).path)
        }
    )


def _explain(error: Any) -> str:
    """One line for a pydantic error. For an unknown key it suggests the nearest known one."""
    location = [str(part) for part in error["loc"]]
    key = ".".join(location)
    if error["type"] != "extra_forbidden":
        told = str(error["msg"]).removeprefix("Value error, ")  # the library's word for a sentence of ours
        return f"{key}: {told}" if key else told
    near = difflib.get_close_matches(key, _known_keys(), n=1, cutoff=0.0)
    return f"unknown key {key}; did you mean {near[0]}?"


def _of_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    """What the variables set: `INTROEVAL_BATCH__SIZE` is `size` in `[batch]`. A list or a table is JSON.

    Raises ConfigError.
    """
    given: dict[str, Any] = {}
    names = {name.upper(): name for name in environ if name.upper().startswith(_PREFIX)}
    for upper, name in sorted(names.items()):  # a whole table comes before its keys
        if name.startswith(_OF_TESTS) or name == FILE_VARIABLE:
            continue
        value: Any = environ[name]
        if value.startswith(("[", "{")):
            try:
                value = json.loads(value)
            except ValueError as exc:
                raise ConfigError(f"the variable {name} is not valid JSON: {exc}") from exc
        section, nested, key = upper.removeprefix(_PREFIX).lower().partition(_NESTED)
        if nested:
            table = given.get(section)
            value = {**(table if isinstance(table, dict) else {}), key: value}
        given[section] = value
    return given


def _unknown_variables(environ: Mapping[str, str]) -> list[str]:
    """One line for each variable with our prefix that means nothing here; pydantic-settings ignores these."""
    keys = {_PREFIX + key.replace(".", _NESTED).upper() for key in _known_keys()}
    lines = []
    for name in sorted(environ):
        ours = name.upper().startswith(_PREFIX) and not name.startswith(_OF_TESTS)
        if ours and name != FILE_VARIABLE and name.upper() not in keys:
            near = difflib.get_close_matches(name.upper(), [*keys, FILE_VARIABLE], n=1, cutoff=0.0)[0]
            lines.append(
                f"unknown variable {name} in the environment; did you mean {near}? Otherwise unset it"
            )
    return lines


def _known_keys() -> list[str]:
    keys = []
    for name, field in Config.model_fields.items():
        keys.append(name)
        section = field.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            keys.extend(f"{name}.{inner}" for inner in section.model_fields)
    return keys
