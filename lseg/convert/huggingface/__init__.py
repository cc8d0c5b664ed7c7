"""Hugging Face's folders of the DPT family: `config.json` as transformers writes it, and weights.

Two things do not carry over, and in each networks here follow the original. Hybrids standardise
weights by another formula there (up to 6e-3 in the output). And pictures are not squashed to a
square: `size` becomes the length of the shorter side.
"""
