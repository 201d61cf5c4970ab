"""`blocksmith up`: one machine, one data directory, an API and a coordinator that are kept running."""
