"""Data sets, one adaptor a file.

An adaptor is an `AnnotatedFolder`: it says where the pictures of a split and their masks lie in the
layout in which the set is published, and what the values in a mask file mean. `FolderDataset` makes
items of it, `picture_problems` checks it, `ListedSource` gives it to the few-shot benchmarks.
"""
