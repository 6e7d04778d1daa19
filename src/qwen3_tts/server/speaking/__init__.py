"""One speech from request to sound, the same for every door."""
