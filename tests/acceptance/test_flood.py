"""A class hands in beside a student who floods the inbox: nobody waits for that, and neither does a stop."""

import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from daemon.config.sections import RunSettings
from tests.support.checkout import SAMPLES
from tests.support.process_lab import ProcessLab
from tests.support.waiting import wait_until

FLOOD, GIANTS, CLASS = 20_000, 4, 30
GIANT_BYTES = 15 << 40  # ext4 takes no larger file
RECEIPT_S = 30.0


@pytest.mark.timeout(200)
def test_a_class_gets_its_receipts_beside_thousands_of_files_of_one_student(tmp_path: Path) -> None:
    lab = ProcessLab(tmp_path, "min_free_mb = 0\n")
    flood = tmp_path / "inbox" / "mallory"
    flood.mkdir()
    for number in range(FLOOD):
        (flood / f"{number:05d}.mp4").write_bytes(f"{number} is no video".encode())
    for number in range(GIANTS):
        with (flood / f"giant{number}.mp4").open("wb") as giant:
            giant.truncate(GIANT_BYTES)
    receipts = tmp_path / "outbox"
    daemon = lab.start("run", output=subprocess.DEVNULL)
    try:
        wait_until(lambda: any(receipts.glob("mallory/*.receipt.json")), limit_s=60)
        videos = [path for path in sorted(SAMPLES.glob("*.mp4")) if "silent" not in path.name]
        for number in range(CLASS):
            video = tmp_path / f"s{number:03d}_intro.mp4"
            shutil.copyfile(videos[number % len(videos)], video)
            with video.open("ab") as file:
                file.write(b"\0\0\0\x10free" + number.to_bytes(8, "big"))
            lab.hand_in(video)
        wait_until(lambda: len(list(receipts.glob("s*/*.receipt.json"))) == CLASS, limit_s=RECEIPT_S)
        assert len(list(receipts.glob("mallory/*.receipt.json"))) < FLOOD
        daemon.send_signal(signal.SIGTERM)
        daemon.communicate(timeout=RunSettings().stop_grace_s + 5)
        assert daemon.returncode == 0
    finally:
        daemon.kill()
        daemon.communicate()
