"""Guards that are taken out one by one, and the test that notices each.

The last ones are the program as it was before a fault was mended, which the harness itself must find.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """The program without one guard: in `file`, `old` (which occurs once) is `new`. `test` must fail then: a
    test of pytest, or the arguments of a worker of the torture of the disk. `also` is replaced as well.
    """

    guard: str
    file: str
    old: str
    new: str
    test: str
    also: tuple[tuple[str, str, str], ...] = ()


_STORE, _UNIT, _IT = "tests/integration/store/", "tests/unit/", "tests/integration/"
_GUARDS = "tests/torture/test_guards.py::"
HARNESS = "tests.torture.disk "

MUTANTS = (
    Mutant(
        "synchronous=FULL",
        "daemon/store/opening.py",
        '"synchronous": 2',
        '"synchronous": 1',
        _GUARDS + "test_each_commit_is_synced_and_references_are_held",
    ),
    Mutant(
        "foreign keys",
        "daemon/store/opening.py",
        '"foreign_keys": 1,\n    "synchronous"',
        '"foreign_keys": 0,\n    "synchronous"',
        _GUARDS + "test_each_commit_is_synced_and_references_are_held",
    ),
    Mutant(
        "a writing transaction begins IMMEDIATE",
        "daemon/store/database.py",
        'return _in_transaction(function, "written", "IMMEDIATE")',
        'return _in_transaction(function, "written", "DEFERRED")',
        _STORE + "test_opening.py::test_two_writers_wait_for_each_other",
    ),
    Mutant(
        "the folder of a published file is synced",
        "daemon/delivery/outbox.py",
        "                try:\n                    folder.sync()\n                except OSError as exc:\n",
        "                try:\n                    folder.fd\n                except OSError as exc:\n",
        _GUARDS + "test_nothing_is_told_done_before_file_and_folder_are_synced",
    ),
    Mutant(
        "a file that moves has a durable name at any time",
        "daemon/intake/files.py",
        "            self.link(source, target)\n",
        "            self.rename(source, target)\n",
        _IT + "test_folder.py::test_a_moved_file_has_a_durable_name_at_any_time",
    ),
    Mutant(
        "folders that are already there are synced, too",
        "daemon/system/folder.py",
        "        self.sync()  # also if it was there",
        "        # also if it was there",
        _IT + "test_archive.py::test_the_folder_that_receives_is_synced_before_the_one_that_gives",
    ),
    Mutant(
        "a student's folder is durable before a document is in it",
        "daemon/delivery/outbox.py",
        "            try:\n                folder.sync()\n            except OSError:\n",
        "            try:\n                folder.fd\n            except OSError:\n",
        _GUARDS + "test_nothing_is_told_done_before_file_and_folder_are_synced",
    ),
    Mutant(
        "a document is synced before it gets its name",
        "daemon/system/folder.py",
        "                prepare(file.fileno())\n            os.fsync(file.fileno())\n",
        "                prepare(file.fileno())\n",
        _GUARDS + "test_nothing_is_told_done_before_file_and_folder_are_synced",
    ),
    Mutant(
        "nothing in the way is replaced",
        "daemon/system/folder.py",
        "_RENAME_NOREPLACE = 1",
        "_RENAME_NOREPLACE = 0",
        _IT + "test_folder.py::test_a_rename_never_replaces_what_stands_there",
    ),
    Mutant(
        "no link is followed",
        "daemon/system/folder.py",
        "_OPEN | os.O_NOFOLLOW, dir_fd=self.fd), self._join(name))",
        "_OPEN, dir_fd=self.fd), self._join(name))",
        _IT + "test_folder.py::test_no_link_is_entered_at_any_step",
    ),
    Mutant(
        "delivered only once it is durable",
        "daemon/delivery/delivery.py",
        "            try:\n                published = await",
        "            await self._session(documents.delivered, [each.id for each in waiting], self._clock())\n"
        "            try:\n                published = await",
        _IT + "test_places.py::test_results_wait_for_a_share_that_is_away_at_the_start",
    ),
    Mutant(
        "a claim has a row before its file is renamed",
        "daemon/intake/claim.py",
        "        await self._session(claims.add, new)\n"
        "        hiding = await asyncio.to_thread(self._mover.hide, new)\n",
        "        hiding = await asyncio.to_thread(self._mover.hide, new)\n"
        "        await self._session(claims.add, new)\n",
        _IT + "test_claim.py::test_killed_at_any_step_everything_comes_through_once",
    ),
    Mutant(
        "the claimed file is the one that was seen",
        "daemon/intake/moves.py",
        "    return identity == (claim.device, claim.inode, claim.size_bytes, claim.mtime_ns)\n",
        "    return bool(identity)\n",
        _IT + "test_claim.py::test_another_file_under_the_name_that_was_seen_goes_back",
    ),
    Mutant(
        "a copy is synced before its file leaves the inbox",
        "daemon/intake/claim.py",
        "        unwritten = await asyncio.to_thread(self._mover.sync, taken)\n",
        "        unwritten: list[tuple[Claim, OSError]] = []\n",
        _IT + "test_claim.py::test_a_copy_that_did_not_reach_the_disk_is_made_anew",
    ),
    Mutant(
        "a copy is compared with its file",
        "daemon/intake/files.py",
        "                    if _sha256(writer, halted) != sha256:",
        "                    if not sha256:",
        _IT + "test_claim.py::test_a_copy_that_differs_is_not_taken",
    ),
    Mutant(
        "an inbox that is away keeps its claims",
        "daemon/intake/mover.py",
        "return Where.AWAY if self._is_away(claim, reach) else Where.LOST",
        "return Where.LOST",
        _IT + "test_claim.py::test_a_claim_in_an_inbox_that_is_not_mounted_waits",
    ),
    Mutant(
        "recovery of what was in hand",
        "daemon/store/recovery.py",
        "    if task.status in PENDING | RUNNING:\n        return Event.RELEASED, None\n",
        "",
        _STORE + "test_recovery.py::test_recovery_puts_every_task_back_where_it_waits",
    ),
    Mutant(
        "the daemon's own deaths are counted",
        "daemon/store/recovery.py",
        "    if deaths >= DEATHS_IN_A_ROW:\n",
        "    if False:\n",
        _STORE + "test_recovery.py::test_a_task_that_kills_the_daemon_time_after_time_is_failed",
    ),
    Mutant(
        "the place is known after a restart",
        "daemon/store/settings.py",
        "    return None if value is None else KnownPlace.read(value)\n",
        "    return None\n",
        _IT + "test_places.py::test_results_wait_for_a_share_that_is_away_at_the_start",
    ),
    Mutant(
        "exclusion's second guard",
        "daemon/node/local.py",
        "        if self._group is None or stage not in self._group or self._switch.locked():\n",
        "        if False:\n",
        _GUARDS + "test_work_of_a_group_that_is_not_loaded_is_refused",
    ),
    Mutant(
        "a switch waits for running attempts",
        "daemon/node/local.py",
        "            if self._in_flight:\n",
        "            if False:\n",
        _GUARDS + "test_no_switch_begins_while_an_attempt_runs",
    ),
    Mutant(
        "an earlier daemon's engines are ended at the start",
        "daemon/supervisor/supervisor.py",
        "                await self._node.ensure(None)\n            except EngineError as exc:\n"
        "                failures += 1",
        "                await asyncio.sleep(0)\n            except EngineError as exc:\n"
        "                failures += 1",
        _GUARDS + "test_a_start_ends_all_engines_also_those_that_look_stopped",
    ),
    Mutant(
        "the ticket of an outcome is compared",
        "daemon/supervisor/task_book.py",
        "return task if (task.revision, task.attempt) == (ticket.revision, ticket.attempt) else None",
        "return task",
        _GUARDS + "test_an_outcome_of_an_earlier_attempt_is_dropped",
    ),
    Mutant(
        "a commit compares the row that it changes",
        "daemon/store/commits.py",
        '        "attempt": before.attempt,\n        "revision": before.revision,\n',
        "",
        _STORE + "test_commits.py::test_a_change_of_another_attempt_or_revision_changes_nothing",
    ),
    Mutant(
        "a cancel beats the outcome",
        "daemon/core/tasks/lifecycle.py",
        "    if task.cancel_requested:  # 1\n        return _to(task, Event.CANCELLED)\n",
        "",
        _UNIT + "test_lifecycle.py::test_a_cancel_that_was_asked_for_beats_every_fault",
    ),
    Mutant(
        "an engine's fault is never booked on a task",
        "daemon/core/tasks/lifecycle.py",
        "    if fault.died or fault.blame is Blame.ENGINE:  # 3",
        "    if fault.died:  # 3",
        _UNIT + "test_lifecycle.py::test_an_engines_fault_is_never_counted_however_often_it_comes",
    ),
    Mutant(
        "two deaths alone fail",
        "daemon/core/tasks/lifecycle.py",
        "_DEATHS_ALONE = 2",
        "_DEATHS_ALONE = 200",
        _UNIT + "test_lifecycle.py::test_two_deaths_alone_fail_at_every_stage",
    ),
    Mutant(
        "the same content again is no second task",
        "daemon/store/births.py",
        "    if again is not None:\n        return Born(birth.claim, None, Refused.DUPLICATE, again)\n",
        "",
        _STORE + "test_births.py::test_the_same_content_of_the_same_student_makes_no_second_task",
    ),
    Mutant(
        "ids begin above what lies on the disk",
        "daemon/delivery/remains.py",
        "        if found.highest_id > last:\n",
        "        if False:\n",
        _IT + "test_remains.py::test_an_older_copy_of_the_database_gives_no_id_a_second_time",
    ),
    Mutant(
        "no original in the archive is replaced",
        "daemon/delivery/archive.py",
        "            elif not _is_video_of(task, Entry(target, new), there, spooled):\n"
        "                continue\n",
        "",
        _IT + "test_archive.py::test_the_file_that_has_the_name_keeps_it",
    ),
    Mutant(
        "the archive is synced before the spool",
        "daemon/delivery/archive.py",
        "            target.sync()\n            source.unlink(name)",
        "            source.unlink(name)",
        _IT + "test_archive.py::test_the_folder_that_receives_is_synced_before_the_one_that_gives",
    ),
    Mutant(
        "a clock alone deletes nothing",
        "daemon/core/keeping/witness.py",
        "    credited = min(passed - certain, last.credit)  # 5\n",
        "    credited = passed - certain\n",
        _IT + "test_retention.py::test_a_start_with_a_clock_a_month_ahead_deletes_nothing_and_says_so",
    ),
    Mutant(
        "there is room for a copy before it begins",
        "daemon/intake/mover.py",
        "        with self._room.hold(min(found.st_size, found.st_blocks * 512)):\n",
        "        with contextlib.nullcontext():\n",
        _IT + "test_monsters.py::test_a_file_for_which_there_is_no_room_waits_alone",
    ),
    Mutant(
        "what was delivered is not delivered again",
        "daemon/store/documents.py",
        "    waiting = DocumentRow.delivered_at.is_null() & (DocumentRow.id > after_id)\n",
        "    waiting = DocumentRow.id > after_id\n",
        _STORE + "test_delivery.py::test_a_delivered_document_is_not_offered_again_unless_asked",
    ),
    Mutant(
        "claims that a power cut left open hide their files again",
        "daemon/intake/claim.py",
        "await asyncio.to_thread(self._mover.hide_again, await self._session(claims.still_open))",
        "await self._session(claims.still_open)",
        _IT + "test_claim.py::test_a_file_that_a_power_cut_gave_its_own_name_again_is_not_taken_twice",
    ),
    Mutant(
        "a claim that is closed is no longer delayed",
        "daemon/intake/delays.py",
        "        self.end([claim for claim in self.claims if claim.id not in still])\n",
        "",
        _UNIT + "test_intake_alarms.py::test_a_claim_that_is_closed_is_no_longer_delayed",
    ),
    Mutant(
        "a store that failed once is no alarm for ever",
        "daemon/delivery/delivery.py",
        '            self._alarms.clear("store")\n',
        "",
        _IT + "test_places.py::test_a_database_that_failed_once_is_no_alarm_for_ever",
    ),
    Mutant(
        "the mend of E1: a share that is away at a start gets no results below it",
        "daemon/store/settings.py",
        "    return None if value is None else KnownPlace.read(value)\n",
        "    return None\n",
        HARNESS + "instants --every 96 --seed 1",
    ),
    Mutant(
        "the mend of H7: a lost database has nothing overwritten",
        "daemon/delivery/remains.py",
        "        found = await asyncio.to_thread(look, self._outbox, self._state)\n",
        "        return\n        found = await asyncio.to_thread(look, self._outbox, self._state)\n",
        HARNESS + "instants --every 96 --seed 1",
        (
            ("daemon/system/folder.py", "_RENAME_NOREPLACE = 1", "_RENAME_NOREPLACE = 0"),
            (
                "daemon/delivery/archive.py",
                "elif not _is_video_of(task, Entry(target, new), there, spooled):\n"
                "                continue\n",
                "elif not _moved(task, Entry(source, name), Entry(target, new)):\n"
                "                return Path(task.path)\n",
            ),
        ),
    ),
)
