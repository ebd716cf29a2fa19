"""Papermill without its reader for Hadoop, whose import (of pyarrow) takes a third of papermill's own time.

A missing pyarrow is what papermill is prepared for; afterwards pyarrow can be imported as ever.
"""

import sys

HADOOP = "pyarrow.fs"
if HADOOP in sys.modules:
    import papermill as papermill
else:
    sys.modules[HADOOP] = None
    try:
        import papermill as papermill
    finally:
        del sys.modules[HADOOP]
