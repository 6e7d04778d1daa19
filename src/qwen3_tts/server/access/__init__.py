"""Who may ask, how much, and what is refused before a route sees it."""
