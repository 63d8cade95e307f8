"An editor completes `Recommender` and shows its signatures"
import inspect

import jedi
import pytest

from collab_course.recommender import Recommender

METHODS = ['fit', 'from_model', 'from_shards', 'from_parts', 'load', 'save', 'predict', 'recommend', 'recommend_all',
           'similar', 'similar_users', 'user_vectors', 'item_vectors', 'fold_in', 'update', 'explain', 'evaluate',
           'without_history', 'to_html']
PROPERTIES = ['users', 'items', 'users_vocab', 'items_vocab', 'user_name', 'item_name', 'rating_name', 'rating_range',
              'n_train', 'history', 'served', 'lists', 'rates', 'feedback', 'intervals', 'model', 'dls',
              'classes', 'titles', 'report', 'mean_user', 'mean_item']

def script(code, root):
    return jedi.Script('from collab_course.recommender import Recommender\n' + code, project=jedi.Project(root))

def completed(code, root): return {o.name for o in script(code, root).complete() if not o.name.startswith('_')}

def test_the_class_is_completed_with_every_public_name(root):
    assert {*METHODS, *PROPERTIES} <= completed('Recommender.', root)

MADE = ["Recommender.load('x')", 'Recommender.fit(table)', 'Recommender(learn)', 'Recommender.from_model(model, dls)',
        "Recommender.load('x').update(table)"]

@pytest.mark.parametrize('made', MADE)
def test_an_object_is_completed_however_it_was_made(made, root):
    assert {*METHODS, *PROPERTIES} <= completed(f'rec = {made}\nrec.', root)

def test_every_public_name_of_the_class_is_in_one_of_the_lists():
    names = {o for o in vars(Recommender) if not o.startswith('_')} | {*Recommender.__annotations__}
    assert names=={*METHODS, *PROPERTIES}

@pytest.mark.parametrize('method', ['predict', 'recommend', 'recommend_all', 'similar', 'fold_in', 'explain'])
def test_what_an_answer_can_do_is_completed_too(method, root):
    assert {'head', 'merge', 'to_csv'} <= completed(f"Recommender.load('x').{method}(1, 2).", root)

@pytest.mark.parametrize('method', METHODS)
def test_a_signature_is_shown_with_names_and_types(method, root):
    found, = script(f'Recommender.{method}(', root).get_signatures()
    shown = [o.name for o in found.params]
    assert shown==[o for o in inspect.signature(getattr(Recommender, method)).parameters if o!='self'
                   or 'self' in shown]
    assert all(':' in o.description for o in found.params if o.name!='self')

@pytest.mark.parametrize('method', ['__init__', *METHODS])
def test_each_parameter_has_a_type_and_a_comment(method):
    signature,lines = inspect.signature(getattr(Recommender, method)),inspect.getsource(getattr(Recommender,
        method)).split('\n')
    for p in signature.parameters.values():
        if p.name=='self': continue
        assert p.annotation is not p.empty, p.name
        assert any(l.strip().startswith(f'{p.name}:') and ' # ' in l for l in lines), p.name
    if method!='__init__':
        assert signature.return_annotation is not signature.empty
        assert getattr(Recommender, method).__doc__

@pytest.mark.parametrize('name', [o for o in PROPERTIES if o in vars(Recommender)])
def test_each_property_is_documented(name):
    prop = vars(Recommender)[name]
    f = prop.fget if isinstance(prop, property) else prop.func
    assert f.__doc__ and inspect.signature(f).return_annotation is not inspect.Signature.empty
