"""Combinatorial problems as training problems: instances with provable answers.

One module a source problem. Each has, as plain functions,

* ``instance(source, ...)``: the instance document, sat iff the source has a solution;
* ``certificate(solution, ...)``: values of the free parameters, by parameter number, that reach the
  threshold (with the source as first argument where it is needed);
* ``solution(source, values, ...)``: the way back, from any values by parameter number (such as
  ``Certificate.values``) that reach the threshold, rational or algebraic;
* ``solve(source)``: a solution found by exact search, for small sources.

The theorems are in docs/reductions.md, by the section that each module names. The families of
:mod:`ermbit_instances.families` call these modules, which therefore import none of that package.
"""
