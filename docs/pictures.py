"Draw pages of the website, light, dark and on a phone, as one sheet `docs/pages.png`: run it after `make docs`"
import io, shutil, sys
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from PIL import Image
from playwright.sync_api import sync_playwright

root = Path(__file__).resolve().parents[1]
LOOKS = {'light': (1440, 'light'), 'dark': (1440, 'dark'), 'phone': (390, 'light')}
HEIGHT,SHRINK = 900,2

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

PAGES = {'index': look, '02_dot_product': move_sliders, 'practice/02_dot_product': answer, 'play/index': look}

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
    gap=12,  # pixels between them
):
    "Return pictures side by side, row below row"
    width = max(sum(o.width+gap for o in r) for r in rows)
    out = Image.new('RGB', (width+gap, sum(r[0].height+gap for r in rows) + gap), '#888')
    y = gap
    for r in rows:
        x = gap
        for o in r:
            out.paste(o, (x, y))
            x += o.width + gap
        y += r[0].height + gap
    return out

def main(
    site=root/'_docs',             # folder with the website
    dest=root/'docs'/'pages.png',  # file for the sheet
):
    "Draw the pages that are there"
    there = {k:v for k,v in PAGES.items() if (site/f'{k}.html').exists()}
    programs = map(shutil.which, ('chromium', 'chromium-browser', 'google-chrome'))
    with served(site) as base, sync_playwright() as p:
        browser = p.chromium.launch(executable_path=next(filter(None, programs), None))
        rows = [[shot(browser, f'{base}{k}.html', prepare, *o) for o in LOOKS.values()] for k,prepare in there.items()]
    sheet(rows).quantize(128).save(dest, optimize=True)

if __name__=='__main__': sys.exit(main())
