"""Search strategies: which architecture to try next.

A strategy sees a space, a problem, exact prices and the history of trials; it answers with
suggestions. It evaluates nothing, stores nothing and starts no process: its state is a function of
the trials. Torch, Ax and BoTorch are imported only when a suggestion needs them.
"""

import nas.strategy.epsilon_constraint
import nas.strategy.pareto
import nas.strategy.random
import nas.strategy.sobol
