"""Methods for the track `universality`."""
