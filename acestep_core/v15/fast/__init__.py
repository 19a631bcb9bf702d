"""The transformer and the autoencoder's decoder put together from ``acestep_core.native``'s kernels."""
