"""Teachers: loading a latent diffusion model from safetensors and cutting its denoiser into stages.

Does not sample pictures and never reads a file whose loading could execute code.
"""
