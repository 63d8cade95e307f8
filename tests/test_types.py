"A type checker accepts what people write: README's own code and typical calls"
import json, re, subprocess, sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

def errors(folder):
    "What the type checker has against the files of a folder"
    config = dict(typeCheckingMode='standard', pythonVersion='3.10', extraPaths=[str(ROOT)])
    (folder/'pyrightconfig.json').write_text(json.dumps(config))
    cmd = [sys.executable, '-m', 'basedpyright', '--outputjson', '--level', 'error', '--pythonpath', sys.executable,
           '-p', folder]
    r = subprocess.run([str(o) for o in cmd], capture_output=True, text=True, encoding='utf-8')
    res = json.loads(r.stdout)
    assert res['summary']['filesAnalyzed'], r.stderr
    return [(o['file'].rsplit('/', 1)[-1], o['range']['start']['line'] + 1, o['message'])
            for o in res['generalDiagnostics']]

def test_typical_calls_are_accepted(root, tmp_path):
    (tmp_path/'calls.py').write_text((root/'tests'/'typical_calls.py').read_text(encoding='utf-8'), encoding='utf-8')
    assert not errors(tmp_path)

def test_the_code_of_the_readme_is_accepted(root, tmp_path):
    text = (root/'README.md').read_text(encoding='utf-8')
    blocks = re.findall(r'^```python\n(.*?)^```', text, re.S|re.M)
    assert blocks
    (tmp_path/'readme.py').write_text('\n'.join(blocks), encoding='utf-8')
    found = errors(tmp_path)
    assert not [o for o in found if 'collab_course' in o[2] or 'Recommender' in o[2]
                or 'attribute' in o[2].lower()], found

MISTAKES = ["rec.recommend(1, on_unknown='na')", "rec.similar(1, by='taste')", "Recommender.fit(table, model='svd')",
            'rec.recomend(1)', "Recommender.fit(table, n_factors='many')", 'rec.predict(table, best=3)', 'rec.save()',
            'rec.recommend(1, filter=[2])', 'rec.add_users(table)', "rec.similar_users(1, by='taste')"]

def test_what_is_wrong_is_found(tmp_path):
    head = ['import pandas as pd', 'from collab_course.recommender import Recommender',
            "table = pd.read_csv('x')", "rec = Recommender.load('x')"]
    (tmp_path/'wrong.py').write_text('\n'.join(head + MISTAKES))
    assert {line - len(head) for _,line,_ in errors(tmp_path)}=={*range(1, len(MISTAKES) + 1)}

def test_the_package_says_that_it_is_typed(root): assert (root/'collab_course'/'py.typed').is_file()
