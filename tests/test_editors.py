"An editor completes `Recommender`, shows its signatures and checks the calls people make"
import inspect, json, subprocess, sys
from pathlib import Path

import jedi
import pytest

from collab_course import recommender
from collab_course.recommender import Recommender

METHODS = ['fit', 'from_model', 'from_parts', 'load', 'save', 'predict', 'recommend', 'recommend_all', 'similar', 'fold_in', 'add_users', 'explain', 'evaluate']
PROPERTIES = ['users', 'items', 'users_vocab', 'items_vocab', 'user_name', 'item_name', 'rating_name', 'rating_range', 'n_train', 'history', 'served', 'model', 'dls', 'classes', 'titles', 'report', 'mean_user', 'mean_item']

def script(code, root): return jedi.Script('from collab_course.recommender import Recommender\n' + code, project=jedi.Project(root))

def completed(code, root): return {o.name for o in script(code, root).complete() if not o.name.startswith('_')}

def test_the_class_is_completed_with_every_public_name(root):
    assert {*METHODS, *PROPERTIES} <= completed('Recommender.', root)

@pytest.mark.parametrize('made', ["Recommender.load('x')", 'Recommender.fit(table)', 'Recommender(learn)', 'Recommender.from_model(model, dls)', "Recommender.load('x').add_users(table)"])
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
    assert shown==[o for o in inspect.signature(getattr(Recommender, method)).parameters if o!='self' or 'self' in shown]
    assert all(':' in o.description for o in found.params if o.name!='self')

@pytest.mark.parametrize('method', ['__init__', *METHODS])
def test_each_parameter_has_a_type_and_a_comment(method):
    signature,lines = inspect.signature(getattr(Recommender, method)),inspect.getsource(getattr(Recommender, method)).split('\n')
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

CALLS = """
from pathlib import Path
import numpy as np, pandas as pd
from collab_course.recommender import Recommender
table = pd.read_csv('ratings.csv')
rec = Recommender.fit(table, 'reader', 'isbn', 'mark', titles='title', seed=0, progress=False, rating_range=(0, 10), duplicates='last')
rec = Recommender.fit(table, titles=table.set_index('isbn').title, model='neighbours', user_features=table, on_missing='zero')
rec = Recommender.fit(table, titles={1: 'a'}, on_epoch=print, n_epoch=3, lr=0.1, valid_pct=0)
path: Path = rec.save(Path('rec'))
rec = Recommender.load(str(path))
best: pd.DataFrame = rec.recommend(np.int64(12), n=5, filter=[1, 2])
best = rec.recommend('reader-1', 5, False, lambda items: items['count'] > 3, 'mean')
best = rec.recommend_all(users=table.reader, filter=np.array([1, 2]), on_unknown='popular')
best = rec.recommend_all(3, range(5))
best = rec.predict(table[['reader', 'isbn']]).head()
best = rec.predict([dict(reader=1, isbn=2)], on_unknown='mean')
best = rec.similar('978', 3, 'euclidean', min_count=20)
best = rec.fold_in({50: 5, 181: 4.5}, n=3, penalty=5)
rec = rec.add_users(table[table.reader==3])
best = rec.explain(1, 2, by='factors')
error: float = rec.evaluate(table.iloc[:10])['rmse']
n = len(rec.users) + len(rec.items_vocab) + rec.n_train + len(rec.history)
"""
MISTAKES = ["rec.recommend(1, on_unknown='na')", "rec.similar(1, by='taste')", "Recommender.fit(table, model='svd')", 'rec.recomend(1)', "Recommender.fit(table, n_factors='many')", 'rec.predict(table, best=3)']

def checked(tmp_path, code, root):
    (tmp_path/'calls.py').write_text(code, encoding='utf-8')
    (tmp_path/'pyrightconfig.json').write_text(json.dumps(dict(typeCheckingMode='standard', reportMissingTypeStubs=False, extraPaths=[str(root)])))
    cmd = [sys.executable, '-m', 'basedpyright', '--outputjson', '--pythonpath', sys.executable, 'calls.py']
    found = json.loads(subprocess.run(cmd, capture_output=True, text=True, cwd=tmp_path).stdout)['generalDiagnostics']
    return [(o['range']['start']['line'], o['message']) for o in found if o['severity']=='error']

def test_a_type_checker_accepts_the_calls_that_people_make(tmp_path, root):
    assert checked(tmp_path, CALLS, root)==[]

def test_a_type_checker_finds_mistakes(tmp_path, root):
    lines = CALLS.count('\n')
    assert {line - lines for line,_ in checked(tmp_path, CALLS + '\n'.join(MISTAKES), root)}=={*range(len(MISTAKES))}
