"The program starts light: a saved model answers without torch and fastai, help and most errors come without numpy"
import subprocess, sys

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

def loaded_by(*args):
    "Exit code, results, notes and imported modules of a command in a process of its own"
    code = f'''import sys
from collab_course.command_line import main
code = main({[*map(str, args)]!r})
print("---", code, *sys.modules, sep="\\n", file=sys.stderr)'''
    p = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    said,_,rest = p.stderr.partition('---\n')
    status,*modules = rest.split()
    return int(status),p.stdout,said,{*modules}

@pytest.mark.parametrize('args', ['info', 'info --json', 'recommend --user 1', 'recommend --all --csv',
    'similar --item 1', 'recommend --user 1000 --on-unknown popular', 'similar --item 1 --by dot --json'])
def test_a_saved_model_answers_without_torch(args, model):
    command,*flags = args.split()
    code,out,_,modules = loaded_by(command, model, *flags)
    assert code==0 and out and 'numpy' in modules and not {*heavy} & modules, {*heavy} & modules

def test_a_page_is_written_without_torch(model, tmp_path):
    code,_,_,modules = loaded_by('page', model, '--out', tmp_path/'page.html')
    assert code==0 and (tmp_path/'page.html').is_file() and not {*heavy} & modules

def test_unknown_ids_and_damaged_models_are_errors_without_torch(model, tmp_path):
    (tmp_path/'half').write_bytes(model.read_bytes()[:-100])
    commands = {'the nearest are': ['recommend', model, '--user', '1000'], 'is truncated': ['info', tmp_path/'half']}
    for words,args in commands.items():
        code,_,said,modules = loaded_by(*args)
        assert code==1 and words in said and not {*heavy} & modules

@pytest.mark.parametrize('args', ['--help', '--version', 'fit --help', 'fly',
    'info nowhere', 'fit nowhere.csv --out m'])
def test_help_and_wrong_words_need_not_even_numpy(args):
    assert not {'numpy', 'pandas', *heavy} & loaded_by(*args.split())[-1]

@pytest.mark.parametrize('args,words', [('--range 5 1', '--range takes the lowest rating and the highest'),
    ('--range 2 3', 'is not between 2 and 3 (and'), ('--user no', "has no column 'no'")])
def test_what_is_wrong_with_the_ratings_is_said_before_torch_is_imported(args, words, model):
    code,_,said,modules = loaded_by('fit', model.parent/'ratings.csv', '--out', model.parent/'other', *args.split())
    assert code==1 and words in said and not {'torch', 'fastai'} & modules

hopeless = {'all 30 ratings are 3: there is nothing to learn from': [f'u{k},i{k%7},3' for k in range(30)],
    'as ids and times do. If it is right, pass --range': [f'u{k%20},i{k%17},{880000000 + 37*k}' for k in range(300)],
    'holds one id only': [f'u,i{k},{k%5}' for k in range(30)]}

@pytest.mark.parametrize('words', hopeless)
def test_ratings_from_which_nothing_can_be_learned_are_refused_before_torch_is_imported(words, tmp_path):
    (tmp_path/'r.csv').write_text('\n'.join(['user,item,rating', *hopeless[words]]))
    stars = ['--feedback', 'stars']*words.startswith('all') # else they are clicks
    code,_,said,modules = loaded_by('fit', tmp_path/'r.csv', '--out', tmp_path/'m', *stars)
    assert code==1 and words in said and not {'torch', 'fastai'} & modules

@pytest.mark.parametrize('args,code,words', [('--version', 0, 'collab-course '), ('info nowhere', 1, 'there is no file nowhere')])
def test_what_a_library_does_at_the_end_of_python_cannot_change_the_exit_code(args, code, words):
    program = f'''import atexit, os, runpy, sys
atexit.register(os.abort) # as a thread of pyarrow does that comes too late
sys.argv = ['collab-course', *{args.split()!r}]
runpy.run_module('collab_course.command_line', run_name='__main__')'''
    p = subprocess.run([sys.executable, '-c', program], capture_output=True, text=True)
    assert p.returncode==code and words in p.stdout + p.stderr
