"""`introeval setup` on a real engine: makes the lab's containers, and leaves what is as it should be."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.cli.common import Chosen
from daemon.containers.setup import published_port
from daemon.core.errors import ConfigError
from daemon.system.state_folder import owned
from tests.docker.docker_image import ollama_image
from tests.docker.docker_setup import SetupLab
from tests.docker.engine import Containers
from tests.support.commands import invoke

docker = pytest.mark.docker
THEIRS = [sys.executable, "-c", "import signal; signal.sigwait({signal.SIGTERM})"]


@pytest.fixture
def lab(containers: Containers, tmp_path: Path) -> Iterator[SetupLab]:
    lab = SetupLab(tmp_path, containers, ollama_image(containers.engine))
    yield lab
    lab.remove()


@docker
def test_both_containers_are_made_as_the_lab_has_them_and_a_second_run_changes_nothing(lab: SetupLab) -> None:
    shown = lab.setup("--dry-run")
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.count("create it from") == 2
    assert not lab.containers.engine.client.containers.list(all=True, filters={"name": lab.containers.mark})
    done = lab.setup()
    assert done.returncode == 0, done.stderr
    for stem, port in zip(("mistral", "llama3"), lab.ports, strict=True):
        made = lab.inspect(stem)
        host = made["HostConfig"]
        assert host["PortBindings"] == {"11434/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(port)}]}
        assert host["RestartPolicy"]["Name"] in ("", "no")
        assert host["Binds"] == [f"{lab.containers.name(stem)}-models:/root/.ollama:rw"]
        assert {"OLLAMA_FLASH_ATTENTION=1", "OLLAMA_KEEP_ALIVE=-1"} <= set(made["Config"]["Env"])
        assert any(each.startswith("OLLAMA_NUM_PARALLEL=") for each in made["Config"]["Env"])
        assert made["State"]["Status"] == "exited"  # it ran for the look at its models
    before = lab.ids()
    again = lab.setup()
    assert (again.returncode, again.stdout.count("it is as it should be")) == (0, 2), again.stderr
    assert lab.ids() == before
    lab.write(num_ctx=2048)
    changed = lab.setup()
    assert "its models stay" in changed.stdout
    assert [old == new for old, new in zip(before, lab.ids(), strict=True)] == [False, True]


@docker
def test_a_container_that_somebody_else_made_is_left_alone_unless_told(lab: SetupLab) -> None:
    theirs = lab.containers.create("mistral", THEIRS)
    theirs.start()
    done = lab.setup()
    assert (done.returncode, "left alone" in done.stdout) == (0, True), done.stderr
    assert lab.inspect("mistral")["Id"] == theirs.id
    assert lab.inspect("mistral")["State"]["Status"] == "running"
    told = lab.setup("--replace")
    assert told.returncode == 0, told.stderr
    theirs.reload()
    assert theirs.status == "exited"
    assert str(theirs.name).startswith(f"{lab.containers.name('mistral')}-before-")
    assert lab.inspect("mistral")["Id"] != theirs.id


@docker
def test_without_a_registry_it_says_so_in_one_line(lab: SetupLab) -> None:
    lab.model = "unheard-of"
    lab.write()
    done = lab.setup()
    assert done.returncode == 8
    assert done.stderr.count("\n") == 1
    assert "unheard-of was not pulled: " in done.stderr
    assert "registry" in done.stderr
    assert lab.inspect("mistral")["State"]["Status"] == "exited"
    lab.image = "introeval-test:never-made"
    lab.write()
    done = lab.setup("--replace")
    assert (done.returncode, done.stderr.count("\n")) == (8, 1)
    assert "the image introeval-test:never-made was not pulled" in done.stderr


@docker
def test_it_is_refused_while_a_daemon_runs(lab: SetupLab) -> None:
    with owned(lab.folder / "var"):
        done = lab.setup()
    assert (done.returncode, done.stderr.count("\n")) == (5, 1)
    assert "stop it before the setup" in done.stderr


@docker
def test_what_a_killed_daemon_took_over_is_put_back_by_hand(lab: SetupLab) -> None:
    theirs = lab.containers.create("mistral", THEIRS)
    record = {"id": theirs.id, "name": theirs.name, "ran": True, "policy": {"name": "always", "most": 0}}
    (lab.folder / "var").mkdir()
    (lab.folder / "var" / "containers.json").write_text(json.dumps([record]))
    done = lab.setup("--restore")
    assert done.returncode == 0, done.stderr
    theirs.reload()
    assert (theirs.status, theirs.attrs["HostConfig"]["RestartPolicy"]["Name"]) == ("running", "always")
    assert json.loads((lab.folder / "var" / "containers.json").read_text()) == []


def test_what_would_be_put_back_is_only_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "introeval.toml"
    file.write_text('[docker]\nbase_url = "unix:///nonexistent/docker.sock"\n')
    monkeypatch.setattr(Chosen, "file", file)
    record = [{"id": "1a", "name": "mistral", "ran": True, "policy": {"name": "always", "most": 0}}]
    (kept := tmp_path / "var" / "containers.json").parent.mkdir()
    kept.write_text(json.dumps(record))
    done = invoke("setup", "--dry-run", "--restore")
    assert (done.exit_code, done.stdout) == (0, "mistral: would be put back as it was\n"), done.output
    assert json.loads(kept.read_text()) == record


def test_only_a_port_of_this_machine_can_be_published() -> None:
    assert published_port("http://127.0.0.1:11434") == 11434
    for url in ("http://10.0.0.7:11434", "http://127.0.0.1"):
        with pytest.raises(ConfigError, match=r"set url to http://127\.0\.0\.1:PORT"):
            published_port(url)
