"""The kernels of the families: take a tick in, close a bucket, write the columns."""
