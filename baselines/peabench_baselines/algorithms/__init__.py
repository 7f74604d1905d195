"""Methods for the track `algorithms`."""
