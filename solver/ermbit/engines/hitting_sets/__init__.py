"""One real neuron under ``zero_one``, in any dimension: least hitting sets of conflicts.

``engine``  what it is complete for; conflicts and hitting sets
``gordan``  solutions or minimal conflicts of systems a·θ > 0
"""
