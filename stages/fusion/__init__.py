"""The LCNDR network, its weights, its metric and its training; needs nothing but torch and numpy."""

import os

# Before torch is imported for the first time. Its threads wait for each other many times a picture, spinning by
# default: beside decoders and encoders on the same cores, two threads then take up to twenty times as long as one.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
