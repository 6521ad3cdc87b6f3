"""Python runs this at its start where this folder is in PYTHONPATH: plants what CHAOS_PLANT names.

So the programs are the real ones, started as they always are, and know nothing of it.
"""

import os

for name in os.environ.get("CHAOS_PLANT", "").split():
    from planting import plant

    plant(name)
