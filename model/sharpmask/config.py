"""Frozen configurations of DeepMask and SharpMask, and the presets by name."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from model.errors import ConfigError

TrunkName = Literal["resnet50", "vgg_a", "csp"]
StageName = Literal["mask", "refine"]
HeadName = Literal["original", "A", "B", "C"]
PaddingName = Literal["symmetric", "reflect"]

STAGES: tuple[StageName, ...] = ("mask", "refine")
FORMAT = "livemask sharpmask"
"""Of the project's own weights files."""
"""Of training: masks and scores first, then the refinement with everything else frozen."""

# channels of the levels at strides 2, 4, 8 and 16
TRUNK_CHANNELS: dict[TrunkName, tuple[int, ...]] = {
    "resnet50": (64, 256, 512, 1024),
    "vgg_a": (64, 128, 256, 512),
    "csp": (32, 64, 128, 256),
}


@dataclass(frozen=True)
class SharpMaskConfig:
    """A proposal network, as the second paper's table names them: W160-P4-D39-F128, and its heads.

    trunk:          feature extractor; its `pools` first halvings are used, so the stride is 2 ** pools
    window:         side of a window in pixels, a multiple of the stride
    features:       channels of the 1x1 convolution behind the trunk; 0 leaves it out
    code:           length of the vector that a window is described by
    score_hidden:   units of the score head's hidden layer
    mask_side:      side of the coarse mask in pixels
    head:           how much mask and score share: `original` the first paper's two branches; of the second
                    paper's, A shares the trunk, B the 1x1 convolution too, C everything up to the code
    refine_width:   channels of the first mask encoding; each refinement module halves them. 0: DeepMask
    padding:        of the 3x3 convolutions of a ResNet-50; `reflect` is what the PyTorch port trained with
    pretrained:     address of published weights, or ""
    licence:        of those weights, as far as it is stated
    """

    name: str
    trunk: TrunkName = "resnet50"
    window: int = 160
    pools: int = 4
    features: int = 128
    code: int = 512
    score_hidden: int = 1024
    mask_side: int = 56
    head: HeadName = "C"
    refine_width: int = 0
    padding: PaddingName = "symmetric"
    pretrained: str = ""
    licence: str = ""

    def __post_init__(self) -> None:
        if self.trunk not in TRUNK_CHANNELS or self.head not in ("original", "A", "B", "C"):
            raise ConfigError(f"{self.name}: there is no trunk {self.trunk!r} with a head {self.head!r}")
        if self.padding not in ("symmetric", "reflect"):
            raise ConfigError(f"{self.name}: there is no padding {self.padding!r}: symmetric or reflect")
        if not 1 <= self.pools <= len(TRUNK_CHANNELS[self.trunk]):
            raise ConfigError(f"{self.name}: pools should be 1 to 4, got {self.pools}")
        if self.window <= 0 or self.window % self.stride:
            raise ConfigError(
                f"{self.name}: the window should be a multiple of {self.stride} px, got {self.window} px"
            )
        if self.refine_width % 2**self.pools:
            raise ConfigError(f"{self.name}: refine_width should be a multiple of {2**self.pools}, or 0")
        if min(self.code, self.score_hidden, self.mask_side) < 1 or self.features < 0:
            raise ConfigError(f"{self.name}: sizes of layers should be positive")

    @property
    def stride(self) -> int:
        """Distance of neighbouring windows in pixels."""
        return int(2**self.pools)

    @property
    def grid(self) -> int:
        """Side of a window in cells of the last level."""
        return self.window // self.stride

    @property
    def rim(self) -> int:
        """Pixels that a training patch has beyond the window, on each side."""
        return 16

    @property
    def patch(self) -> int:
        """Side of a training patch in pixels."""
        return self.window + 2 * self.rim

    @property
    def image_size(self) -> int:
        """Side of a window in pixels, where other networks have the side of their input."""
        return self.window

    @property
    def refines(self) -> bool:
        """True if masks are refined by the trunk's finer levels (SharpMask)."""
        return self.refine_width > 0

    @property
    def levels(self) -> tuple[int, ...]:
        """Channels of the trunk's levels that are used, finest first."""
        return TRUNK_CHANNELS[self.trunk][: self.pools]

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain values, for a file."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> SharpMaskConfig:
        """Rebuild a configuration from `to_dict`. Raises ConfigError on values that make no sense."""
        try:
            return cls(**values)
        except TypeError as error:
            raise ConfigError(f"not a configuration of a proposal network: {error}") from error


_PORT = "https://www.robots.ox.ac.uk/~qwang/DeepMask.pth.tar"
_PORT_LICENCE = "code MIT, none stated for the weights"

DEEPMASK_RESNET50 = SharpMaskConfig("deepmask_resnet50")
DEEPMASK_PORT = replace(
    DEEPMASK_RESNET50, name="deepmask_port", padding="reflect", pretrained=_PORT, licence=_PORT_LICENCE
)
SHARPMASK_RESNET50 = SharpMaskConfig("sharpmask_resnet50", refine_width=32)
DEEPMASK_VGG = SharpMaskConfig("deepmask_vgg", trunk="vgg_a", window=224, features=512, head="original")
SHARPMASK_LITE = SharpMaskConfig(
    "sharpmask_lite", trunk="csp", features=48, code=256, score_hidden=512, refine_width=32
)

SHARPMASK_PRESETS: dict[str, SharpMaskConfig] = {
    config.name: config
    for config in (
        DEEPMASK_RESNET50,
        DEEPMASK_PORT,
        SHARPMASK_RESNET50,
        SHARPMASK_LITE,
        replace(SHARPMASK_LITE, name="deepmask_lite", refine_width=0),
        DEEPMASK_VGG,
        # heads of the second paper
        replace(DEEPMASK_RESNET50, name="deepmask_resnet50_a", head="A"),
        replace(DEEPMASK_RESNET50, name="deepmask_resnet50_b", head="B"),
        # trunks of its table
        SharpMaskConfig("w160_p4_d8_vgg", trunk="vgg_a", features=0),
        SharpMaskConfig("w160_p4_d39", features=0),
        SharpMaskConfig("w160_p4_d39_f128"),
        SharpMaskConfig("w112_p4_d39", window=112, features=0),
        SharpMaskConfig("w112_p3_d21", window=112, pools=3, features=0),
        SharpMaskConfig("w112_p3_d21_f128", window=112, pools=3),
    )
}
