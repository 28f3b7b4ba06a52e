"""The calibration in use. It is a setting, so that it is read in the transaction of each rating."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from peewee import fn

from daemon.core.agreement.calibration import Calibration, corrected, rater_identity
from daemon.core.content.document import Evaluation
from daemon.core.content.provenance_identity import changed
from daemon.store import settings
from daemon.store.database import Database, reads, writes
from daemon.store.models import SettingRow

KEY = "calibration"
"""The key of a rating's provenance that names what corrected it, and the name of the setting."""


@dataclass(frozen=True, slots=True)
class InUse:
    """A calibration, with the SHA-256 of its file."""

    calibration: Calibration
    sha256: str

    @property
    def named(self) -> dict[str, Any]:
        """What a provenance and the audit say of it."""
        return {"number": self.calibration.number, "sha256": self.sha256}

    def differs(self, origin: Mapping[str, Any]) -> list[str]:
        """What of model, prompt and parameters is another in the provenance of a rating."""
        return changed(self.calibration.identity, rater_identity(origin))


@reads
def in_use(db: Database) -> InUse | None:
    """The calibration in use, if there is one."""
    kept = settings.get(db, KEY)
    return None if kept is None else InUse(Calibration.model_validate(kept[KEY]), kept["sha256"])


@reads
def number_in_use(db: Database) -> int | None:
    """The number of the calibration in use, without reading it whole."""
    number = fn.json_extract(SettingRow.value, f"$.{KEY}.number")
    found: int | None = SettingRow.select(number).where(SettingRow.key == KEY).scalar(db)
    return found


@writes
def put_to_use(db: Database, use: InUse | None) -> None:
    """Use a calibration for every rating from now on, or none."""
    kept = None if use is None else {KEY: use.calibration.model_dump(mode="json"), "sha256": use.sha256}
    settings.put(db, KEY, kept)


def as_rated(
    evaluation: Evaluation, origin: Mapping[str, Any], use: InUse | None
) -> tuple[Evaluation, dict[str, Any]]:
    """A rating and its provenance, corrected by a calibration that holds for it, or the model's own."""
    plain = {key: value for key, value in origin.items() if key != KEY}
    if use is None or not evaluation.scores or use.differs(plain):
        return corrected(evaluation, None), plain
    return corrected(evaluation, use.calibration), {**plain, KEY: use.named}
