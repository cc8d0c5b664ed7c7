"""Examples that a user has shown: kept, fitted, and answered from."""
