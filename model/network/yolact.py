"""The network: backbone, neck, protonet and prediction head (Bolya et al., arXiv:1904.02689, figure 2)."""

from __future__ import annotations

import copy
import dataclasses
from itertools import pairwise

from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from model.anchors import ANCHOR_FREE_STRIDES
from model.config import YolactConfig
from model.detection.raw_outputs import RawOutputs as RawOutputs
from model.errors import ConfigError
from model.input_shape import PADDED_TO, InputShape
from model.network.anchors import starting_boxes
from model.network.backbones import BACKBONES, Backbone
from model.network.fpn import FPN
from model.network.heads import AnchorFreeHead, MaskIoUNet, PredictionHead
from model.network.layers import initialise, start_at_rare
from model.network.pan import ResizingPan
from model.network.protonet import FineProtoNet, ProtoNet


class Yolact(nn.Module):
    """YOLACT and YOLACT++. The parts are public and can be replaced by others of the same interface.

    `anchors`: [A, 4] float32, cx cy w h relative to a square input; of an anchor-free head the grid's
    cells. `mask_iou_net` is None without re-scoring.
    """

    anchors: Tensor

    def __init__(
        self,
        config: YolactConfig,
        backbone: Backbone,
        fpn: FPN | ResizingPan,
        protonet: ProtoNet | FineProtoNet,
        head: PredictionHead | AnchorFreeHead,
        semantic_head: nn.Module,
        mask_iou_net: MaskIoUNet | None,
    ) -> None:
        super().__init__()
        self.config = config
        self.backbone = backbone
        self.fpn = fpn
        self.protonet = protonet
        self.head = head
        self.semantic_head = semantic_head
        self.mask_iou_net = mask_iou_net
        # a buffer, so that it follows the network to its device; computed, so never stored
        self.register_buffer("anchors", square_boxes(config), persistent=False)

    def set_image_size(self, image_size: int) -> None:
        """Set the side of the input, in pixels; anchors keep their size relative to it.

        A network without anchors takes inputs of any size; the side is used for `anchors` only.
        """
        self.config = dataclasses.replace(self.config, image_size=image_size)
        self.anchors = square_boxes(self.config).to(self.anchors.device)

    def forward(self, images: Tensor, with_masks: bool = True, with_levels: bool = False) -> RawOutputs:
        """Return the raw outputs for images.

        images: [B, 3, S, S] float, normalised RGB (`preprocess`), S = `config.image_size`; where the aspect
                ratio is kept [B, 3, h, w], both multiples of 32

        Without masks the protonet is skipped (paper, appendix A.1). With levels `RawOutputs.levels` are kept,
        which takes a backbone that offers them. Raises ValueError on another size.
        """
        self._check(images)
        if not with_levels:
            return self.interpret(self.backbone(images), with_masks)
        stem, c2, *features = self.backbone.levels(images)
        raw = self.interpret((c2, *features), with_masks)
        return raw._replace(level_2=stem, level_4=c2, level_8=features[0], level_16=features[1])

    def interpret(self, features: tuple[Tensor, ...], with_masks: bool = True) -> RawOutputs:
        """Return the raw outputs for features that the backbone has computed."""
        *fine, c3, c4, c5 = features
        levels = self.fpn(c3, c4, c5)
        rows = self.head(levels)
        prototypes = seen = None
        if with_masks and isinstance(self.protonet, FineProtoNet):
            seen = self.protonet.coarse_features(levels[0])
            prototypes = self.protonet.refined(seen, *fine)
        elif with_masks:
            seen, prototypes = levels[0], self.protonet(levels[0])
        return RawOutputs(
            rows.box_deltas.float(),
            rows.class_logits.float(),
            rows.mask_coefficients.float(),
            None if prototypes is None else prototypes.permute(0, 2, 3, 1).float(),
            self.semantic_head(seen).float() if self.training and seen is not None else None,
            rows.box_distribution,
        )

    def _check(self, images: Tensor) -> None:
        side = self.config.image_size
        if self.config.keeps_aspect_ratio:
            expected = f"[B, 3, h, w], h and w multiples of {PADDED_TO}"
            fits = (
                images.ndim == 4
                and images.shape[1] == 3
                and all(n % PADDED_TO == 0 for n in images.shape[2:])
            )
        else:
            expected = f"[B, 3, {side}, {side}]"
            fits = images.ndim == 4 and images.shape[1:] == (3, side, side)
        if not fits:
            raise ValueError(f"expected images of shape {expected}, got {list(images.shape)}")


def square_boxes(config: YolactConfig) -> Tensor:
    """Return the anchors or cells of a square input of the configuration's size: [A, 4] float32."""
    square = (config.image_size, config.image_size)
    return starting_boxes(config, InputShape(square, square))


def build_yolact(config: YolactConfig) -> Yolact:
    """Build a network with random weights, in training mode, on the CPU.

    Raises ConfigError on an unknown backbone, or on settings that do not fit each other.
    """
    if config.backbone.name not in BACKBONES:
        raise ConfigError(f"no backbone is named {config.backbone.name!r}; there are {', '.join(BACKBONES)}")
    backbone = BACKBONES[config.backbone.name](config.backbone)
    if config.anchors is None:
        return _build_anchor_free(config, backbone)
    channels, norm = config.fpn_channels, config.batch_norm
    semantic_head = nn.Conv2d(channels, config.num_classes, 1)
    initialise(semantic_head)
    return Yolact(
        config,
        backbone,
        FPN(backbone.channels, channels, norm),
        ProtoNet(
            channels, config.protonet_channels, config.protonet_out_channels, config.num_prototypes, norm
        ),
        PredictionHead(channels, config.num_classes, config.num_prototypes, config.anchors.per_cell, norm),
        semantic_head,
        MaskIoUNet(config.num_classes) if config.mask_iou else None,
    )


def _build_anchor_free(config: YolactConfig, backbone: Backbone) -> Yolact:
    head = config.anchor_free
    if head is None or not backbone.fine_channels:
        raise ConfigError(
            f"{config.name}: a network without anchors needs settings of its head and a backbone that gives "
            f"features at stride 4, which {config.backbone.name} does not"
            if head
            else f"{config.name}: expected settings of either anchors or an anchor-free head, got none"
        )
    channels, prototypes = config.fpn_channels, config.num_prototypes
    semantic_head = nn.Conv2d(config.protonet_out_channels, config.num_classes, 1)
    start_at_rare(semantic_head, config.num_classes)
    return Yolact(
        config,
        backbone,
        ResizingPan(backbone.channels, channels),
        FineProtoNet(
            channels,
            backbone.fine_channels,
            config.protonet_channels,
            config.protonet_out_channels,
            head.fine_layers,
            prototypes,
        ),
        AnchorFreeHead(
            channels,
            config.num_classes,
            config.num_coefficients,
            head.bins,
            head.mask_channels,
            len(ANCHOR_FREE_STRIDES),
        ),
        semantic_head,
        mask_iou_net=None,
    )


def fuse_batch_norms(network: Yolact) -> Yolact:
    """Return a copy in evaluation mode whose batch norms are folded into the convolutions before them.

    It is faster, computes the same up to rounding, and cannot be trained.
    """
    fused = copy.deepcopy(network).eval()
    for module in list(fused.modules()):
        _fuse_children(module)
    return fused


def _fuse_children(module: nn.Module) -> None:
    # in these networks a norm that is registered right after a convolution is applied right after it
    names = list(module._modules)
    for first, second in pairwise(names):
        convolution, norm = module._modules[first], module._modules[second]
        if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            module._modules[first] = fuse_conv_bn_eval(convolution, norm)
            module._modules[second] = nn.Identity()
