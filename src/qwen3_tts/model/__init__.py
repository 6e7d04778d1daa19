"""The networks: weights and arithmetic only. State is passed in, never kept in a module."""
