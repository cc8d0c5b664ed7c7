"""Pictures for tests."""

import numpy as np


def draw(height, width, seed=0):
    """An (H, W, 3) picture of blocks in random colours."""
    rng = np.random.default_rng(seed)
    colours = rng.integers(0, 256, size=(height // 8 + 1, width // 8 + 1, 3), dtype=np.uint8)
    return colours.repeat(8, axis=0).repeat(8, axis=1)[:height, :width].copy()
