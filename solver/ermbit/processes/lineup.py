"""The jobs of a race: which of them wait, which of them run, and how they share memory."""

from __future__ import annotations

from collections.abc import Sequence

from ermbit.processes import child as children
from ermbit.processes import protocol
from ermbit.processes.child import Child
from ermbit.processes.job import Job
from ermbit.processes.nursery import Nursery
from ermbit.processes.target import one_line, reason_of


class Lineup:
    """Jobs before their start and after it, until they end.

    Args:
        jobs: in the order of their start.
        memory: bytes for all that run at the same time; ``None`` for no limit.
        inbox: where the children's messages go.
        deadline: of :func:`time.monotonic`, at which the jobs should stop by themselves.
    """

    def __init__(
        self,
        jobs: Sequence[Job],
        *,
        memory: int | None,
        inbox: children.Inbox,
        deadline: float | None,
    ) -> None:
        self.memory = memory
        self.deadline = deadline
        self.waiting = list(jobs)
        self.running: list[Child] = []
        self._jobs = {job.name: job for job in jobs}
        self._inbox = inbox
        self._nursery = Nursery()

    def prepare(self, places: int) -> None:
        """Fork workers for the jobs; to be called before any is started, and `close` at the end."""
        self._nursery.fill(len(self.waiting), self.share(places))

    def close(self) -> None:
        """Let go of the workers that were not needed."""
        self._nursery.close()

    def share(self, places: int) -> int | None:
        """Bytes for each child where so many may live at the same time."""
        if self.memory is None:
            return None
        return self.memory // max(1, min(places, len(self.running) + len(self.waiting)))

    def raise_limits(self, places: int) -> None:
        """Let the children have the shares of those that have ended."""
        share = self.share(places)
        if share is not None:
            for child in self.running:
                child.raise_limit(share)

    def start(self, name: str, places: int) -> str | None:
        """Start a job that waits; the reason in one line if that cannot be done."""
        job = self._jobs[name]
        share = self.share(places)  # the job counts
        self.waiting.remove(job)
        try:
            payload = protocol.encode(job.payload)
            try:
                child = self._child(name, payload, share)
            except (OSError, RuntimeError):
                if not self._nursery.close():  # copies take the places of processes and threads
                    raise
                child = self._child(name, payload, share)
        except Exception as error:  # pickling may raise anything, a full system OSError
            return one_line(f"could not start: {reason_of(error)}")
        self.running.append(child)
        return None

    def _child(self, name: str, payload: bytes, limit: int | None) -> Child:
        return Child(
            name,
            self._jobs[name].target,
            payload,
            self._inbox,
            limit=limit,
            deadline=self.deadline,
            process=self._nursery.take(),
        )

    def remove(self, child: Child) -> None:
        """Stop a child that has nothing more to say."""
        children.stop([child])
        self.running.remove(child)

    def wait_again(self, name: str) -> None:
        """Enter a job that was started among those that wait, in their order."""
        names = {name, *(job.name for job in self.waiting)}
        self.waiting = [job for job in self._jobs.values() if job.name in names]

    def beyond(self, places: int) -> list[Child]:
        """Children that are not among the first so many of the jobs that are left."""
        left = {*(job.name for job in self.waiting), *(child.name for child in self.running)}
        first = [name for name in self._jobs if name in left][:places]
        return [child for child in self.running if child.name not in first]
