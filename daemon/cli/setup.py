"""`introeval setup`: creates the two containers of the docker runtime, pulls their models, restores them."""

import asyncio
import contextlib
import json
from collections.abc import Callable, Iterator

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from daemon.app.docker_engines import containers_file
from daemon.cli.common import configuration
from daemon.cli.console import ERR
from daemon.cli.lines import say
from daemon.cli.simulations import known_durations
from daemon.config.load import Config
from daemon.containers.container import Container
from daemon.containers.engine import DockerEngine
from daemon.containers.setup import (
    ContainerStep,
    WantedContainer,
    fill,
    find,
    has_image,
    has_nvidia,
    make,
    published_port,
    pull_image,
)
from daemon.containers.takeover_record import TakeoverRecord
from daemon.core.errors import AlreadyRunning, ConfigError
from daemon.core.tasks.task import Stage
from daemon.gpu.nvml import NvmlGpu
from daemon.llm.ollama_api import OnPull
from daemon.placement.placement import Placement
from daemon.system.state_folder import owned

Tell = Callable[[str, str], None]
"""Takes a step: the container or image, and what is done or would be."""


def set_up(*, dry_run: bool, replace: bool, restore: bool, as_json: bool) -> None:
    """Create the containers and pull their models; `dry_run` only tells, `restore` only puts back."""
    config = configuration()
    steps: list[dict[str, str]] = []

    def tell(name: str, text: str) -> None:
        if as_json:
            steps.append({"name": name, "step": text})
        else:
            say([f"{name}: {text}"])

    with contextlib.nullcontext() if dry_run else _alone(config):
        if restore:
            asyncio.run(_restore(config, tell, dry_run=dry_run))
        else:
            asyncio.run(_set_up(config, tell, dry_run=dry_run, replace=replace))
    if as_json:
        print(json.dumps({"dry_run": dry_run, "steps": steps}, indent=2))


@contextlib.contextmanager
def _alone(config: Config) -> Iterator[None]:
    """Hold the state folder. A daemon must not run meanwhile: it would stop a container during a pull."""
    try:
        with owned(config.paths.state):
            yield
    except AlreadyRunning as exc:
        raise AlreadyRunning(f"{exc}; stop it before the setup") from None


async def _restore(config: Config, tell: Tell, *, dry_run: bool) -> None:
    engine, kept = DockerEngine(config.docker.base_url), TakeoverRecord(containers_file(config.paths.state))
    for name in sorted(kept.names()):
        if dry_run:
            tell(name, "would be put back as it was")
            continue
        await Container(engine, kept, name).restore(config.docker.on_exit)
        tell(name, "put back as it was")
    await engine.aclose()


async def _set_up(config: Config, tell: Tell, *, dry_run: bool, replace: bool) -> None:
    engine = DockerEngine(config.docker.base_url)
    wanted = await _wanted(config, engine)
    findings = [await find(engine, each, replace=replace) for each in wanted]
    if any(each.make for each in findings) and not await has_image(engine, config.docker.image):
        tell(config.docker.image, "pull the image")
        if not dry_run:
            with _shown(config.docker.image) as on_pull:
                await pull_image(engine, config.docker.image, on_pull)
    for finding in findings:
        await _apply(engine, finding, tell, dry_run=dry_run)
    await engine.aclose()


async def _apply(engine: DockerEngine, finding: ContainerStep, tell: Tell, *, dry_run: bool) -> None:
    wanted = finding.wanted
    tell(wanted.name, finding.text)
    if finding.make and not dry_run:
        await make(engine, finding)
    if not finding.ours:
        return
    if dry_run:
        tell(wanted.name, f"check that it has {wanted.model}, and pull it if not")
        return
    with _shown(wanted.model) as on_pull:
        pulled = await fill(engine, wanted, on_pull)
    tell(wanted.name, f"{wanted.model} was pulled" if pulled else f"has {wanted.model}")


async def _wanted(config: Config, engine: DockerEngine) -> list[WantedContainer]:
    """The containers that the configuration needs on this machine. Raises ConfigError."""
    placement = Placement(
        config.model_copy(update={"runtime": "docker"}), (await NvmlGpu().reading()).total_mb
    )
    placement.learnt(known_durations(config)[0].curves)
    servers = placement.set_up()
    gpu = await has_nvidia(engine)
    wanted = []
    for stage, model in ((Stage.EXTRACT, config.extract), (Stage.RATE, config.rate)):
        if not model.container:
            continue
        if model.api != "ollama":
            raise ConfigError(
                f'{stage}.api is "{model.api}": setup creates only Ollama containers; create yours by hand'
            )
        wanted.append(
            WantedContainer(
                name=model.container,
                image=config.docker.image,
                model=model.model,
                port=published_port(model.url),
                volume=f"{model.container}-models",
                server=servers[stage],
                num_ctx=placement.plan.num_ctx[stage],
                gpu=gpu,
            )
        )
    return wanted


@contextlib.contextmanager
def _shown(what: str) -> Iterator[OnPull]:
    """Show the progress of a pull; disabled without a terminal, where a bar is noise in a log."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),  # of what the others leave: a figure never breaks over two lines
        DownloadColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=ERR, transient=True, expand=True, disable=not ERR.is_terminal) as bar:
        task = bar.add_task(what, total=None)

        def on_pull(step: str, done: int, total: int) -> None:
            bar.update(task, description=f"{what}: {step}")
            if total:  # some steps have no figures
                bar.update(task, completed=done, total=total)

        yield on_pull
