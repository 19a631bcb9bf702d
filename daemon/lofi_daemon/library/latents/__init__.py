"""The latent store: what a job left in latent space, so that later ones can start from it."""
