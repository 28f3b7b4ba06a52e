"""The store: the border at which each method is one transaction, and every database error a StoreError."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from daemon.contracts.values import Birth, Born, Change, Claim, ClaimStep, Document, Ledger, Provenance
from daemon.contracts.wire.words import PlaceName
from daemon.core.intake.naming import Resubmission
from daemon.core.intake.ownership import Ownership
from daemon.core.intake.place import KnownPlace
from daemon.core.keeping.witness import Reading, Witness
from daemon.core.tasks.task import Phase, Stage, Task
from daemon.store import (
    again,
    births,
    claims,
    commits,
    documents,
    forgetting,
    keeping,
    measured,
    phases,
    recovery,
    remains,
    schema,
    settings,
    videos,
)
from daemon.store.births import Estimate
from daemon.store.database import border, connect, overwrite, reading, writing
from daemon.store.reader import Reader

_UNMEASURED = Ledger()


class SqliteStore(Reader):
    """The database of the one daemon; implements the protocol `daemon.contracts.ports.Store`.

    Used and closed on the one thread that opened it. Every method is one short transaction, durable when it
    returns: it raises StoreError when the database can't be used, and then nothing was changed.
    """

    def __init__(
        self,
        path: Path,
        *,
        provenance: Provenance | None = None,
        resubmission: Resubmission = "all",
        ownership: Ownership | None = None,
    ) -> None:
        """Open the database, made if it is missing and brought to this program's schema.

        `provenance` is what every result carries beside that of its stages. Raises StoreError.
        """
        self.estimate: Estimate | None = None  # when new tasks are expected to be completed
        self._common: Provenance = dict(provenance or {})
        self._resubmission: Resubmission = resubmission
        self._ownership = ownership or Ownership()
        self._open(connect(path))
        with border(self._db, "brought to this version"):
            schema.migrate(self._db, path)

    def hurry(self) -> None:
        """Wait no longer than a second for another program that has the database locked."""
        with border(self._db, "used"):
            self._db.pragma("busy_timeout", 1000)

    def together(self) -> AbstractContextManager[None]:
        """Make what is called within one transaction, and so one fsync."""
        return writing(self._db)

    def add_claims(self, new: Sequence[Claim]) -> None:
        """Make the claims durable, as they are."""
        with writing(self._db):
            claims.add(self._db, new)

    def step_claims(self, ids: Sequence[str], step: ClaimStep) -> None:
        """Record how far open claims have come. StoreError when one of them is unknown or closed."""
        with writing(self._db):
            claims.step(self._db, ids, step)

    def begin_ids_above(self, highest: int) -> None:
        """Give new tasks higher ids than this one."""
        with writing(self._db):
            remains.begin_ids_above(self._db, highest)

    def refuse(self, refusals: Sequence[tuple[Claim, Document]]) -> None:
        """Close the claims of refused files, with the reasons that go to the outbox."""
        with writing(self._db):
            claims.refuse(self._db, refusals)

    def create_tasks(self, group: Sequence[Birth], now: float) -> list[Born]:
        """Turn spooled claims into tasks, with users, history, receipts and the claims' last step.

        The claim of one that is refused stays open, for the caller to close.
        """
        with writing(self._db):
            return births.create_tasks(
                self._db, group, now, self.estimate, self._common, self._resubmission, self._ownership
            )

    def commit(self, changes: Sequence[Change]) -> None:
        """Commit transitions, their payloads and history; freeze the result of each that is final.

        Raises IllegalTransition or UnknownTask; then none of the changes was made.
        """
        with writing(self._db):
            commits.commit(self._db, changes, self._common)

    def recover(self, now: float) -> list[Task]:
        """Put right what a crash left in an engine's hands, and give the open tasks.

        Pending and running tasks go back to the waiting state of their stage, with their attempt as it is;
        one that was to be cancelled is; one in hand at the daemon's eighth death in a row is failed.
        """
        with writing(self._db):
            return recovery.recover(self._db, now, self._common)

    def hold(self, task_id: int, now: float, *, held: bool) -> Task:
        """Hold an open task, or let it go on. Raises UnknownTask, IllegalTransition."""
        with writing(self._db):
            return again.mark(self._db, task_id, "held" if held else "let_go", now, {"held": held})

    def request_cancel(self, task_id: int, now: float) -> Task:
        """Record that an open task is to be cancelled, which beats its outcome. Raises as `hold`."""
        with writing(self._db):
            return again.mark(self._db, task_id, "cancel_requested", now, {"cancel_requested": True})

    def retry(self, task_id: int, now: float) -> Task:
        """Begin the next revision of a failed, cancelled or doubtful task where it came to nothing.

        Raises UnknownTask, and IllegalTransition for another task.
        """
        with writing(self._db):
            return again.retry(self._db, task_id, now)

    def rate_again(self, task_id: int, now: float, *, extract: bool = False) -> Task:
        """Begin the next revision of a rated task at rating, or at extracting. Raises as `retry`."""
        with writing(self._db):
            return again.rate_again(self._db, task_id, now, extract=extract)

    def delivered(self, ids: Sequence[int], now: float) -> None:
        """Record that documents are durable in the outbox."""
        with writing(self._db):
            documents.delivered(self._db, ids, now)

    def deliver_again(self, task_id: int) -> None:
        """Have the last result of a task put into the outbox once more.

        Raises UnknownTask, and IllegalTransition when it has none.
        """
        with writing(self._db):
            commits.find(self._db, task_id)
            documents.deliver_again(self._db, task_id)

    def archived(self, moved: Sequence[tuple[int, Path]], now: float) -> None:
        """Record where the videos of tasks lie now, in the archive."""
        with writing(self._db):
            videos.archived(self._db, moved, now)

    def witness(self, now: Reading) -> Witness:
        """Go on with the count of the time that was witnessed. Tasks whose video came into the archive since
        are kept from now on.
        """
        with writing(self._db):
            return keeping.witness(self._db, now)

    def expired(self, until: float, limit: int) -> list[Task]:
        """Final tasks whose video is in the archive since `until`, in witnessed seconds, or longer."""
        with reading(self._db):
            return keeping.expired(self._db, until, limit)

    def expired_files(
        self, there: Collection[bytes], witnessed: float, until: float, limit: int
    ) -> list[bytes]:
        """Of the other files that are kept for a time, those kept since `until` or longer."""
        with writing(self._db):
            return keeping.expired_files(self._db, there, witnessed, until, limit)

    def files_removed(self, names: Collection[bytes], claims: Collection[str], lost_before: float) -> None:
        """Record that such files are gone, and delete the refused claims that they were of, and those that
        lost their file before `lost_before`, in seconds since the epoch.
        """
        with writing(self._db):
            keeping.drop_files(self._db, names)
            keeping.drop_claims(self._db, claims)
            keeping.drop_lost_claims(self._db, lost_before)

    def removed(self, ids: Sequence[int]) -> None:
        """Record that the videos of tasks are gone."""
        with writing(self._db):
            videos.removed(self._db, ids)

    def forget(self, student: str, inbox: Path) -> None:
        """Delete a student with every task, document and claim.

        What is deleted is overwritten, too. Raises as `kept_of`, and StoreError also when all is deleted and
        another program keeps it from being overwritten.
        """
        with writing(self._db):
            forgetting.forget(self._db, student, inbox)
        with border(self._db, "written"):
            overwrite(self._db)

    def open_batch(self, now: float, size: int) -> int:
        """Begin a batch of at most `size` tasks, and give its id."""
        with writing(self._db):
            return phases.open_batch(self._db, now, size)

    def close_batch(self, batch_id: int, now: float) -> None:
        """End a batch."""
        with writing(self._db):
            phases.close_batch(self._db, batch_id, now)

    def phase_began(self, group: Iterable[Stage], phase: Phase, batch_id: int | None, now: float) -> int:
        """A switch to `group` begins. Gives the id of the phase."""
        with writing(self._db):
            return phases.began(self._db, group, phase, batch_id, now)

    def phase_ready(self, phase_id: int, now: float, switch_s: float, ledger: Ledger = _UNMEASURED) -> None:
        """The group is verified loaded, after `switch_s` seconds; the ledger says what it found."""
        with writing(self._db):
            phases.ready(self._db, phase_id, now, switch_s, ledger)

    def phase_ended(self, phase_id: int, now: float, tasks: int) -> None:
        """The group was left, after `tasks` outcomes."""
        with writing(self._db):
            phases.ended(self._db, phase_id, now, tasks)

    def set_system_state(
        self,
        phase: Phase,
        now: float,
        *,
        batch_id: int | None = None,
        phase_start: float | None = None,
        total: int = 0,
        completed: int = 0,
    ) -> None:
        """Replace the row that tells other tools what runs: so many of `total` tasks are `completed`."""
        with writing(self._db):
            phases.set_state(
                self._db,
                current_phase=phase.value,
                current_batch_id=batch_id,
                phase_start_time=phase_start,
                total_tasks_in_phase=total,
                completed_tasks_in_phase=completed,
                last_updated=now,
            )

    def set_estimates(self, estimates: Mapping[int, float | None]) -> None:
        """Write when tasks are expected to be completed, by task id."""
        with writing(self._db):
            measured.set_estimates(self._db, list(estimates.items()))

    def put_setting(self, key: str, value: Any) -> None:
        """Keep a plain JSON value under `key` through a restart."""
        with writing(self._db):
            settings.put(self._db, key, value)

    def keep_place(self, name: PlaceName, path: Path, memory: KnownPlace) -> None:
        """Remember the folder at `path` through a restart."""
        with writing(self._db):
            settings.keep_place(self._db, name, path, memory)
