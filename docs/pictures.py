"Draw three pages of the website, light, dark and on a phone, as one sheet `docs/pages.png`: run it after `make docs`"
import io, shutil
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from PIL import Image
from playwright.sync_api import sync_playwright

root = Path(__file__).resolve().parents[1]
PAGES = {'index': None, '02_dot_product': 'figure.playing', 'practice/02_dot_product': 'details'}  # what to scroll to
LOOKS = {'light': (1280, 'light'), 'dark': (1280, 'dark'), 'phone': (390, 'light')}
HEIGHT,SHRINK = 900,2

class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args): pass

def shot(browser, url, at, width, scheme):
    "Picture of a window of the page, with the first folds open"
    context = browser.new_context(viewport=dict(width=width, height=HEIGHT), color_scheme=scheme)
    page = context.new_page()
    page.goto(url)
    page.wait_for_timeout(500)
    page.add_style_tag(content='html { scroll-behavior: auto !important }')
    page.evaluate("[...document.querySelectorAll('details')].slice(0, 2).forEach(o => o.open = true)")
    if at: page.evaluate("at => { document.querySelector(at).scrollIntoView(); window.scrollBy(0, -120) }", at)
    page.wait_for_timeout(300)
    res = Image.open(io.BytesIO(page.screenshot())).convert('RGB')
    context.close()
    return res.resize((res.width//SHRINK, res.height//SHRINK), Image.LANCZOS)

def sheet(rows, gap=12):
    "Pictures side by side, row below row"
    out = Image.new('RGB', (max(sum(o.width+gap for o in r) for r in rows)+gap, sum(r[0].height+gap for r in rows)+gap),
                    '#888')
    for i,r in enumerate(rows):
        x = gap
        for o in r:
            out.paste(o, (x, gap + i*(o.height+gap)))
            x += o.width + gap
    return out

with ThreadingHTTPServer(('127.0.0.1', 0),
                         partial(Quiet, directory=str(root/'_docs'))) as server, sync_playwright() as p:
    Thread(target=server.serve_forever, daemon=True).start()
    browser = p.chromium.launch(executable_path=next(filter(None,
                                                            map(shutil.which,
                                                                ('chromium', 'chromium-browser', 'google-chrome'))),
                                                                None))
    rows = [[shot(browser, f'http://127.0.0.1:{server.server_port}/{k}.html', at, *look) for look in LOOKS.values()]
            for k,at in PAGES.items()]
    sheet(rows).quantize(128).save(root/'docs'/'pages.png', optimize=True)
    server.shutdown()
