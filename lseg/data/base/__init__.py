"""What every data set shares: reading, items, augmentation, order, batches, labels, checks."""
