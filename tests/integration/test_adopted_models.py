"""Models that the operator has: added under a name, or used where they lie."""

import shutil
from pathlib import Path

import pytest

from daemon.contracts.values import Extracted, SttWork, Take, Transcribed
from daemon.core.errors import EngineError, ModelError
from daemon.core.tasks.task import Stage
from daemon.llm.embedded import EmbeddedServer
from daemon.llm.extractor import FormExtractor
from daemon.llm.rubric import Rubric
from daemon.models import find_asset, weights_of
from daemon.models.adopting import add
from daemon.models.installed import MANIFEST
from daemon.models.pull import pull
from daemon.stt.transcriber import PROBE, WhisperEngine
from tests.integration.test_embedded import FORM_OPTIONS, TICKET, ignore, work
from tests.integration.test_hub import flip
from tests.integration.test_pull import Seen, everything_in
from tests.support.checkout import model_folder
from tests.support.hub import tiny_gguf, tiny_whisper


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "state" / "models"


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    """What somebody brought: a Whisper's folder, and a GGUF file."""
    folder = tmp_path / "stick" / "whisper"
    folder.mkdir(parents=True)
    for name, content in tiny_whisper().items():
        (folder / name).write_bytes(content)
    (folder.parent / "rater.gguf").write_bytes(tiny_gguf())
    return folder.parent


@pytest.mark.parametrize(("file", "loads"), [("whisper", ""), ("rater.gguf", "rater.gguf")])
def test_an_added_model_is_ours_and_pinned(stick: Path, models: Path, file: str, loads: str) -> None:
    path = add(find_asset("mine"), stick / file, models, Seen())
    shutil.rmtree(stick)
    weights = weights_of(models, "mine")
    assert weights.path == path == models / "mine" / loads
    assert weights.verify()
    flip(path if loads else path / "model.bin")
    with pytest.raises(
        ModelError, match=r"is not what was pinned .*; put the pinned file back, or if the change"
    ):
        weights.verify()


def test_a_whisper_that_faster_whisper_knows_can_be_carried_here(stick: Path, models: Path) -> None:
    add(find_asset("large-v3"), stick / "whisper", models, Seen())
    assert weights_of(models, "large-v3").path == models / "whisper-large-v3"


@pytest.mark.parametrize(
    ("name", "place", "why"),
    [
        ("mine", "none", "cannot be read: No such file"),
        ("mine", ".", r"has no config\.json, model\.bin, tokenizer\.json, vocabulary\.,"),
        ("mine", "whisper/config.json", "is not a GGUF file"),
        ("base", "whisper", "is not what is pinned for whisper-base, so nothing was changed"),
        ("large-v3", "rater.gguf", "is the name of a Whisper, which is a folder"),
        ("./mine", "whisper", "is a path and no name"),
    ],
)
def test_what_cannot_be_added_is_one_line_and_leaves_nothing(
    stick: Path, models: Path, name: str, place: str, why: str
) -> None:
    with pytest.raises(ModelError, match=why) as caught:
        add(find_asset(name), stick / place, models, Seen())
    assert "\n" not in str(caught.value)
    assert not models.exists() or everything_in(models) == set()


def test_a_name_is_not_given_to_other_bytes(stick: Path, models: Path) -> None:
    add(find_asset("mine"), stick / "rater.gguf", models, Seen())
    add(find_asset("mine"), stick / "rater.gguf", models, Seen())
    (stick / "rater.gguf").write_bytes(tiny_gguf(b"two"))
    with pytest.raises(ModelError, match="use another name, or remove"):
        add(find_asset("mine"), stick / "rater.gguf", models, Seen())
    assert weights_of(models, "mine").path.read_bytes() == tiny_gguf()


@pytest.mark.parametrize("file", ["whisper", "rater.gguf"])
def test_a_model_is_pinned_where_it_lies(stick: Path, models: Path, file: str) -> None:
    name = str(stick / file)
    with pytest.raises(ModelError, match=f"is not here; run: introeval models pull {name}"):
        weights_of(models, name)
    before = everything_in(stick)
    assert pull(find_asset(name), models, Seen()) == stick / file
    assert everything_in(stick) == before
    weights = weights_of(models, name)
    assert weights.verify()
    flip(stick / file if (stick / file).is_file() else stick / file / "model.bin")
    with pytest.raises(ModelError, match="is not what was pinned"):
        weights.verify()
    with pytest.raises(ModelError, match=r"remove .* and run: introeval models pull"):
        pull(find_asset(name), models, Seen(), verify=True)


def test_a_manifest_that_leads_out_of_its_folder_is_none(stick: Path, models: Path) -> None:
    add(find_asset("mine"), stick / "rater.gguf", models, Seen())
    manifest = models / "mine" / MANIFEST
    manifest.write_text(manifest.read_text().replace("rater.gguf", "../../rater.gguf"))
    with pytest.raises(ModelError, match="'mine' is unknown"):
        weights_of(models, "mine")


# With real models


@pytest.mark.anyio
async def test_an_added_whisper_transcribes_and_says_which_it_was(tmp_path: Path, models: Path) -> None:
    add(find_asset("mine"), model_folder("whisper-tiny.en"), models, Seen())
    weights = weights_of(models, "mine")
    engine = WhisperEngine(weights, tmp_path, tmp_path / "stt.log", device="cpu", compute_type="int8")
    await engine.start()
    try:
        pcm = tmp_path / "probe.pcm"
        pcm.write_bytes(PROBE.read_bytes()[44:])
        heard = await engine.transcribe(SttWork(TICKET, pcm, (Take(3.0),)), ignore)
        assert isinstance(heard, Transcribed)
        assert heard.provenance["digest"].startswith("sha256:1a5afae0")
        flip(models / "mine" / "model.bin")
        with pytest.raises(EngineError, match=r"model\.bin is not what was pinned"):
            await engine.start()
        assert not engine.alive
    finally:
        await engine.stop()


@pytest.mark.anyio
async def test_smollm2_is_the_demo_model_under_any_name(tmp_path: Path, models: Path) -> None:
    name = str(model_folder("smollm2") / "SmolLM2-135M-Instruct.Q4_1.gguf")
    pull(find_asset(name), models, Seen())
    server = EmbeddedServer(
        Stage.EXTRACT, weights_of(models, name), engines=tmp_path / "engines", log=tmp_path / "extract.log"
    )
    engine = FormExtractor(server, Rubric(), lambda: FORM_OPTIONS)
    await engine.start()
    try:
        form = await engine.extract(work(), ignore)
    finally:
        await engine.stop()
    assert isinstance(form, Extracted)
    assert "demo_model" in [flag.code for flag in form.flags]
