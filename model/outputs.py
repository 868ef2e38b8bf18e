"""Names of a network's outputs; imports no torch."""

BOX_OUTPUTS = ("box_deltas", "class_logits", "mask_coefficients")
PROTOTYPES = "prototypes"
OUTPUTS = (*BOX_OUTPUTS, PROTOTYPES)
"""The outputs by name, in the order and layout of `RawOutputs`."""
LEVELS = ("level_2", "level_4", "level_8", "level_16")
"""Outputs of the backbone's features, by their stride."""
