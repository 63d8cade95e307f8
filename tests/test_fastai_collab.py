"Whatever a fastai collab learner was made of, `from_fastai` gives the same predictions for the same ids"
import copy
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from fastai.collab import CollabDataLoaders, EmbeddingDotBias, collab_learner
from fastai.learner import Learner, load_learner
from fastai.losses import MSELossFlat
from fastai.tabular.all import Categorify, TabularDataLoaders
from hypothesis import given, settings, strategies as st
from torch.testing import assert_close

from collab_course.create_params import DotProductBias
from collab_course.tables import planted_ratings
from collab_course.dot_product import mse_on, quick_fit
from collab_course.fastai_collab import from_fastai
from collab_course.interpretation import bias_ranking, factor_pca, nearest
from collab_course.loaders import RatingsDataLoaders
from weights import big

pytestmark = pytest.mark.filterwarnings('ignore:`torch.jit.script` is deprecated',
                                        'ignore:The given NumPy array is not writable',
                                        'ignore:load_learner:UserWarning', 'ignore:numpy.core:DeprecationWarning',
                                        'ignore:Constructing a Categorical')

def table(seed=0, n_users=30, n_items=20, n=300):
    "Ratings as people have them: ids that are not row numbers, columns with names and an order of their own"
    df = planted_ratings(n_users=n_users, n_items=n_items, n_ratings=n, seed=seed).ratings
    return pd.DataFrame(dict(stars=df.rating, who=df.user*10 + 3, film='f' + (df.movie*7).astype(str)))

NAMES = dict(user_name='who', item_name='film', rating_name='stars')

def fastai_dls(df=None, **kwargs):
    kwargs = {'seed': 0, 'bs': 32, 'device': 'cpu', **NAMES, **kwargs}
    return CollabDataLoaders.from_df(table() if df is None else df, **kwargs)

def learner(dls=None, n_factors=4, y_range=(0, 5.5), **kwargs):
    learn = collab_learner(fastai_dls() if dls is None else dls, n_factors=n_factors, y_range=y_range, **kwargs)
    big(learn.model)
    return learn

def ask_fastai(learn, df):
    with learn.no_bar(): return learn.get_preds(dl=learn.dls.test_dl(df))[0]

def ask(model, dls, df):
    with torch.no_grad(): return torch.cat([model(*b) for b in dls.test_dl(df)]).cpu()

def every_pair(df):
    return pd.DataFrame([(u, f) for u in sorted(df.who.unique()) for f in sorted(df.film.unique())],
                        columns=['who', 'film'])

def known(df, dls): return df[df.who.isin(dls.classes['who']) & df.film.isin(dls.classes['film'])]

# the same predictions

DTYPES = {'int and text': {}, 'text': {'who': str}, 'ints': {'film': int}, 'floats': {'who': float}}

def typed(df, film=None, **types):
    if film: df = df.assign(film=df.film.str[1:].astype(film))
    return df.astype(types)

@pytest.mark.parametrize('types', DTYPES.values(), ids=DTYPES)
@pytest.mark.parametrize('y_range', [(0, 5.5), [1, 5], None])
def test_every_pair_gets_the_same_prediction_by_its_ids(types, y_range):
    df = typed(table(), **types)
    learn = learner(fastai_dls(df), y_range=y_range)
    model, dls = from_fastai(learn)
    pairs = known(every_pair(df), dls)
    assert len(pairs)>400
    assert_close(ask(model, dls, pairs), ask_fastai(learn, pairs), rtol=1e-5, atol=1e-5)

def test_the_film_column_may_stand_before_the_users():
    df = table(n_users=200, n=1_000)[['film', 'stars', 'who']]
    learn = learner(fastai_dls(df))
    model, dls = from_fastai(learn)
    assert (dls.cat_names, dls.n_users, dls.n_items)==(['who', 'film'], len(learn.dls.classes['who']),
                                                       len(learn.dls.classes['film']))
    pairs = known(df, dls).head(50)
    assert_close(ask(model, dls, pairs), ask_fastai(learn, pairs), rtol=1e-5, atol=1e-5)

def test_a_category_column_comes_over_with_its_own_order():
    df = table()
    order = sorted(df.film.unique(), reverse=True)
    learn = learner(fastai_dls(df.assign(film=pd.Categorical(df.film, order))))
    model, dls = from_fastai(learn)
    assert dls.classes['film']==['#na#', *order]
    pairs = every_pair(df)
    cats = pairs.assign(film=pd.Categorical(pairs.film, order))
    assert_close(ask(model, dls, pairs), ask_fastai(learn, cats), rtol=1e-5, atol=1e-5)

@settings(deadline=None, max_examples=15)
@given(st.integers(0, 10**6), st.integers(0, 6), st.sampled_from([None, (0, 5.5), (-2, 7)]))
def test_same_weights_same_predictions_same_gradients(seed, n_factors, y_range):
    g = torch.Generator().manual_seed(seed)
    df = table(seed%50)
    learn = learner(fastai_dls(df), n_factors=n_factors, y_range=y_range)
    theirs = big(learn.model, seed=seed)
    model, dls = from_fastai(learn)
    x = torch.stack([torch.randint(n, (64,), generator=g) for n in (dls.n_users, dls.n_items)], 1)
    y = torch.randn(64, generator=g)
    for m in (theirs, model): ((m(x) - y)**2).mean().backward()
    assert_close(model(x), theirs(x), rtol=1e-5, atol=1e-5)
    layers = dict(user_factors='u_weight', item_factors='i_weight', user_bias='u_bias', item_bias='i_bias')
    for n, p in model.named_parameters():
        assert_close(p.grad, getattr(theirs, layers[n]).weight.grad.view_as(p), rtol=1e-4, atol=1e-6)

def test_the_validation_loss_is_the_one_that_fastai_reported():
    learn = learner()
    with learn.no_bar(), learn.no_logging(): learn.fit_one_cycle(2, 1e-2)
    loss = learn.recorder.values[-1][1]
    model, dls = from_fastai(learn)
    assert mse_on(model, dls.valid)==pytest.approx(loss, rel=1e-4)

def test_it_also_holds_where_validation_rows_fell_on_row_0():
    df = typed(table(n=60, n_items=40), film=int)
    learn = learner(fastai_dls(df))
    with learn.no_bar(): loss = learn.validate()[0]
    model, dls = from_fastai(learn)
    assert dls.valid_ds.n_unknown()==int((learn.dls.valid_ds.items[['who', 'film']]==0).any(axis=1).sum())>0
    assert mse_on(model, dls.valid)==pytest.approx(loss, rel=1e-4)

def test_embedding_sizes_are_ignored_by_the_dot_product_and_so_they_are_here():
    learn = learner(n_factors=4, emb_szs={'who': 9, 'film': 9}, layers=[7])
    assert from_fastai(learn)[0].user_factors.shape[1]==4

# the same rows

def rows(items, dls):
    "The rows of a fastai table with ids in place of row numbers"
    return sorted((dls.classes['who'][u], dls.classes['film'][i], round(float(r), 4))
                  for u, i, r in items[['who', 'film', 'stars']].itertuples(index=False))

def our_rows(ds):
    users, items = ds.classes.values()
    return sorted((users[u], items[i], round(float(r), 4)) for (u, i), r in zip(ds.x.tolist(), ds.y.tolist()))

def test_training_and_validation_rows_are_fastais():
    learn = learner()
    _, dls = from_fastai(learn)
    assert our_rows(dls.train_ds)==rows(learn.dls.train_ds.items, learn.dls)
    assert our_rows(dls.valid_ds)==rows(learn.dls.valid_ds.items, learn.dls)
    df = table()
    assert sorted(our_rows(dls.train_ds) + our_rows(dls.valid_ds))==sorted((w, f, round(float(np.float32(s)), 4))
        for s, w, f in df.itertuples(index=False))

def test_the_loaders_are_of_our_kind_in_dtype_shape_and_size_of_batch():
    learn = learner(fastai_dls(bs=16, val_bs=24))
    _, dls = from_fastai(learn)
    x, y = dls.one_batch()
    assert type(dls) is RatingsDataLoaders and (dls.train.bs, dls.valid.bs)==(learn.dls.train.bs, learn.dls.valid.bs)
    assert x.dtype==torch.int64 and y.dtype==torch.float32 and x.shape==(16, 2) and y.shape==(16,)
    assert dls.train_ds.rating_name=='stars' and dls.cat_names==['who', 'film']

def test_an_epoch_of_the_new_loaders_has_each_row_once():
    _, dls = from_fastai(learner())
    seen = torch.cat([x for x, _ in dls.train])
    assert sorted(map(tuple, seen.tolist()))==sorted(map(tuple, dls.train_ds.x.tolist()))

def test_ids_in_the_vocabulary_are_python_objects():
    _, dls = from_fastai(learner(fastai_dls(typed(table(), film=int))))
    assert {type(o) for o in dls.classes['who'][1:]}=={int} and {type(o) for o in dls.classes['film'][1:]}=={int}

@pytest.mark.parametrize('change', [dict(who=[99999]), dict(who=['13']), dict(film=['no such film'])])
def test_unknown_and_mistyped_ids_are_refused(change):
    learn = learner()
    _, dls = from_fastai(learn)
    one = table()[['who', 'film']].head(1)
    two = pd.concat([one, one]).assign(**{k: v*2 for k, v in change.items()})
    assert torch.isfinite(ask_fastai(learn, two)).all()
    with pytest.raises(ValueError, match='there is no (who 99999|film .no such film.)|another type'): dls.test_dl(two)

def test_no_validation_rows_is_allowed():
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        learn = learner(fastai_dls(valid_pct=0.))
    model, dls = from_fastai(learn)
    assert (len(dls.train_ds), len(dls.valid_ds))==(300, 0)
    assert_close(ask(model, dls, table()), ask_fastai(learn, table()), rtol=1e-5, atol=1e-5)

def test_doubled_pairs_stay_doubled():
    df = table()
    _, dls = from_fastai(learner(fastai_dls(pd.concat([df, df.head(5)], ignore_index=True))))
    assert len(dls.train_ds) + len(dls.valid_ds)==len(df) + 5

def test_tables_made_by_hand_come_over_too():
    df = table()
    dls = TabularDataLoaders.from_df(df, procs=[Categorify], cat_names=['who', 'film'], cont_names=[], y_names='stars',
                                     bs=32, valid_idx=list(range(50)), device='cpu')
    dls.train_ds.with_cont = False
    learn = Learner(dls, big(EmbeddingDotBias.from_classes(3, dls.classes)), loss_func=MSELossFlat())
    _, ours = from_fastai(learn)
    assert our_rows(ours.train_ds)==rows(dls.train_ds.items, dls)

# our own loaders

@pytest.fixture
def on_ours():
    dls = RatingsDataLoaders.from_df(table(), **NAMES, seed=0, device='cpu')
    return learner(dls)

def test_a_learner_on_our_loaders_keeps_them(on_ours):
    model, dls = from_fastai(on_ours)
    assert dls is on_ours.dls
    assert_close(model(dls.valid_ds.x), on_ours.model(dls.valid_ds.x), rtol=1e-5, atol=1e-5)

def test_a_model_without_vocabulary_of_its_own_is_taken_by_its_sizes(on_ours):
    d = on_ours.dls
    learn = Learner(d, big(EmbeddingDotBias(3, d.n_users, d.n_items)), loss_func=MSELossFlat())
    model, _ = from_fastai(learn)
    assert_close(model(d.valid_ds.x), learn.model(d.valid_ds.x), rtol=1e-5, atol=1e-5)

# copies

def test_training_one_does_not_change_the_other():
    learn = learner()
    before = copy.deepcopy(learn.model.state_dict())
    model, dls = from_fastai(learn)
    quick_fit(model, dls, n_epoch=1)
    for n, t in learn.model.state_dict().items(): assert_close(t, before[n], rtol=0, atol=0)
    assert not torch.equal(model.item_bias, before['i_bias.weight'].squeeze(1))
    assert all(p.requires_grad for p in model.parameters())

def test_the_learner_keeps_its_mode_and_the_random_state_stays():
    learn = learner()
    learn.model.train()
    torch.manual_seed(3)
    state = torch.get_rng_state()
    from_fastai(learn)
    assert learn.model.training and torch.equal(torch.get_rng_state(), state)

def test_a_frozen_model_comes_over_trainable():
    learn = learner()
    for p in learn.model.parameters(): p.requires_grad_(False)
    model, dls = from_fastai(learn)
    quick_fit(model, dls, n_epoch=1)
    assert not torch.equal(model.user_factors, learn.model.u_weight.weight)

# wrapped, halved, moved

def test_half_precision_becomes_float32():
    learn = learner()
    learn.model.half()
    model, dls = from_fastai(learn)
    assert {p.dtype for p in model.parameters()}=={torch.float32}
    assert_close(model.item_factors.detach(), learn.model.i_weight.weight.detach().float())
    assert ask(model, dls, table()).dtype==torch.float32

def test_a_wrapped_model_is_unwrapped():
    learn = learner()
    expected = from_fastai(learn)[0]
    learn.model = torch.nn.DataParallel(learn.model)
    assert_close(from_fastai(learn)[0].state_dict(), expected.state_dict())

def test_a_compiled_model_is_unwrapped():
    learn = learner()
    expected = from_fastai(learn)[0]
    learn.model = torch.compile(learn.model, backend='eager')
    assert_close(from_fastai(learn)[0].state_dict(), expected.state_dict())

def test_looking_up_a_bias_first_makes_no_difference():
    learn = learner()
    before = from_fastai(learn)[0].state_dict()
    learn.model.bias(['f7'])
    model, dls = from_fastai(learn)
    assert_close(model.state_dict(), before)
    assert {p.device for p in model.parameters()}=={torch.device(dls.device)}

@pytest.mark.parametrize('device', ['cpu', 'meta'])
def test_the_model_is_on_the_device_of_the_loaders(device, monkeypatch):
    learn = learner()
    monkeypatch.setattr(learn.dls, '_device', torch.device(device))
    model, dls = from_fastai(learn)
    assert {p.device.type for p in model.parameters()}=={device}=={torch.device(dls.device).type}

# exported

@pytest.mark.parametrize('ours', [False, True])
def test_an_exported_learner_predicts_by_id_and_warns_that_it_has_no_rows(tmp_path, ours, on_ours):
    learn = on_ours if ours else learner()
    expected = ask_fastai(learn, table())
    learn.path = tmp_path
    learn.export('m.pkl')
    with pytest.warns(UserWarning, match='no ratings'): model, dls = from_fastai(load_learner(tmp_path/'m.pkl'))
    assert (len(dls.train_ds), len(dls.valid_ds))==(0, 0) and dls.train_ds.y.dtype==torch.float32
    assert_close(ask(model, dls, table()), expected, rtol=1e-5, atol=1e-5)

def test_a_learner_with_rows_gives_no_warning():
    learn = learner()
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        from_fastai(learn)

# refused

def test_a_network_is_refused_and_told_what_works():
    learn = collab_learner(fastai_dls(), use_nn=True, layers=[5])
    with pytest.raises(TypeError, match='EmbeddingNN.*RatingsDataLoaders'): from_fastai(learn)

def test_a_class_with_another_forward_is_refused():
    class Louder(EmbeddingDotBias):
        def forward(self, x): return super().forward(x) + 1
    learn = learner()
    learn.model = Louder.from_classes(4, learn.dls.classes)
    with pytest.raises(TypeError, match='Louder'): from_fastai(learn)

def test_a_forward_replaced_on_the_object_is_refused():
    learn = learner()
    learn.model.forward = lambda x: torch.zeros(len(x))
    with pytest.raises(TypeError, match='EmbeddingDotBias'): from_fastai(learn)

def test_our_own_model_needs_no_conversion_and_is_refused(on_ours):
    d = on_ours.dls
    with pytest.raises(TypeError, match='DotProductBias'):
        from_fastai(Learner(d, DotProductBias(d.n_users, d.n_items, 3), loss_func=MSELossFlat()))

@pytest.mark.parametrize('layer', ['u_weight', 'i_weight', 'u_bias', 'i_bias'])
def test_weights_that_are_not_finite_are_refused_by_name(layer):
    learn = learner()
    with torch.no_grad(): getattr(learn.model, layer).weight[2, 0] = float('nan')
    with pytest.raises(ValueError, match=layer): from_fastai(learn)

def test_one_missing_rating_is_named():
    df = table()
    df.loc[7, 'stars'] = np.nan
    learn = learner(fastai_dls(df))
    with pytest.raises(ValueError, match='stars'): from_fastai(learn)

def test_loaders_of_other_people_are_refused():
    learn = learner()
    learn.dls = fastai_dls(table(n_users=25))
    with pytest.raises(ValueError, match="31 rows for 'who'.*another vocabulary.*has 26"): from_fastai(learn)

def test_loaders_with_as_many_other_films_are_refused():
    learn = learner()
    df = table()
    learn.dls = fastai_dls(df.assign(film=df.film.str.replace('f', 'g')))
    with pytest.raises(ValueError, match="'film'.*another vocabulary"): from_fastai(learn)

def test_a_model_with_users_and_films_exchanged_is_refused(on_ours):
    d = on_ours.dls
    learn = Learner(d, EmbeddingDotBias(3, d.n_items, d.n_users), loss_func=MSELossFlat())
    with pytest.raises(ValueError, match=f"{d.n_items} rows for 'who'"): from_fastai(learn)

def test_an_id_called_na_is_refused():
    df = table()
    df.loc[df.film=='f7', 'film'] = '#na#'
    with pytest.raises(ValueError, match="'film'.*#na#"): from_fastai(learner(fastai_dls(df)))

def test_a_third_column_is_refused():
    df = table().assign(day='monday')
    dls = TabularDataLoaders.from_df(df, procs=[Categorify], cat_names=['who', 'film', 'day'], cont_names=[],
                                     y_names='stars', valid_idx=[0, 1], device='cpu')
    learn = Learner(dls, EmbeddingDotBias.from_classes(3, dls.classes), loss_func=MSELossFlat())
    with pytest.raises(TypeError, match='a user and an item column'): from_fastai(learn)

@pytest.mark.parametrize('other', ['model.pkl', None, torch.nn.Linear(1, 1)])
def test_what_is_no_learner_is_refused(other):
    with pytest.raises(TypeError, match='pass a Learner'): from_fastai(other)

# everything else takes it

def test_the_library_looks_into_it():
    learn = learner()
    model, dls = from_fastai(learn)
    ranking = bias_ranking(model, dls)
    assert_close(torch.tensor(ranking.bias.to_numpy(float)), learn.model.bias(ranking.index).double())
    assert ranking['count'].sum()==len(dls.train_ds)
    assert len(factor_pca(model, dls, n_components=2).scores)==len(ranking)
    asked, others = ranking.index[0], ranking.index[1:]
    w = learn.model.weight([asked, *others])
    cosine = torch.nn.functional.cosine_similarity(w[1:], w[:1])
    assert nearest(model, dls, asked).index[0]==others[int(cosine.argmax())]

def test_it_trains_on_where_fastai_stopped():
    df = planted_ratings(n_users=200, n_items=100, n_ratings=8_000, seed=0).ratings
    learn = collab_learner(CollabDataLoaders.from_df(df, user_name='user', item_name='movie', rating_name='rating',
                                                     seed=0, bs=256, device='cpu'), n_factors=5, y_range=(0, 5.5))
    with learn.no_bar(), learn.no_logging(): learn.fit_one_cycle(2, 1e-2)
    model, dls = from_fastai(learn)
    before = mse_on(model, dls.valid)
    assert quick_fit(model, dls, n_epoch=5, lr=2e-2, wd=0.1) < before - 0.02
