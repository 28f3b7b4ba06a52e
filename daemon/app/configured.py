"""The models that a configuration names. Cheap to import, for the commands that build no engine."""

from daemon.config.load import Config
from daemon.core.canary.record import key
from daemon.core.model_ref import DEMO_DIGEST, parse
from daemon.core.schedule.residency import MODELS
from daemon.core.tasks.task import Stage
from daemon.models.catalog import find_asset


def needed_models(config: Config) -> list[str]:
    """The names of the models that a run needs. Those in containers are pulled by `introeval setup`."""
    embedded = [config.embedded.of(stage) for stage in MODELS] if config.runtime == "embedded" else []
    whisper = [] if config.stt.url else [config.stt.model]
    return list(dict.fromkeys(parse(name).text for name in (*whisper, *embedded)))


def is_demo(config: Config) -> bool:
    """Whether the configured rater is the model that shows the flow; of one in a container only the name is
    known before it runs.
    """
    if config.runtime == "docker":
        return "smollm2" in config.rate.model.lower()
    return find_asset(config.embedded.of(Stage.RATE)).digest == DEMO_DIGEST


def canary_keys(config: Config) -> dict[Stage, str]:
    """The keys of the canary's records for the configured models and rubric, by stage."""
    named = {Stage.EXTRACT: config.extract.model, Stage.RATE: config.rate.model}
    if config.runtime == "embedded":
        named = {stage: config.embedded.of(stage) for stage in MODELS}
    rubric = str(config.prompts.folder or "")
    return {Stage.STT: key(Stage.STT, config.stt.model, "")} | {
        stage: key(stage, model, rubric) for stage, model in named.items()
    }
