"""Pictures put together on a GPU, where they stay: what the modules of the same names do on the processor.

Nothing here reads a figure back: what depends on the pictures is worked out and used on the device.
"""
