"""Recordings: files of activations, written, verified and read. The only package that uses h5py."""
