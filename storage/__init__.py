"""Where searches, trials and artifacts are kept: SQL rows and content-addressed files.

Decides nothing about a search, knows no tensors, no workers and no HTTP, and is imported by nobody
but the composition root. Rows hold domain values as their own JSON beside the columns that queries
need, all of which follow from it. What users write (intent, bounds, trash) stands apart, so that no
coordinator can overwrite it.
"""
