"""ZoeDepth: a DPT whose second head gives metres."""
