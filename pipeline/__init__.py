"""The conductor: configuration, assembly of stages, channels, runner, account, command line."""
