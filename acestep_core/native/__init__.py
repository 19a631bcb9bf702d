"""What takes the time on a processor, in C: compiled on first use where there is a compiler."""
