"""The figures for Prometheus: counters of events, and gauges read off the status."""

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from daemon.contracts.values import Change, Failed
from daemon.contracts.wire.status import DaemonStatus
from daemon.core.tasks.task import FINAL, STAGE_OF, Stage
from daemon.monitoring.node_metrics import NodeMetrics

_SECONDS = (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600)
_MB = 1 << 20


class Metrics:
    """The metrics, in a registry of their own, without those of other libraries in the process."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self._ended = Counter(
            "introeval_tasks_ended", "Tasks that reached an end, by status.", ["status"], registry=registry
        )
        self._attempts = Histogram(
            "introeval_try_seconds",
            "Seconds of the attempts at a stage that gave a result.",
            ["stage"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._faults = Counter(
            "introeval_faults", "Attempts that failed.", ["stage", "blame"], registry=registry
        )
        self._switches = Histogram(
            "introeval_switch_seconds",
            "Seconds of the switches, by the group that was loaded.",
            ["group"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._tasks = Gauge("introeval_tasks", "Tasks by status.", ["status"], registry=registry)
        self._loaded = Gauge(
            "introeval_engine_loaded", "Whether a stage's engine is loaded.", ["stage"], registry=registry
        )
        self._alarms = Gauge("introeval_alarm", "Alarms that last now.", ["code"], registry=registry)
        self._single = {
            name: Gauge(f"introeval_{name}", text, registry=registry)
            for name, text in (
                ("held_tasks", "Open tasks that are held."),
                ("undelivered_files", "Files that are not in the outbox yet."),
                ("inbox_waiting_files", "Files of the inbox that are not claimed yet."),
                ("paused", "Whether the operator has paused the work."),
                ("draining", "Whether no new video is taken."),
                ("switching", "Whether a switch runs."),
                ("disk_free_bytes", "Free space of the state folder's disk."),
                ("gpu_utilisation_percent", "Utilisation of the GPU."),
                ("gpu_used_bytes", "GPU memory in use."),
                ("gpu_total_bytes", "Memory of the GPU."),
                ("gpu_temperature_celsius", "Temperature of the GPU."),
                ("gpu_power_watts", "Power of the GPU."),
                ("class_spare_seconds", "Seconds to spare before the deadline; negative when it is missed."),
            )
        }
        self._nodes = NodeMetrics()
        registry.register(self._nodes)
        for status in FINAL:
            self._ended.labels(status.value)
        for stage in Stage:
            self._attempts.labels(stage.value)

    def committed(self, changes: Sequence[Change]) -> None:
        """Count transitions that are durable."""
        for change in changes:
            stage = STAGE_OF[change.before.status].value
            if isinstance(change.outcome, Failed):
                self._faults.labels(stage, change.outcome.fault.blame.value).inc()
            elif change.seconds is not None:
                self._attempts.labels(stage).observe(change.seconds)
            if change.after.status in FINAL:
                self._ended.labels(change.after.status.value).inc()

    def switched(self, group: str, seconds: float) -> None:
        """Count a switch to `group` that took `seconds`."""
        self._switches.labels(group).observe(seconds)

    def exposition(self, status: DaemonStatus) -> tuple[bytes, str]:
        """The text for Prometheus, and its media type. Gauges without a value now are NaN."""
        for name, count in status.counts.items():
            self._tasks.labels(name).set(count)
        for stage in Stage:
            self._loaded.labels(stage.value).set(stage.value in status.group)
        self._alarms.clear()
        for alarm in status.alarms:
            self._alarms.labels(alarm.code.partition(" ")[0]).set(1)  # the rest names a file
        self._nodes.nodes = status.nodes
        gpu, disk, inbox, clock = status.gpu, status.disk, status.inbox, status.clock
        figures: dict[str, float | None] = {
            "held_tasks": status.held,
            "undelivered_files": status.undelivered,
            "inbox_waiting_files": inbox.waiting if inbox else None,
            "paused": status.paused,
            "draining": status.draining,
            "switching": status.switching is not None,
            "disk_free_bytes": disk.free_mb * 1e6 if disk else None,
            "gpu_utilisation_percent": gpu.utilisation,
            "gpu_used_bytes": None if gpu.used_mb is None else gpu.used_mb * _MB,
            "gpu_total_bytes": None if gpu.total_mb is None else gpu.total_mb * _MB,
            "gpu_temperature_celsius": gpu.temperature_c,
            "gpu_power_watts": gpu.power_w,
            "class_spare_seconds": clock.spare_s if clock else None,
        }
        for name, figure in figures.items():
            self._single[name].set(float("nan") if figure is None else float(figure))
        return generate_latest(self._registry), CONTENT_TYPE_LATEST
