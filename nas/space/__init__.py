"""What may be built: teachers cut into stages, and the surrogate blocks that can stand in for them.

Does not train, measure or choose anything.
"""
