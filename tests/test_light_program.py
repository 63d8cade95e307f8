"The program starts light: a saved model answers without torch and fastai, help and most errors come without numpy"
import json, subprocess, sys

import pytest
from collab_course.command_line import main
from collab_course.tables import planted_ratings

heavy = ['torch', 'fastai', 'fastcore', 'matplotlib']

@pytest.fixture(scope='module')
def model(tmp_path_factory):
    "A small saved model"
    home = tmp_path_factory.mktemp('light')
    df = planted_ratings(60, 40, 1_500, n_factors=3, seed=0).ratings
    df.to_csv(home/'ratings.csv', index=False)
    assert main(['fit', str(home/'ratings.csv'), '--out', str(home/'model'), '--model', 'dot_product',
                 '--epochs', '2', '--seed', '0', '-q'])==0
    return home/'model'

RUN = '''import io, json, sys
from contextlib import redirect_stderr, redirect_stdout
from collab_course.command_line import main
for args in json.loads(sys.argv[1]):
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as said: code = main(args)
    print(json.dumps([code, out.getvalue(), said.getvalue(), [*sys.modules]]))'''

def run_all(*commands):
    "What each of some commands left, one after the other in one process: exit code, results, notes, modules so far"
    words = json.dumps([[*map(str, args)] for args in commands])
    p = subprocess.run([sys.executable, '-c', RUN, words], capture_output=True, text=True, check=True)
    return [json.loads(line) for line in p.stdout.splitlines()]

def test_a_saved_model_answers_without_torch(model, tmp_path):
    (tmp_path/'half').write_bytes(model.read_bytes()[:-100])
    asked = ['info', 'info --json', 'recommend --user 1', 'recommend --all --csv', 'similar --item 1',
             'recommend --user 1000 --on-unknown popular', 'similar --item 1 --by dot --json']
    asked = [(command, model, *flags) for command,*flags in map(str.split, asked)]
    asked += [('page', model, '--out', tmp_path/'page.html')]
    wrong = {'the nearest are': ('recommend', model, '--user', '1000'), 'is truncated': ('info', tmp_path/'half')}
    found = run_all(*asked, *wrong.values())
    for args,(code,out,said,modules) in zip(asked, found):
        assert code==0 and out and 'numpy' in modules and not {*heavy} & {*modules}, (args, said)
    assert (tmp_path/'page.html').is_file()
    for words,(code,_,said,modules) in zip(wrong, found[len(asked):], strict=True):
        assert code==1 and words in said and not {*heavy} & {*modules}, words

def test_help_and_wrong_words_need_not_even_numpy():
    asked = ['--help', '--version', 'fit --help', 'fly', 'info nowhere', 'fit nowhere.csv --out m']
    for words,(*_,modules) in zip(asked, run_all(*map(str.split, asked)), strict=True):
        assert not {'numpy', 'pandas', *heavy} & {*modules}, words

wrong_flags = {'--range takes the lowest rating and the highest': '--range 5 1',
               'is not between 2 and 3 (and': '--range 2 3', "has no column 'no'": '--user no'}
hopeless = {'all 30 ratings are 3: there is nothing to learn from': [f'u{k},i{k%7},3' for k in range(30)],
    'as ids and times do. If it is right, pass --range': [f'u{k%20},i{k%17},{880000000 + 37*k}' for k in range(300)],
    'holds one id only': [f'u,i{k},{k%5}' for k in range(30)]}

def test_ratings_from_which_nothing_can_be_learned_are_refused_before_torch_is_imported(model, tmp_path):
    asked = [('fit', model.parent/'ratings.csv', '--out', tmp_path/'m', *flags.split())
             for flags in wrong_flags.values()]
    for k,(words,lines) in enumerate(hopeless.items()):
        (tmp_path/f'{k}.csv').write_text('\n'.join(['user,item,rating', *lines]))
        stars = ['--feedback', 'stars']*words.startswith('all') # else they are clicks
        asked.append(('fit', tmp_path/f'{k}.csv', '--out', tmp_path/'m', *stars))
    for words,(code,_,said,modules) in zip([*wrong_flags, *hopeless], run_all(*asked), strict=True):
        assert code==1 and words in said and not {'torch', 'fastai'} & {*modules}, (words, said)

@pytest.mark.parametrize('args,code,words', [
    ('--version', 0, 'collab-course '), ('info nowhere', 1, 'there is no file nowhere')])
def test_what_a_library_does_at_the_end_of_python_cannot_change_the_exit_code(args, code, words):
    program = f'''import atexit, os, runpy, sys
atexit.register(os.abort) # as a thread of pyarrow does that comes too late
sys.argv = ['collab-course', *{args.split()!r}]
runpy.run_module('collab_course.command_line', run_name='__main__')'''
    p = subprocess.run([sys.executable, '-c', program], capture_output=True, text=True)
    assert p.returncode==code and words in p.stdout + p.stderr
