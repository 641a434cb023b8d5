"""The protocol of a benchmark: which jobs it measures, and which limits, tables and headlines are made from them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sciml.bench.headline import Headline
from sciml.bench.provenance import origin_text
from sciml.bench.report import Check, Section, check_table, joined
from sciml.bench.results import Raw
from sciml.bench.worker import Job
from sciml.checks import choice
from sciml.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """One benchmark: its jobs, and what is read from their raw results.

    Everything else is the same for all benchmarks: :func:`sciml.bench.runner.run_benchmark` measures, ``report`` shows.

    Attributes
    ----------
    name : on the command line and of the files
    title : of the page, one line
    groups : of jobs, by name, each with a line about it
    plan, quick : the published plan and a small one, dataclasses with a field ``quick``
    quick_note : what a quick run leaves out
    measured_code : files and folders of the package; a job is measured again when one of them has changed
    packages : whose versions are shown
    jobs : returns the jobs of a plan with some optional peers, in the order in which they run
    checks : returns every limit, with what the raw results say
    sections : returns the tables of everything that was measured
    headlines : returns the rows of the scoreboard
    legend : returns what the numbers count, as sentences
    losses : returns a sentence about each competitor that beats ours
    header : returns entries of the results beside plan, environment and jobs
    optional_peers : competitors that are measured on request, each with the group of jobs that it adds
    require_peer : raises an error in one sentence if an optional peer is not installed
    """

    name: str
    title: str
    groups: Mapping[str, str]
    plan: Any
    quick: Any
    quick_note: str
    measured_code: tuple[str, ...]
    packages: tuple[str, ...]
    jobs: Callable[[Any, Collection[str]], list[Job]]
    checks: Callable[[Raw], Sequence[Check]]
    sections: Callable[[Raw], list[Section]]
    headlines: Callable[[Raw], list[Headline]]
    legend: Callable[[Raw], str]
    losses: Callable[[Raw], list[str]] = lambda _: []
    header: Callable[[], dict[str, Any]] = dict
    optional_peers: Mapping[str, str] = field(default_factory=dict)
    require_peer: Callable[[str], None] = lambda _: None

    def code(self, jobs: Sequence[Job]) -> tuple[str, ...]:
        """Return the files and folders that decide about the results: the measured code and the configs of the jobs."""
        from sciml.config_files import find_config

        configs = {str(find_config(job["config"])) for job in jobs if job.get("config")}
        return (*self.measured_code, *sorted(configs))

    def file_name(self, plan: Any) -> str:
        """Return the name of the file for the results; a quick run never overwrites a full one."""
        return f"{self.name}_quick.json" if plan.quick else f"{self.name}.json"

    def peers_for(self, only: Collection[str], peers: Collection[str]) -> set[str]:
        """Return the optional peers that are asked for, by name or by their group.

        Raises
        ------
        InputError
            A group or a peer is not known.
        """
        if peers and not self.optional_peers:
            raise InputError(
                f"'sciml bench {self.name}' has no optional peers, got {', '.join(peers)}; leave them out."
            )
        for name in only:
            choice(f"the group of 'sciml bench {self.name}'", name, self.groups)
        for name in peers:
            choice(f"the optional peer of 'sciml bench {self.name}'", name, self.optional_peers)
        return {*peers, *(peer for peer, group in self.optional_peers.items() if group in only)}

    def report(self, raw: Raw) -> str:
        """Return limits, tables, losses and provenance as one Markdown text, for the terminal."""
        quick = raw["plan"]["quick"]
        limits = check_table(self.checks(raw), quick=quick)
        sections = (section.text() for section in self.sections(raw) if section.table)
        return joined(self.quick_note if quick else "", limits, *sections, " ".join(self.losses(raw)), self.origin(raw))

    def origin(self, raw: Raw) -> str:
        """Return what the numbers count, and where, when and from which code they come."""
        return f"{self.legend(raw)} {origin_text(raw, self.packages)}"
