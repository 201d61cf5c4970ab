"""After the search: the winner leaves as a network of its own.

Exports a diffusers folder and ONNX. Fine-tuning, restoration tasks and one-step distillation will
live here too. Does not choose the winner and does not measure it.
"""
