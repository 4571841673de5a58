"""Floor 1 of ermbit: what is asked. Numbers, networks, domains, data, losses, instances.

Knows nothing of solving. See :mod:`ermbit_instances.instance` for the way in.
"""
