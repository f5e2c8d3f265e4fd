"""Analysis, index, gates and scores: pure, no I/O but the package's own data and snapshot files.

Numbers are small here, so one BLAS thread is enough; more would only cost memory.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
