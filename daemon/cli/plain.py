"""The whole status as plain sentences, one fact a line, for screen readers."""

from collections.abc import Iterator
from datetime import datetime

from daemon.cli.attention import counted
from daemon.contracts.wire.status import Clock, DaemonStatus, GpuState
from daemon.core.tasks.task import OPEN
from daemon.core.tasks.task import Status as TaskStatus

_WORDS = {
    TaskStatus.UPLOADED: "waiting to be transcribed",
    TaskStatus.STT_PENDING: "in the batch, waiting to be transcribed",
    TaskStatus.STT_PROCESSING: "being transcribed",
    TaskStatus.STT_COMPLETE: "transcribed, waiting for extraction",
    TaskStatus.EVAL_PENDING: "in the phase, waiting for extraction",
    TaskStatus.EVAL_PROCESSING: "having the form extracted",
    TaskStatus.MISTRAL_COMPLETE: "waiting to be rated",
    TaskStatus.LLAMA_PROCESSING: "being rated",
    TaskStatus.COMPLETED: "completed",
    TaskStatus.FAILED: "failed",
    TaskStatus.CANCELLED: "cancelled",
}

_LATE = {"at_risk": "is at risk", "late": "will be missed", "missed": "is missed"}


def plain(status: DaemonStatus) -> Iterator[str]:
    """Yield the lines, the most urgent first."""
    yield "The daemon runs." if status.running else "No daemon runs; this is read from its database."
    yield f"Alarms: {len(status.alarms) or 'none'}."
    for alarm in status.alarms:
        yield f"Alarm since {local(alarm.since)}: {alarm.message.rstrip('.')}."
        yield f"It affects {alarm.affects}. To do: {alarm.fix}."
    yield from _orders(status)
    yield from _work(status)
    if status.clock is not None:
        yield from _clock(status.clock)
    yield from _tasks(status)
    for engine in status.engines:
        detail = f", {engine.detail}" if engine.detail else ""
        yield f"Engine {engine.name} for {engine.stage}: {engine.state}{detail}."
    yield from _gpu(status.gpu)
    yield from _nodes(status)
    yield from _folders(status)
    yield f"Version {status.version}, runtime {status.runtime}."


def _orders(status: DaemonStatus) -> Iterator[str]:
    if status.paused:
        yield "Paused by the operator."
    if status.draining:
        yield f"Draining: {status.left} tasks left." if status.left else "Drained: nothing is left."


def _tasks(status: DaemonStatus) -> Iterator[str]:
    open_now = sum(status.counts.get(each, 0) for each in OPEN)
    yield f"Open tasks: {open_now}, of them held: {status.held}."
    for name, words in _WORDS.items():
        if count := status.counts.get(name, 0):
            yield f"Tasks {words}: {count}."
    if status.attention:
        yield f"Wants a person: {counted(status.attention)}. Run: introeval attention."
    if status.refused:
        yield f"Files refused in the last 24 hours: {status.refused}."
    if status.calibration is not None:
        yield f"Scores are corrected by calibration {status.calibration}."
    yield f"Files not delivered yet: {status.undelivered}."
    if status.rates.tasks_per_h is not None:
        mean = "" if status.rates.mean_s is None else f", {status.rates.mean_s:.0f} seconds of work each"
        yield f"Speed while working: {status.rates.tasks_per_h:.0f} tasks an hour{mean}."


def _folders(status: DaemonStatus) -> Iterator[str]:
    if status.inbox is not None:
        here = f"{status.inbox.waiting} files wait" if status.inbox.available else "it cannot be read"
        polled = ", polled at intervals" if status.inbox.polling else ""
        yield f"Inbox {status.inbox.path}: {here}{polled}."
    for place in status.places:
        yield f"The folder of the {place.name}, {place.path}, is {place.state}."
    if status.disk is not None:
        yield f"Disk: {status.disk.free_mb:.0f} of {status.disk.total_mb:.0f} megabytes free."


def local(at: str) -> str:
    """An ISO 8601 time as `2025-01-30 14:02:11` in the local time zone."""
    return datetime.fromisoformat(at).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _work(status: DaemonStatus) -> Iterator[str]:
    loaded = " and ".join(status.group) or "nothing"
    since = f" since {local(status.phase_since)}" if status.phase_since else ""
    yield f"Phase {status.phase}, loaded: {loaded}{since}."
    yield f"Now: {status.why}."
    if status.why_detail:
        yield f"Why: {status.why_detail.rstrip('.')}."
    if status.switching is not None:
        to = " and ".join(status.switching.to) or "nothing"
        usual = (
            "" if status.switching.usual_s is None else f", usually {status.switching.usual_s:.0f} seconds"
        )
        yield f"Switching to {to} since {local(status.switching.since)}{usual}."
    if status.next_switch_at is not None:
        yield f"Next switch about {local(status.next_switch_at)}."
    if status.batch is not None:
        yield f"Batch {status.batch.id}: {status.batch.done} of {status.batch.total} transcribed."


def _clock(clock: Clock) -> Iterator[str]:
    guessed = ", a first guess" if clock.guess else ""
    expected = f", expected by {local(clock.expected_at)}{guessed}" if clock.expected_at else ""
    yield f"Class: {clock.done} of {clock.total} done{expected}."
    if clock.earliest_at and clock.latest_at:
        yield f"Likely between {local(clock.earliest_at)} and {local(clock.latest_at)}."
    if clock.deadline:
        spare = ""
        if clock.spare_s is not None:
            minutes = abs(clock.spare_s) / 60
            spare = f", {minutes:.1f} minutes {'to spare' if clock.spare_s >= 0 else 'too late'}"
        yield f"Deadline {local(clock.deadline)}{spare}."
    if clock.state in _LATE:
        yield f"The deadline {_LATE[clock.state]}: {clock.cause.rstrip('.') or 'the work takes longer'}."


def _nodes(status: DaemonStatus) -> Iterator[str]:
    for node in status.nodes:
        loaded = f"has loaded {' and '.join(node.group) or 'nothing'}"
        if node.to is not None:
            loaded = f"is loading {' and '.join(node.to)}" if node.to else "stops its engines"
        why = f", {node.why.rstrip('.')}" if node.why else ""
        yield f"Node {node.name or node.address}: {node.standing}{why}. It {loaded}."
        yield f"Node {node.name or node.address}: {node.in_hand} in hand, {node.done} done."


def _gpu(gpu: GpuState) -> Iterator[str]:
    if gpu.absent is not None:
        yield f"GPU: none, {gpu.absent}."
        return
    if gpu.lost:
        yield "GPU: it no longer answers."
        return
    busy = "unknown" if gpu.utilisation is None else f"{gpu.utilisation:.0f} percent"
    yield f"GPU {gpu.name}: use {busy}."
    if gpu.used_mb is not None and gpu.total_mb is not None:
        yield f"GPU memory: {gpu.used_mb:.0f} of {gpu.total_mb:.0f} megabytes."
    if gpu.temperature_c is not None:
        yield f"GPU temperature: {gpu.temperature_c:.0f} degrees."
    if gpu.power_w is not None:
        yield f"GPU power: {gpu.power_w:.0f} watts."
    for holder in gpu.holders:
        memory = "" if holder.memory_mb is None else f", {holder.memory_mb:.0f} megabytes"
        yield f"On the GPU: {holder.name}, process {holder.pid} of {holder.user}{memory}."
