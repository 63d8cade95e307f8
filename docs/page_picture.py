"""Draw `docs/page.gif` and `docs/page.png`: the page of chapter 17 while somebody rates films

    python docs/page_picture.py ml-latest-small/

The folder holds `ratings.csv` and `movies.csv` of MovieLens latest-small, and can be named by the environment variable
MOVIELENS_SMALL as well. A table that pandas has pickled, with user, movie, rating, title and year, does too.
The pictures show titles of that data set and numbers learned from it. GroupLens permits to redistribute it, including
transformations, under the terms in `LICENSE-latest-small.txt`.
"""
import io, os, shutil, sys, tempfile
from pathlib import Path

import pandas as pd
from PIL import Image
from playwright.sync_api import sync_playwright

from collab_course.movielens import article_first
from collab_course.recommender import Recommender

docs = Path(__file__).resolve().parent
SIZE = dict(width=1200, height=780)
WIDTH = 900 # of the pictures
COLORS = 128
CLEAR = ['#f0a30a', '#e0701a', '#2b7fc0'] # colours of `page_view` that must stay: a star, more, less
STEP = 110 # milliseconds between two pictures of a movement
GIVEN = {'The Matrix': 4.5, 'Pulp Fiction': 5, 'Forrest Gump': 2, 'Fargo': 5, 'Jurassic Park': 2,
         'The Silence of the Lambs': 5}
PRESETS = {
    'Space fan': {'Star Wars: Episode IV': 5, 'Alien (': 5, 'Blade Runner': 5, 'Titanic': 2, 'Pretty Woman': 1},
    'Romantic': {'Titanic': 5, 'Sleepless in Seattle': 5, 'Pretty Woman': 5, 'Alien (': 1, 'Pulp Fiction': 2},
    'Family': {'Toy Story (': 5, 'The Lion King': 5, 'Babe': 4.5, 'Pulp Fiction': 1, 'Scream': 1},
}
SOURCE = ('Data: MovieLens latest-small. F. M. Harper and J. A. Konstan, The MovieLens Datasets, 2015, '
          'redistributed under the terms of its README.')

def ratings_with_titles(path):
    "The ratings of MovieLens latest-small, with a title each"
    if path.is_file():
        df = pd.read_pickle(path)
        titles = df.title.fillna('').astype(str).map(article_first)
        years = [f' ({o:.0f})' if o==o else '' for o in df.year]
        return df[['user', 'movie', 'rating']].assign(title=titles + years)
    names = dict(userId='user', movieId='movie')
    df = pd.read_csv(path/'ratings.csv').rename(columns=names)
    titles = pd.read_csv(path/'movies.csv', index_col='movieId').title
    return df[['user', 'movie', 'rating']].assign(title=df.movie.map(titles).astype(str).map(article_first))

def with_ids(people, ratings):
    "The presets with ids of films in place of beginnings of titles"
    films = ratings.groupby(['movie', 'title']).size().sort_values(ascending=False).reset_index()
    def film(start): return int(films.movie[films.title.str.startswith(start)].iloc[0])
    return {name: {film(start): stars for start,stars in given.items()} for name,given in people.items()}

CURSOR = """() => {
  const arrow = document.createElement('div')
  arrow.innerHTML = `<svg width="26" height="26" viewBox="0 0 24 24"><path fill="#111" stroke="#fff" stroke-width="1.6"
    d="M5 2l13.5 12.2-6 .6 3.6 7-2.9 1.4-3.5-7L5 20z"/></svg>`
  arrow.style.cssText = 'position:fixed;z-index:9;pointer-events:none;left:-50px;top:0;margin:-2px 0 0 -5px'
  addEventListener('mousemove', e => { arrow.style.left = `${e.clientX}px`; arrow.style.top = `${e.clientY}px` })
  document.body.append(arrow)
}"""

class Film:
    "Pictures of a page, one after the other, each with the time it is shown"
    def __init__(self, page):
        self.page = page
        self.pictures = []
        self.times = []

    def take(self, ms):
        "Take a picture"
        shot = Image.open(io.BytesIO(self.page.screenshot())).convert('RGB')
        self.pictures.append(shot)
        self.times.append(ms)

    def move(self, n=4, hold=600):
        "Take pictures of a movement, and hold the last"
        for _ in range(n):
            self.page.clock.run_for(STEP)
            self.take(STEP)
        self.page.clock.run_for(1000)
        self.take(hold)

    def click(self, spot):
        "Point at an element, and click in its middle"
        box = spot.bounding_box()
        x,y = box['x'] + box['width']/2, box['y'] + box['height']/2
        self.page.mouse.move(x, y)
        self.take(350)
        self.page.mouse.down()
        self.page.mouse.up()

def small(picture):
    "The picture, at the width that is shown"
    return picture.resize((WIDTH, round(picture.height*WIDTH/picture.width)), Image.LANCZOS)

def play(page):
    "Rate films one by one, switch to what sets one apart, and return the film"
    film = Film(page)
    film.take(1400)
    for title,stars in GIVEN.items():
        row = page.locator('.row', has=page.get_by_role('button', name=title)).first
        film.click(row.locator(f'input[value="{stars}"]'))
        film.move()
    film.click(page.locator('label', has_text='What sets you apart'))
    film.page.clock.run_for(1000)
    film.take(3500)
    return film

def save(film):
    "Write the animated picture, and its last picture alone"
    pictures = [*map(small, film.pictures)]
    pictures[-1].quantize(256).save(docs/'page.png', optimize=True)
    some = pictures[::len(pictures)//4]
    sheet = Image.new('RGB', (WIDTH, len(some)*some[0].height))
    for i,o in enumerate(some): sheet.paste(o, (0, i*o.height))
    for i,o in enumerate(CLEAR): sheet.paste(o, (0, 40*i, WIDTH, 40*i + 40))
    palette = sheet.quantize(COLORS, dither=Image.Dither.NONE)
    plain = [o.quantize(palette=palette, dither=Image.Dither.NONE) for o in pictures]
    plain[0].save(docs/'page.gif', save_all=True, append_images=plain[1:], duration=film.times, loop=0,
                  optimize=True, disposal=1)

def main(path):
    "Train, write the page, play and draw"
    ratings = ratings_with_titles(Path(path))
    rec = Recommender.fit(ratings, titles='title', seed=42, progress=False)
    exe = shutil.which('chromium') or shutil.which('google-chrome')
    with tempfile.TemporaryDirectory() as tmp, sync_playwright() as p:
        html = rec.to_html(Path(tmp)/'page.html', title='Rate a few films, watch your row move', noun='film',
                           source=SOURCE, min_count=20, presets=with_ids(PRESETS, ratings))
        page = p.chromium.launch(executable_path=exe).new_page(viewport=SIZE)
        page.clock.install()
        page.goto(html.as_uri())
        page.clock.pause_at(page.evaluate('Date.now() + 1000')) # from here on, time stands still
        page.clock.run_for(1000)
        page.evaluate(CURSOR)
        film = play(page)
        page.context.browser.close()
    save(film)
    for name in ('page.gif', 'page.png'): print(f'{name}: {(docs/name).stat().st_size/1000:.0f} kB')

if __name__=='__main__': main(sys.argv[1] if len(sys.argv)>1 else os.environ['MOVIELENS_SMALL'])
