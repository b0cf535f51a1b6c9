"""The LCNDR network, its weights and its training; needs nothing but torch and numpy."""
