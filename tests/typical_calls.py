"What people write with the library, for a type checker to read; nothing here is run"
from pathlib import Path

import numpy as np
import pandas as pd
from fastai.collab import CollabDataLoaders, collab_learner

from collab_course.fastai_collab import from_fastai
from collab_course.interpretation import bias_ranking, nearest
from collab_course.loaders import RatingsDataLoaders, RatingsDataset
from collab_course.movielens import load_movies, load_ratings
from collab_course.recommender import Recommender
from collab_course.tables import random_split, validate_ratings

ratings = load_ratings()
validate_ratings(ratings, rating_range=(1, 5))
split = random_split(ratings, 0.2, seed=42)
titles = load_movies().set_index('movie').title
rec = Recommender.fit(ratings, titles=titles, seed=42, progress=False)
rec = Recommender.fit(ratings, user_name='user', item_name='movie', rating_name='rating', titles='title',
                      model='neighbours', n_factors=20, valid_pct=0.2, n_epoch=3, lr=1e-2)
rec = Recommender.fit(pd.DataFrame({'userId': [1], 'movieId': [2], 'rating': [3.]}), rating_name='rating')
best: pd.DataFrame = rec.recommend(196, n=5)
text = rec.recommend('somebody', on_unknown='popular')
everybody = rec.recommend_all(n=3, users=[1, 2, 3], allowed=lambda items: items['count']>50)
some = rec.recommend_all(users=np.array([1, 2]), allowed={1, 2, 3})
like = rec.similar(50, n=4, by='euclidean', min_count=100)
stars = rec.predict(pd.DataFrame({'user': [1], 'movie': [2]})).prediction.mean()
one = rec.predict([{'user': 1, 'movie': 2}], on_unknown='mean')
new = rec.fold_in({50: 5., 181: 4.}, n=5)
bigger = rec.update(pd.DataFrame({'user': [10_000], 'movie': [50], 'rating': [5]}))
twins: pd.DataFrame = rec.similar_users(196, n=5, min_count=20)
ids,vectors = rec.item_vectors()
lengths = np.linalg.norm(vectors, axis=1)
bought = pd.DataFrame({'user': [196, 196], 'movie': [1, 2]})
best = rec.recommend_all(3, exclude=bought, min_count=20)
best = rec.similar(50, allowed=[181, 172], exclude=lambda items: items['count']<5)
best = rec.fold_in({50: 5.}, allowed={1, 2, 3}, exclude=[2])
bigger = bigger.update(bought.assign(rating=4.), titles={2: 'GoldenEye'})
why = rec.explain(196, 50, n=3, by='factors')
error: float = rec.evaluate(ratings)['rmse']
rec.save('model.safetensors')
rec.save('model.safetensors', history=False)
again: Recommender = Recommender.load('model.safetensors')
print(again.users.head(), again.items['count'].max(), again.report, again)
table = bias_ranking(rec.model, rec.dls, titles=titles)
near = nearest(rec.model, rec.dls, 50)

dls = RatingsDataLoaders.from_df(ratings, bs=512, seed=42)
data = RatingsDataset.from_df(ratings, dls.classes, 'rating')
learn = collab_learner(CollabDataLoaders.from_df(ratings), n_factors=50, y_range=(0, 5.5))
served = Recommender(learn, titles=titles.to_dict())
model,loaders = from_fastai(learn)
same = Recommender.from_model(model, loaders)

# a table that isn't MovieLens
table = pd.read_csv('ratings.csv')
rec = Recommender.fit(table, 'reader', 'isbn', 'mark', titles='title', seed=0, progress=False, rating_range=(0, 10),
                      duplicates='last')
rec = Recommender.fit(table, titles=table.set_index('isbn').title, model='neighbours', user_features=table,
                      on_missing='zero')
rec = Recommender.fit(table, titles={1: 'a'}, on_epoch=print, n_epoch=3, lr=0.1, valid_pct=0)
path: Path = rec.save(Path('rec'))
rec = Recommender.load(str(path))
best = rec.recommend(np.int64(12), n=5, allowed=[1, 2])
best = rec.recommend('reader-1', 5, False, lambda items: items['count'] > 3, [1, 2], 5, 'mean')
best = rec.recommend_all(users=table.reader, allowed=np.array([1, 2]), on_unknown='popular')
best = rec.recommend_all(3, range(5))
best = rec.predict(table[['reader', 'isbn']]).head()
best = rec.predict([dict(reader=1, isbn=2)], on_unknown='mean')
best = rec.similar('978', 3, 'euclidean', min_count=20)
best = rec.fold_in({50: 5, 181: 4.5}, n=3, penalty=5)
rec = rec.update(table[table.reader==3])
path = rec.to_html('page.html', 'Rate books', noun='book', presets={'a fan': {50: 5., 181: 1}})
size: str = rec.to_html(Path('page.html'), n_items=500).size
best = rec.explain(1, 2, by='factors')
error = rec.evaluate(table.iloc[:10])['rmse']
n = len(rec.users) + len(rec.items_vocab) + rec.n_train + len(rec.history)
