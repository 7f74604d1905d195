"""What a cell sets for its whole process, set back after it: else it would change what the next cell answers."""

import gc
import inspect
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from types import ModuleType
from typing import Any

import numpy as np
import torch
import torch.nn.modules.module as torch_modules

OWN = "peabench"


@contextmanager
def process_state_kept() -> Iterator[None]:
    """Set back, after the block, what it set for the whole process.

    That is torch's settings and global hooks, NumPy's floating-point errors, warning filters, the working directory,
    environment variables, the recursion limit and garbage collection, and every name of Peabench's own modules and
    classes. What it imported stays imported; what it put into other libraries stays there, as some need it.
    """
    with ExitStack() as kept:
        for keep in (_torch_settings, _torch_hooks, _python_settings, _own_names):
            kept.callback(keep())
        kept.enter_context(np.errstate())
        kept.enter_context(warnings.catch_warnings())
        yield


def _torch_settings() -> Callable[[], None]:
    dtype, device = torch.get_default_dtype(), torch.get_default_device()
    precision = torch.get_float32_matmul_precision()
    deterministic = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    grad, anomaly = torch.is_grad_enabled(), torch.is_anomaly_enabled()

    def set_back() -> None:
        torch.set_default_dtype(dtype)
        if torch.get_default_device() != device:
            torch.set_default_device(None if device.type == "cpu" else device)
        torch.set_float32_matmul_precision(precision)
        torch.use_deterministic_algorithms(deterministic, warn_only=warn_only)
        torch.set_grad_enabled(grad)
        torch.autograd.set_detect_anomaly(anomaly)

    return set_back


def _torch_hooks() -> Callable[[], None]:
    """Of all modules at once."""
    before = {
        name: dict(hooks)
        for name, hooks in vars(torch_modules).items()
        if name.startswith("_global_") and isinstance(hooks, dict)
    }

    def set_back() -> None:
        for name, hooks in before.items():
            now: dict[Any, Any] = getattr(torch_modules, name)
            if now != hooks:
                now.clear()
                now.update(hooks)

    return set_back


def _python_settings() -> Callable[[], None]:
    folder, variables = os.getcwd(), dict(os.environ)  # noqa: PTH109 - as chdir takes it
    limit, collects = sys.getrecursionlimit(), gc.isenabled()

    def set_back() -> None:
        with suppress(OSError):  # it was removed
            os.chdir(folder)
        for name, value in variables.items():  # libraries set others when they are imported, and need them
            if os.environ.get(name) != value:
                os.environ[name] = value
        sys.setrecursionlimit(limit)
        (gc.enable if collects else gc.disable)()

    return set_back


def _own_names() -> Callable[[], None]:
    before = [(owner, dict(vars(owner))) for owner in _owners()]

    def set_back() -> None:
        for owner, names in before:
            now = vars(owner)
            for name, value in names.items():
                if now.get(name) is not value:
                    setattr(owner, name, value)

    return set_back


def _owners() -> list[ModuleType | type]:
    """Peabench's modules, and the classes that they define."""
    loaded = [module for name, module in list(sys.modules.items()) if name.partition(".")[0] == OWN]
    modules = [module for module in loaded if isinstance(module, ModuleType)]
    classes = [
        value
        for module in modules
        for value in list(vars(module).values())
        if inspect.isclass(value) and value.__module__ == module.__name__
    ]
    return [*modules, *classes]
