"Notebooks are run in a real kernel, and saved only when they ran and without junk"
import json, os, shutil, subprocess, sys, tempfile
from pathlib import Path

import nbformat, nbformat.v4 as v4
import pytest, zmq
from execute import NotebookError, directives, machine_paths, notebooks, run_all, run_notebook, save, strip_outputs
from execute import main, transport

def write(path, *cells):
    "A notebook of code cells, in the form in which nbdev leaves it"
    nb = v4.new_notebook(cells=[v4.new_code_cell(c, id=f'c{i}') for i,c in enumerate(cells)])
    save(json.loads(json.dumps(nb)), path)
    return path

def texts(nb):
    return [''.join(''.join(o.get('text') or o['data'].get('text/plain', '')) for o in c['outputs'])
            for c in nb['cells']]

def html(s, **kw): return v4.new_output('display_data', data={'text/html': s, 'text/plain': '<HTML>', **kw})

def test_run_and_save_in_the_form_of_nbdev_clean(tmp_path, root):
    p = write(tmp_path/'n.ipynb', 'a = 6', '#| eval: false\na = 1/0', 'print(a)\nprint(a+1)', 'object()',
              'import os, sys\nfrom pathlib import Path\nsys.executable==os.environ["WANTED"], Path.cwd().name')
    r = subprocess.run([sys.executable, root/'tools'/'execute.py', p], capture_output=True, text=True, cwd=root,
                       env={**os.environ, 'WANTED': sys.executable})
    assert r.returncode == 0, r.stderr
    assert r.stdout.startswith('n.ipynb') and r.stdout.rstrip().endswith(' s')
    nb = json.loads(p.read_text(encoding='utf-8'))
    assert texts(nb) == ['', '', '6\n7\n', '<object>', f"(True, '{tmp_path.name}')"]
    assert [c['id'] for c in nb['cells']] == [f'c{i}' for i in range(5)]
    assert {c['execution_count'] for c in nb['cells']} == {None}
    was = p.read_bytes()
    subprocess.run([sys.executable, '-c', 'import sys; from nbdev.clean import nbdev_clean; nbdev_clean(sys.argv[1])',
                    p], check=True, cwd=root)
    assert p.read_bytes() == was
    assert [o.name for o in tmp_path.iterdir()] == ['n.ipynb']

def test_a_failing_cell_is_named_and_nothing_is_saved(tmp_path, capsys):
    p = write(tmp_path/'n.ipynb', 'print(1)', '#| hide\nx = 2\nx/0')
    was = p.read_bytes()
    assert (main([str(p)]), p.read_bytes()) == (1, was)
    said = capsys.readouterr().err
    for o in ('n.ipynb, cell 2 (c1)', 'x = 2', 'ZeroDivisionError: division by zero'): assert o in said
    assert 'Traceback' not in said

@pytest.mark.parametrize('code,says', [
    ('import os; os.getcwd() and print(os.environ["HOME"] + "/data")', 'data$'),
    ('import pandas\npandas.__file__', '__init__.py'),
    ('import warnings; warnings.warn("old")', r'\(a warning does: mend or silence it: UserWarning: old\)')])
def test_paths_of_this_machine_are_refused(tmp_path, code, says):
    with pytest.raises(NotebookError, match=f'(?s)shows a path of this machine.*{says}'):
        run_notebook(write(tmp_path/'n.ipynb', code))

def test_a_dead_kernel_is_a_sentence(tmp_path):
    with pytest.raises(NotebookError, match='kernel died'):
        run_notebook(write(tmp_path/'n.ipynb', 'import os; os._exit(1)'))

def test_training_table_and_figure_are_kept_progress_bars_are_not(tmp_path):
    code = (
        'from fastprogress import master_bar, progress_bar\nmb = master_bar(range(2))\nmb.write(["epoch", "loss"], '
        'table=True)\n'
            'for i in mb:\n    for _ in progress_bar(range(3), parent=mb): pass\n    mb.write([str(i), "0.5"], '
            'table=True)')
    nb = run_notebook(write(tmp_path/'n.ipynb', code, 'for o in progress_bar(range(2)): pass',
                            'import matplotlib.pyplot as plt\nplt.plot([1,2]);'))
    train, bar, fig = [c['outputs'] for c in nb['cells']]
    assert len(train)==1 and list(train[0]['data']) == ['text/html']
    assert ''.join(train[0]['data']['text/html']).count('<tr>') == 3 and '<progress' not in str(train)
    assert bar == [] and [list(o['data']) for o in fig] == [['image/png', 'text/plain']]

@pytest.mark.parametrize('junk',
                         [html('<style>\n progress { border: none }\n</style>'), html(''),
                          html('<div> <div></div>\n</div>'),
    html('<div><progress value="3" max="3"></progress> 100.00% [3/3 00:00&lt;00:00]</div>'),
    v4.new_output('display_data',
                  data={'application/vnd.jupyter.widget-view+json': {'model_id': 'a'}, 'text/plain': 'HBox()'}),
    v4.new_output('stream', name='stderr', text='100%|████| 3/3 [00:00<00:00, 9it/s]\n'),
    v4.new_output('stream', text=' 10.00% [1/10]\r 100.00% [10/10]\n')])
def test_junk_goes(junk): assert strip_outputs([junk]) == []

@pytest.mark.parametrize('good',
                         [html('<table><tr><td>1</td></tr></table>'), html('<img src="data:x">'),
                          html('<style>b {color: red}</style><b>progress</b>'),
    html('<svg></svg>'), v4.new_output('execute_result', data={'text/plain': '<div>'}),
    v4.new_output('stream', text='50% of people\n')])
def test_the_rest_stays(good): assert strip_outputs([good]) == [good]

def test_streams_are_joined_as_a_terminal_shows_them():
    outs = [v4.new_output('stream', text=o) for o in ('a', 'b\n', 'draft\rfinal\n')]
    assert [o.text for o in strip_outputs(outs)] == ['ab\nfinal\n']

def test_markdown_copy_of_html_goes():
    assert [list(o.data) for o in strip_outputs([html('<table></table>', **{'text/markdown': '|a|'})])] == [
        ['text/html']]

def test_pictures_are_not_searched_for_paths(root):
    assert machine_paths([v4.new_output('display_data', data={'image/png': f'{root}/x'})]) == []
    assert machine_paths([v4.new_output('stream', text=f'{root}/x')]) == [f'{root}/x']
    html = f'<img src="data:image/png;base64,{"aB/+"*3}{root}/x=="><i>{root}/y</i>'
    assert machine_paths([v4.new_output('display_data', data={'text/html': html})]) == [f'{root}/y</i>']

def test_directives():
    assert directives('#| hide\n#|eval:false\n#| timing: true\n\nx = 1\n#| later') == ['hide', 'eval false', 'timing']

def test_notebooks_are_found_by_number_or_name(tmp_path):
    for o in ('index', '01_b', '00_a', '_draft'): write(tmp_path/f'{o}.ipynb', '1')
    assert [o.stem for o in notebooks(folder=tmp_path)] == ['00_a', '01_b', 'index']
    assert [o.stem for o in notebooks(['01', 'a', 'index.ipynb'], tmp_path)] == ['01_b', '00_a', 'index']
    with pytest.raises(NotebookError, match='no notebook `02`; there are: 00_a, 01_b, index'):
        notebooks(['02'], tmp_path)

def test_notebooks_in_folders_are_found_too(tmp_path):
    for o in ('01_a.ipynb', 'practice/01_a.ipynb', 'practice/02_b.ipynb', '.ipynb_checkpoints/01_a.ipynb',
              'practice/_draft.ipynb'):
        (tmp_path/o).parent.mkdir(exist_ok=True)
        (tmp_path/o).write_text('{}')
    names = lambda *args: [o.relative_to(tmp_path).with_suffix('').as_posix() for o in notebooks(args, tmp_path)]
    assert names() == ['01_a', 'practice/01_a', 'practice/02_b']
    assert names('01', 'practice/b') == ['01_a', 'practice/02_b']
    assert names('practice') == ['practice/01_a', 'practice/02_b']
    with pytest.raises(NotebookError, match='no notebook `02`; there are: 01_a, practice/01_a, practice/02_b'):
        names('02')

def test_a_whole_name_goes_before_the_end_of_another(tmp_path):
    for name in ('tables', 'model_tables'): write(tmp_path/f'{name}.ipynb', '1')
    assert [o.stem for o in notebooks(['tables'], tmp_path)]==['tables']

CONNECTION = ('import json\nfrom ipykernel.connect import get_connection_file\n'
              'print(json.load(open(get_connection_file()))["transport"])')

@pytest.mark.parametrize('deep, wanted', [('', 'ipc'), ('deep'*30, 'tcp')])
def test_a_kernel_needs_no_free_port_where_the_temporary_folder_is_near(tmp_path, monkeypatch, deep, wanted):
    home = Path(tempfile.mkdtemp(dir='/tmp'))/deep
    home.mkdir(exist_ok=True)
    monkeypatch.setattr(tempfile, 'tempdir', str(home))
    assert texts(run_notebook(write(tmp_path/'n.ipynb', CONNECTION))) == [f'{wanted}\n']
    assert list(home.iterdir()) == []
    shutil.rmtree(home.parent if deep else home)

def test_sockets_stay_within_what_the_system_allows():
    assert [transport('/'*(zmq.IPC_PATH_MAX_LEN - 13 + k)) for k in (0, 1)] == ['ipc', 'tcp']

def test_two_at_a_time_and_one_that_fails_does_not_stop_the_other(tmp_path):
    wait = ('import time, pathlib\npathlib.Path("{0}").touch()\n'
            'while not pathlib.Path("{1}").exists(): time.sleep(.05)')
    a,b = write(tmp_path/'a.ipynb', wait.format('x', 'y'), '1/0'),write(tmp_path/'b.ipynb', wait.format('y', 'x'),
        'import os; os.environ["OMP_NUM_THREADS"]')
    seen = {}
    with pytest.raises(NotebookError, match='ZeroDivisionError'):
        run_all([a, b], lambda path,nb: seen.update({path.name: nb}), workers=2)
    assert list(seen)==['b.ipynb'] and seen['b.ipynb']['cells'][1]['outputs'][0]['data']['text/plain']

def test_no_notebook_shows_a_path_of_a_machine(root):
    pages = [o for d in ('nbs', 'bench') for o in sorted((root/d).rglob('*.ipynb'))
             if '.ipynb_checkpoints' not in o.parts]
    shown = {o.name: [p for c in nbformat.read(o, 4).cells if c.cell_type=='code' for p in machine_paths(c.outputs)]
             for o in pages}
    assert len(shown)>20 and not {k: v for k,v in shown.items() if v}
