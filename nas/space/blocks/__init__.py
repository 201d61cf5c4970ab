"""Surrogate-block families, one self-contained file each, joined in `catalogue`.

Builds and initialises blocks from the teacher's weights. Does not train them and does not know what
they cost.
"""
