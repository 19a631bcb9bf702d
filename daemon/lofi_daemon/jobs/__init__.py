"""Generation requests from acceptance to their one end: waiting line, life cycle, progress."""
