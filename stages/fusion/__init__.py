"""The LCNDR network, its weights, its metric and its training; needs nothing but torch and numpy."""
