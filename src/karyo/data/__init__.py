"""From files to batches: records, layouts, splits, leak check, prepared images, augmentation, Lightning data module."""
