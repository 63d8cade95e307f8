"README.md is made from the index, and its links lead somewhere"
import json, re

import nbformat.v4 as v4
import pytest
from PIL import Image
from execute import notebooks
from readme import PICS, main, make, move_links, page, stale

@pytest.fixture(scope='module')
def text(root): return (root/'README.md').read_text(encoding='utf-8')

def links(text):
    "Where Markdown and HTML links lead, without those in code"
    text = re.sub(r'^```.*?^```|`[^`\n]+`', '', text, flags=re.S|re.M)
    return re.findall(r'\]\(([^)\s]+)', text) + re.findall(r'(?:href|src)=["\']([^"\']+)', text)

def test_up_to_date(): assert stale(*make())==[] and main(['--check'])==0

def test_made_alike_every_time(): assert make()==make()

def test_relative_links_lead_somewhere(text, root):
    rel = [o.split('#')[0] for o in links(text) if not re.match(r'[a-z]+:', o) and o[0]!='#']
    assert rel and not [o for o in rel if not (root/o).exists()]

def test_every_notebook_is_reached(text, root):
    # chapters from the README, pages of the library from the page about it; practice from its chapter
    asked = [o.relative_to(root).as_posix() for o in notebooks() if o.stem!='index'
             and o.parent.name not in ('practice', 'teaching')]
    nb = json.loads((root/'nbs'/'library.ipynb').read_text(encoding='utf-8'))
    found = links('\n'.join(''.join(c['source']) for c in nb['cells'] if c['cell_type']=='markdown'))
    assert not set(asked) - set(links(text)) - {f'nbs/{o}' for o in found}

def test_short_enough_to_be_read(text): assert len(text)<=6000

def test_each_chapter_is_called_by_its_own_title(root):
    pages = [o for o in (root/'nbs').rglob('*.ipynb') if o.parent.name!='.ipynb_checkpoints']
    cells = {o: [''.join(c['source']) for c in json.loads(o.read_text(encoding='utf-8'))['cells']
                 if c['cell_type']=='markdown'] for o in pages}
    titles = {o.name: cells[o][0].splitlines()[0][2:].split(' ', 1) for o in pages
              if o.parent.name=='nbs' and o.name[0].isdigit()}
    called = re.compile(r'\[(?:Chapter )?(\d\d):? ([^\]]+)\]\((?:\.\./)*(\d\d_\w+\.ipynb)\)')
    links = [(o.name, m) for o in pages for text in cells[o] for m in called.findall(text)]
    assert len({to for _,(_,_,to) in links}) == len(titles)
    assert not [(page, title) for page,(number,title,to) in links if [number, title]!=titles[to]]

def test_pictures_are_those_of_the_index(root, text):
    pics = {o.relative_to(root).as_posix() for o in (root/PICS).glob('*')}
    assert pics == {o for o in links(text) if o.startswith(PICS)} == set(make()[1])

def test_the_page_moves_in_the_first_picture(root, text):
    first = re.search(r'!\[[^\]]+\]\(([^)]+)\)', text)[1]
    with Image.open(root/first) as picture: assert picture.is_animated and picture.width>=800

def test_pictures_are_described(text): assert '![' in text and '![png]' not in text

def test_no_machine_in_it(text, root): assert str(root) not in text and '/site-packages' not in text

@pytest.mark.parametrize('before,after', [
    ('[a](00_whole_game.ipynb)', '[a](nbs/00_whole_game.ipynb)'), ('[a](../LICENSE "t")', '[a](LICENSE "t")'),
    ('![p](images/a.png)', '![p](nbs/images/a.png)'),
    ('[a](03_dot.ipynb#part)', '[a](nbs/03_dot.ipynb#part)'),
    ('<img alt="x" src="a.png">', '<img alt="x" src="nbs/a.png">'),
    ('[a](https://x.org/00.ipynb) [b](#part) [c](mailto:a@b.c)',
     '[a](https://x.org/00.ipynb) [b](#part) [c](mailto:a@b.c)'),
    ('`[a](b)` and\n```python\nx[a](b)\n```\n[a](b)', '`[a](b)` and\n```python\nx[a](b)\n```\n[a](nbs/b)'),
    (f'![p]({PICS}/x.png)', f'![p]({PICS}/x.png)')])
def test_links_are_moved(before, after): assert move_links(before, 'nbs')==after

def test_only_what_a_page_shows():
    cells = [v4.new_markdown_cell('# T'), v4.new_code_cell('#| hide\nx'),
             v4.new_code_cell('#| timing\n#| echo: true\ny',
                              outputs=[v4.new_output('stream', name='stderr', text='w')]),
             v4.new_code_cell('#| echo: false\nz', outputs=[v4.new_output('stream', text='7')]), v4.new_code_cell('')]
    nb = page(v4.new_notebook(cells=cells))
    assert [c.source for c in nb.cells] == ['# T', 'y', 'z']
    assert [c.metadata.transient.remove_source for c in nb.cells[1:]] == [False, True]
    assert [len(c.outputs) for c in nb.cells[1:]] == [0, 1]
