"""The containers' output in the engines' logs, which `introeval logs` shows."""

from pathlib import Path

from daemon.containers.container_log import ContainerLog
from daemon.containers.engine import DockerEngine
from daemon.contracts.wire.words import LogSource
from daemon.monitoring.logs import last_lines
from tests.support.docker_api import docker_api
from tests.support.waiting import wait_until


def shown(folder: Path) -> list[str]:
    return [line.text for line in last_lines(folder, LogSource.RATE, None, 100)]


def test_what_a_container_says_stands_in_its_engines_log(tmp_path: Path) -> None:
    with docker_api({"llama3-container": {}}, b"loading the model\nready\n") as url:
        ContainerLog(DockerEngine(url), tmp_path / "rate.log").follow("llama3-container")
        wait_until(lambda: shown(tmp_path) == ["loading the model", "ready"])


def test_the_log_does_not_grow_without_end_and_its_last_lines_are_kept(tmp_path: Path) -> None:
    file = tmp_path / "rate.log"
    file.write_bytes(b"an older line\n" * 100_000)
    with docker_api({"llama3-container": {}}, b"the last line\n") as url:
        log = ContainerLog(DockerEngine(url), file)
        log.follow("llama3-container")
        wait_until(lambda: not file.exists())
        assert shown(tmp_path)[-1] == "the last line"

        def followed_again() -> bool:
            log.follow("llama3-container")
            return file.exists()

        wait_until(followed_again)
    assert file.stat().st_size < 1000


def test_without_an_engine_nothing_is_written_and_nothing_fails(tmp_path: Path) -> None:
    with docker_api({}) as url:
        pass
    log = ContainerLog(DockerEngine(url), tmp_path / "rate.log")
    log.follow("llama3-container")
    assert log._thread is not None
    log._thread.join(10)
    assert shown(tmp_path) == []
