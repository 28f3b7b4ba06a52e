"""How Ray is started: what is there already, and what it opens."""

from pathlib import Path

import pytest

from daemon.cluster import start
from daemon.config.cluster import ClusterSettings
from daemon.core.errors import ConfigError


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(start, "MEMORY", tmp_path)
    return tmp_path


def test_the_folder_of_an_earlier_ray_is_made_anew_and_private(memory: Path) -> None:
    start.new_folder(ClusterSettings())
    (folder,) = memory.iterdir()
    (folder / "left").write_text("of an earlier one")
    start.new_folder(ClusterSettings())
    assert folder.stat().st_mode & 0o777 == 0o700
    assert not list(folder.iterdir())


def test_what_another_user_put_in_place_of_the_folder_is_not_used(memory: Path) -> None:
    start.new_folder(ClusterSettings())
    (folder,) = memory.iterdir()
    folder.rmdir()
    (elsewhere := memory / "elsewhere").mkdir()
    folder.symlink_to(elsewhere)
    with pytest.raises(ConfigError, match=f"{folder} is in the way"):
        start.new_folder(ClusterSettings())
    assert not list(elsewhere.iterdir())
