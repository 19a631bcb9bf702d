"""The methods, a file a room: parse the parameters, call the room, shape the reply. Nothing is decided here that
a room could decide."""
