"The live map of chapter 06: search, click, keys, zoom, a phone, no script, and titles that are only text"
import numpy as np, pandas as pd, pytest
from axe_playwright_python.sync_playwright import Axe

from collab_course.factor_map import FactorPlot

N = 60
NAMES = ['The Rock (1996)', 'The Rocketeer (1991)', '<img src=x onerror=alert(1)> & "q" \'s\' (1990)', 'Amélie (2001)',
         *(f'Film {i} (1980)' for i in range(4, N-1)), 'Film (1980)']

def plot_of(n=N):
    rng = np.random.default_rng(0)
    points = pd.DataFrame(dict(x=rng.normal(size=n), y=rng.normal(size=n), full=NAMES[:n], note='12 ratings',
                               name='', mean_rating=rng.uniform(1, 5, n)))
    points[['left', 'bottom', 'right', 'top']] = np.nan
    near = np.stack([(np.arange(1, 11) + i) % n for i in range(n)])
    return FactorPlot(points, ('component 0', 'component 1'), (400, 330), 'A toy map', 'mean_rating', near)

HTML = plot_of()._repr_mimebundle_()['text/html']

@pytest.fixture
def show(show_html):
    "Opens maps on one page"
    def open_page(*maps, width=900, **kw):
        return show_html('<!doctype html><html lang="en"><meta charset="utf-8"><title>t</title>'
                         '<style>:root { color-scheme: light dark }</style>'
                         f'<main><h1>Maps</h1>{"".join(maps or [HTML])}</main>', width, 900, **kw)
    return open_page

def said(page): return page.locator('.live-map [aria-live]').first.inner_text()
def listed(page): return page.locator('.live-map li').all_inner_texts()
def lit(page): return page.locator('.live-map .marks circle').count()
def search(page): return page.get_by_role('combobox', name=f'Search {N} titles')

def test_without_scripts_there_is_the_picture(show):
    page = show(java_script_enabled=False)
    assert page.locator('.live-map img').is_visible() and page.locator('.live-map svg, .live-map input').count()==0
    assert page.locator('.live-map img').get_attribute('alt').startswith('A toy map. 60 items by component 0')

def test_each_item_has_a_dot_and_titles_do_not_collide(show):
    page = show()
    assert page.locator('.live-map svg > g:first-child circle').count()==N
    boxes = page.locator('.live-map svg > g:last-of-type text').evaluate_all(
        'es => es.map(e => { const b = e.getBBox(); return [b.x, b.y + 2, b.x + b.width, b.y + b.height - 2] })')
    overlaps = [(i, j) for i,a in enumerate(boxes) for j,b in enumerate(boxes[:i])
                if a[0]<b[2] and b[0]<a[2] and a[1]<b[3] and b[1]<a[3]]
    assert len(boxes)>5 and not overlaps

@pytest.mark.parametrize('typed,name', [('the rock (', 'The Rock (1996)'), ('AMELIE', 'Amélie (2001)'),
                                        ('The Rocketeer (1991)', 'The Rocketeer (1991)')])
def test_what_is_typed_finds_its_item_and_the_ten_nearest(show, typed, name):
    page = show()
    search(page).fill(typed)
    i = NAMES.index(name)
    assert said(page)==f'{name}, 12 ratings. Nearest by cosine of all factors:'
    assert listed(page)==[NAMES[(i+k) % N] for k in range(1, 11)] and lit(page)==11
    assert page.locator('.live-map .lines path').count()==11

def test_several_matches_are_counted_and_enter_takes_the_first(show):
    page = show()
    search(page).fill('rock')
    assert said(page)=='2 titles match. Enter takes The Rock (1996).' and lit(page)==2 and listed(page)==[]
    search(page).press('Enter')
    assert said(page).startswith('The Rock (1996)') and search(page).input_value()=='The Rock (1996)'

def test_a_title_typed_in_full_comes_before_longer_ones(show):
    page = show()
    search(page).fill('film')
    assert said(page)=='56 titles match. Enter takes Film (1980).'

def test_no_match_says_so_and_escape_clears(show):
    page = show()
    search(page).fill('zzz')
    assert said(page)=='No title matches.' and lit(page)==0
    search(page).press('Escape')
    assert search(page).input_value()=='' and said(page).startswith('Search a title, or click a dot')

def dot(page, i):
    box = page.locator('.live-map svg > g:first-child circle').nth(i).bounding_box()
    return box['x'] + box['width']/2, box['y'] + box['height']/2

def test_a_click_does_the_same_and_a_click_beside_or_escape_clears(show):
    page = show()
    furthest = int(np.argmax(plot_of().points.x))
    page.mouse.click(*dot(page, furthest))
    assert said(page).startswith(NAMES[furthest]) and lit(page)==11
    page.keyboard.press('Escape')
    assert page.locator('.live-map .lines path').count()==0 and listed(page)==[]
    page.mouse.click(*dot(page, furthest))
    corner = page.locator('.live-map svg').bounding_box()
    page.mouse.click(corner['x'] + 3, corner['y'] + corner['height'] - 3)
    assert lit(page)==0

def test_pointing_writes_a_title(show):
    page = show()
    page.mouse.move(*dot(page, 30))
    assert lit(page)==1 and page.locator('.live-map svg text', has_text='Film 30').count()==1
    page.mouse.move(1, 1)
    assert lit(page)==0

def test_the_keyboard_walks_from_neighbour_to_neighbour(show):
    page = show()
    page.keyboard.press('Tab')
    page.keyboard.type('amelie')
    for _ in range(3): page.keyboard.press('Tab')
    page.keyboard.press('Enter')
    assert said(page).startswith('Film 4 (1980)') and listed(page)[0]=='Film 5 (1980)'
    page.keyboard.press('Enter')
    assert said(page).startswith('Film 5 (1980)')
    page.keyboard.press('Escape')
    assert listed(page)==[]
    page.keyboard.type('the rock (')
    assert said(page).startswith('The Rock (1996)')

def test_zoom_moves_dots_apart_around_the_chosen_item_and_back(show):
    page = show()
    search(page).fill('amelie')
    before = dot(page, 3),dot(page, 4)
    page.get_by_role('button', name='Zoom in').click()
    frame = page.locator('.live-map svg').bounding_box()
    near,far = dot(page, 3),dot(page, 4)
    middle = frame['x'] + frame['width']/2,frame['y'] + frame['height']/2
    assert near==pytest.approx(middle, abs=1.5)
    apart = lambda a, b: np.hypot(a[0] - b[0], a[1] - b[1])
    assert apart(near, far)==pytest.approx(1.6*apart(*before), rel=.02)
    page.get_by_role('button', name='Zoom out').click()
    assert dot(page, 3)==pytest.approx(before[0], abs=.5)

def test_two_maps_on_a_page_do_not_disturb_each_other(show):
    page = show(HTML, HTML)
    first = page.get_by_role('combobox').first
    first.fill('amelie')
    assert page.locator('.live-map').nth(1).locator('.marks circle').count()==0
    assert page.locator('datalist').evaluate_all('es => new Set(es.map(e => e.id)).size')==2

def test_titles_are_text(show):
    page = show()
    search(page).fill('onerror')
    assert NAMES[2] in said(page) and page.locator('.live-map img').count()==0

@pytest.mark.parametrize('width', [320, 390])
def test_a_phone_is_wide_enough(show, width):
    page = show(width=width)
    search(page).fill('amelie')
    assert page.evaluate('document.documentElement.scrollWidth')<=width

@pytest.mark.parametrize('scheme', ['light', 'dark'])
def test_axe(show, scheme):
    page = show(color_scheme=scheme)
    search(page).fill('amelie')
    only = dict(runOnly=['color-contrast']) if scheme=='dark' else {} # the dark differs in its colours alone
    seen = Axe().run(page, options=dict(resultTypes=['violations'], **only)).response['violations']
    found = [(v['id'], v['nodes'][0]['failureSummary']) for v in seen if v['impact'] in ('serious', 'critical')]
    assert not found
