"""Sound at the borders: files in and out, sample rates, encoded streams. Knows no model."""
