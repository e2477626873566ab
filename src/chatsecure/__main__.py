"""`python -m chatsecure`."""

import sys

from chatsecure.cli.main import main

sys.exit(main())
