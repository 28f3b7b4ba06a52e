"""`class_of_six`: the six samples on a real Ollama, against what one would write without IntroEval.

Runs where two containers with an Ollama are, called and published as the lab's, with the models `mistral` and
`llama3` in them, at the Docker engine that `INTROEVAL_TEST_DOCKER_SOCKET` names. They must not run. What each
of ours does is the whole program, from its start to its end: `introeval run --once`. The first one meets the
canary of the day, the others do not. The ways take turns.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.bench.figures import (
    ROOT,
    ROUNDS,
    Figure,
    Options,
    at_most,
    in_turn,
    median_of,
    model_folder,
    ratio_of,
    seconds_of,
)
from tests.bench.real_ollama import real_ollama, settings
from tests.bench.switch import TwoContainers

WHISPER = "base"


class Ours:
    """A lab whose daemon works off the class again and again; each time it is another class."""

    def __init__(self, folder: Path, lab: TwoContainers, clips: Sequence[Path]) -> None:
        self._folder, self._clips, self._class = folder, clips, 0
        for name in ("inbox", "var"):
            (folder / name).mkdir()
        (folder / "var" / "models").symlink_to(model_folder(f"whisper-{WHISPER}").parent)
        (folder / "introeval.toml").write_text(settings(lab, WHISPER))

    def work_off(self) -> None:
        """Hand in the clips and work them off. Raises AssertionError unless each was evaluated."""
        self._class += 1
        for clip in self._clips:
            shutil.copy(clip, self._folder / "inbox" / f"c{self._class}{clip.name}")
        environment = {name: value for name, value in os.environ.items() if not name.startswith("INTROEVAL_")}
        command = [sys.executable, "-m", "daemon", "run", "--once", "--runtime", "docker"]
        with (self._folder / f"class-{self._class}.log").open("wb") as output:
            ended = subprocess.run(
                command,
                cwd=self._folder,
                env=environment | {"PYTHONPATH": str(ROOT)},
                stdout=output,
                stderr=output,
            )
        results = list((self._folder / "outbox").rglob(f"*-c{self._class}*.result.json"))
        given = [json.loads(file.read_text()).get("evaluation") for file in results]
        if ended.returncode or len([each for each in given if each]) != len(self._clips):
            log = Path(output.name).read_text()[-2000:]
            raise AssertionError(f"exit code {ended.returncode}, {len(given)} results: {log}")


def measure(options: Options) -> list[Figure]:
    """Seconds of a class, ours and the peers'. Raises Skipped."""
    lab = real_ollama()
    clips = sorted((ROOT / "samples").glob("s00[1-6]_*.mp4"))
    model = str(model_folder(f"whisper-{WHISPER}"))
    peer = [sys.executable, "-m", "tests.bench.class_peers"]

    def script(way: str) -> float:
        command = [*peer, way, lab.engine, model, *map(str, clips)]
        return seconds_of(lambda: subprocess.run(command, check=True, cwd=ROOT, capture_output=True))

    with tempfile.TemporaryDirectory() as name:
        ours = Ours(Path(name), lab, clips)
        first = seconds_of(ours.work_off)
        took = in_turn(
            {
                "ours": lambda: seconds_of(ours.work_off),
                "one by one": lambda: script("one_by_one"),
                "batch": lambda: script("batch"),
            },
            ROUNDS,
        )
    return [
        Figure("ours, with the canary of the day", first, "s"),
        median_of("ours", took["ours"], "s"),
        median_of("a script, one student after the other", took["one by one"], "s"),
        median_of("a script, one batch", took["batch"], "s"),
        ratio_of("ours to one after the other", took["ours"], took["one by one"], "x", at_most(0.6)),
        ratio_of("ours to one batch", took["ours"], took["batch"], "x", at_most(0.85)),
    ]
