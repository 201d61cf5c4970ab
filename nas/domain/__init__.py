"""The vocabulary of a search: immutable values, no tensors and no input or output.

The same object lives in memory, in a JSON column and on the wire. Feasibility is computed, never
stored, because bounds move; a genotype (`Architecture`) never contains weights.
"""
