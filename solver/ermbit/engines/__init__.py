"""The engines, a package or a module each; :mod:`ermbit.engines.registry` lists them.

``engine``              what an engine is, and what it reports
``registry``            the table of engines
``worker``              one run of one engine in a process of its own

``exhaustive``          all assignments                              finite domains
``tables``              sums of units that share nothing             finite domains
``deep_tables``         any depth                                    finite domains
``two_layers``          two hidden layers                            finite domains
``deep_fits``           exact fits, any depth                        finite domains
``enclosures``          any depth, numbers of any length             finite domains
``sat``                 clauses, CaDiCaL                             finite domains
``halfspaces``          one neuron, number of errors                 real weights
``hitting_sets``        one neuron, number of errors, any dimension  real weights
``cells``               one hidden layer                             real weights
``dichotomies``         one hidden layer of two-valued units         real weights
``lifting``             polynomial activations                       all domains
``elimination``         exact fits as polynomial systems             all domains
``mixed``               ``smt``, ``nra``, ``coverings``: general solvers  all domains
``invariant``           networks as symmetric as the data, no refutations  all domains
``training``            good networks, no refutations                all domains

``enumerable``, ``enumeration_bounds``  the start of every enumeration, and its number bounds
``integer_activation``  activations on arrays of assignments
``total_search``        deciding and minimising by searches over all assignments
``threshold_search``    minimising by deciding
``choice_bits``         how general solvers' time grows with the choices
``linear_classifier``   linear classifiers as systems of linear forms
``one_hidden_layer``    the parts of networks with one hidden layer of real units
``real_incumbents``     what a search over real weights has found, and what is inside the domains
"""
