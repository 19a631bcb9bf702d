"""JSON-RPC 2.0, one object a line: framing and dispatch, the methods, the notifications."""
