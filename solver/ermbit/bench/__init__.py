"""Running any instances with any solvers under equal limits, checking every answer, comparing.

``case``        one question (`Case`), and what is known of its answer
``collection``  from files, folders, lists, the library and families to cases
``solver``      a solver is a command (`Solver`): engines of ermbit, and any peer
``shipped``     the peers that come with the source tree
``process``     one command with limits on time, memory and processors
``guard``       cleans up if the benchmark itself is killed
``reply``       what a command says: one JSON object
``checking``    whether the certificate of a reply is right, exactly
``agreement``   wrong answers: what contradicts a checked certificate, or what is known
``records``     results as a CSV file that only grows
``runs``        every solver on every case, some side by side
``scores``      solved, PAR-2, the best peer of every case
``tables``      tables in Markdown
``plots``       cactus and scatter plots

The verifier does not import it; peers share nothing with it but JSON.
"""
