"lenskit's scorers with their defaults, in lenskit's pipelines: BiasedMFScorer unless the variant says otherwise"
from importlib.metadata import version

import torch
from lenskit import recommend as lk_recommend
from lenskit.als import BiasedMFScorer
from lenskit.basic import BiasScorer, PopScorer
from lenskit.batch import predict as batch_predict, recommend as batch_recommend
from lenskit.data import ItemListCollection, from_interactions_df
from lenskit.knn import ItemKNNScorer
from lenskit.pipeline import predict_pipeline, topn_pipeline
from lenskit.random import set_global_rng

from clock import arguments, asked, fit_folds, serve

torch.set_num_threads(1)
SCORERS = {'-': BiasedMFScorer, 'bias': BiasScorer, 'itemknn': ItemKNNScorer,
           'itemknn-implicit': lambda: ItemKNNScorer(feedback='implicit'), 'popular': PopScorer}

def _train(pipeline, ratings, train, seed):
    set_global_rng(seed)
    pipeline.train(from_interactions_df(ratings.iloc[train], user_col='user', item_col='movie', rating_col='rating'))
    return pipeline

def fit(ratings, train, test, seed): return _train(predict_pipeline(SCORERS[variant]()), ratings, train, seed)

def fit_topn(ratings, train, test, seed): return _train(topn_pipeline(SCORERS[variant]()), ratings, train, seed)

def predict(pipeline, pairs):
    lists = ItemListCollection.from_df(pairs.rename(columns=dict(user='user_id', movie='item_id')), ['user_id'])
    res = batch_predict(pipeline, lists, n_jobs=1).to_df().set_index(['user_id', 'item_id']).score
    return res.loc[list(zip(pairs.user, pairs.movie))].to_numpy()

def _named(df, **kw): return df.rename(columns=dict(user_id='user', item_id='movie')).assign(**kw)

def recommend(pipeline, user): return _named(lk_recommend(pipeline, user, n=10).to_df(), user=user)

def recommend_all(pipeline):
    users = pipeline.node('history-lookup').component.interactions.row_vocabulary.ids()
    return _named(batch_recommend(pipeline, users, n=10, n_jobs=1).to_df())

if __name__=='__main__':
    ratings,task,variant,_ = arguments()
    v = version('lenskit')
    if task=='serve': serve(ratings, v, fit_topn, recommend, recommend_all)
    else: fit_folds(ratings, v, fit if task=='fit' else fit_topn, **asked(task, predict, recommend_all))
