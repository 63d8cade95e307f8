"The page in a browser: mouse, keyboard, phone, dark, less motion, axe, odd titles, stars and lists"
import re
from base64 import b64decode
from itertools import combinations, product

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe

from collab_course.page_data import as_base64
from collab_course.page_view import page_html

DESKTOP,PHONE = dict(width=1440, height=900), dict(width=390, height=844)
ODD = ['</script><script>document.title = "broken"</script>', '<img src=x onerror="document.title = 1">',
       '"Quoted" & \'single\' \\u003c', 'ألف ليلة وليلة (1001)', 'שיר השירים', '三体：地球往事',
       'ハウルの動く城 (2004)', 'Léon: The Professional (1994)', 'Đorđe Łukasz Øre', '🎬 Film 🍿', 'x'*300,
       'A very long title '*20, '', '42', '$& $1 ${page}', 'Line one\nline two', '\u202eturned around',
       'Война и мир', '   ', '\ud83c broken emoji']
N_ITEMS,WIDTH = 60, 6

def payload(**changes):
    "What a page of stars must know, with random factors and odd titles"
    rng = np.random.default_rng(3)
    factors = rng.normal(0, .6, (N_ITEMS, WIDTH))
    axes = np.eye(2, WIDTH)
    places = (factors - factors.mean(0))@axes.T
    shown = dict(x=as_base64(places[:,0]), y=as_base64(places[:,1]), axes=axes.tolist(),
                 mean=factors.mean(0).tolist(), explained=[.4, .2])
    titles = ODD + [f'Plain {k}' for k in range(len(ODD), N_ITEMS)]
    return dict(kind='stars', title='Rate <b>odd</b> titles', source='Planted <i>data</i>', noun='film',
                feedback='stars', ids=[*range(100, 100 + N_ITEMS)], titles=titles, rows=[*range(1, N_ITEMS + 1)],
                counts=[*range(2*N_ITEMS, N_ITEMS, -1)], n_left_out=7, width=WIDTH, factors=as_base64(factors),
                bias=as_base64(rng.normal(0, .3, N_ITEMS)), ratings=dict(low=.5, high=5, step=.5), range=[0, 5.5],
                average=[0]*WIDTH + [.2], penalty=1, map=shown,
                presets={'Fan of <b>20</b>': {'20': 5, '21': 1}, 'Other': {'22': 5}}) | changes

def lists(feedback='clicks', **changes):
    "The same for factors of a list model"
    counts = np.arange(2*N_ITEMS, N_ITEMS, -1)
    popularity = (counts - counts.mean())/counts.std()
    known = dict(penalty=.1, alpha=1, n_known=4, squares=[3.]*WIDTH, mean=[0.]*WIDTH, n_items=N_ITEMS, unit=1,
                 liked=None if feedback!='stars' else 4, low_weight=.2, lean=.5, fade=5,
                 popularity=as_base64(popularity))
    return payload(kind='lists', penalty=.1, feedback=feedback, lists=known, range=None,
                   bias=as_base64(np.zeros(N_ITEMS)), average=[.1]*WIDTH + [0], presets={}, noun='item') | changes

@pytest.fixture(scope='module')
def folder(tmp_path_factory): return tmp_path_factory.mktemp('pages')

@pytest.fixture(scope='module')
def tabs(browser, folder):
    "Open a page once for each set of data and kind of window; usually nothing moves there, which takes less time"
    opened = {}
    def tab(name='stars', data=None, size=DESKTOP, **look):
        look = dict(color_scheme='light', reduced_motion='reduce') | look
        key = (name, size['width'], *sorted(look.items()))
        if key not in opened: opened[key] = new_tab(browser, folder/f'{name}.html', data or payload(), size, look)
        opened[key].evaluate("document.querySelector('#over').click()")
        return opened[key]
    yield tab
    for page in opened.values(): page.context.close()

def new_tab(browser, path, data, size, look):
    "A tab that notes errors, console lines and requests"
    path.write_bytes(page_html(data).encode('utf-8', 'replace'))
    page = browser.new_context(viewport=size, **look).new_page()
    page.troubles = []
    page.on('console', lambda o: page.troubles.append(o.text))
    page.on('pageerror', lambda o: page.troubles.append(str(o)))
    page.on('request', lambda o: o.url!=path.as_uri() and page.troubles.append(o.url))
    page.goto(path.as_uri())
    page.locator('body[data-ready]').wait_for()
    return page

def row_of(page, title): return page.locator('#rows .row', has=page.get_by_text(title, exact=True))

def best(page): return page.locator('#best .title bdi').all_inner_texts()

def switch(page, order): page.locator(f'[value={order}] + span').click()

def rate(page, title, value):
    "Search an item, and click on its star"
    page.fill('#query', title)
    row_of(page, title).locator(f'input[value="{value}"]').click()
    page.fill('#query', '')

def test_stars_by_mouse_half_ones_too_and_a_second_click_takes_them_back(tabs):
    page = tabs()
    rate(page, 'Plain 25', '3.5')
    assert page.locator('#given').inner_text()=='1 rated'
    assert row_of(page, 'Plain 25').locator(':checked').get_attribute('title')=='3.5 stars'
    assert row_of(page, 'Plain 25').locator('.stars').evaluate("o => o.style.getPropertyValue('--share')")=='70%'
    rate(page, 'Plain 25', '3.5')
    assert page.locator('#given').inner_text()==''
    rate(page, 'Plain 25', '2')
    row_of(page, 'Plain 25').locator('.clear').click()
    assert page.locator('#given').inner_text()=='' and not page.troubles

def test_a_rating_moves_the_list_the_arrow_and_the_bars(tabs):
    page = tabs(reduced_motion='no-preference')
    picture = "id => document.getElementById(id).toDataURL()"
    before = best(page), page.evaluate(picture, 'map'), page.evaluate(picture, 'bars')
    assert page.locator('#best .why').all_inner_texts()==['']*10
    rate(page, 'Plain 30', '5')
    rate(page, 'Plain 31', '0.5')
    drawn = "([map, bars]) => [map, bars].every((o, i) => document.getElementById(['map', 'bars'][i]).toDataURL()!=o)"
    page.wait_for_function(drawn, arg=before[1:])
    after = best(page), page.evaluate(picture, 'map'), page.evaluate(picture, 'bars')
    assert all(a!=b for a,b in zip(before, after))
    why = page.locator('#best .why').all_inner_texts()
    assert any('because of Plain 30 (5\xa0★)' in o or 'because of Plain 31 (0.5\xa0★)' in o for o in why)
    assert 'Plain 30' not in best(page) and not page.troubles

def test_the_list_is_the_engines_top_ten_in_both_orders(tabs):
    page = tabs()
    rate(page, 'Plain 30', '5')
    top = page.evaluate("""() => {
        const page = unpack(JSON.parse(document.getElementById('data').textContent))
        const fold = foldIn(page, new Map([[30, 5]]), 1), seen = new Set([30])
        const lists = [allScores(page, fold), apart(page, fold)].map(o => best(o, page, seen, 10))
        return lists.map(o => o.map(i => page.titles[i].trim()))}""")
    shown = []
    for order in ('most', 'apart'):
        switch(page, order)
        shown.append(page.evaluate("[...document.querySelectorAll('#best .title')].map(o => o.item)"))
    switch(page, 'most')
    ids = {t.strip(): k for k,t in enumerate(payload()['titles'])}
    assert [[ids[t] for t in ts] for ts in top]==shown

def test_the_slider_makes_the_model_believe_faster(tabs):
    page = tabs()
    rate(page, 'Plain 30', '5')
    def surest():
        return max(float(o.split()[0].replace('−', '-')) for o in page.locator('#best .why').all_inner_texts())
    usual = surest()
    page.locator('#penalty').press('End')
    assert surest()>usual and 'penalty 0.0' in page.locator('#penalty').get_attribute('aria-valuetext')
    page.locator('#penalty').evaluate("o => { o.value = 0; o.dispatchEvent(new Event('input')) }")

def test_presets_and_start_over(tabs):
    page = tabs()
    fan = page.get_by_role('button', name='Fan of <b>20</b>')
    fan.click()
    assert page.locator('#given').inner_text()=='2 rated' and fan.get_attribute('aria-pressed')=='true'
    assert page.locator('#rows .rated').count()==2
    rate(page, 'Plain 40', '4')
    assert fan.get_attribute('aria-pressed')=='false'
    page.get_by_role('button', name='Start over').click()
    assert page.locator('#given').inner_text()=='' and page.locator('#over').is_disabled()

@pytest.mark.parametrize('query,title', [('leon prof', ODD[7]), ('LEON', ODD[7]), ('dorde lukasz ore', ODD[8]),
                                         ('三体', ODD[5]), ('الف', ODD[3]), ('השירים', ODD[4]), ('война', ODD[17]),
                                         ('<script>', ODD[0]), ('141', 'Plain 41')])
def test_search_folds_accents_and_finds_every_script(tabs, query, title):
    page = tabs()
    page.fill('#query', query)
    assert page.locator('#rows .title').first.get_attribute('title').startswith(title)
    page.fill('#query', '')

def test_search_that_finds_nothing_says_so(tabs):
    page = tabs()
    page.fill('#query', 'zzzzz')
    assert page.locator('#no-hits').inner_text()=='No film has this in its name.'
    page.fill('#query', '')
    assert page.locator('#no-hits').is_hidden()

def test_by_keyboard_alone(tabs):
    page = tabs()
    page.locator('#query').focus()
    page.keyboard.type('plain 25')
    page.keyboard.press('Tab') # the title
    page.keyboard.press('Tab') # its stars
    page.keyboard.press('ArrowRight')
    page.keyboard.press('ArrowRight')
    given = page.evaluate("document.activeElement.title")
    assert given.endswith('stars') and page.locator('#given').inner_text()=='1 rated'
    page.keyboard.press('Delete')
    assert page.locator('#given').inner_text()==''
    row_of(page, 'Plain 25').locator('.title').focus()
    page.keyboard.press('Enter')
    assert page.locator('#near-title').inner_text()=='Plain 25'
    assert page.evaluate("document.activeElement.id")=='near-head'
    page.keyboard.press('Escape')
    assert page.locator('#near').is_hidden()
    assert page.evaluate("document.activeElement.title").startswith('Plain 25')
    page.locator('[name=by]').first.focus()
    page.keyboard.press('ArrowRight')
    assert page.locator('[value=apart]').is_checked()
    page.keyboard.press('ArrowLeft')
    page.fill('#query', '')

def test_the_map_by_keys_and_by_mouse(tabs):
    page = tabs()
    page.locator('#map').focus()
    page.keyboard.press('ArrowRight')
    first = page.locator('#tip b').inner_text()
    page.keyboard.press('ArrowLeft')
    page.keyboard.press('ArrowUp')
    assert page.locator('#tip b').inner_text()!=first
    assert page.locator('#status').inner_text().startswith(page.locator('#tip b').inner_text()[:20])
    page.keyboard.press('Enter')
    assert page.locator('#near').is_visible() and page.locator('#near-list li').count()==8
    page.locator('#near-close').click()
    box = page.locator('#map').bounding_box()
    middle = np.array([box['width'], box['height']])//2
    steps = sorted(product(range(-96, 97, 12), repeat=2), key=np.linalg.norm)
    for x,y in (middle + steps).tolist():
        page.mouse.move(box['x'] + x, box['y'] + y)
        if page.locator('#tip').is_visible(): break
    page.mouse.down()
    page.mouse.up()
    assert page.locator('#near').is_visible()
    page.locator('#near-close').click()

def test_enter_in_the_search_box_opens_the_first(tabs):
    page = tabs()
    page.fill('#query', 'leon')
    page.locator('#query').press('Enter')
    assert page.locator('#near-title').inner_text()==ODD[7]
    page.keyboard.press('Escape')
    assert page.evaluate("document.activeElement.id")=='query'
    page.fill('#query', '')

WRITTEN = """async () => {
    const texts = [], pen = CanvasRenderingContext2D.prototype, fill = pen.fillText
    pen.fillText = function (text, x, y) { texts.push([text, x, y, this.measureText(text).width]) }
    document.querySelector('#presets button').click()
    const frame = () => new Promise(requestAnimationFrame)
    for (let k = 0; k < 4; k++) await frame()
    pen.fillText = fill
    return texts}"""

@pytest.mark.parametrize('size', [DESKTOP, PHONE])
def test_names_on_the_map_neither_collide_nor_leave_it(tabs, size):
    page = tabs('stars', size=size, color_scheme='light', reduced_motion='reduce')
    texts = page.evaluate(WRITTEN)
    last = len(texts) - 1 - [o[0] for o in texts][::-1].index('you') # a frame ends with the tag
    first = max([k + 1 for k,o in enumerate(texts[:last]) if o[0].startswith('you')], default=0)
    boxes = [(x, y - 11, x + w, y + 2) for _,x,y,w in texts[first:last+1]]
    cross = [(a, b) for a,b in combinations(boxes, 2)
             if a[0]<b[2] and b[0]<a[2] and a[1]<b[3] and b[1]<a[3]]
    assert 6<len(boxes)<=21 and not cross
    assert min(o[0] for o in boxes)>=0 and max(o[2] for o in boxes)<=page.locator('#map').bounding_box()['width']

def test_what_was_opened_can_be_rated_and_leads_on(tabs):
    page = tabs()
    page.locator('#best .title').first.click()
    title = page.locator('#near-title').inner_text()
    page.locator('#near-rate input[value="4"]').click()
    assert page.locator('#given').inner_text()=='1 rated' and title not in best(page)
    page.locator('#near-list button').first.click()
    assert page.locator('#near-title').inner_text()!=title
    page.locator('#near-close').click()

def test_titles_are_text_and_legible(tabs):
    page = tabs()
    assert page.title()=='Rate <b>odd</b> titles' and page.locator('h1').inner_text()=='Rate <b>odd</b> titles'
    while page.locator('#more').is_visible(): page.locator('#more').click()
    names = page.locator('#rows .title bdi').all_text_contents()
    assert len(names)==N_ITEMS and names[:2]==ODD[:2] and names[12]=='film 112' and names[13]=='42'
    assert names[18]=='film 118' and page.locator('main img, main b script, #rows b').count()==0
    assert page.locator('#source').inner_text()=='Planted <i>data</i>'
    assert '7 more are left out' in page.locator('#left-out').inner_text()
    assert page.locator('#rows bdi[dir=auto]').count()==N_ITEMS
    for k in range(len(ODD)):
        page.locator('#rows .title').nth(k).click()
        assert page.locator('#near-title').text_content()
    assert not page.troubles and page.title()=='Rate <b>odd</b> titles'
    page.locator('#near-close').click()

def test_ratings_are_kept_in_this_browser(tabs):
    page = tabs()
    rate(page, 'Plain 33', '4.5')
    assert 'stay in this browser' in page.locator('#kept').inner_text()
    page.reload()
    page.locator('body[data-ready]').wait_for()
    assert page.locator('#rows .rated .title').get_attribute('title').startswith('Plain 33')

def test_a_browser_that_keeps_nothing(browser, folder):
    page = browser.new_context().new_page()
    page.add_init_script("Object.defineProperty(window, 'localStorage', {get() { throw new Error('no') }})")
    (folder/'kept.html').write_text(page_html(lists()), encoding='utf-8', errors='replace')
    page.goto((folder/'kept.html').as_uri())
    page.locator('body[data-ready]').wait_for()
    assert 'keeps nothing' in page.locator('#kept').inner_text()
    page.context.close()

def test_likes_of_one_page_are_not_stars_of_another(browser, folder):
    page = new_tab(browser, folder/'first.html', lists(), DESKTOP, {})
    page.locator('#rows .like').first.click()
    (folder/'second.html').write_text(page_html(payload()), encoding='utf-8', errors='replace')
    page.goto((folder/'second.html').as_uri())
    page.locator('body[data-ready]').wait_for()
    assert page.locator('#given').inner_text()==''
    page.context.close()

def test_likes_for_clicks(tabs):
    page = tabs('likes', lists())
    page.get_by_role('button', name='Like Plain 25').or_(page.locator('#more')).first.click()
    page.fill('#query', 'Plain 25')
    like = page.get_by_role('button', name='Like Plain 25')
    like.click()
    assert like.get_attribute('aria-pressed')=='true' and page.locator('#given').inner_text()=='1 liked'
    page.fill('#query', '')
    assert any(o=='Because of Plain 25' for o in page.locator('#best .why').all_inner_texts())
    assert 'star' not in page.locator('body').inner_text().lower().replace('start over', '')
    assert '★' not in page.locator('body').inner_text()
    switch(page, 'apart')
    assert len(best(page))==10 and not page.troubles
    switch(page, 'most')

@pytest.mark.parametrize('low,high,step,n', [(1, 10, 1, 10), (-10, 10, .5, 41), (0, 5, 1, 6), (0, 100, 10, 11)])
def test_other_scales_choose_from_a_box(tabs, low, high, step, n):
    scale = dict(low=low, high=high, step=step)
    page = tabs(f'scale{low}_{high}', payload(ratings=scale, range=[low - 1, high + 1], presets={}))
    box = page.get_by_label('Your rating of Plain 25').or_(page.get_by_label('Your rating of "Quoted"')).first
    assert box.locator('option').count()==n + 1
    box.select_option(str(high))
    assert page.locator('#given').inner_text()=='1 rated'
    box.select_option('')
    assert page.locator('#given').inner_text()=='' and not page.troubles

def test_a_preset_may_rate_between_the_steps_of_a_box(tabs):
    scale = dict(low=-10, high=10, step=2)
    page = tabs('between', payload(ratings=scale, range=[-11, 11], presets={'Other': {'0': 7.3}}))
    page.get_by_role('button', name='Other').click()
    assert page.locator('#rows select').first.evaluate('o => o.selectedOptions[0].text')=='7.3'
    assert not page.troubles

def test_words_where_all_is_rated(tabs):
    page = tabs('all', payload(presets={'All': {str(k): 4 for k in range(N_ITEMS)}}))
    page.get_by_role('button', name='All').click()
    assert page.locator('#list-note').inner_text()=='Nothing is left to list.'
    assert page.locator('#status').text_content()=='60 rated. Nothing is left to list.'

def test_more_and_less_in_words_are_different_items(tabs):
    few = slice(0, 5)
    data = payload(presets={'Other': {'0': 5, '1': .5}})
    small = {name: data[name][few] for name in ('ids', 'titles', 'counts', 'rows')}
    both = {o: as_base64(np.frombuffer(b64decode(data['map'][o]), '<f4')[few]) for o in 'xy'}
    factors = np.frombuffer(b64decode(data['factors']), '<f4').reshape(N_ITEMS, WIDTH)[few]
    page = tabs('few', data | small | dict(map=data['map'] | both, factors=as_base64(factors),
                                           bias=as_base64(np.zeros(5))))
    page.get_by_role('button', name='Other').click()
    more,less = page.locator('#map-text').text_content().split('more: ')[1].split(' Less: ')
    assert not set(more.strip('.').split('; ')) & set(less.strip('.').split('; '))

def test_list_models_of_stars_take_stars(tabs):
    page = tabs('liststars', lists('stars', noun='book'))
    rate(page, 'Plain 25', '5')
    assert page.locator('h2').first.inner_text().startswith('Rate a few books')
    assert page.locator('#best .score').all_inner_texts()==['']*10 and not page.troubles
    assert page.locator('#best .why').all_text_contents().count('Because of Plain 25 (5\xa0★)')
    assert '4 stars or more count fully, less counts 20 %' in page.locator('#list-note').inner_text()

LOOKS = [(DESKTOP, 'light'), (DESKTOP, 'dark'), (PHONE, 'light'), (PHONE, 'dark')]

@pytest.mark.parametrize('size,scheme', LOOKS)
def test_axe_finds_nothing_serious_and_nothing_is_cut(tabs, size, scheme):
    page = tabs('stars', size=size, color_scheme=scheme, reduced_motion='reduce')
    page.locator('#presets button').first.click()
    page.locator('#best .title').first.click()
    only = dict(runOnly=['color-contrast']) if scheme=='dark' else {} # the dark differs in its colours alone
    seen = Axe().run(page, options=dict(resultTypes=['violations'], **only)).response['violations']
    found = [o for o in seen if o['impact'] in ('serious', 'critical')]
    assert not found, [(o['id'], [n['html'][:150] for n in o['nodes'][:3]]) for o in found]
    assert page.evaluate('document.documentElement.scrollWidth')<=size['width']
    page.locator('#near-close').click()

def test_a_phone_has_one_column(tabs):
    page = tabs('stars', size=PHONE, color_scheme='light', reduced_motion='reduce')
    lefts = {o.bounding_box()['x'] for o in page.locator('main > section').all()}
    assert len(lefts)==1
    lefts = [o.bounding_box()['x'] for o in tabs().locator('main > section').all()]
    assert lefts==sorted(set(lefts)) and len(lefts)==3

def test_dark_paper_is_dark(tabs):
    page = tabs('stars', color_scheme='dark', reduced_motion='reduce')
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert max(map(int, re.findall(r'\d+', paper)))<60

def test_less_motion_jumps(tabs):
    page = tabs('stars', color_scheme='light', reduced_motion='reduce')
    drawn = page.evaluate("""async () => {
        const frame = () => new Promise(requestAnimationFrame), map = document.querySelector('#map')
        const pictures = []
        document.querySelector('#presets button').click()
        for (let k = 0; k < 6; k++) { await frame(); pictures.push(map.toDataURL()) }
        return new Set(pictures.slice(2)).size}""")
    assert drawn==1

def test_the_status_reads_out_the_list_and_the_map_has_words(tabs):
    page = tabs()
    page.get_by_role('button', name='Other').click()
    first = page.locator('#best .title').first.get_attribute('title').removesuffix(': show its nearest')
    assert first in page.locator('#status').text_content()
    assert '1 rated. Your list begins' in page.locator('#status').text_content()
    assert 'You would like these more' in page.locator('#map-text').text_content()
    assert page.locator('#map').get_attribute('aria-label').startswith('Map of 60 films')
    assert 'Number' in page.locator('#bars').get_attribute('aria-label')

def test_no_page_asked_for_anything(tabs):
    assert [tabs(name).troubles for name in ('stars', 'likes', 'liststars')]==[[]]*3
