"""The tables of the configuration file, one class each. The text below a key is its documentation."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from daemon.config.addresses import ServerUrl
from daemon.config.languages import Language
from daemon.config.patterns import checked, naming_student
from daemon.core.intake.naming import STUDENT_PATTERN, Resubmission
from daemon.core.intake.ownership import OwnerRule
from daemon.core.model_ref import parse
from daemon.core.schedule.queue import QueueOrder
from daemon.core.tasks.task import Stage

Auto = Literal["auto"]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]


def _model_name(text: str) -> str:
    parse(text)  # raises ValueError
    return text


ModelName = Annotated[str, AfterValidator(_model_name)]


class Settings(BaseModel):
    """Base of the tables: frozen, and an unknown key is an error.

    Built when first used: each command reads the configuration, which builds them all in one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, defer_build=True)


class PathSettings(Settings):
    """The folders. A relative path is relative to the file that names it.

    Inbox and outbox may be shares: the folder that is found first at a path is the known one from then on,
    and another one there must be accepted (`introeval accept`).
    """

    inbox: Path = Path("inbox")
    """The folder into which students copy their videos."""
    outbox: Path = Path("outbox")
    """The folder for results, receipts and reasons. Nothing there is overwritten."""
    state: Path = Path("var")
    """Database, claimed videos, archive, models and logs: on a local disk, for one daemon only."""
    socket: Path = Path("var/introeval.sock")
    """The control socket."""


class IntakeSettings(Settings):
    """Which files are claimed from the inbox, and when."""

    settle_s: Positive = 2.0
    """Seconds for which a file's size and times must not change before it is claimed."""
    empty_s: Positive = 300.0
    """Seconds for which an empty file may wait for its content before it counts as handed in."""
    rescan_s: Positive = 30.0
    """Seconds between full scans of the inbox, in case events were lost."""
    poll: bool | Auto = "auto"
    """Scan every two seconds instead of waiting for events; `auto`: on file systems that send none."""
    student_pattern: Annotated[str, AfterValidator(checked)] = STUDENT_PATTERN
    """The regular expression that a student's id must match. One that no usual word matches, such as
    `s[0-9]{3}`, also decides which part of a name is the id."""
    patterns: tuple[Annotated[str, AfterValidator(naming_student)], ...] = ()
    """Regular expressions for whole paths below the inbox, with a group `student`, tried before the shipped
    ones, on at most 300 characters: `(?P<lab>[^/]+)/[0-9]+-(?P<student>[a-z]+)[.].*`."""
    ignore: tuple[str, ...] = ()
    """Names to ignore, as shell patterns, in addition to hidden and half-copied files."""
    done_marker: str = ""
    """If set, e.g. to `.done`: a video is claimed once a file of its name with this ending is beside it."""
    max_duration_s: Positive = 900.0
    """Longer videos fail; the error names the limit."""
    max_size_mb: Count = 4096
    """Larger files fail; the error names the limit."""
    min_free_mb: Annotated[int, Field(ge=0)] = 1000
    """With less free space on the state folder's disk no file is claimed."""
    resubmission: Resubmission = "all"
    """Several videos of one student: `all` are evaluated, only the `newest` waiting one, or `reject`."""
    owner: OwnerRule = "record"
    """The account that owns a file: `ignore` it; `record` it, and let no file replace one of another
    account; or `require` that the account's name is the student's id."""
    shared_accounts: tuple[str, ...] = ()
    """Accounts, and groups as `@tutors`, whose files count for every student: on some shares one account
    owns all files."""


class BatchSettings(Settings):
    """The tasks that go through one stt phase together."""

    size: Count | Auto = "auto"
    """Tasks in a batch; `auto`: from 10 to 40, so that switches take at most a tenth of the work's time."""
    max_wait_s: NotNegative = 30.0
    """The longest time that a task waits for a batch to fill."""
    order: QueueOrder = QueueOrder.FAIR
    """Who goes first: `fair`: first come, first served, and nobody's second video before another's first;
    `first_come`: by the time of the claim alone; `shortest`: as `fair`, but shorter videos first, as long as
    none waits more than ten times its length for them. What `introeval next` names goes before all."""


class RetrySettings(Settings):
    """Retries of a task."""

    max_retry_count: Count = 3
    """Attempts at one stage before the task fails. Faults of an engine are not counted."""


class SttSettings(Settings):
    """Whisper, which transcribes."""

    url: ServerUrl = ""
    """A server with OpenAI's transcriptions that hears in place of Whisper on this machine, such as
    `http://gpu.lab:8000`; each recording is sent there, see `docs/privacy.md`."""
    api_key_file: Path | None = None
    """A file with the key that this server asks for, which nobody else may read."""
    model: ModelName = "base"
    """`base`, `tiny.en` (faster, English only), any other name that faster-whisper knows, such as `large-v3`;
    `owner/name` of the model hub, a name given to `introeval models add`, or a path to a folder."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where Whisper runs; `auto`: on the GPU when CUDA finds one."""
    compute_type: str = "auto"
    """CTranslate2's type, e.g. `int8`, `float16`. `auto`: `int8_float16` on a GPU, `int8` on a processor."""
    batch_size: Count | Auto = "auto"
    """Windows of 30 s at a time; `auto`: 16 if the GPU holds them, else 8; halved when memory runs out."""
    parallel: Count | Auto = "auto"
    """Videos at a time; `auto`: on a GPU 16, to fill batches; on a processor one a core, up to four."""
    language: Language = "en"
    """The expected language, by its code or English name; a video in another one is not rated."""
    hotwords: str = ""
    """Names and terms that Whisper should expect."""
    limit_s: Positive = 30.0
    """A transcription may take this many seconds,"""
    limit_factor: NotNegative = 6.0
    """plus this many times the video's length, and longer on a machine on which Whisper has shown to be
    slow; after that the worker counts as hung and is killed."""

    @field_validator("model")
    @classmethod
    def _whisper(cls, value: str) -> str:
        if parse(value).files:
            raise ValueError(f"{value!r} is a GGUF file; name a Whisper, such as base or owner/name")
        return value


class GpuSettings(Settings):
    """Which engines share the GPU."""

    residency: tuple[tuple[Stage, ...], ...] | Auto = "auto"
    """Groups of stages loaded together, in order. `auto`: by the GPU's memory; see `introeval doctor`."""
    free_timeout_s: Positive = 60.0
    """Seconds until occupied GPU memory raises an alarm that names its holder. The switch keeps waiting."""

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
    """The language model that extracts the form. The first four keys are for runtime `docker`."""

    container: str = "mistral-container"
    """The container that the daemon starts and stops; empty for a server that it does not manage."""
    url: ServerUrl = "http://127.0.0.1:11434"
    """The server's address."""
    model: str = "mistral"
    """The model's name on the server."""
    api: Literal["ollama", "openai"] = "ollama"
    """The server's protocol: `ollama`, or `openai` for llama.cpp's and vLLM's."""
    api_key_file: Path | None = None
    """A file with the key that an `openai` server asks for, which nobody else may read."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.1
    """Sampling temperature: 0 gives the likeliest answer."""
    top_p: Annotated[float, Field(gt=0, le=1)] = 0.9
    """Nucleus sampling: only the likeliest tokens with this total probability are used."""
    seed: int = 1
    """The seed for sampling, the same for every student. A retry because of an answer takes others."""
    parallel: Count | Auto = "auto"
    """Requests at a time; `auto`: up to 8, as far as the GPU's memory and the server hold them and more were
    seen to be faster. With the embedded models one, as several in one batch change their answers."""
    num_ctx: Count | Auto = "auto"
    """Tokens of context; `auto`: the smallest of 2048, 4096, 8192 that holds the phase's longest prompt."""
    load_timeout_s: Positive = 180.0
    """The longest time for loading the model, and for each answer of a start. It and the next two are usual
    limits: each grows where this machine has shown that it needs longer, and after it ended something."""
    timeout_s: Positive = 300.0
    """The longest time for an answer."""
    stall_s: Positive = 20.0
    """The longest pause within an answer; six times that for a model on the processor, and at least four
    times the longest pause that this machine has shown."""

    @model_validator(mode="after")
    def _key_is_shown(self) -> Self:
        if self.api_key_file is not None and self.api != "openai":
            raise ValueError('api_key_file is for servers with api = "openai"; an ollama one is shown no key')
        return self


class RateModelSettings(ModelSettings):
    """The language model that rates, in its own container and with a slightly higher temperature."""

    container: str = "llama3-container"
    """As in `[extract]`, and so are the following keys."""
    url: ServerUrl = "http://127.0.0.1:11435"
    model: str = "llama3"
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.2
    confidence_from: Literal["words", "voice"] = "words"
    """What `confidence_level` is judged from. `voice` also shows the model pace, pauses and filler words for
    it; the law on that is in `docs/privacy.md`."""
    idle_ratings: Annotated[int, Field(ge=0, le=10)] | Auto = "auto"
    """How often each of a sample is rated again while nothing waits, to see how far its scores move with the
    seed; `auto`: 2, and 0 for the demonstration model and in `run --once`."""


class DockerSettings(Settings):
    """The Docker engine."""

    base_url: str = ""
    """The engine's address; empty: from the environment, else its default socket."""
    stop_timeout_s: Positive = 10.0
    """Seconds that a container has to stop before it is killed."""
    image: str = "ollama/ollama"
    """The image from which `introeval setup` creates containers."""
    kv_cache: Literal["auto", "f16", "q8_0"] = "auto"
    """The type of the KV cache of the containers that setup creates. `q8_0` takes about half of `f16`'s
    memory, so `auto` chooses it where it makes room for more requests at a time and a class gets faster."""
    on_exit: Literal["restore", "stop"] = "restore"
    """When the daemon ends: `restore` starts containers that ran before the daemon; `stop` leaves them
    stopped. Both put the restart policies back."""


class EmbeddedSettings(Settings):
    """The embedded runtime: llama.cpp on the processor, with any GGUF that follows instructions."""

    model: ModelName = "smollm2"
    """The model for extracting and rating: `smollm2`, which gives no grades; `owner/name/file.gguf` of the
    model hub, a name given to `introeval models add`, or a path to a GGUF file."""
    extract_model: str = ""
    """Another model for extracting; empty: `model`."""
    rate_model: str = ""
    """Another model for rating; empty: `model`."""

    @field_validator("extract_model", "rate_model")
    @classmethod
    def _named(cls, value: str) -> str:
        return _model_name(value) if value else value

    @model_validator(mode="after")
    def _gguf(self) -> Self:
        for name in (self.model, self.extract_model, self.rate_model):
            if name and (ref := parse(name)).repo and not ref.files:
                raise ValueError(f"{name!r} is no GGUF file; name it: owner/name/file.gguf, or a path")
        return self

    def of(self, stage: Stage) -> str:
        """The model of a stage."""
        return (self.extract_model if stage is Stage.EXTRACT else self.rate_model) or self.model


class PromptSettings(Settings):
    """The prompts and the rubric."""

    folder: Path | None = None
    """Templates in this folder replace the built-in ones of the same name, e.g. `rate.v4.j2`; to check and
    choose one: `introeval rubric use FOLDER`."""


class OutboxSettings(Settings):
    """The rights of the files in the outbox."""

    mode: Annotated[str, Field(pattern=r"^0?[0-7]{3}$")] = "0640"
    """The mode of the files, in octal."""
    group: str = ""
    """The group of the files; empty: the daemon's own."""


class ApiSettings(Settings):
    """The control socket."""

    operators: str = ""
    """A group whose members may change things, in addition to the daemon's user and root."""


class RunSettings(Settings):
    """The daemon itself."""

    stop_grace_s: NotNegative = 20.0
    """Seconds that running attempts have to end when the daemon stops; the others wait for the next start."""
