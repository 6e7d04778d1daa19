"""HTTP and WebSocket doors to a speech engine. Needs the extra `server`."""
