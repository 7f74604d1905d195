"""Methods for the track `circuits`."""
