"""Where jobs run: in this process, or on Ray.

Turns a `Job` into an `Outcome`, whatever happens on the way: a result, or a failure that says whether
another attempt is worthwhile. Knows no database (an artifact store and a journal are handed in) and
decides nothing: retries, order and budget belong to the engine.
"""
