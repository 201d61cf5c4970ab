"""`python -m api.cli` is `blocksmith`."""

from api.cli.main import main

main()
