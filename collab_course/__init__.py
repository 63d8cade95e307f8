"""```python
from collab_course.checks import *
from collab_course.movielens import *
from collab_course.tables import *
from collab_course.vocab import *
from collab_course.loaders import *
from collab_course.features import *
from collab_course.one_hot import *
from collab_course.dot_product import *
from collab_course.create_params import *
from collab_course.baselines import *
from collab_course.training import *
from collab_course.interpretation import *
from collab_course.factor_map import *
from collab_course.fastai_collab import *
from collab_course.embedding_nn import *
from collab_course.newcomers import *
from collab_course.evaluation import *
from collab_course.lists import *
from collab_course.svdpp import *
from collab_course.feedback import *
from collab_course.bundle import *
from collab_course.recommender import *
from collab_course.command_line import *
```

```python
__all__ = [o for o in globals() if not o.startswith('_')] # all public names of the chapters
```"""

__version__ = "0.0.1"
