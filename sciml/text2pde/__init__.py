"""Generative simulation in latent space: a whole trajectory from its first frame, as an ensemble in few calls.

After Zhou, Li, Schneier, Buchanan and Barati Farimani, *Text2PDE: latent diffusion models for accessible physics
simulation*, ICLR 2025 (arXiv 2410.01153): an autoencoder compresses trajectories, and a diffusion transformer draws
latents of whole trajectories, without steps in time, for a condition such as the first frame.

Here, the autoencoder starts as principal components of patches, which need no training, and learns what these miss:

>>> import torch
>>> from sciml.text2pde import PatchAutoencoder
>>> times, x = torch.linspace(0, 1, 8)[:, None], torch.linspace(0, 6.28, 32)
>>> waves = torch.stack([torch.sin(x - shift - times) for shift in range(6)])[:, None]    # 6 trajectories, 1 field
>>> autoencoder = PatchAutoencoder((8, 32), patch=(4, 8), channels=1, latent_channels=2)
>>> autoencoder.fit(lambda: [waves])
>>> latents = autoencoder.encode(waves)
>>> latents.shape, bool((autoencoder.decode(latents) - waves).abs().max() < 1e-5)
(torch.Size([6, 2, 2, 4]), True)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sciml.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from sciml.text2pde.autoencoder_task import AutoencoderTask
    from sciml.text2pde.autoencoders import Autoencoder, Posterior
    from sciml.text2pde.captions import ChannelFlow, FlowCaptions, Prompt, read_prompt, write_caption
    from sciml.text2pde.conditioner import FirstFrameConditioner
    from sciml.text2pde.convolutional_autoencoder import ConvolutionalAutoencoder
    from sciml.text2pde.discriminator import PatchDiscriminator
    from sciml.text2pde.divergence import DivergenceFree
    from sciml.text2pde.first_frame_task import FirstFrameTask
    from sciml.text2pde.mean_regression import MeanRegression
    from sciml.text2pde.mirror import Mirror
    from sciml.text2pde.patch_autoencoder import PatchAutoencoder
    from sciml.text2pde.patch_pca import PatchPCA
    from sciml.text2pde.text_conditioner import TextConditioner

_HOMES = {
    "Autoencoder": "sciml.text2pde.autoencoders",
    "AutoencoderTask": "sciml.text2pde.autoencoder_task",
    "ChannelFlow": "sciml.text2pde.captions",
    "ConvolutionalAutoencoder": "sciml.text2pde.convolutional_autoencoder",
    "DivergenceFree": "sciml.text2pde.divergence",
    "FirstFrameConditioner": "sciml.text2pde.conditioner",
    "FirstFrameTask": "sciml.text2pde.first_frame_task",
    "FlowCaptions": "sciml.text2pde.captions",
    "MeanRegression": "sciml.text2pde.mean_regression",
    "Mirror": "sciml.text2pde.mirror",
    "PatchAutoencoder": "sciml.text2pde.patch_autoencoder",
    "PatchDiscriminator": "sciml.text2pde.discriminator",
    "PatchPCA": "sciml.text2pde.patch_pca",
    "Posterior": "sciml.text2pde.autoencoders",
    "Prompt": "sciml.text2pde.captions",
    "TextConditioner": "sciml.text2pde.text_conditioner",
    "read_prompt": "sciml.text2pde.captions",
    "write_caption": "sciml.text2pde.captions",
}
__all__ = [
    "Autoencoder",
    "AutoencoderTask",
    "ChannelFlow",
    "ConvolutionalAutoencoder",
    "DivergenceFree",
    "FirstFrameConditioner",
    "FirstFrameTask",
    "FlowCaptions",
    "MeanRegression",
    "Mirror",
    "PatchAutoencoder",
    "PatchDiscriminator",
    "PatchPCA",
    "Posterior",
    "Prompt",
    "TextConditioner",
    "read_prompt",
    "write_caption",
]

__getattr__, __dir__ = lazy_exports(__name__, _HOMES)
