"A type checker accepts what people write: README's own code and typical calls"
import json, re, subprocess, sys

import pytest

def errors(folder):
    "What the type checker has against the files of a folder"
    config = dict(typeCheckingMode='standard', pythonVersion='3.10', reportMissingTypeStubs=False)
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

@pytest.mark.parametrize('wrong',
                         ["rec.recomend(1)", "rec.recommend(1, m=3)", "rec.similar(1, by='cos')", "rec.save()"])
def test_what_is_wrong_is_found(wrong, tmp_path):
    (tmp_path/'wrong.py').write_text(
        f"from collab_course.recommender import Recommender\nrec = Recommender.load('x')\n{wrong}\n")
    assert errors(tmp_path)

def test_the_package_says_that_it_is_typed(root): assert (root/'collab_course'/'py.typed').is_file()
