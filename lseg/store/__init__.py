"""What a model is on disk and on the Hub: configuration, tensors, card; knows no network."""
