"""Functions run in child processes, raced against each other, and stopped without leaving any.

``job``         what is run (`Job`) and what came out (`RaceResult`)
``race``        `race`: several jobs, each in a process of its own; the first decisive one wins
``inline``      `run_inline`: one job in this process, with the same outcome type
``interrupts``  `terminate_as_interrupt`, and the deferral of signals while children exist
``program``     whether this process is the program, so that it may be copied
``nursery``     copies of it that wait for a job
``child``       the parent's side of one process
``worker``      the child's side, in a copy or as ``python -m ermbit.processes.worker``
``target``      what a running function is given (`Report`), and the wording of failures
``protocol``    length-prefixed frames over pipes
``limits``      memory limits, and what a process tree uses
``load``        how crowded the machine is: seconds of the clock for one of processor time
``lifeline``    what makes a child die with its parent

This module imports nothing, because every child imports it before it starts to work.
"""
