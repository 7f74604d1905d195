"""Methods for the track `beliefs`."""
