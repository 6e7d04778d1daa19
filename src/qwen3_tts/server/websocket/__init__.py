"""The `/api/v1/speak` WebSocket."""
