"""`python -m stardag_server`, the same as `stardag-server`."""

from stardag_server.main import main

main()
