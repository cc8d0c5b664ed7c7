"""Hugging Face's folders of the DPT family: `config.json` as transformers writes it, and weights.

Answers are those of transformers, but for two things, in which networks here follow the original.
Hybrids standardise weights by another formula there (up to 6e-3 in the output). And pictures are
not squashed to a square: `size` becomes the length of the shorter side.

In a third the original differs, and transformers is followed: its DINOv2 resamples positions from m
to n patches by the factor n / m, the authors' own code by (n + 0.1) / m.
"""
