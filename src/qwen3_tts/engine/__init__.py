"""From a request to codes and sound: planning, the frame loop, decoding."""
