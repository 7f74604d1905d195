"""Methods for the track `features`."""
