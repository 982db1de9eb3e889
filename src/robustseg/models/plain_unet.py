"""nnU-Net's plain convolutional U-Net, two-dimensional."""

import math
from collections.abc import Sequence

from dynamic_network_architectures.architectures.unet import PlainConvUNet
from dynamic_network_architectures.initialization.weight_init import InitWeights_He
from torch import Tensor, nn


class PlainUNet(nn.Module):
    """Encoder-decoder of strided convolutions, batch norm and leaky ReLU.

    With the default widths this is the network of the T-Loss paper's public code (nnU-Net's
    Generic_UNet: five strided poolings, two convolutions per stage, transposed-convolution
    upsampling, He initialisation, no dropout), with one sigmoid channel for its two softmax ones
    and without the auxiliary heads that deep supervision would train (18.67 M parameters).

    Source: Isensee et al., nnU-Net, Nature Methods 2021; dynamic-network-architectures.

    Args:
        in_channels: channels of the image, 1 or 3.
        features: width of each stage, from full resolution down; each stage halves the size.
        classes: channels of the output: 1, the logit of the foreground; or one per class.

    Shapes: (B, in_channels, H, W) → (B, classes, H, W), H and W multiples of 2^(stages − 1).

    Raises:
        ValueError: features is no such list; or H or W is not such a multiple.
    """

    def __init__(self, in_channels: int, features: list[int], classes: int = 1) -> None:
        super().__init__()
        _check_features(features)
        stages = len(features)
        self.multiple = 2 ** (stages - 1)
        self.network = PlainConvUNet(
            input_channels=in_channels,
            n_stages=stages,
            features_per_stage=list(features),
            conv_op=nn.Conv2d,
            kernel_sizes=3,
            strides=[1] + [2] * (stages - 1),
            n_conv_per_stage=2,
            num_classes=classes,
            n_conv_per_stage_decoder=2,
            conv_bias=True,
            norm_op=nn.BatchNorm2d,
            norm_op_kwargs={"eps": 1e-5, "affine": True},
            nonlin=nn.LeakyReLU,
            nonlin_kwargs={"negative_slope": 1e-2, "inplace": True},
        )
        # Heads below full resolution get no gradient without deep supervision.
        self.network.decoder.seg_layers = self.network.decoder.seg_layers[-1:]
        self.network.apply(InitWeights_He(1e-2))

    def forward(self, images: Tensor) -> Tensor:
        """Logits of normalised images."""
        height, width = images.shape[-2:]
        if height % self.multiple or width % self.multiple:
            nearest = self.multiple * math.ceil(max(height, width) / self.multiple)
            raise ValueError(
                f"image size {height}×{width} is not a multiple of {self.multiple}, which this "
                f"network's {len(self.network.encoder.stages)} stages need: "
                f"set dataset.image_size={nearest}"
            )
        return self.network(images)


def _check_features(features: object) -> None:
    """Refuse what is no list of two or more widths; OmegaConf has lists of its own."""
    widths = features if isinstance(features, Sequence) else ()
    if len(widths) < 2 or any(type(width) is not int or width < 1 for width in widths):
        raise ValueError(
            "features needs a list of two or more whole numbers of at least 1, such as "
            f"[8,16,32], not {features}"
        )
