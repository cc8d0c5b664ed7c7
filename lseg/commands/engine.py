"""Who does the pictures of a command, as options say, and what its index shall tell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from lseg.commands.model import model_from
from lseg.commands.options.shared import EngineOptions, PictureRunOptions, RunOptions
from lseg.commands.output import Destination
from lseg.commands.record import OptionsRecord
from lseg.errors import ConfigError
from lseg.evaluation.report import versions
from lseg.inference.sharding import Shard, process_group
from lseg.models.network import Network
from lseg.pipeline.counting import CountEngine, Counter, CountJob, LocalCounting
from lseg.pipeline.local import LocalEngine
from lseg.pipeline.loop import Patience
from lseg.pipeline.remote import store
from lseg.pipeline.rows import Row
from lseg.pipeline.run import Engine, Outcome, PictureRun
from lseg.pipeline.step import Job, Step
from lseg.pipeline.worker import Place
from lseg.store.tensors import fingerprint

if TYPE_CHECKING:
    from lseg.pipeline.ray_actors import Actors

NetworkT = TypeVar("NetworkT", bound=Network)


def model_here(options: EngineOptions, kind: type[NetworkT]) -> NetworkT:
    """The model in this process: with another engine it encodes labels alone, on the processor."""
    if options.engine != "local":
        options = replace(options, device="cpu", precision="fp32", compile=False)
    return model_from(options, kind)


def do_run(
    options: PictureRunOptions,
    rows: Sequence[Row],
    out: Destination,
    record: OptionsRecord,
    job: Job,
    step: Step[Any],
    resume: bool = True,
) -> Outcome:
    """Does a run on the engine that options name; in the group of this process, if it is in one.

    Args:
        options: Of the command.
        rows: The pictures, of all processes.
        out: Where results go.
        record: Of the options.
        job: What is made of a picture, for other processes.
        step: The same with the network of this one.
        resume: Whether finished pictures are left as they are.
    """
    place = Place(out.folder, record.command, resume, options.verify, out.address)
    run = PictureRun(
        rows, place, job, step.writer.endings, patience_of(options), versions(),
        lambda entry: record.write(),
    )  # fmt: skip
    with process_group(Shard.of_process(), needed=False):
        outcome = engine_of(options, step).run(run)
    if out.address is not None and record.path.is_file():
        store(record.path, f"{out.address}/{record.path.name}")
    return outcome


def engine_of(options: PictureRunOptions, step: Step[Any]) -> Engine:
    """The engine that options name.

    Raises:
        ConfigError: See `require_engine`.
    """
    actors = require_engine(options)
    if actors is None:
        return LocalEngine(step, Shard.of_process())
    from lseg.pipeline.ray_engine import RayEngine

    return RayEngine(actors)


def counting_engine(options: EngineOptions, job: CountJob, counter: Counter) -> CountEngine:
    """The engine that options name, for counts; see `engine_of`.

    Args:
        options: Of the command.
        job: What is counted, for other processes.
        counter: The same with the network of this one.
    """
    actors = require_engine(options)
    if actors is None:
        return LocalCounting(counter, Shard.of_process())
    from lseg.pipeline.ray_counting import RayCounting

    return RayCounting(actors, job)


def require_engine(options: EngineOptions) -> Actors | None:
    """The actors that options name; None for the plain engine.

    Raises:
        ConfigError: If Ray is not installed, or torchrun has started this process.
    """
    if options.engine == "local":
        return None
    if Shard.of_process().world > 1:
        raise ConfigError("--engine ray starts processes itself: run it without torchrun")
    try:
        from lseg.pipeline.ray_actors import Actors
    except ImportError as error:
        raise ConfigError('--engine ray needs Ray Data: pip install "lseg[ray]"') from error
    return Actors(options.actors, options.device != "cpu")


@contextmanager
def engine_started(options: EngineOptions) -> Iterator[None]:
    """For the block, what the engine needs is there, and need not be started for each run in it."""
    if require_engine(options) is None:
        yield
        return
    from lseg.pipeline.ray_actors import cluster

    with cluster():
        yield


def patience_of(options: RunOptions) -> Patience:
    """How many broken files a run bears."""
    return Patience(options.strict, options.max_errors)


def network_settings(options: PictureRunOptions, model: Network) -> dict[str, Any]:
    """What of a network, and of how it computes, decides over the files."""
    config = model.config.to_dict()
    config.pop("text", None)  # where label vectors came from; which they are is told elsewhere
    return {
        "weights": fingerprint(model),
        "config": config,
        "size": getattr(options, "size", None),
        "orientation": options.orientation,
        "precision": options.precision,
        "compiled": options.compile,
        "versions": versions(),
    }


def refuse_engine(options: EngineOptions, what: str) -> None:
    """Refuses other engines for what this process makes.

    Raises:
        ConfigError: If one is asked for.
    """
    if options.engine != "local":
        raise ConfigError(f"{what} is not made by --engine {options.engine}: leave that out")


def refuse_address(out: Destination, what: str) -> None:
    """Refuses an address for what is made in a folder.

    Raises:
        ConfigError: If `out` is one.
    """
    if out.address is not None:
        raise ConfigError(f"{what} is made in a folder, not at {out}: give another --out")
