"""One daemon for all of a user's editors: a server on a Unix socket, and the thin bridge every editor starts."""
