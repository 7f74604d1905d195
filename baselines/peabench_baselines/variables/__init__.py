"""Methods for the track `variables`."""
