"What people write with the library, for a type checker to read; nothing here is run"
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
best: pd.DataFrame = rec.recommend(196, n=5)
text = rec.recommend('somebody', on_unknown='popular')
everybody = rec.recommend_all(n=3, users=[1, 2, 3], filter=lambda items: items['count']>50)
some = rec.recommend_all(users=np.array([1, 2]), filter={1, 2, 3})
like = rec.similar(50, n=4, by='euclidean', min_count=100)
stars = rec.predict(pd.DataFrame({'user': [1], 'movie': [2]})).prediction.mean()
one = rec.predict([{'user': 1, 'movie': 2}], on_unknown='mean')
new = rec.fold_in({50: 5., 181: 4.}, n=5)
bigger = rec.add_users(pd.DataFrame({'user': [10_000], 'movie': [50], 'rating': [5]}))
why = rec.explain(196, 50, n=3, by='factors')
error: float = rec.evaluate(ratings)['rmse']
rec.save('model.safetensors')
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
