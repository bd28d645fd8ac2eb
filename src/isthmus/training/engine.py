"""The machine's side of a fit: determinism, threads, memory and silence. Process-wide settings, put back afterwards."""

import contextlib
import ctypes
import functools
import logging
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import torch

_LOGGERS = ("lightning.pytorch", "lightning.fabric", "lightning.pytorch.utilities.rank_zero", "torch.distributed")

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


def default_device() -> str:
    """Return ``'cuda:0'`` where there is a GPU, else ``'cpu'``."""
    return "cuda:0" if torch.cuda.is_available() else "cpu"


def visible_devices() -> list[str]:
    """Return every GPU, or ``['cpu']``."""
    return [f"cuda:{index}" for index in range(torch.cuda.device_count())] or ["cpu"]


def has_bf16(device: str) -> bool:
    """Whether the device multiplies bfloat16 in hardware; elsewhere it is emulated and never worth a trial."""
    if torch.device(device).type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capabilities = torch.cpu.get_capabilities()
    return any(bool(capabilities.get(name)) for name in ("avx512_bf16", "amx_bf16", "bf16"))


def volumes_in_bf16(device: str) -> bool:
    """Whether 3D convolutions may be trained in bfloat16.

    Not on a CPU: with torch 2.13 oneDNN's gradients of their kernels read memory that was never written (a kernel of
    three frames over two: found with NaN in freed memory, wrong in every such shape) and the heap was seen corrupted.
    """
    return torch.device(device).type != "cpu"


@functools.cache
def keep_memory() -> bool:
    """Tell glibc to keep freed activations instead of returning them to the system after every layer.

    Each step otherwise maps, faults in and unmaps the same hundreds of MiB; keeping them is worth 5 to 10 % of a
    training step on a CPU. Preloading tcmalloc or jemalloc does the same and a little more. Does nothing elsewhere.

    Returns
    -------
    bool
        Whether it was done.
    """
    if not sys.platform.startswith("linux"):
        return False
    library = ctypes.CDLL(None)
    if not hasattr(library, "gnu_get_libc_version") or not hasattr(library, "mallopt"):
        return False
    return bool(library.mallopt(_M_MMAP_THRESHOLD, 2**30)) and bool(library.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1))


@contextlib.contextmanager
def reproducible(threads: int, device: str) -> Iterator[None]:
    """Run a block with deterministic algorithms, a fixed number of threads, and random states of its own.

    Parameters
    ----------
    threads : int
        Of the CPU's arithmetic; sums depend on it in their last bits.
    device : str
        On a GPU an operation without a deterministic form is let through; on the CPU it is an error.
    """
    kind = torch.device(device).type
    deterministic: Any = torch.utils.deterministic  # its switch is set up at run time
    before = (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled(),
              torch.is_deterministic_algorithms_warn_only_enabled(),
              deterministic.fill_uninitialized_memory)  # fmt: skip
    devices = [torch.device(device)] if kind == "cuda" else []
    with torch.random.fork_rng(devices):
        try:
            torch.set_num_threads(threads)
            torch.use_deterministic_algorithms(True, warn_only=kind != "cpu")
            # Filling every new tensor with NaN is for finding bugs and costs a pass over all activations.
            deterministic.fill_uninitialized_memory = False
            yield
        finally:
            torch.set_num_threads(before[0])
            torch.use_deterministic_algorithms(before[1], warn_only=before[2])
            deterministic.fill_uninitialized_memory = before[3]


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep Lightning's tips, notices and warnings to itself; errors pass."""
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
