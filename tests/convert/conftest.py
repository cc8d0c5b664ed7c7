from saved_network import config, model  # noqa: F401
