"""Many independent jobs, on cores by joblib or on machines by a Dask scheduler."""

from collections.abc import Callable, Sequence
from typing import Any

from bcikit.signal import MissingDependencyError, SourceError

STOPPED = "stopped (Ctrl-C) before it was computed"
"""What stands for the result of a job that a user did not wait for."""


def run_jobs(
    function: Callable[..., Any],
    work: Sequence[tuple[Any, ...]],
    *,
    jobs: int = 1,
    dask: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Any]:
    """Return ``function(*arguments)`` for each item of work, in order; `STOPPED` for what an interrupt left undone.

    What is done when a user interrupts is kept: hours of work are not lost to a key.

    Parameters
    ----------
    function : callable
        Importable by name.
    work : sequence of tuple
        Arguments.
    jobs : int
        Processes on this machine; each one uses one BLAS thread, as many matrices here are small.
    dask : str, optional
        Address of a Dask scheduler; bcikit must be installed where its workers run.
    progress : callable, optional
        Called with (done, all).
    """
    if dask is not None:
        return _by_dask(function, work, dask, progress)
    from joblib import Parallel, delayed

    calls = (delayed(_alone)(function, arguments) for arguments in work)
    results = []
    try:
        for result in Parallel(n_jobs=jobs, return_as="generator")(calls):
            results.append(result)
            if progress is not None:
                progress(len(results), len(work))
    except KeyboardInterrupt:
        results += [STOPPED] * (len(work) - len(results))
    return results


def _alone(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    """Run one job with one BLAS thread."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        return function(*arguments)


def _by_dask(
    function: Callable[..., Any],
    work: Sequence[tuple[Any, ...]],
    address: str,
    progress: Callable[[int, int], None] | None,
) -> list[Any]:
    try:
        from importlib import import_module

        distributed: Any = import_module("distributed")
    except ImportError:
        raise MissingDependencyError("distributed", "dask", "Evaluation on a Dask cluster") from None
    try:
        client = distributed.Client(address, timeout="10s", set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise SourceError(f"No Dask scheduler answers at {address}: {error}.") from error
    results: list[Any] = []
    with client, client.as_current():
        # What many jobs share is sent once, by its content: trials are large, and every job has the same.
        shared: dict[int, Any] = {}

        def sent(argument: Any) -> Any:
            if not hasattr(argument, "X"):
                return argument
            if id(argument) not in shared:
                shared[id(argument)] = client.scatter(argument, hash=True)
            return shared[id(argument)]

        futures = [client.submit(_spread, function, *map(sent, arguments), pure=False) for arguments in work]
        try:
            for done, _ in enumerate(distributed.as_completed(futures), start=1):
                if progress is not None:
                    progress(done, len(work))
        except KeyboardInterrupt:
            results = [future.result() if future.status == "finished" else STOPPED for future in futures]
            client.cancel(futures)
            return results
        return list(client.gather(futures))


def _spread(function: Callable[..., Any], *arguments: Any) -> Any:
    """Run one job on a worker, which has put what it shares in the place of its name."""
    return _alone(function, arguments)
