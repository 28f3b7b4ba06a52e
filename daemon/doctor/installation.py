"""Checks of the program: its configuration, its packages and the weights that it loads."""

import platform
import re
from collections.abc import Sequence
from contextlib import suppress
from importlib import metadata

from daemon import __version__
from daemon.config.load import FILE_VARIABLE
from daemon.core.errors import ConfigError, ModelError
from daemon.core.fairness.conclusion import headline
from daemon.core.fairness.kept import KeptCard
from daemon.doctor.facts import Facts
from daemon.doctor.finding import Finding, fail, ok, warn
from daemon.models import weights_of
from daemon.placement.rubric_check import check_rubric

_PREFIX = "INTROEVAL_"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def configuration(facts: Facts) -> list[Finding]:
    """The configuration file in use, and the keys that the environment overrides."""
    changed = sorted(name for name in facts.environ if name.startswith(_PREFIX) and name != FILE_VARIABLE)
    source = str(facts.file) if facts.file else "there is no file, the defaults apply"
    beside = f"; the environment sets {', '.join(changed)}" if changed else ""
    return [ok("configuration", f"{source}{beside}; runtime {facts.config.runtime}")]


def rubric(facts: Facts) -> list[Finding]:
    """Whether the templates of the prompts can be used, and what is weak about them."""
    config = facts.config
    try:
        checked = check_rubric(config, config.prompts.folder)
    except ConfigError as exc:
        return [fail("rubric", line, "see: introeval rubric show") for line in str(exc).splitlines()]
    titles = " and ".join(f"{prompt.title} in {prompt.path.parent}" for prompt in checked.prompts.values())
    if checked.lines:
        return [warn("rubric", titles, "see: introeval rubric check", checked.lines)]
    return [ok("rubric", titles)]


def fairness(facts: Facts) -> list[Finding]:
    """What the fairness cards of the present rubric say, by model."""
    try:
        prompt = check_rubric(facts.config, facts.config.prompts.folder).prompts["rate"]
    except ConfigError:
        return []  # another check's
    newest: dict[str, KeptCard] = {}
    for kept in facts.cards:
        if kept.card.prompt_sha256 == prompt.sha256:
            newest.setdefault(kept.card.model, kept)
    if not newest:
        told = f"nobody has measured whether the rater treats all alike with {prompt.title}"
        return [warn("fairness", told, "run: introeval fairness")]
    return [_of_card(kept) for kept in newest.values()]


def _of_card(kept: KeptCard) -> Finding:
    told = f"{kept.card.model} with {kept.card.prompt}: {kept.state}"
    if kept.flags:
        return warn("fairness", told, "see: introeval fairness show", [headline(kept.card)])
    return ok("fairness", told)


def packages(requirements: Sequence[str] | None = None) -> list[Finding]:
    """Whether all required packages are installed. `requirements` are by default the program's own."""
    about = f"Python {platform.python_version()}, introeval {__version__}"
    if requirements is None:
        try:
            requirements = metadata.requires("introeval") or ()
        except metadata.PackageNotFoundError:
            return [warn("packages", f"{about}, not installed as a package", "run: pip install -e .")]
    needed = [found[0] for line in requirements if "extra ==" not in line and (found := _NAME.match(line))]
    missing = [name for name in needed if not _is_installed(name)]
    if missing:
        names = " ".join(missing)
        return [fail("packages", f"{about}; not installed: {names}", f"run: pip install {names}")]
    return [ok("packages", f"{about}, all {len(needed)} packages are installed")]


def weights(facts: Facts) -> list[Finding]:
    """Whether the weights that the daemon itself loads are here, with the very bytes that are pinned."""
    findings = []
    models = facts.config.paths.state / "models"
    with suppress(FileNotFoundError, NotADirectoryError):
        models.stat()  # in a state folder that is closed to this user each would seem to be missing
    for name in facts.assets:
        check = f"weights {name}"
        try:
            weights = weights_of(models, name)
            digest = weights.verify()
        except ModelError as exc:
            text, _, fix = str(exc).partition("; ")
            findings.append(fail(check, text, fix))
        else:
            from_hub = f", revision {weights.revision[:12]}" if weights.revision else ""
            findings.append(ok(check, f"{weights.path}, sha256:{digest[:12]}{from_hub}"))
    return findings


def _is_installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True
