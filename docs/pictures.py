"""Draw pages of the website, light, dark and on a phone, as one sheet `docs/pages.png`: run it after `make docs`

The page to play with is made anew, from data that may be shown: MovieLens latest-small, else planted ratings."""
import io, shutil, sys, tempfile
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from PIL import Image, ImageDraw
from playwright.sync_api import sync_playwright

root = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(root/'tools'))

from play import PlayError, make

LOOKS = {'light': (1440, 'light'), 'dark': (1440, 'dark'), 'phone': (390, 'light')}
HEIGHT,SHRINK = 900,2
ABOUT = {'latest-small': 'The page in the last row is made from MovieLens latest-small by GroupLens, University of '
                         'Minnesota, who do not endorse it; it may be passed on under the same terms.',
         'planted': 'The page in the last row is made from planted ratings.'}

# ---- what to do on a page before it is drawn ----

def scroll(
    page,       # Playwright's page
    selector,   # of what is to stand near the top
    above=120,  # pixels left above it
):
    "Scroll to an element"
    page.evaluate('''([selector, above]) => {
        document.documentElement.style.scrollBehavior = 'auto'
        document.querySelector(selector).scrollIntoView()
        scrollBy(0, -above) }''', [selector, above])

def look(page): "Leave the page as it opens"

def move_sliders(page):
    "Show the figure that one plays with"
    scroll(page, 'article figure')

def answer(page):
    "Answer two questions, one right, one wrong"
    for number,letter in enumerate('cb'):
        form = page.locator('form.question').nth(number)
        form.locator(f'input[value={letter}]').check()
        form.get_by_role('button', name='Check').click()
    scroll(page, '.score', 60)

def become_somebody(page):
    "Give the ratings of the first made-up person"
    page.locator('#presets button').first.click()

PAGES = {'index': look, '02_dot_product': move_sliders, 'practice/02_dot_product': answer}

# ---- the sheet ----

class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args): pass

@contextmanager
def served(
    folder,  # with the website
):
    "Address of a server of the website, as long as it is needed"
    with ThreadingHTTPServer(('127.0.0.1', 0), partial(Quiet, directory=str(folder))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f'http://127.0.0.1:{server.server_port}/'
        server.shutdown()

def shot(
    browser,  # Playwright's
    url,      # of the page
    prepare,  # what to do before: a function of the page
    width,    # of the window, pixels
    scheme,   # light or dark
):
    "Return a picture of a window of the page"
    size = dict(width=width, height=HEIGHT)
    context = browser.new_context(viewport=size, color_scheme=scheme, reduced_motion='reduce')
    page = context.new_page()
    page.goto(url)
    page.wait_for_timeout(500)
    prepare(page)
    page.wait_for_timeout(500)
    res = Image.open(io.BytesIO(page.screenshot())).convert('RGB')
    context.close()
    return res.resize((res.width//SHRINK, res.height//SHRINK), Image.LANCZOS)

def sheet(
    rows,    # lists of pictures
    text,    # to stand below them
    gap=12,  # pixels between them
):
    "Return pictures side by side, row below row, with a line of text"
    width = max(sum(o.width+gap for o in r) for r in rows)
    height = sum(r[0].height+gap for r in rows)
    out = Image.new('RGB', (width+gap, height + 4*gap), '#888')
    y = gap
    for r in rows:
        x = gap
        for o in r:
            out.paste(o, (x, y))
            x += o.width + gap
        y += r[0].height + gap
    ImageDraw.Draw(out).text((gap, y), text, fill='#000', font_size=13)
    return out

def make_play(
    dest,  # folder for the page
):
    "Make the page to play with from data that may be shown; return the line about them"
    try: return ABOUT[make(dest, 'latest-small')]
    except PlayError: return ABOUT[make(dest, 'planted')]

def main(
    site=root/'_docs',             # folder with the website
    dest=root/'docs'/'pages.png',  # file for the sheet
):
    "Draw the pages and write the sheet"
    programs = map(shutil.which, ('chromium', 'chromium-browser', 'google-chrome'))
    with tempfile.TemporaryDirectory() as tmp, served(site) as base, served(tmp) as play, sync_playwright() as p:
        about = make_play(tmp)
        browser = p.chromium.launch(executable_path=next(filter(None, programs), None))
        pages = {f'{base}{name}.html': prepare for name,prepare in PAGES.items()}
        pages[f'{play}index.html'] = become_somebody
        rows = [[shot(browser, url, prepare, *o) for o in LOOKS.values()] for url,prepare in pages.items()]
    sheet(rows, about).quantize(256).save(dest, optimize=True)

if __name__=='__main__': sys.exit(main())
