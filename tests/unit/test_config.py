"""The configuration file, its defaults, its errors and its overrides."""

from pathlib import Path

import pytest

from daemon.config.load import find, load
from daemon.core.errors import ConfigError


def write(folder: Path, text: str) -> Path:
    file = folder / "introeval.toml"
    file.write_text(text)
    return file


def test_an_empty_file_works_and_paths_are_relative_to_it(tmp_path: Path) -> None:
    config = load(write(tmp_path, ""), {})
    assert config.paths.inbox == tmp_path / "inbox"
    assert config.paths.socket == tmp_path / "var" / "introeval.sock"
    assert config.intake.settle_s == 2.0


def test_without_a_file_paths_are_relative_to_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("daemon.config.load.SYSTEM_FILE", tmp_path / "none.toml")
    assert load(None, {}).paths.outbox == tmp_path / "outbox"


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("[intake]\nsettle = 3", "intake.settle_s"),
        ("[batch]\nsiz = 3", "batch.size"),
        ("[intak]\nsettle_s = 3", "intake"),
        ("[rate]\ntemprature = 0.1", "rate.temperature"),
    ],
)
def test_an_unknown_key_names_the_nearest_known_one(tmp_path: Path, text: str, near: str) -> None:
    with pytest.raises(ConfigError, match=f"unknown key .*did you mean {near}\\?"):
        load(write(tmp_path, text), {})


def test_every_wrong_value_is_one_line(tmp_path: Path) -> None:
    file = write(tmp_path, '[intake]\nsettle_s = -1\n[batch]\nsize = "many"\n')
    with pytest.raises(ConfigError) as caught:
        load(file, {})
    lines = str(caught.value).splitlines()
    assert any("intake.settle_s" in line for line in lines)
    assert any("batch.size" in line for line in lines)


@pytest.mark.parametrize(
    "residency", ['[["stt"], ["extract"]]', '[["stt", "stt"], ["extract", "rate"]]', '[["gpu"]]', '"some"']
)
def test_a_residency_holds_each_stage_once(tmp_path: Path, residency: str) -> None:
    with pytest.raises(ConfigError, match="residency"):
        load(write(tmp_path, f"[gpu]\nresidency = {residency}"), {})


def test_the_environment_goes_before_the_file(tmp_path: Path) -> None:
    said = {
        "INTROEVAL_BATCH__SIZE": "5",
        "introeval_stt__parallel": "auto",
        "INTROEVAL_RUNTIME": "docker",
        "INTROEVAL_GPU__RESIDENCY": '[["stt"], ["extract", "rate"]]',
        "INTROEVAL_RETRY": '{"max_retry_count": 1}',
    }
    config = load(write(tmp_path, "[batch]\nsize = 10\nmax_wait_s = 7\n[retry]\nmax_retry_count = 2"), said)
    assert (config.batch.size, config.batch.max_wait_s, config.stt.parallel) == (5, 7, "auto")
    assert (config.runtime, config.retry.max_retry_count) == ("docker", 1)
    assert (
        config.gpu.residency
        == load(write(tmp_path, '[gpu]\nresidency = [["stt"], ["extract", "rate"]]'), {}).gpu.residency
    )


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("INTROEVAL_BATCH__SIZE", "many", "batch.size"),
        ("INTROEVAL_GPU__RESIDENCY", '[["stt"', "the variable INTROEVAL_GPU__RESIDENCY is not valid JSON"),
        ("INTROEVAL_BATCH", "3", "batch: "),
        ("INTROEVAL_BATCH", '{"siz": 3}', "did you mean batch.size?"),
    ],
)
def test_a_wrong_value_of_the_environment_is_one_line(
    tmp_path: Path, name: str, value: str, told: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        load(write(tmp_path, ""), {name: value})
    assert told in str(refused.value)


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("INTROEVAL_BATCHH__SIZE", "INTROEVAL_BATCH__SIZE"),
        ("INTROEVAL_RUNTIM", "INTROEVAL_RUNTIME"),
        ("INTROEVAL_BATCH_SIZE", "INTROEVAL_BATCH__SIZE"),
        ("INTROEVAL_INTAKE__SETTLE", "INTROEVAL_INTAKE__SETTLE_S"),
        ("INTROEVAL_RUNTIME__NAME", "INTROEVAL_RUNTIME"),
        ("introeval_paths__inbx", "INTROEVAL_PATHS__INBOX"),
        ("INTROEVAL_CONFG", "INTROEVAL_CONFIG"),
        ("introeval_config", "INTROEVAL_CONFIG"),
    ],
)
def test_an_unknown_variable_names_the_nearest_known_one(tmp_path: Path, name: str, near: str) -> None:
    with pytest.raises(
        ConfigError, match=f"unknown variable {name} in the environment; did you mean {near}\\?"
    ):
        load(write(tmp_path, ""), {"PATH": "/bin", "INTROEVAL_CONFIG": "x", name: "3"})


def test_the_variables_of_every_key_and_of_the_tests_are_known(tmp_path: Path) -> None:
    known = ("INTROEVAL_CI", "INTROEVAL_TEST_MODELS", "INTROEVAL_RATE__NUM_CTX", "introeval_batch__size")
    load(write(tmp_path, ""), {**dict.fromkeys(known, "512"), "INTROEVAL_BATCH": "{}"})


def test_folders_may_not_lie_in_each_other(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="must not lie in"):
        load(write(tmp_path, '[paths]\nstate = "inbox/var"'), {})


def test_what_is_no_toml_or_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is not valid TOML"):
        load(write(tmp_path, "[[["), {})
    with pytest.raises(ConfigError, match="there is no configuration file"):
        load(tmp_path / "gone.toml", {})


def test_the_file_is_found_by_option_then_variable_then_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = tmp_path / "named.toml"
    named.write_text("")
    local = write(tmp_path, "")
    monkeypatch.chdir(tmp_path)
    assert find(named, {"INTROEVAL_CONFIG": str(local)}) == named
    assert find(None, {"INTROEVAL_CONFIG": str(named)}) == named
    assert find(None, {}) == local


def test_a_file_below_etc_brings_the_system_s_folders(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = write(tmp_path, '[paths]\ninbox = "/data/inbox"')
    monkeypatch.setattr("daemon.config.load.SYSTEM_FOLDER", tmp_path)
    config = load(file, {})
    assert str(config.paths.inbox) == "/data/inbox"
    assert str(config.paths.state) == "/var/lib/introeval"


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://me:s3cret@gpu.lab", "without a password or a key"),
        ("http://gpu.lab/?key=s3cret", "without a password or a key"),
        ("gpu.lab:8000", "must be as http://gpu.lab:8000"),
        ("file:///etc/passwd", "must be as http://gpu.lab:8000"),
        ("http://", "must be as http://gpu.lab:8000"),
        ("http://[::1", "stt.url"),
        ("http://gpu.lab:99999", "stt.url"),
    ],
)
@pytest.mark.parametrize("section", ["stt", "extract", "rate"])
def test_an_address_of_a_server_has_no_secret_and_can_be_asked(section: str, url: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(None, {f"INTROEVAL_{section.upper()}__URL": url})
    assert says.replace("stt", section) in str(caught.value)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("section", ["EXTRACT", "RATE"])
def test_a_key_that_would_never_be_shown_is_an_error(section: str) -> None:
    key = {f"INTROEVAL_{section}__API_KEY_FILE": "key"}
    with pytest.raises(ConfigError, match="an ollama one is shown no key"):
        load(None, key)
    load(None, {**key, f"INTROEVAL_{section}__API": "openai"})


@pytest.mark.parametrize(
    ("told", "code"),
    [
        ("en", "en"),
        ("EN", "en"),
        ("English", "en"),
        (" german ", "de"),
        ("en-US", "en"),
        ("pt_BR", "pt"),
        ("zh-Hans-CN", "zh"),
        ("Haitian Creole", "ht"),
    ],
)
def test_a_language_is_told_by_its_code_or_its_name(tmp_path: Path, told: str, code: str) -> None:
    assert load(write(tmp_path, f'[stt]\nlanguage = "{told}"'), {}).stt.language == code


@pytest.mark.parametrize("told", ["", "Englisch", "xx", "en,de", "-"])
def test_a_language_that_whisper_does_not_know_is_an_error(tmp_path: Path, told: str) -> None:
    with pytest.raises(ConfigError, match=r"stt\.language: '.*' is no language that Whisper knows; write"):
        load(write(tmp_path, f'[stt]\nlanguage = "{told}"'), {})
