"""Routes that steer a run: stop it, go on, fork it, let its code reach a host."""

from __future__ import annotations

from fastapi import Response

from ..runtime.runtime import STILL
from .callers import CallerOf, needs
from .common import PartsOf, RunId, made, router, run_of_caller
from .problems import Problem
from .schemas import EgressIn, EgressOut, ForkIn, ResumeIn, RunOut
from .telling import as_json, runs_of

__all__ = ["steering"]

steering = router(tag="runs")


@steering.post("/runs/{run_id}/cancel", response_model=RunOut, dependencies=[needs("runs:write")])
def cancel_run(parts: PartsOf, caller: CallerOf, run_id: RunId) -> Response:
    """Have a run stop; `resume` lets it go on."""
    run_of_caller(parts, caller, run_id)
    (told,) = runs_of(parts.runtime, [parts.runtime.cancel(run_id)])
    return as_json(told)


@steering.post("/runs/{run_id}/pause", response_model=RunOut, dependencies=[needs("runs:write")])
def pause_run(parts: PartsOf, caller: CallerOf, run_id: RunId) -> Response:
    """Have a run stop for a while; `resume` lets it go on."""
    run_of_caller(parts, caller, run_id)
    (told,) = runs_of(parts.runtime, [parts.runtime.pause(run_id)])
    return as_json(told)


@steering.post("/runs/{run_id}/resume", response_model=RunOut, dependencies=[needs("runs:write")])
def resume_run(
    parts: PartsOf, caller: CallerOf, run_id: RunId, asked: ResumeIn | None = None
) -> Response:
    """Go on with a run that was stopped, or failed."""
    record = run_of_caller(parts, caller, run_id)
    if record.status not in STILL or record.status == "finished" or record.team is None:
        raise Problem(
            409, f"the run is {record.status}; only runs of teams that were stopped can go on."
        )
    budget = None if asked is None or asked.budget is None else asked.budget.limits()
    (told,) = runs_of(parts.runtime, [parts.runtime.resume(run_id, budget=budget)])
    return as_json(told)


@steering.post(
    "/runs/{run_id}/fork",
    status_code=201,
    response_model=RunOut,
    dependencies=[needs("runs:write")],
)
def fork_run(parts: PartsOf, caller: CallerOf, run_id: RunId, asked: ForkIn) -> Response:
    """A new run that shares the beginning of this one, which costs nothing."""
    run_of_caller(parts, caller, run_id)
    (told,) = runs_of(parts.runtime, [parts.runtime.fork(run_id, at=asked.at, edit=asked.edit)])
    return made(told)


@steering.post(
    "/runs/{run_id}/egress", response_model=EgressOut, dependencies=[needs("runs:write")]
)
def allow_host(parts: PartsOf, caller: CallerOf, run_id: RunId, asked: EgressIn) -> Response:
    """Let the code of a run reach a host that an `egress.refused` event named."""
    record = run_of_caller(parts, caller, run_id)
    if record.status in STILL:
        raise Problem(409, f"the run is {record.status}, and no code of it runs.")
    pattern = parts.runtime.allow_host(run_id, asked.host, port=asked.port, by=caller.name)
    return as_json({"run_id": run_id, "pattern": pattern})
