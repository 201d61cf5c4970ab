"""What the REST interface does, without HTTP: routes call these, and so may anything else in `api`."""
