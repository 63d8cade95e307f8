"Trainings of two passes in place of twelve, for tests of ids, answers and words, which need no good model"
import pytest

from collab_course import fitting
from collab_course.svdpp import svdpp_recipe

def brief_recipe(*args, **kwargs):
    "The settings that were tuned, but for the number of passes"
    recipe = svdpp_recipe(*args, **kwargs)
    recipe['fit']['n_epoch'] = 2
    return recipe

def brief_training():
    "A fixture for a whole file of tests; one of them that needs a good model says `n_epoch=12`"
    with pytest.MonkeyPatch.context() as m:
        m.setattr(fitting, 'svdpp_recipe', brief_recipe)
        yield
