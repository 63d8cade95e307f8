"How a page behaves in a browser: code that wraps and is copied, tables, questions with a score, search by a key"
import subprocess, sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pandas as pd, pytest
from axe_playwright_python.sync_playwright import Axe
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output, writes

DESK,PHONE = (1440, 900),(390, 844)
LOOKS = [(DESK, 'light'), (DESK, 'dark'), (PHONE, 'light'), (PHONE, 'dark')]

# ---- two small pages, built as the website is ----

CODE = '''def score(person, film):
    "Return the score"
    if person:
        return sum(person_factor*film_factor for person_factor,film_factor in zip(person_row, film_row))  # as long as
    return None'''
CONSOLE = '''```console
$ make lab
Open http://localhost
$ make test
```'''
TITLES = ['Alien (1979)', 'Raiders of the Lost Ark (1981)']
WIDE = {f'another column {i}': [i, i] for i in range(9)}
TABLE = pd.DataFrame(dict(title=TITLES, mean=[4.03, -4.25], share=['12%', '—'], **WIDE), index=['first', 'second'])

CONF = '''
import sys
sys.modules.setdefault('rfc3987_syntax', None)  # a grammar of addresses, as in tools/execute.py
extensions = ['myst_nb']
html_theme,html_static_path,html_css_files = 'furo',[{static!r}],['site.css']
html_js_files = [(o, dict(defer='defer')) for o in ('site.js', 'keys.js', 'code.js', 'questions.js')]
nb_execution_mode = 'off'
pygments_style,pygments_dark_style = 'a11y-high-contrast-light','a11y-high-contrast-dark'
'''

def choices(n, text, **why):
    "A question as `tools/practice.py` writes it; a reason that begins with + makes its choice right"
    words = {'+': 'Right', '-': 'No'}
    said = [f'<details><summary>{k}) choice {k}</summary>\n\n**{words[v[0]]}.** {v[1:]}\n\n</details>'
            for k,v in why.items()]
    return new_markdown_cell('\n\n'.join([f'**{n}.** {text}', *said]))

def code_page():
    shown = new_output('execute_result', {'text/html': TABLE.to_html(), 'text/plain': 'a table'})
    said = new_output('stream', name='stdout', text='a long line of output '*9)
    return [new_markdown_cell('# Code'), new_code_cell(CODE, outputs=[said]), new_markdown_cell(CONSOLE),
            new_code_cell('table', outputs=[shown])]

def question_page():
    return [new_markdown_cell('# Practice\n\n## Questions'), new_markdown_cell('Each choice unfolds.'),
            choices(1, 'One?', a='-Because not.', b='+It is.', c='-Nor this.'),
            choices(2, 'Two? (more than one is right)', a='+First.', b='-Not this.', c='+Third.'),
            new_markdown_cell('**3.** Why?\n\n<details><summary>An answer</summary>\n\nSo.\n\n</details>')]

@pytest.fixture(scope='module')
def base(root, tmp_path_factory):
    "Address of a server of the two pages"
    src,out = tmp_path_factory.mktemp('src'),tmp_path_factory.mktemp('out')
    (src/'conf.py').write_text(CONF.format(static=str(root/'docs'/'static')))
    for name,cells in dict(index=code_page(), questions=question_page()).items():
        nb = new_notebook(cells=cells, metadata=dict(language_info=dict(name='python')))
        (src/f'{name}.ipynb').write_text(writes(nb), encoding='utf-8')
    subprocess.run([sys.executable, '-m', 'sphinx', '-q', src, out], check=True)
    with ThreadingHTTPServer(('127.0.0.1', 0), partial(Quiet, directory=str(out))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f'http://127.0.0.1:{server.server_port}/'
        server.shutdown()

class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args): pass

@pytest.fixture(scope='module')
def usual(browser):
    "The page that tests share, since a new one takes a second"
    return new_page(browser)

def new_page(browser, **more):
    rights = ['clipboard-read', 'clipboard-write']
    return browser.new_context(reduced_motion='reduce', permissions=rights, **more).new_page()

@pytest.fixture
def tab(browser, base, usual):
    "A function that opens a page in a browser that keeps nothing yet; `more` asks for one of its own"
    own = []
    def open(name='index', size=DESK, scheme='light', script=None, **more):
        t = usual
        if script or more: own.append(t := new_page(browser, **more))
        if script: t.add_init_script(script)
        t.emulate_media(color_scheme=scheme, media='screen')
        t.set_viewport_size(dict(width=size[0], height=size[1]))
        t.goto(f'{base}{name}.html')
        return t
    yield open
    if usual.url!='about:blank': usual.evaluate('localStorage.clear(); navigator.clipboard.writeText("")')
    for t in own: t.context.close()

# ---- code ----

CUT = 'os => os.filter(o => o.scrollWidth > o.clientWidth + 1).length'

@pytest.mark.parametrize('size', [DESK, PHONE], ids=['desk', 'phone'])
def test_no_code_is_cut_off(tab, size):
    t = tab(size=size)
    assert t.locator('article .cell_input pre').count()==2 and t.locator('article pre').evaluate_all(CUT)==0
    assert t.evaluate('document.documentElement.scrollWidth')<=size[0]

# left ends of the pieces that a line falls into, from the left end of its box
ENDS = '''line => { const range = document.createRange()
    range.selectNodeContents(line)
    const x = line.closest('pre').getBoundingClientRect().x, ends = {}
    for (const o of range.getClientRects()) {
        const y = Math.round(o.bottom)
        ends[y] = Math.min(ends[y] ?? Infinity, o.x - x)
    }
    return Object.values(ends) }'''

def test_a_wrapped_line_hangs(tab):
    t = tab(size=PHONE)
    lines = t.locator('article .cell_input').first.locator('pre .line')
    first,*rest = lines.nth(3).evaluate(ENDS)  # the return, indented by eight
    assert len(rest)>1 and all(o>first+20 for o in rest) and lines.count()==5

def test_copying_by_hand_gives_the_source(tab):
    t = tab()
    t.locator('article .cell_input pre').first.evaluate('o => getSelection().selectAllChildren(o)')
    t.keyboard.press('Control+c')
    assert t.evaluate('navigator.clipboard.readText()').rstrip()==CODE

def test_a_button_copies_the_source(tab):
    t = tab()
    t.locator('.cell_input').first.hover()
    t.locator('.cell_input .copy').first.click()
    t.wait_for_function('[...document.querySelectorAll("[role=status]")].some(o => o.textContent=="Copied")')
    assert t.evaluate('navigator.clipboard.readText()')==CODE

def test_a_button_copies_by_keyboard_and_leaves_prompts_out(tab):
    t = tab()
    t.locator('.highlight-console .copy').focus()
    t.keyboard.press('Enter')
    t.wait_for_selector('.highlight-console .copied')
    assert t.evaluate('navigator.clipboard.readText()')=='make lab\nmake test'

def test_outputs_have_no_button(tab):
    t = tab()
    assert t.locator('.copy').count()==3 and t.locator('.cell_output .copy').count()==0

def test_code_can_be_copied_where_the_clipboard_is_closed(tab):
    t = tab()
    t.evaluate('Object.defineProperty(navigator, "clipboard", {value: undefined, configurable: true})')
    t.locator('.cell_input .copy').first.focus()
    t.keyboard.press('Enter')
    t.wait_for_selector('.cell_input .copied')
    t.evaluate('delete navigator.clipboard')
    assert t.evaluate('navigator.clipboard.readText()')==CODE

# ---- tables ----

def test_text_stands_left_and_numbers_right(tab):
    t = tab()
    side = t.locator('.dataframe tr').evaluate_all(
        'os => os.map(o => [...o.cells].slice(0, 5).map(c => getComputedStyle(c).textAlign))')
    assert side==[['left', 'left', 'right', 'right', 'right']]*3

def test_a_wide_table_shows_that_it_goes_on(tab):
    t = tab(size=PHONE)
    box = t.locator('.output:has(> div > table), .output:has(> table)').first
    sides = lambda: box.evaluate('o => [...o.classList].filter(c => c.startsWith("more-"))')
    assert sides()==['more-right'] and box.evaluate('o => o.tabIndex')==0
    box.evaluate('o => o.scrollLeft = 1e4')
    t.wait_for_function('document.querySelector(".more-left:not(.more-right)")')
    assert sides()==['more-left']

# ---- questions ----

def form(t, i): return t.locator('form.question').nth(i)

def answer(t, i, letters):
    "Ticks the choices of a question and checks them"
    for o in letters: form(t, i).locator(f'input[value={o}]').check()
    form(t, i).get_by_role('button', name='Check').click()

def score(t): return t.locator('.score').inner_text().split('\n')[0]

def test_a_question_answered_by_keyboard_keeps_its_score(tab):
    t = tab('questions')
    assert score(t)=='0 of 2 right' and form(t, 0).locator('input[type=radio]').count()==3
    form(t, 0).locator('input').first.focus()
    for key in ('Space', 'ArrowDown', 'Enter'): t.keyboard.press(key)
    assert score(t)=='1 of 2 right, 1 at the first try'
    t.reload()
    assert score(t)=='1 of 2 right, 1 at the first try'
    assert form(t, 0).locator('input[value=b]').is_checked() and '✓ Right. It is.' in form(t, 0).inner_text()

def test_right_and_wrong_differ_in_sign_word_and_colour(tab):
    t = tab('questions')
    seen = []
    for letter in 'ab':
        answer(t, 0, letter)
        why = form(t, 0).locator('[role=status] .why')
        seen.append((why.inner_text(), why.evaluate('o => getComputedStyle(o).borderLeftColor')))
    (no,red),(yes,green) = seen
    assert no=='✗ No. Because not.' and yes=='✓ Right. It is.' and red!=green
    assert score(t)=='1 of 2 right, 0 at the first try'

def test_the_other_choices_are_explained_once_it_is_solved(tab):
    t = tab('questions')
    answer(t, 0, 'a')
    assert form(t, 0).locator('details').count()==0
    answer(t, 0, 'b')
    form(t, 0).get_by_text('The other choices').click()
    said = [o.split() for o in form(t, 0).locator('details .why').all_inner_texts()]
    assert said==['a) choice a ✗ No. Because not.'.split(), 'c) choice c ✗ No. Nor this.'.split()]

def test_several_right_choices(tab):
    t = tab('questions')
    form(t, 1).get_by_role('button', name='Check').click()
    assert form(t, 1).locator('[role=status]').inner_text()=='Choose first, then check.'
    answer(t, 1, 'a')
    assert 'More of them are right' in form(t, 1).inner_text() and score(t)=='0 of 2 right'
    answer(t, 1, 'c')
    assert score(t)=='1 of 2 right, 0 at the first try'

def test_what_was_wrong_stays_wrong_after_a_reload(tab):
    t = tab('questions')
    answer(t, 0, 'a')
    t.reload()
    assert score(t)=='0 of 2 right' and '✗ No. Because not.' in form(t, 0).inner_text()
    answer(t, 0, 'b')
    answer(t, 0, 'c')  # a look at another choice takes nothing away
    assert score(t)=='1 of 2 right, 0 at the first try'

def test_start_over(tab):
    t = tab('questions')
    answer(t, 0, 'b')
    t.get_by_role('button', name='Start over').click()
    assert score(t)=='0 of 2 right' and t.locator('input:checked, .why').count()==0
    t.reload()
    assert score(t)=='0 of 2 right'

def test_a_screen_reader_hears_the_question_and_the_mark(tab):
    t = tab('questions')
    group = t.get_by_role('group', name='1. One?')
    assert group.get_by_role('radio', name='b) choice b').count()==1
    answer(t, 0, 'b')
    assert 'Right. It is.' in form(t, 0).get_by_role('status').inner_text()

def test_answers_unfold_where_there_is_no_script_and_on_paper(tab):
    t = tab('questions')
    t.emulate_media(media='print')
    t.evaluate('dispatchEvent(new Event("beforeprint"))')
    assert not form(t, 0).is_visible() and not t.locator('.score, .how').first.is_visible()
    assert t.get_by_text('Because not.').is_visible() and t.get_by_text('Each choice unfolds.').is_visible()
    t = tab('questions', java_script_enabled=False)
    t.get_by_text('a) choice a').first.click()
    assert t.get_by_text('Because not.').is_visible() and t.locator('form.question').count()==0

def test_a_browser_that_keeps_nothing_still_marks(tab):
    t = tab('questions', script='Object.defineProperty(window, "localStorage", {get() { throw Error("closed") }})')
    answer(t, 0, 'b')
    assert score(t)=='1 of 2 right, 1 at the first try'

def test_an_open_question_stays_a_fold(tab):
    t = tab('questions')
    t.get_by_text('An answer').click()
    assert t.get_by_text('So.').is_visible()

# ---- search ----

@pytest.mark.parametrize('key,size', [('/', DESK), ('Meta+k', DESK), ('Control+k', PHONE)])
def test_a_key_leads_to_the_search_box(tab, key, size):
    t = tab(size=size)
    t.keyboard.press(key)
    assert t.evaluate('document.activeElement.className')=='sidebar-search'
    t.wait_for_function('document.querySelector(".sidebar-search").getBoundingClientRect().x >= 0')
    t.keyboard.type('a/b')
    assert t.locator('.sidebar-search').input_value()=='a/b'

# ---- everyone ----

def test_buttons_on_a_phone_are_large_enough_and_apart(tab):
    t = tab('questions', PHONE)
    names = '.nav-overlay-icon', '.theme-toggle-header', '.toc-header-icon'
    menu,theme,toc = (t.locator(o).bounding_box() for o in names)
    assert all(min(o['width'], o['height'])>=24 for o in (menu, theme, toc))
    assert theme['x'] + theme['width'] + 8<=toc['x']

def serious(res):
    return [(v['id'], n['target'], n['failureSummary'][:200]) for v in res.response['violations']
            if v['impact'] in ('serious', 'critical') for n in v['nodes'][:3]]

@pytest.mark.parametrize('size,scheme', LOOKS)
def test_axe(tab, size, scheme):
    t = tab('questions', size, scheme)
    answer(t, 0, 'b')
    answer(t, 1, 'b')
    t.get_by_text('The other choices').click()
    only = dict(runOnly=['color-contrast']) if scheme=='dark' else {} # the dark differs in its colours alone
    options = dict(resultTypes=['violations'], **only) # without the thousands of parts that are right
    assert serious(Axe().run(t, options=options))==[] and t.evaluate('document.documentElement.scrollWidth')<=size[0]
    t.goto(t.url.replace('questions', 'index'))
    assert serious(Axe().run(t, options=options))==[]
