"""Reads the GPU through NVML, the driver's own library. Never raises: an error is a state.

No library, no driver and no GPU are `absent`, with the reason. A GPU that was read once and no longer
answers is `lost`; NVML is then reopened at each reading, until the GPU is back. A figure that this
GPU or its driver does not give is None. MB are 2^20 bytes, as in nvidia-smi.
"""

import asyncio
import os
import threading
from collections.abc import Callable, Mapping
from typing import Any

from daemon.contracts.wire.status import GpuState, Holder
from daemon.core.schedule.memory import MB
from daemon.gpu.owner import owner_of

_HANGS_S = 5.0  # a failing driver can block a call for minutes
_HIDDEN = ("", "-1", "NoDevFiles")


class NvmlGpu:
    """The first GPU, or the first that CUDA_VISIBLE_DEVICES names. Safe to read from several threads."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._visible = environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0].strip()
        self._lock = threading.Lock()
        self._device: Any = None  # while NVML is open
        self._name: str | None = None  # once it was read
        self._pending: asyncio.Task[GpuState] | None = None

    async def reading(self) -> GpuState:
        """One reading, taken in a thread; concurrent calls share it. A driver that hangs is a lost GPU."""
        if self._pending is None or self._pending.done():
            self._pending = asyncio.create_task(asyncio.to_thread(self.read))
        try:
            async with asyncio.timeout(_HANGS_S):  # wait_for may lose a cancellation before Python 3.12
                return await asyncio.shield(self._pending)
        except TimeoutError:
            return GpuState(lost=True, name=self._name or "")

    def read(self) -> GpuState:
        """One reading. Blocks for milliseconds, or as long as the driver hangs: call it in a thread."""
        import pynvml

        if self._visible in _HIDDEN:
            return GpuState(absent="CUDA_VISIBLE_DEVICES hides every GPU")
        with self._lock:
            try:
                if self._device is None:
                    self._device = _open(pynvml, self._visible)
                state = _figures(pynvml, self._device)
            except pynvml.NVMLError as exc:
                self._close(pynvml)
                if self._name is not None:
                    return GpuState(lost=True, name=self._name)
                return GpuState(absent=_reason(pynvml, exc))
        self._name = state.name
        return state

    def _close(self, pynvml: Any) -> None:
        """End the session: handles of a lost GPU stay invalid, also when it is back."""
        self._device = None
        try:
            pynvml.nvmlShutdown()
        except pynvml.NVMLError:
            return  # it was never open, or the driver is gone


def _open(pynvml: Any, visible: str) -> Any:
    """The handle of the GPU to read. Raises NVMLError."""
    pynvml.nvmlInit()
    if visible.startswith(("GPU-", "MIG-")):
        return pynvml.nvmlDeviceGetHandleByUUID(visible)
    if not pynvml.nvmlDeviceGetCount():
        raise pynvml.NVMLError(pynvml.NVML_ERROR_GPU_NOT_FOUND)
    return pynvml.nvmlDeviceGetHandleByIndex(int(visible) if visible.isdecimal() else 0)


def _figures(pynvml: Any, device: Any) -> GpuState:
    """All figures. Raises NVMLError when the GPU does not answer."""
    gone = (
        pynvml.NVML_ERROR_UNINITIALIZED,
        pynvml.NVML_ERROR_DRIVER_NOT_LOADED,
        pynvml.NVML_ERROR_GPU_IS_LOST,
        pynvml.NVML_ERROR_RESET_REQUIRED,
    )

    def ask(name: str, *args: Any) -> Any:
        """The answer to one query, or None where this GPU or driver has none."""
        try:
            return getattr(pynvml, name)(device, *args)
        except pynvml.NVMLError as exc:
            if exc.value in gone:
                raise
            return None
        except pynvml.NVMLLibraryMismatchError:
            return None

    memory = ask("nvmlDeviceGetMemoryInfo")
    utilisation = ask("nvmlDeviceGetUtilizationRates")
    milliwatts, limit = ask("nvmlDeviceGetPowerUsage"), ask("nvmlDeviceGetEnforcedPowerLimit")
    return GpuState(
        name=ask("nvmlDeviceGetName") or "GPU",
        utilisation=None if utilisation is None else utilisation.gpu,
        # "used" includes the driver's own share in one version of the call and not in the other; "free" is
        # the same in both.
        used_mb=None if memory is None else (memory.total - memory.free) / MB,
        total_mb=None if memory is None else memory.total / MB,
        temperature_c=ask("nvmlDeviceGetTemperature", pynvml.NVML_TEMPERATURE_GPU),
        power_w=None if milliwatts is None else milliwatts / 1000,
        power_limit_w=None if limit is None else limit / 1000,
        holders=_holders(ask),
    )


def _holders(ask: Callable[..., Any]) -> list[Holder]:
    """The processes that hold memory, the largest first; one that computes and draws is listed once."""
    held: dict[int, int | None] = {}
    for kind in ("Compute", "Graphics"):
        processes = ask(f"nvmlDeviceGet{kind}RunningProcesses")
        if processes is None:  # a driver from before 2021
            processes = ask(f"nvmlDeviceGet{kind}RunningProcesses_v2")
        for process in processes or ():
            held[process.pid] = process.usedGpuMemory or held.get(process.pid)
    holders = []
    for pid, size in held.items():
        user, name = owner_of(pid)
        holders.append(Holder(pid=pid, user=user, name=name, memory_mb=None if size is None else size / MB))
    return sorted(holders, key=lambda holder: -(holder.memory_mb or 0))


def _reason(pynvml: Any, exc: Any) -> str:
    known = {
        pynvml.NVML_ERROR_LIBRARY_NOT_FOUND: "no NVIDIA driver is installed",
        pynvml.NVML_ERROR_DRIVER_NOT_LOADED: "the NVIDIA driver is installed and not loaded",
        pynvml.NVML_ERROR_GPU_NOT_FOUND: "the NVIDIA driver finds no GPU",
        pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH: ("the NVIDIA driver was updated; restart the machine"),
    }
    return known.get(exc.value) or f"the NVIDIA driver does not answer: {exc}"
