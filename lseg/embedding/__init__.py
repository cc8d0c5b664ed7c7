"""Files of pixel embeddings: how they are computed, reduced, stored, described and asked."""
