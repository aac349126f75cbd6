"""Recordings: files of activations, written, verified and read. The home of h5py."""
