"""The page at `/speak`, whose files are in `static`."""
