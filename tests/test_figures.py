"Figures that move: forms that a notebook stores, what is refused, what a browser shows with and without scripts"
import hashlib, json, os, subprocess, sys
from base64 import b64decode
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import numpy as np, pandas as pd
import pytest
from collab_course.course.figures import Playable, bar_pieces, play_runs, play_scores, runs_data

NAMES = ['Star Wars (1977)', '<b>Bold</b> & "quoted" $x$', "</script><script>window.hacked=1</script>",
         '<img src=x onerror="window.hacked=1">', 'Die Hard (1988)']
FACTORS = pd.DataFrame([[0.9, 0.8, 0.1], [-0.99, -0.3, 0.8], [0.5, -0.6, 0.4], [-1, 0.7, 0.7], [-0.8, 0.9, -0.4]],
                       NAMES, ['science fiction', 'action', 'old'])
PERSON = [0.9, 0.8, -0.6]
RUNS = pd.DataFrame([dict(decay=w, epoch=e, training=1/(1+e) + w/10, validation=0.9 + (w-0.4)**2 + 0.1/(1+e))
                     for w in (0, 0.4, 1.6) for e in range(4)])
ALT = 'Five films, "first" Star Wars & last <b>Bold</b>.'

def scores(**kw): return play_scores(**{**dict(factors=FACTORS, person=PERSON, alt=ALT, caption='Films < films'), **kw})
def runs(**kw): return play_runs(**{**dict(runs=RUNS, by='decay', start=0.4, alt='Losses by decay.'), **kw})
usual = cache(lambda make: make())  # a picture takes a while
def playable(**kw):
    parts = dict(draw='(d, {html}) => html("p", {}, d.text)', data=dict(text='live'), png=usual(scores).png)
    return Playable(**{**parts, 'alt': 'A picture.', **kw})
ROOT = Path(__file__).resolve().parents[1]
ENV = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT/"tests")])}
EVERY = [scores, runs, playable]

class Tags(HTMLParser):
    "All tags of a text with their attributes"
    def __init__(self, html):
        super().__init__()
        self.tags = []
        self.feed(html)

    def handle_starttag(self, tag, attrs): self.tags.append((tag, dict(attrs)))

def data_of(fig): return json.loads(Tags(fig.html()).tags[0][1]['data-playing'])

# what a notebook stores

@pytest.mark.parametrize('make', EVERY)
def test_three_forms(make):
    fig = make()
    forms = fig._repr_mimebundle_()
    assert set(forms) == {'text/html', 'image/png', 'text/plain'}
    assert b64decode(forms['image/png']) == fig.png and fig.png[1:4] == b'PNG'
    assert forms['text/plain'] == repr(fig) == fig.alt

@pytest.mark.parametrize('make', EVERY)
def test_the_html_holds_the_picture_and_one_script(make):
    fig = make()
    (_,figure),(_,img),*rest = Tags(fig.html()).tags
    assert img['alt'] == fig.alt and img['src'] == 'data:image/png;base64,' + fig._repr_mimebundle_()['image/png']
    assert [t for t,_ in rest] == ['figcaption', 'script'] and 'src' not in rest[1][1]
    assert figure['data-draw'] in fig.html().split('<script>')[1]

@pytest.mark.parametrize('make', EVERY)
def test_equal_input_gives_equal_html(make): assert make().html() == make().html()

def test_the_html_is_the_same_in_another_process():
    code = ('from test_figures import *; import hashlib; print(hashlib.sha256((scores().html() + '
            'runs().html()).encode()).hexdigest())')
    there = subprocess.run([sys.executable, '-c', code], cwd=str(ROOT/'tests'), env=ENV | {'PYTHONHASHSEED': '1'},
                           capture_output=True, text=True, check=True).stdout
    assert there == hashlib.sha256((scores().html() + runs().html()).encode()).hexdigest() + '\n'

def test_titles_survive_as_data():
    assert data_of(scores())['names'] == NAMES

def test_data_of_scores():
    d = data_of(scores())
    assert d['factors'] == FACTORS.to_numpy().tolist() and d['person'] == PERSON
    assert d['span'] == pytest.approx(FACTORS.abs().sum(axis=1).max())

def test_runs_are_in_order_whatever_the_order_of_rows():
    shuffled = RUNS.sample(frac=1, random_state=0)
    assert runs_data(shuffled, 'decay', 'epoch', 'loss', 0.4, 3) == runs_data(RUNS, 'decay', 'epoch', 'loss', 0.4, 3)
    d = data_of(runs(runs=shuffled))
    assert d['settings'] == [0, 0.4, 1.6] and d['xs'] == [0, 1, 2, 3] and d['start'] == 1
    assert d['values'][2][0] == RUNS.training[8:].round(3).tolist()
    assert d['ends'][1] == [v[1][-1] for v in d['values']]

def test_ticks_enclose_the_curves():
    d = data_of(runs())
    for ticks,values in zip(d['ticks'], (d['values'], d['ends'])):
        assert ticks[0] <= np.min(values) and np.max(values) <= ticks[-1]

def test_pieces_touch_and_add_up():
    parts = np.random.default_rng(0).normal(size=(50, 4))
    left,width = bar_pieces(parts)
    for row,l,w in zip(parts, left, width):
        assert (l+w).max() == pytest.approx(row[row>0].sum()) and l.min() == pytest.approx(min(0, row[row<0].sum()))
        for sign in (row>0, row<0): assert w[sign].sum() == pytest.approx(abs(row[sign].sum()))

# what is refused

@pytest.mark.parametrize('make', EVERY)
@pytest.mark.parametrize('alt', ['', ' \n', None])
def test_no_picture_without_words(make, alt):
    with pytest.raises(ValueError, match='alt must say in words'): make(alt=alt)

wrong_scores = {
    'no rows':        (dict(factors=FACTORS[:0]), r'factors must have rows and columns, not the shape \(0, 3\)'),
    'no columns':     (dict(factors=FACTORS[[]]), r'factors must have rows and columns, not the shape \(5, 0\)'),
    'text':           (dict(factors=FACTORS.assign(old='yes')), "column 'old' of factors must hold numbers"),
    'NaN':            (dict(factors=FACTORS.assign(old=[0, 0, np.nan, 0, 0])),
                       r"column 'old' of factors must hold finite numbers, not nan for '</script>"),
    'infinity':       (dict(factors=FACTORS.assign(old=[0, 0, 0, 0, np.inf])),
                       r"column 'old' of factors must hold finite numbers, not inf for 'Die Hard"),
    'many factors':   (dict(factors=pd.concat([FACTORS, FACTORS], axis=1), person=PERSON*2), 'factors must have at '
                                                                                             'most 4 columns, one per '
                                                                                             'colour, not 6'),
    'short person':   (dict(person=PERSON[:2]), r'person must have 3 numbers \(science fiction, action, old\), not 2'),
    'NaN person':     (dict(person=[0, np.nan, 0]), "person's action must be .* not nan"),
    'beyond slider':  (dict(person=[0, 0, 1.1]), "person's old must be from -1 to 1 in steps of 0.1, not 1.1"),
    'between steps':  (dict(person=[0.25, 0, 0]), "person's science fiction must be .* steps of 0.1, not 0.25"),
}

@pytest.mark.parametrize('name', wrong_scores)
def test_bad_scores_are_named(name):
    kw,message = wrong_scores[name]
    with pytest.raises(ValueError, match=message): scores(**kw)

wrong_runs = {
    'no rows':        (dict(runs=RUNS[:0]), r'runs must have rows and columns, not the shape \(0, 4\)'),
    'no column':      (dict(by='wd'), "there is no column 'wd' in runs; there are: decay, epoch, training, validation"),
    'NaN':            (dict(runs=RUNS.assign(training=np.nan)),
                       "column 'training' of runs must hold finite numbers, not nan for '0'"),
    'no curves':      (dict(runs=RUNS[['decay', 'epoch']]),
                       "runs must have 1 to 4 columns besides 'decay' and 'epoch', not 0"),
    'an epoch short': (dict(runs=RUNS[:-1]), 'runs must have one row for each decay and epoch'),
    'a row twice':    (dict(runs=pd.concat([RUNS[:-1], RUNS[:1]])), 'runs must have one row for each decay and epoch'),
    'unknown start':  (dict(start=0.5), 'there is no run with decay 0.5'),
}

@pytest.mark.parametrize('name', wrong_runs)
def test_bad_runs_are_named(name):
    kw,message = wrong_runs[name]
    with pytest.raises(ValueError, match=message): runs(**kw)

@pytest.mark.parametrize('kw,message',
                         [(dict(png=b'GIF89a'), 'png must be the bytes of a PNG file'),
                          (dict(draw='() => "</Script>"'), 'draw must not hold `</script`'),
                          (dict(draw='<!--'), 'draw must not hold `<!--`'),
                                        (dict(data=[float('nan')]), 'JSON compliant')])
def test_bad_parts_are_refused(kw, message):
    with pytest.raises(ValueError, match=message): playable(**kw)

# what a reader gets

@pytest.fixture
def show(show_html):
    "Opens figures on one page"
    def open_page(*figs, width=900, style='', **kw):
        return show_html(f'<!doctype html><meta charset="utf-8"><title>t</title><body style="{style}">'
                         + '\n'.join(f.html() for f in figs), width, 800, **kw)
    return open_page

def number(text): return float(text.replace('−', '-'))

def ranking(figure):
    "Names and scores as they stand in the list of `figure`"
    items = figure.get_by_role('listitem').all()
    return [(o.locator('span').first.evaluate('e => e.firstChild.data'), number(o.locator('span').last.inner_text()))
            for o in items]

def by_numpy(person):
    s = FACTORS.to_numpy() @ np.array(person)
    return [(NAMES[i], pytest.approx(s[i], abs=0.0051)) for i in np.argsort(-s)]

def test_without_scripts_there_is_the_picture_and_no_control(show):
    page = show(usual(scores), usual(runs), java_script_enabled=False)
    for alt in (ALT, 'Losses by decay.'):
        img = page.get_by_role('img', name=alt, exact=True)
        assert img.is_visible() and img.bounding_box()['width'] > 300
    assert page.locator('input, output, svg').count() == 0
    assert page.get_by_text('Films < films').is_visible()

def test_with_scripts_the_picture_is_replaced(show):
    page = show(usual(scores), usual(runs))
    assert page.locator('img').count() == 0
    assert [o.get_attribute('aria-valuetext')
            for o in page.get_by_role('slider').all()] == ['0.90', '0.80', '−0.60', '0.4']
    assert page.locator('figcaption').first.inner_text() == 'Films < films'

def test_the_start_is_what_numpy_gives(show): assert ranking(show(usual(scores)).locator('figure')) == by_numpy(PERSON)

@pytest.mark.parametrize('name,key,times,person',
                         [('old', 'ArrowRight', 12, [0.9, 0.8, 0.6]), ('action', 'ArrowLeft', 3, [0.9, 0.5, -0.6]),
                                                   ('science fiction', 'Home', 1, [-1, 0.8, -0.6]),
                          ('old', 'End', 1, [0.9, 0.8, 1])])
def test_keys_move_the_scores_to_what_numpy_gives(show, name, key, times, person):
    page = show(usual(scores))
    slider = page.get_by_role('slider', name=name, exact=True)
    for _ in range(times): slider.press(key)
    want = by_numpy(person)
    assert ranking(page.locator('figure')) == want and want != by_numpy(PERSON)
    first,last = want[0][0],want[-1][0]
    said = page.locator('output').inner_text()
    assert said.startswith(f'Highest: {first}, ') and f'Lowest: {last}, ' in said
    assert page.locator('output').get_attribute('aria-live') == 'polite'

def test_bars_and_mark_are_where_numpy_puts_them(show):
    page = show(usual(scores))
    page.get_by_role('slider', name='old').press('End')
    bars = page.get_by_role('listitem').filter(
        has_text='Die Hard').locator('rect').evaluate_all('es => es.map(e => [+e.getAttribute("x"), '
                                                          '+e.getAttribute("width")])')
    left,width = bar_pieces(FACTORS.loc[['Die Hard (1988)']].to_numpy()*[0.9, 0.8, 1])
    np.testing.assert_allclose(bars, np.column_stack([left[0], width[0]]), atol=1e-9)
    mark = page.get_by_role('listitem').filter(has_text='Die Hard').locator('path').last.get_attribute('d')
    assert float(mark[1:].split(',')[0]) == pytest.approx(FACTORS.loc['Die Hard (1988)'] @ [0.9, 0.8, 1])

def test_titles_are_text_and_run_nothing(show):
    page = show(usual(scores))
    assert {n for n,_ in ranking(page.locator('figure'))} == set(NAMES)
    assert page.evaluate('window.hacked') is None and page.locator('figure b').count() == 0

def test_all_zero_is_shown_without_a_sign(show):
    page = show(scores(person=[0, 0, 0]))
    assert set(o.locator('span').last.inner_text() for o in page.get_by_role('listitem').all()) == {'0.00'}

def test_figures_on_one_page_do_not_disturb_each_other(show):
    page = show(usual(scores), usual(runs), scores(person=[0, 0, 1]), usual(scores))
    figs = page.locator('figure')
    assert [figs.nth(i).get_by_role('slider').count() for i in range(4)] == [3, 1, 3, 3]
    said = figs.nth(1).locator('output').inner_text()
    figs.nth(0).get_by_role('slider', name='old').press('End')
    assert ranking(figs.nth(0)) == by_numpy([0.9, 0.8, 1])
    assert ranking(figs.nth(2)) == by_numpy([0, 0, 1]) and ranking(figs.nth(3)) == by_numpy(PERSON)
    assert figs.nth(1).locator('output').inner_text() == said

@pytest.mark.parametrize('key,w', [('ArrowLeft', 0), ('ArrowRight', 1.6), ('End', 1.6)])
def test_a_run_is_picked(show, key, w):
    page = show(usual(runs))
    was = page.locator('svg').first.inner_html()
    page.get_by_role('slider', name='decay').press(key)
    end = RUNS[(RUNS.decay==w) & (RUNS.epoch==3)].iloc[0]
    said = page.locator('output').inner_text()
    assert said == f'decay {w} ends at: training {end.training:.3f}, validation {end.validation:.3f}'
    assert page.locator('svg').first.inner_html() != was

def test_a_curve_is_drawn_to_scale(show):
    page = show(usual(runs))
    d = page.locator('svg').first.locator('path[stroke="#0072B2"]').get_attribute('d')
    y = np.array([float(p.split(',')[1]) for p in d[1:].split('L')])
    values = RUNS[RUNS.decay==0.4].training.round(3).to_numpy()
    assert np.corrcoef(y, values)[0,1] == pytest.approx(-1)

def test_a_picture_stays_where_drawing_fails(browser):
    page = browser.new_page()
    errors = []
    page.on('pageerror', lambda e: errors.append(str(e)))
    page.set_content(playable(draw='() => { throw Error("no") }').html())
    assert page.get_by_role('img', name='A picture.').is_visible() and errors == ['no']
    page.close()

def test_a_figure_of_your_own(show): assert show(playable()).locator('figure p').inner_text() == 'live'

@pytest.mark.parametrize('java_script_enabled', [True, False])
def test_a_phone_is_wide_enough(show, java_script_enabled):
    page = show(usual(scores), usual(runs), width=390, java_script_enabled=java_script_enabled)
    right = page.locator('figure, figure *').evaluate_all('es => Math.max(...es.map(e => '
                                                          'e.getBoundingClientRect().right))')
    assert 300 < right <= 390

def test_marks_have_the_colour_of_the_text(show):
    page = show(usual(scores), style='color:rgb(221, 221, 221);background:black')
    assert page.locator('path').last.evaluate('e => getComputedStyle(e).stroke') == 'rgb(221, 221, 221)'

COUNT_MOVES = """() => {
    window.moves = 0
    const animate = Element.prototype.animate
    Element.prototype.animate = function(...args) { moves++; return animate.apply(this, args) }
}"""

def count_moves(page):
    "Move the slider to its end and count the animations that begin; on a slow machine they may be over when one looks"
    page.evaluate(COUNT_MOVES)
    page.get_by_role('slider', name='old').press('End')
    return page.evaluate('moves')

def test_nothing_moves_by_itself_for_who_asked_for_rest(show):
    assert count_moves(show(usual(scores), reduced_motion='reduce')) == 0
    assert count_moves(show(usual(scores), reduced_motion='no-preference')) > 0

def test_keys_of_the_slider_stay_with_it_and_others_reach_the_page(show):
    page = show(usual(scores))
    page.evaluate("window.keys = []; document.addEventListener('keydown', e => keys.push(e.key))")
    for key in ('ArrowLeft', 'ArrowUp', 'Home', 'PageDown', 'Control+s', 'Escape'):
        page.get_by_role('slider', name='old').press(key)
    assert page.evaluate('keys') == ['Control', 's', 'Escape']
