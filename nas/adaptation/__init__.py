"""After the search: what becomes of the winner.

It leaves as a diffusers folder and ONNX (`package`, `export`). Its latents may get more channels before the search
(`expansion`); after it the whole network is fine-tuned (`fine_tuning`) and learns to restore pictures, in one step
(`restoration`). `baselines` and `frechet` say what all of that was worth. Does not choose the winner and
does not measure its cost.
"""
