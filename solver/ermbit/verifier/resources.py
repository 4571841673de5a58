"""How long the numbers of an escalation may become, from the memory at hand."""

from __future__ import annotations

from ermbit_instances.instance import Instance

DEFAULT_MEMORY = 1024
"""Megabytes, where nothing else is said."""


def ball_limits(instance: Instance, memory: int | None) -> int:
    """Bits of the longest mantissa.

    A sample's signals are all alive at the same time, each as a ball; so are the partial
    derivatives, and products need room of their own.

    Args:
        instance: its network says how many numbers are alive.
        memory: megabytes, or ``None`` for :data:`DEFAULT_MEMORY`.
    """
    network = instance.network
    alive = network.node_count + network.parameter_count + len(instance.data) + 64
    total = 8 * 2**20 * (DEFAULT_MEMORY if memory is None else memory)
    return max(total // (4 * alive), 256)
