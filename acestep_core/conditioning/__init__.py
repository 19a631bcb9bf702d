"""What is told to the model, in words and in frames, and what is done with frames afterwards."""
