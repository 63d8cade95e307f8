"A type checker accepts what people write: README's own code and typical calls"
import json, re, subprocess, sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

MISTAKES = ["rec.recommend(1, on_unknown='na')", "rec.similar(1, by='taste')", "Recommender.fit(table, model='svd')",
            'rec.recomend(1)', "Recommender.fit(table, n_factors='many')", 'rec.predict(table, best=3)', 'rec.save()',
            'rec.recommend(1, filter=[2])', 'rec.add_users(table)', "rec.similar_users(1, by='taste')"]
HEAD = ['import pandas as pd', 'from collab_course.recommender import Recommender',
        "table = pd.read_csv('x')", "rec = Recommender.load('x')"]

def sources():
    "{name: code} of the files to check"
    blocks = re.findall(r'^```python\n(.*?)^```', (ROOT/'README.md').read_text(encoding='utf-8'), re.S|re.M)
    assert blocks
    return dict(calls=(ROOT/'tests'/'typical_calls.py').read_text(encoding='utf-8'), readme='\n'.join(blocks),
                wrong='\n'.join(HEAD + MISTAKES))

@pytest.fixture(scope='module')
def errors(tmp_path_factory):
    "{name of a file: line and message of what the type checker has against it}; asked once, for all files"
    folder,files = tmp_path_factory.mktemp('typed'),sources()
    for k,v in files.items(): (folder/f'{k}.py').write_text(v, encoding='utf-8')
    config = dict(typeCheckingMode='standard', pythonVersion='3.10', extraPaths=[str(ROOT)])
    (folder/'pyrightconfig.json').write_text(json.dumps(config))
    cmd = [sys.executable, '-m', 'basedpyright', '--outputjson', '--level', 'error', '--pythonpath', sys.executable,
           '-p', folder]
    r = subprocess.run([str(o) for o in cmd], capture_output=True, text=True, encoding='utf-8')
    res = json.loads(r.stdout)
    assert res['summary']['filesAnalyzed']==len(files), r.stderr
    found = {k: [] for k in files}
    for o in res['generalDiagnostics']:
        found[Path(o['file']).stem].append((o['range']['start']['line'] + 1, o['message']))
    return found

def test_typical_calls_are_accepted(errors): assert not errors['calls']

def test_the_code_of_the_readme_is_accepted(errors):
    found = errors['readme']
    assert not [o for o in found if 'collab_course' in o[1] or 'Recommender' in o[1]
                or 'attribute' in o[1].lower()], found

def test_what_is_wrong_is_found(errors):
    assert {line - len(HEAD) for line,_ in errors['wrong']}=={*range(1, len(MISTAKES) + 1)}

def test_the_package_says_that_it_is_typed(root): assert (root/'collab_course'/'py.typed').is_file()
