"""The configuration: one TOML file with environment overrides, checked whole before anything starts.

The file is the first of: `--config`, `$INTROEVAL_CONFIG`, `./introeval.toml`,
`/etc/introeval/introeval.toml`. Every key has a default, so an empty file works; relative paths are
relative to the file that names them, or to the working directory when there is none.
"""

import difflib
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from daemon.core.errors import ConfigError
from daemon.core.naming import STUDENT_PATTERN, Resubmission
from daemon.core.task import Stage

SYSTEM_FOLDER = Path("/etc")
SYSTEM_FILE = SYSTEM_FOLDER / "introeval" / "introeval.toml"
LOCAL_FILE = Path("introeval.toml")
FILE_VARIABLE = "INTROEVAL_CONFIG"

Auto = Literal["auto"]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
S = TypeVar("S", bound="Section")


class Section(BaseModel):
    """Base of the tables of the file: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


class Paths(Section):
    """Where things lie. Relative to the configuration file."""

    inbox: Path = Path("inbox")
    outbox: Path = Path("outbox")
    state: Path = Path("var")
    socket: Path = Path("var/introeval.sock")


SYSTEM_PATHS = {
    "inbox": "/srv/introeval/inbox",
    "outbox": "/srv/introeval/outbox",
    "state": "/var/lib/introeval",
    "socket": "/run/introeval/introeval.sock",
}
"""The defaults of `[paths]` when the configuration was found below /etc."""


class Intake(Section):
    """What is taken from the inbox, and when."""

    settle_s: Positive = 2.0
    rescan_s: Positive = 30.0
    poll: bool | Auto = "auto"
    student_pattern: str = STUDENT_PATTERN
    ignore: tuple[str, ...] = ()
    done_marker: str = ""
    max_duration_s: Positive = 900.0
    max_size_mb: Count = 4096
    min_free_mb: Annotated[int, Field(ge=0)] = 1000
    resubmission: Resubmission = "all"


class BatchSection(Section):
    """How many tasks go through one stt phase together."""

    size: Count | Auto = "auto"
    max_wait_s: Annotated[float, Field(ge=0)] = 30.0


class Retry(Section):
    """How often a task may fail at one stage."""

    max_retry_count: Count = 3


class Stt(Section):
    """Whisper."""

    model: str = "base"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    compute_type: str = "auto"
    batch_size: Count | Auto = "auto"
    parallel: Count | Auto = "auto"
    language: str = "en"
    hotwords: str = ""
    limit_s: Positive = 30.0  # a video may take this long,
    limit_factor: Annotated[float, Field(ge=0)] = 6.0  # and this many times its own length


class Gpu(Section):
    """Which engines may be on the GPU together, and how long to wait for its memory before an alarm."""

    residency: tuple[tuple[Stage, ...], ...] | Auto = "auto"
    free_timeout_s: Positive = 60.0

    @field_validator("residency")
    @classmethod
    def _each_stage_once(
        cls, value: tuple[tuple[Stage, ...], ...] | Auto
    ) -> tuple[tuple[Stage, ...], ...] | Auto:
        if value != "auto" and sorted(s for group in value for s in group) != sorted(Stage):
            raise ValueError(
                'must hold "stt", "extract" and "rate" once each, as in [["stt"], ["extract", "rate"]]'
            )
        return value


class Model(Section):
    """How a language model is asked. `container`, `url`, `model` and `api`, which say where, and
    `load_timeout_s` are of the docker runtime.
    """

    container: str = "mistral-container"
    url: str = "http://127.0.0.1:11434"
    model: str = "mistral"
    api: Literal["ollama", "openai"] = "ollama"
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.1
    top_p: Annotated[float, Field(gt=0, le=1)] = 0.9
    seed: int = 1
    parallel: Count | Auto = "auto"
    num_ctx: Count | Auto = "auto"
    load_timeout_s: Positive = 180.0
    timeout_s: Positive = 300.0
    stall_s: Positive = 20.0


class RateModel(Model):
    """The rater, in a container of its own, is asked a little more freely."""

    container: str = "llama3-container"
    url: str = "http://127.0.0.1:11435"
    model: str = "llama3"
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.2


class Docker(Section):
    """The Docker engine. `on_exit` is what becomes of the containers when the daemon ends: `restore` starts
    those that ran before it came, and puts their restart policies back.
    """

    base_url: str = ""  # empty: what the environment says, else the engine's own socket
    stop_timeout_s: Positive = 10.0
    image: str = "ollama/ollama"
    on_exit: Literal["restore", "stop"] = "restore"


class Retention(Section):
    """How long claimed videos stay in the archive once their result is delivered; 0 keeps none."""

    archive_days: Annotated[float, Field(ge=0)] = 30.0


class Alerts(Section):
    """When the operator is to be told, and how: `command` gets the alert as JSON on its standard input,
    `webhook` as the body of a POST; each once when it begins and once when it clears.
    """

    command: tuple[str, ...] = ()
    webhook: str = ""
    queue_depth: Count = 200
    oldest_wait_min: Positive = 60.0
    failures: Count = 5  # that nobody has looked at, i.e. in the last hour


class Embedded(Section):
    """The model that the embedded runtime loads for extracting and rating."""

    model: str = "smollm2"


class Prompts(Section):
    """A folder whose templates take the place of ours, by name."""

    folder: Path | None = None


class Outbox(Section):
    """Who may read what is published."""

    mode: Annotated[str, Field(pattern=r"^0?[0-7]{3}$")] = "0640"
    group: str = ""


class Api(Section):
    """Who may change things through the control socket, beside its owner and root: a group's name."""

    operators: str = ""


class Run(Section):
    """How the daemon itself behaves."""

    stop_grace_s: Annotated[float, Field(ge=0)] = 20.0


class Config(BaseSettings):
    """The whole configuration, resolved: every path is absolute."""

    model_config = SettingsConfigDict(
        env_prefix="INTROEVAL_", env_nested_delimiter="__", extra="forbid", frozen=True, validate_default=True
    )

    runtime: Literal["embedded", "docker"] = "embedded"
    paths: Paths = Paths()
    intake: Intake = Intake()
    batch: BatchSection = BatchSection()
    retry: Retry = Retry()
    stt: Stt = Stt()
    gpu: Gpu = Gpu()
    extract: Model = Model()
    rate: RateModel = RateModel()
    docker: Docker = Docker()
    retention: Retention = Retention()
    alerts: Alerts = Alerts()
    embedded: Embedded = Embedded()
    prompts: Prompts = Prompts()
    outbox: Outbox = Outbox()
    api: Api = Api()
    run: Run = Run()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment goes before the file, whose content comes as arguments."""
        return (env_settings, init_settings)

    @model_validator(mode="after")
    def _apart(self) -> Self:
        named = {name: getattr(self.paths, name).resolve() for name in ("inbox", "outbox", "state")}
        for one, path in named.items():
            for other, below in named.items():
                if one != other and below.is_relative_to(path):
                    raise ValueError(f"paths.{other} ({below}) must not lie in paths.{one} ({path})")
        return self


def load(
    path: Path | None = None, environ: Mapping[str, str] = os.environ, *, runtime: str | None = None
) -> Config:
    """Read and check the configuration; `runtime` goes before the file's.

    Raises ConfigError, one line for each thing that is wrong.
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
            raise ConfigError(f"{file} is no TOML: {exc}") from exc
    if (
        file is not None
        and file.is_relative_to(SYSTEM_FOLDER)
        and isinstance(table.setdefault("paths", {}), dict)
    ):
        table["paths"] = {**SYSTEM_PATHS, **table["paths"]}
    if runtime is not None:
        table["runtime"] = runtime
    try:
        config = Config(**table)
    except ValidationError as exc:
        where = str(file) if file else "the environment"
        raise ConfigError("\n".join(f"{where}: {_explain(error)}" for error in exc.errors())) from exc
    return config.model_copy(
        update={"paths": _absolute(config.paths, base), "prompts": _absolute(config.prompts, base)}
    )


def find(path: Path | None, environ: Mapping[str, str] = os.environ) -> Path | None:
    """The configuration file that counts, or None. Raises ConfigError when a named one is missing."""
    named = path or (Path(environ[FILE_VARIABLE]) if environ.get(FILE_VARIABLE) else None)
    if named is not None:
        if not named.is_file():
            raise ConfigError(f"there is no configuration file {named}")
        return named.absolute()
    return next((file.absolute() for file in (LOCAL_FILE, SYSTEM_FILE) if file.is_file()), None)


def _absolute(section: S, base: Path) -> S:
    return section.model_copy(
        update={name: base / value for name, value in section if isinstance(value, Path)}
    )


def _explain(error: Any) -> str:
    """One line for one of pydantic's errors; an unknown key names the nearest known one."""
    location = [str(part) for part in error["loc"]]
    key = ".".join(location)
    if error["type"] != "extra_forbidden":
        return f"{key}: {error['msg']}" if key else str(error["msg"])
    near = difflib.get_close_matches(key, _known_keys(), n=1, cutoff=0.0)
    return f"unknown key {key}; did you mean {near[0]}?"


def _known_keys() -> list[str]:
    keys = []
    for name, field in Config.model_fields.items():
        keys.append(name)
        section = field.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            keys.extend(f"{name}.{inner}" for inner in section.model_fields)
    return keys
