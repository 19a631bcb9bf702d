"""What starts and ends the music by the clock and by the mains."""
