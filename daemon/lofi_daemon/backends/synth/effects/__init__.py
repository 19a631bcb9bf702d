"""What a mixing desk has beside faders: filters, reverb, ducking, tape."""
