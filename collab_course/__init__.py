"""```python
from collab_course.data import *
from collab_course.one_hot import *
from collab_course.loaders import *
from collab_course.dot_product import *
from collab_course.create_params import *
from collab_course.interpretation import *
from collab_course.fastai_collab import *
from collab_course.embedding_nn import *
from collab_course.bootstrapping import *
from collab_course.evaluation import *
from collab_course.neighbours import *
from collab_course.recommender import *
from collab_course.bundles import *
from collab_course.scale import *
from collab_course.command_line import *
from collab_course.learning import practice
from collab_course.progress import forget_progress, keep_progress, progress
from collab_course.playing import *
```

```python
__all__ = [o for o in globals() if not o.startswith('_')] # all public names of the chapters
```"""

import warnings

__version__ = "0.0.1"
warnings.filterwarnings("ignore", message="`torch.jit.script` is deprecated") # raised inside fastai at import
