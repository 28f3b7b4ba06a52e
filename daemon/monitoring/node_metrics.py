"""The figures of each node for Prometheus, where other machines lend their GPU."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from daemon.contracts.wire.status import NodeLine
from daemon.core.tasks.task import Stage

_MB = 1 << 20

_FIGURES: Mapping[str, tuple[str, Callable[[NodeLine], float | None]]] = {
    "works": ("Whether a node works for the class.", lambda node: node.standing == "works"),
    "running_attempts": ("Attempts that run at a node.", lambda node: node.in_hand),
    "gpu_utilisation_percent": (
        "Utilisation of a node's GPU.",
        lambda node: None if node.gpu is None else node.gpu.utilisation,
    ),
    "gpu_used_bytes": (
        "GPU memory in use at a node.",
        lambda node: None if node.gpu is None or node.gpu.used_mb is None else node.gpu.used_mb * _MB,
    ),
}


class NodeMetrics(Collector):
    """Gives the figures of `nodes`, labelled with the node's name; nothing where there are none."""

    def __init__(self) -> None:
        self.nodes: Sequence[NodeLine] = ()

    def collect(self) -> Iterator[Metric]:
        """The figures of the nodes that have a name."""
        named = [node for node in self.nodes if node.name]
        if not named:
            return
        for name, (told, read) in _FIGURES.items():
            gauge = GaugeMetricFamily(f"introeval_node_{name}", told, labels=["node"])
            for node in named:
                if (figure := read(node)) is not None:
                    gauge.add_metric([node.name], float(figure))
            yield gauge
        loaded = GaugeMetricFamily(
            "introeval_node_engine_loaded", "Whether a stage's engine is loaded.", labels=["node", "stage"]
        )
        ended = CounterMetricFamily(
            "introeval_node_tasks_ended", "Tasks that ended at a node since the start.", labels=["node"]
        )
        for node in named:
            for stage in Stage:
                loaded.add_metric([node.name, stage.value], float(stage.value in node.group))
            ended.add_metric([node.name], node.done)
        yield from (loaded, ended)
