"""Pools that cells are spread over: joblib's own processes, Ray or Dask, each by joblib's back end for it.

The libraries are imported where a pool is opened: the command line names the back ends without waiting for them.
"""

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from peabench.errors import PeabenchError

if TYPE_CHECKING:
    from joblib import Parallel


class Backend(StrEnum):
    """What runs the cells."""

    processes = "processes"
    ray = "ray"
    dask = "dask"


@dataclass(frozen=True)
class Pool:
    """A pool that is open."""

    parallel: "Callable[[], Parallel]"
    """Makes a `joblib.Parallel` on it, which gives results as they come."""
    broken: tuple[type[BaseException], ...]
    """What it raises when its workers, which run no scorer's code themselves, are killed."""
    leader: int | None
    """Process id that its workers have to watch, as they would outlive it; None where the pool ends them itself."""


@contextmanager
def open_pool(backend: Backend, jobs: int | None = None, cluster: str | None = None) -> Iterator[Pool]:
    """Open a pool, and close it at the end.

    Args:
        backend: whose.
        jobs: workers on this machine; by default as many as there are cores. An existing cluster says itself.
        cluster: address of an existing Ray or Dask cluster; without it one is started on this machine.

    Raises:
        PeabenchError: the back end is not installed, has no cluster, or the cluster cannot be reached.
    """
    from joblib import cpu_count

    if backend is Backend.processes:
        from joblib.externals.loky.process_executor import TerminatedWorkerError

        if cluster is not None:
            raise PeabenchError("--cluster names a Ray or Dask cluster; give --backend ray or dask with it.")
        yield Pool(lambda: _parallel("loky", jobs or cpu_count()), (TerminatedWorkerError,), os.getpid())
    else:
        library_pool = _dask_pool if backend is Backend.dask else _ray_pool
        with library_pool(jobs or cpu_count(), cluster) as pool:
            yield pool


def _parallel(backend: str, jobs: int, pre_dispatch: str = "2*n_jobs", **options: Any) -> "Parallel":
    from joblib import Parallel, parallel_config

    with parallel_config(backend=backend, **options):
        return Parallel(n_jobs=jobs, return_as="generator_unordered", batch_size=1, pre_dispatch=pre_dispatch)


@contextmanager
def _dask_pool(jobs: int, cluster: str | None) -> Iterator[Pool]:
    try:
        from distributed import Client, KilledWorker, LocalCluster
    except ImportError as error:
        raise _missing("dask") from error
    options = {"threads_per_worker": 1, "memory_limit": 0, "dashboard_address": None, "silence_logs": logging.CRITICAL}
    try:
        address = LocalCluster(n_workers=jobs, **options) if cluster is None else cluster
        client = Client(address)
    except (OSError, ValueError) as error:
        raise _unreachable("Dask", cluster, error) from error
    try:
        client.wait_for_workers(1)  # of a cluster whose workers stand in a queue, the first may take hours
        # All cells at once, as workers may join at any time.
        yield Pool(lambda: _parallel("dask", -1, "all", client=client), (KilledWorker,), None)
    finally:
        client.close()
        if not isinstance(address, str):
            address.close()


@contextmanager
def _ray_pool(jobs: int, cluster: str | None) -> Iterator[Pool]:
    try:
        import ray
        from joblib import register_parallel_backend
        from ray.util.joblib import register_ray
        from ray.util.joblib.ray_backend import RayBackend
    except ImportError as error:
        raise _missing("ray") from error

    class StreamingRayBackend(RayBackend):  # type: ignore[misc]  # it may not be there
        """Ray's back end, which gives results as they come but does not say so."""

        supports_return_generator = True

    register_ray()
    register_parallel_backend("ray", StreamingRayBackend)
    options: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": True}
    if cluster is None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # a cluster that lives for a run reports to nobody
        options |= {"address": "local", "num_cpus": jobs, "include_dashboard": False}
    else:
        options |= {"address": cluster}
    try:
        ray.init(**options)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise _unreachable("Ray", cluster, error) from error
    try:
        yield Pool(lambda: _parallel("ray", -1), (ray.exceptions.RayActorError,), None)
    finally:
        ray.shutdown()


def _missing(extra: str) -> PeabenchError:
    return PeabenchError(f"--backend {extra} needs a package that is missing; run `pip install 'peabench[{extra}]'`.")


def _unreachable(name: str, cluster: str | None, error: BaseException) -> PeabenchError:
    place = "on this machine could not be started" if cluster is None else f"at {cluster} could not be reached"
    return PeabenchError(f"The {name} cluster {place} ({type(error).__name__}: {error}); check it and its address.")
