"""The tables of the configuration file, one class each. What stands below a key is its documentation."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from daemon.core.intake.naming import STUDENT_PATTERN, Resubmission
from daemon.core.intake.ownership import OwnerRule
from daemon.core.tasks.task import Stage

Auto = Literal["auto"]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]


class Settings(BaseModel):
    """Base of the tables: frozen, and an unknown key is an error."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, use_attribute_docstrings=True
    )


class PathSettings(Settings):
    """Where things lie. A relative path is relative to the file that names it.

    Inbox and outbox may be shares: the folder that is found first at a path is the one that is used from
    then on, and another one there must be accepted (`introeval accept`).
    """

    inbox: Path = Path("inbox")
    """Where students copy their videos."""
    outbox: Path = Path("outbox")
    """Where results, receipts and reasons appear. Nothing there is overwritten."""
    state: Path = Path("var")
    """Database, videos in work, archive, models, logs. On a local disk, one daemon alone."""
    socket: Path = Path("var/introeval.sock")
    """The control socket."""


class IntakeSettings(Settings):
    """What is taken from the inbox, and when."""

    settle_s: Positive = 2.0
    """A file is taken once its size and times have not changed for so many seconds."""
    rescan_s: Positive = 30.0
    """The inbox is looked through at least so often, whatever events say."""
    poll: bool | Auto = "auto"
    """Look every two seconds instead of waiting for events; `auto` does so where no event comes."""
    student_pattern: str = STUDENT_PATTERN
    """What a student's id may look like, as a regular expression."""
    ignore: tuple[str, ...] = ()
    """Names to leave alone, as shell patterns, beside those of half-copied and hidden files."""
    done_marker: str = ""
    """If set, e.g. to `.done`: a video is taken once a file of its name with this ending stands beside it."""
    max_duration_s: Positive = 900.0
    """Longer videos fail, with the limit said."""
    max_size_mb: Count = 4096
    """Larger files fail, with the limit said."""
    min_free_mb: Annotated[int, Field(ge=0)] = 1000
    """With less room on the disk of the state folder nothing is taken, until there is room again."""
    resubmission: Resubmission = "all"
    """More videos of one student: `all` are evaluated, the `newest` of those that wait, or `reject`."""
    owner: OwnerRule = "record"
    """The account that owns a file: `ignore` it; `record` it, and let no file take the place of one from
    another account; or `require` that its name is the student's id."""
    shared_accounts: tuple[str, ...] = ()
    """Accounts, and groups of them as `@tutors`, whose files count for every student: on some shares one
    account owns all."""


class BatchSettings(Settings):
    """How many tasks go through one stt phase together."""

    size: Count | Auto = "auto"
    """`auto`: from 10 to 40, so that switches cost at most a tenth of the work."""
    max_wait_s: NotNegative = 30.0
    """Nobody waits longer than this for a batch to fill up."""


class RetrySettings(Settings):
    """How often a task may fail."""

    max_retry_count: Count = 3
    """Tries of one stage, all told, before the task is failed. Faults of an engine are not counted."""


class SttSettings(Settings):
    """Whisper."""

    model: str = "base"
    """`base`, `tiny.en` (faster, English only), or another that was pulled."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """`auto`: the GPU, where CUDA finds one."""
    compute_type: str = "auto"
    """CTranslate2's, e.g. `int8`, `float16`. `auto`: `int8_float16` on a GPU, `int8` on a processor."""
    batch_size: Count | Auto = "auto"
    """Windows of 30 s at a time; halved when the memory does not hold them."""
    parallel: Count | Auto = "auto"
    """Videos at a time; `auto`: one on a GPU, on a processor one a core, up to four."""
    language: str = "en"
    """The language that is expected; a video in another one is not rated."""
    hotwords: str = ""
    """Names and terms that Whisper is to expect."""
    limit_s: Positive = 30.0
    """A video may take this long,"""
    limit_factor: NotNegative = 6.0
    """and this many times its own length; then the worker is taken to hang."""


class GpuSettings(Settings):
    """Which engines share the GPU."""

    residency: tuple[tuple[Stage, ...], ...] | Auto = "auto"
    """Groups that may be loaded together, in order. `auto` decides by the card; see `introeval doctor`."""
    free_timeout_s: Positive = 60.0
    """Memory that is not free after so long is an alarm that names its holder. The switch waits on."""

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


class ModelSettings(Settings):
    """The language model that reads the form: where it is (runtime `docker`), and how it is asked."""

    container: str = "mistral-container"
    """The container that is started and stopped; empty for a server elsewhere, which is neither."""
    url: str = "http://127.0.0.1:11434"
    """Where its server answers."""
    model: str = "mistral"
    """The model's name there."""
    api: Literal["ollama", "openai"] = "ollama"
    """What the server speaks."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.1
    """How freely it answers."""
    top_p: Annotated[float, Field(gt=0, le=1)] = 0.9
    """The share of likely words that it chooses from."""
    seed: int = 1
    """The same for every student."""
    parallel: Count | Auto = "auto"
    """Requests at a time; `auto` decides by the card, and never more than the server holds."""
    num_ctx: Count | Auto = "auto"
    """Tokens of context; `auto`: the smallest of 2048, 4096, 8192 that holds the phase's longest prompt."""
    load_timeout_s: Positive = 180.0
    """How long loading the model may take."""
    timeout_s: Positive = 300.0
    """How long an answer may take."""
    stall_s: Positive = 20.0
    """How long it may say nothing while it answers. A model on the processor has six times that."""


class RateModelSettings(ModelSettings):
    """The language model that rates, in a container of its own. It is asked a little more freely."""

    container: str = "llama3-container"
    """As in `[extract]`, and so are the keys that follow."""
    url: str = "http://127.0.0.1:11435"
    model: str = "llama3"
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.2


class DockerSettings(Settings):
    """The Docker engine."""

    base_url: str = ""
    """Where it answers; empty: what the environment says, else the engine's own socket."""
    stop_timeout_s: Positive = 10.0
    """A container that is stopped has so long; then it is killed."""
    image: str = "ollama/ollama"
    """What `introeval setup` makes containers from."""
    on_exit: Literal["restore", "stop"] = "restore"
    """When the daemon ends: `restore` starts containers that ran before it came; `stop` leaves them stopped.
    Restart policies are put back by both."""


class RetentionSettings(Settings):
    """How long videos, refused files and copies of the database are kept."""

    archive_days: NotNegative = 30.0
    """Days after the delivery or the refusal; 0 keeps none. Results stay until `introeval forget`."""


class AlertSettings(Settings):
    """When the operator is told, and how: once when it begins, and once when it clears."""

    command: tuple[str, ...] = ()
    """A program and its arguments; it gets the alert as JSON on its standard input."""
    webhook: str = ""
    """A URL that gets the same by POST."""
    queue_depth: Count = 200
    """More open tasks than this are an alarm."""
    oldest_wait_min: Positive = 60.0
    """So is a task that has waited longer than this,"""
    failures: Count = 5
    """and so many failed tasks within an hour."""


class EmbeddedSettings(Settings):
    """The embedded runtime."""

    model: str = "smollm2"
    """What it loads for extracting and rating."""


class PromptSettings(Settings):
    """The prompts and the rubric."""

    folder: Path | None = None
    """Templates here take the place of ours, by name, e.g. `rate.v2.j2`."""


class OutboxSettings(Settings):
    """Who may read what is published."""

    mode: Annotated[str, Field(pattern=r"^0?[0-7]{3}$")] = "0640"
    """Of the files."""
    group: str = ""
    """Of the files; empty: the daemon's own."""


class ApiSettings(Settings):
    """The control socket."""

    operators: str = ""
    """A group that may change things, beside the daemon's user and root."""


class RunSettings(Settings):
    """The daemon itself."""

    stop_grace_s: NotNegative = 20.0
    """When it is told to stop, running attempts have so long; the others wait for the next start."""
