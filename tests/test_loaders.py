"Loaders with odd ids, odd splits and odd batch sizes, and all the ways in which fastai uses a loader"
import datetime as dt, pickle, uuid, warnings
from decimal import Decimal

import numpy as np, pandas as pd, pyarrow as pa, pytest, torch
from fastai.callback.schedule import Learner  # noqa: F401  (with lr_find and fit_one_cycle)
from fastai.collab import collab_learner
from fastai.learner import load_learner
from fastai.metrics import rmse
from fastai.tabular.model import get_emb_sz
from fastcore.foundation import L
from hypothesis import given, settings, strategies as st
from torch import nn

from collab_course.tables import Split, planted_ratings, random_split, user_split
from collab_course.loaders import RatingsDL, RatingsDataLoaders, RatingsDataset
from collab_course.vocab import ids_to_rows, make_vocab, na

pytestmark = pytest.mark.filterwarnings('ignore::FutureWarning',
                                        'ignore:The given NumPy array is not writable:UserWarning',
                                        'ignore:load_learner:UserWarning', 'ignore:numpy.core:DeprecationWarning')

@pytest.fixture(scope='module')
def ratings(): return planted_ratings(30, 20, 300, rating_range=(1, 5), step=1).ratings

@pytest.fixture
def dls(ratings): return RatingsDataLoaders.from_df(ratings, seed=0, bs=32)

class Toy(nn.Module):
    "A model that says how it was asked: user row + item row / 100, so that orders can be seen"
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))
    def forward(self, x): return (x[:,0] + x[:,1]/100)*self.scale

def quiet(learn):
    learn.create_mbar = False
    return learn

@pytest.fixture
def learn(dls, tmp_path):
    dls.path = tmp_path
    with Learner(dls, Toy()).no_bar() as o: yield o

def epoch(dl): return torch.cat([torch.cat([x, y[:,None]], 1) for x,y in dl])

def rows(t): return sorted(map(tuple, t.tolist()))


# ---- vocabulary and lookup

day = dt.datetime(2020, 1, 1)
kinds = dict(ints=[3, 1, 2], floats=[.5, 1., -2.], strings=['b', 'a', 'c'], unicode=['żółw 🐢', 'e\u0301', 'é'],
             long=['x'*10_000, 'x'*9_999, ''], spaces=['a', 'a ', ' a'],
             bools=[True, False], tuples=[(1, 'a'), (1, 'b'), (0, 'z')], datetimes=[day, day+dt.timedelta(1)],
             dates=[dt.date(2020, 1, 2), dt.date(2020, 1, 1)],
             uuids=[uuid.UUID(int=i) for i in (3, 1)], bytes=[b'b', b'a'], decimals=[Decimal('1.10'), Decimal('0.1')],
             big=[2**63-1, -2**63], huge=[2**70, 1],
             frozensets=[frozenset({1}), frozenset({2})], zeros=['01', '1', '001'])

def as_known(ids):
    "Ids as a vocabulary holds them: UUIDs are known by their text"
    return [str(o) if isinstance(o, uuid.UUID) else o for o in ids]

@pytest.mark.parametrize('ids', kinds.values(), ids=kinds)
def test_every_hashable_id_has_one_row_of_its_own(ids):
    vocab = make_vocab(ids*2)
    assert vocab[0]==na and len(vocab)==len(ids)+1
    got = ids_to_rows(ids, vocab)
    assert got.dtype==torch.int64
    assert [vocab[i] for i in got]==as_known(ids)

@pytest.mark.parametrize('ids', kinds.values(), ids=kinds)
def test_every_hashable_id_goes_through_a_loader(ids):
    df = pd.DataFrame({'user': pd.Series(ids*2), 'movie': np.repeat([1, 2], len(ids)),
                       'rating': np.arange(2.*len(ids))})
    dls = RatingsDataLoaders.from_df(df, splits=(range(2, len(df)), [0, 1]), bs=3)
    shown = pd.concat([dls.train.show_batch(b, show=False) for b in dls.train])
    assert sorted(shown.rating)==df.rating.tolist()[2:]
    asked = as_known(df.user)
    assert all(asked[int(r)]==u for u,r in zip(shown.user, shown.rating))

@given(st.lists(st.integers(-2**63, 2**63-1) , min_size=1)
       | st.lists(st.text(), min_size=1).filter(lambda o: na not in o)
       | st.lists(st.tuples(st.integers(), st.text()), min_size=1))
def test_lookup_and_vocabulary_are_inverse(ids):
    vocab = make_vocab(ids)
    assert len(set(vocab))==len(vocab)==len(set(ids))+1
    assert [vocab[i] for i in ids_to_rows(ids, vocab)]==ids

def test_vocabulary_does_not_depend_on_the_order_of_rows():
    assert make_vocab(['b', 'a', 'c'])==make_vocab(['c', 'c', 'b', 'a'])

@pytest.mark.parametrize('dtype',
                         ['int8', 'uint64', 'int64', 'Int64', 'Int16', 'float32', 'float64', 'Float64', object])
def test_width_of_a_number_does_not_matter(dtype):
    assert ids_to_rows(pd.Series([2, 1], dtype=dtype), make_vocab([1, 2])).tolist()==[2, 1]
    assert ids_to_rows([2, 1.], make_vocab(pd.Series([1, 2], dtype=dtype))).tolist()==[2, 1]

@pytest.mark.parametrize('dtype', ['string', object, 'category'])
def test_kind_of_text_column_does_not_matter(dtype):
    assert ids_to_rows(pd.Series(['b', 'a'], dtype=dtype), make_vocab(['a', 'b'])).tolist()==[2, 1]

def test_category_is_looked_up_by_value_not_by_code():
    ids = pd.Series([30, 10]).astype('category')
    assert ids_to_rows(ids, make_vocab([10, 20, 30])).tolist()==[3, 1]

wrong = dict(text_for_numbers=([1, 2], ['1', '2']), numbers_for_text=(['1', '2'], [1, 2]),
             bool_for_numbers=([0, 1], [True, False]), numbers_for_bool=([True, False], [1, 0]),
             text_for_dates=([day], ['2020-01-01']), mixed=([1, 2], [1, '2']),
             tuple_for_uuid=([uuid.UUID(int=1)], [(1, 2)]), bytes_for_text=(['a'], [b'a']))

@pytest.mark.parametrize('on_unknown', ['raise', 'na'])
@pytest.mark.parametrize('known,asked', wrong.values(), ids=wrong)
def test_ids_of_another_type_are_refused_under_both_rules(known, asked, on_unknown):
    with pytest.raises(ValueError, match="'who' holds ids of another type"):
        ids_to_rows(pd.Series(asked, name='who'), make_vocab(known), on_unknown)

@pytest.mark.parametrize('missing', [None, np.nan, pd.NA, pd.NaT])
def test_missing_id_is_a_stranger(missing):
    ids = pd.Series(['a', missing], name='who', dtype=object)
    assert ids_to_rows(ids, make_vocab(['a', 'b']), 'na').tolist()==[1, 0]
    with pytest.raises(ValueError, match="column 'who' has no id in 1 of 2 rows"):
        ids_to_rows(ids, make_vocab(['a', 'b']))
    assert make_vocab(ids)==[na, 'a']

def test_only_missing_ids_are_strangers_to_any_vocabulary():
    assert ids_to_rows([None, np.nan], make_vocab([1, 2]), 'na').tolist()==[0, 0]

def test_missing_nullable_number_is_a_stranger():
    assert ids_to_rows(pd.Series([2, None], dtype='Int64'), make_vocab([1, 2]), 'na').tolist()==[2, 0]

def test_fractions_are_not_rounded_to_an_id():
    assert ids_to_rows([1., 1.5], make_vocab([1, 2]), 'na').tolist()==[1, 0]

def test_row_zeros_name_is_no_id():
    with pytest.raises(ValueError, match='rename'): make_vocab(['a', na])

def test_message_about_a_very_long_id_is_short():
    with pytest.raises(ValueError) as e: ids_to_rows(['x'*100_000], make_vocab(['a']))
    assert len(str(e.value))<400

def test_rule_for_strangers_must_be_one_of_two():
    with pytest.raises(ValueError, match="'raise' or 'na', not 'ignore'"): ids_to_rows([1], make_vocab([1]), 'ignore')


# ---- splits

n = 300
parts = dict(lists=([*range(250)], [*range(250, n)]), arrays=(np.arange(250), np.arange(250, n)),
             small=(np.arange(250, dtype='int32'), np.arange(250, n, dtype='uint16')),
             tensors=(torch.arange(250), torch.arange(250, n)), ranges=(range(250), range(250, n)),
             fastai=(L(range(250)), L(range(250, n))),
             series=(pd.Series(range(250)), pd.Index(range(250, n))))

@pytest.mark.parametrize('splits', parts.values(), ids=parts)
def test_a_split_may_be_any_pair_of_sequences(ratings, splits):
    dls = RatingsDataLoaders.from_df(ratings, splits=splits)
    assert len(dls.train_ds)==250
    assert dls.valid_ds.y.tolist()==ratings.rating.tolist()[250:]

def test_a_split_object_and_the_seed_give_the_same_rows(ratings):
    split = random_split(ratings, 0.3, seed=5)
    assert isinstance(split, Split)
    a = RatingsDataLoaders.from_df(ratings, splits=split)
    b = RatingsDataLoaders.from_df(ratings, valid_pct=0.3, seed=5)
    assert torch.equal(a.valid_ds.x, b.valid_ds.x) and torch.equal(a.train_ds.y, b.train_ds.y)

mask = np.arange(n)<250
bad_splits = dict(mask=((mask, ~mask), 'train part.*mask'),
                  torch_mask=((torch.tensor(mask), torch.tensor(~mask)), 'train part.*mask'),
                  bool_list=((mask.tolist(), (~mask).tolist()), 'mask'),
                  one_mask=((range(250), ~mask), 'valid part.*mask'), empty=(([], [1]), 'train part.*empty'),
                  no_valid=(([1], []), 'valid part.*empty'),
                  three=(([1], [2], [3]), r'two lists'), one=([range(n)], 'two lists'),
                  function=(lambda df: None, 'two lists'), too_high=(([0, n], [1]), 'position 300.*rows 0 to 299'),
                  negative=(([0], [-1]), 'position -1'), floats=(([0., 1.], [2.]), 'float64'),
                  names=((['a'], ['b']), 'row positions'), nested=(([[1, 2]], [3]), 'shape'),
                  overlap=(([0, 1, 2], [2, 3]), '1 rows come more than once.*row 2'),
                  twice=(([0, 1, 1], [3]), 'first is row 1'))

@pytest.mark.parametrize('splits,message', bad_splits.values(), ids=bad_splits)
def test_a_wrong_split_is_named(ratings, splits, message):
    with pytest.raises(ValueError, match=message): RatingsDataLoaders.from_df(ratings, splits=splits)

def test_positions_not_labels_count(ratings):
    shuffled = ratings.sample(frac=1, random_state=0)
    dls = RatingsDataLoaders.from_df(shuffled, splits=(range(10, n), range(10)))
    assert dls.valid_ds.y.tolist()==shuffled.rating.tolist()[:10]
    named = ratings.set_index(pd.Index([f'r{i}' for i in range(n)]))
    assert RatingsDataLoaders.from_df(named,
                                      splits=(range(10, n),
                                              range(10))).valid_ds.y.tolist()==ratings.rating.tolist()[:10]


# ---- tables

def test_the_table_is_not_changed(ratings):
    before = ratings.copy()
    RatingsDataLoaders.from_df(ratings, seed=0)
    pd.testing.assert_frame_equal(ratings, before)

@pytest.mark.parametrize('dtype', ['int8', 'Int64', 'float64', 'Float32', 'float16'])
def test_ratings_of_any_width_become_float32(ratings, dtype):
    dls = RatingsDataLoaders.from_df(ratings.assign(rating=ratings.rating.astype(dtype)), seed=0)
    assert dls.train_ds.y.dtype==torch.float32
    assert set(dls.train_ds.y.tolist())<={1., 2., 3., 4., 5.}

def test_ratings_keep_the_precision_of_float32(ratings):
    y = ratings.rating.astype(float) + 1/3
    dls = RatingsDataLoaders.from_df(ratings.assign(rating=y), splits=(range(1, n), [0]))
    assert dls.valid_ds.y.numpy()==np.float32(y[0])
    assert dls.valid.show_batch(show=False).rating[0]==round(float(y[0]), 4)

def test_a_rating_too_large_for_float32_is_named(ratings):
    big = ratings.assign(rating=ratings.rating.astype(float))
    big.loc[7, 'rating'] = 1e300
    with pytest.raises(ValueError, match='too large for float32, in 1 of 300 rows'):
        RatingsDataLoaders.from_df(big, seed=0)

def test_wrong_tables_and_choices_are_refused(ratings):
    with pytest.raises(ValueError, match='movie'): RatingsDataLoaders.from_df(ratings.drop(columns='movie'))
    with pytest.raises(ValueError, match="'user'"):
        RatingsDataLoaders.from_df(ratings.assign(user=ratings.user.where(ratings.index>0)))
    with pytest.raises(ValueError, match="'all' or 'train', not 'valid'"):
        RatingsDataLoaders.from_df(ratings, vocab='valid')
    with pytest.raises(ValueError, match="'raise' or 'keep', not 'mean'"):
        RatingsDataLoaders.from_df(ratings, duplicates='mean')

def in_many_forms(df):
    "The same table from elsewhere, or with columns of other kinds"
    decimals = [Decimal(str(y)) for y in df.rating]
    return [pa.Table.from_pandas(df, preserve_index=False), df.to_dict('records'), df.to_dict('list'),
            df.astype({'user': 'category', 'movie': 'category'}), df.assign(rating=decimals)]

def test_a_table_of_any_kind_makes_the_same_loaders(ratings, dls):
    for table in in_many_forms(ratings):
        again = RatingsDataLoaders.from_df(table, seed=0, bs=32)
        assert {k: list(v) for k,v in again.classes.items()}==dls.classes
        for a,b in ((again.train_ds, dls.train_ds), (again.valid_ds, dls.valid_ds)):
            assert torch.equal(a.x, b.x) and torch.equal(a.y, b.y)
        data = RatingsDataset.from_df(table, dls.classes, 'rating')
        asked = dls.test_dl(table, with_labels=True).dataset
        assert torch.equal(data.x, asked.x) and torch.equal(data.y, asked.y)
        assert data.y.tolist()==ratings.rating.tolist()

def test_doubled_pairs_stay_only_when_asked(ratings):
    twice = pd.concat([ratings, ratings.head(1)], ignore_index=True)
    with pytest.raises(ValueError, match="duplicates='keep'"): RatingsDataLoaders.from_df(twice, seed=0)
    dls = RatingsDataLoaders.from_df(twice, seed=0, duplicates='keep')
    assert len(dls.train_ds)+len(dls.valid_ds)==n+1

def test_column_names_are_free(ratings):
    df = ratings.rename(columns=dict(user='who', movie='what', rating=0))
    dls = RatingsDataLoaders.from_df(df, 'who', 'what', 0, seed=0)
    assert list(dls.classes)==['who', 'what']
    assert list(dls.train.show_batch(show=False))==['who', 'what', 0]

def test_vocab_all_has_a_row_for_ids_of_validation_alone(ratings):
    new = ratings.assign(user=ratings.user.where(ratings.index!=5, 999))
    splits = np.delete(np.arange(n), 5),[5]
    dls = RatingsDataLoaders.from_df(new, splits=splits)
    assert dls.classes['user'][dls.valid_ds.x[0,0]]==999
    assert dls.valid_ds.n_unknown()==0
    with pytest.warns(UserWarning, match='1 validation rows'):
        dls = RatingsDataLoaders.from_df(new, splits=splits, vocab='train')
    assert 999 not in dls.classes['user'] and dls.valid_ds.x[0,0]==0 and dls.train_ds.n_unknown()==0

def test_vocab_train_is_silent_when_all_is_known(ratings, recwarn):
    RatingsDataLoaders.from_df(ratings, splits=(range(1, n), [0]), vocab='train')
    assert not [w for w in recwarn if 'validation rows' in str(w.message)]


# ---- epochs

def sizes(n, bs, drop_last):
    "Full batches and the rest; a rest of one row joins the batch before it"
    full,rest = [bs]*(n//bs),n%bs
    if drop_last or not rest: return full
    return [*full[:-1], bs+1] if rest==1 and full else [*full, rest]

@settings(max_examples=60, deadline=None)
@given(n=st.integers(1, 200), bs=st.integers(1, 250), drop_last=st.booleans(), block=st.integers(1, 5),
       seed=st.integers(0, 99))
def test_no_row_is_lost_or_doubled_in_an_epoch(n, bs, drop_last, block, seed):
    ds = RatingsDataset(torch.arange(2*n).reshape(n, 2), torch.arange(float(n)), {'user': [na]*2*n, 'movie': [na]*2*n})
    dl = RatingsDL(ds, bs=bs, shuffle=True, seed=seed, drop_last=drop_last)
    dl.block = block
    for _ in range(2):
        got = list(dl)
        assert len(got)==len(dl)
        assert [len(y) for _,y in got]==sizes(n, bs, drop_last)
        for x,y in got: assert torch.equal(x[:,0], 2*y.long()) and torch.equal(x[:,1], x[:,0]+1)
        seen = [v for _,y in got for v in y.tolist()]
        assert len(set(seen))==len(seen)==(n//bs*bs if drop_last else n)

@pytest.mark.parametrize('block', [1, 3, 1024])
def test_a_lone_last_training_row_joins_the_batch_before_it(block):
    ds = RatingsDataset(torch.ones(9, 2, dtype=torch.long), torch.arange(9.), {'user': [na, 1], 'movie': [na, 1]})
    dl = RatingsDL(ds, bs=4, shuffle=True, seed=0)
    dl.block = block
    assert [len(y) for _,y in dl]==[4, 5] and len(dl)==2
    assert [len(y) for _,y in RatingsDL(ds, bs=4)]==[4, 4, 1] # nothing is trained on these, so nobody minds

def test_a_network_with_batchnorm_trains_whatever_the_last_batch(ratings):
    dls = RatingsDataLoaders.from_df(ratings, splits=(range(65), range(65, 80)), bs=32)
    learn = collab_learner(dls, use_nn=True, emb_szs={'user': 4, 'movie': 4}, layers=[8], y_range=(0, 5.5))
    with learn.no_bar(), learn.no_logging(): learn.fit(1)
    assert np.isfinite(learn.recorder.values[-1]).all()

def test_batches_are_plain_tuples_of_the_agreed_types(dls):
    b = dls.one_batch()
    assert type(b) is tuple and type(b[0]) is torch.Tensor and type(b[1]) is torch.Tensor
    assert (b[0].dtype, b[1].dtype, b[0].shape, b[1].shape)==(torch.int64, torch.float32, (32, 2), (32,))

def test_same_seed_same_orders_and_every_epoch_another(ratings):
    a,b = (RatingsDataLoaders.from_df(ratings, seed=3) for _ in range(2))
    ea,eb = ([epoch(d.train) for _ in range(3)] for d in (a, b))
    for x,y in zip(ea, eb): assert torch.equal(x, y)
    assert rows(ea[0])==rows(ea[1])==rows(ea[2])
    assert not torch.equal(ea[0], ea[1]) and not torch.equal(ea[1], ea[2])

def test_seeds_differ_and_no_seed_differs(ratings):
    splits = random_split(ratings, seed=0)
    orders = [epoch(RatingsDataLoaders.from_df(ratings, splits=splits, seed=s).train) for s in (1, 2, None, None)]
    assert all(not torch.equal(a, b) for i,a in enumerate(orders) for b in orders[:i])

def test_the_global_generators_are_left_alone(dls):
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    epoch(dls.train), epoch(dls.valid), dls.show_batch(show=False)
    assert torch.equal(before[0], torch.get_rng_state()) and (before[1]==np.random.get_state()[1]).all()

def test_validation_comes_in_table_order(ratings):
    dls = RatingsDataLoaders.from_df(ratings, splits=(range(100, n), [7, 3, 50]))
    assert epoch(dls.valid)[:,2].tolist()==ratings.rating[[7, 3, 50]].tolist()

def test_batch_sizes(ratings):
    dls = RatingsDataLoaders.from_df(ratings, seed=0, bs=10_000)
    assert len(dls.train)==1 and len(dls.one_batch()[1])==240
    assert RatingsDataLoaders.from_df(ratings, seed=0, bs=8).valid.bs==16
    assert RatingsDataLoaders.from_df(ratings, seed=0, bs=8, val_bs=5).valid.bs==5

def test_a_last_row_is_kept_or_left_out_as_asked(ratings):
    splits = range(65),range(65, n)
    whole,full = (RatingsDataLoaders.from_df(ratings, splits=splits, bs=16, drop_last=o) for o in (False, True))
    assert [len(y) for _,y in whole.train]==[16]*3 + [17] and [len(y) for _,y in full.train]==[16]*4
    assert sum(len(y) for _,y in full.valid)==n-65

def test_a_loader_without_rows_has_no_batches(dls):
    empty = dls.train.new(dls.train_ds.new_empty())
    assert len(empty)==0 and list(empty)==[]
    with pytest.raises(ValueError, match='any batches'): empty.one_batch()

def test_hooks_of_fastai_are_called(dls):
    calls = []
    dl = dls.train.new(before_iter=lambda: calls.append('before'), after_iter=lambda: calls.append('after'),
                       after_batch=lambda t: t*0)
    assert epoch(dl).abs().sum()==0
    assert calls==['before', 'after']

def test_any_order_can_be_given(dls):
    dl = dls.train.new(get_idxs=lambda: [5, 3, 3])
    assert torch.equal(epoch(dl)[:,2], dls.train_ds.y[[5, 3, 3]])

def test_new_keeps_the_seed_and_takes_changes(dls):
    a,b = dls.train.new(bs=7), dls.train.new(bs=7)
    assert a.bs==7 and torch.equal(epoch(a), epoch(b))
    assert not torch.equal(epoch(dls.train.new(seed=1)), epoch(b))
    assert len(dls.train.new(drop_last=True))==240//32

def test_batches_go_to_the_device(dls):
    assert dls.to(torch.device('meta')) is dls
    assert {t.device.type for dl in dls for b in dl for t in b}=={'meta'}
    assert dls.train.new().device.type=='meta'
    assert dls.cpu().one_batch()[0].device.type=='cpu' and dls.train_ds.x.device.type=='cpu'

def test_the_device_can_be_named(ratings):
    assert RatingsDataLoaders.from_df(ratings, device='meta').one_batch()[1].device.type=='meta'


# ---- with fastai

def test_pickled_loaders_go_on_where_they_were(dls):
    epoch(dls.train)
    again = pickle.loads(pickle.dumps(dls))
    assert again.classes==dls.classes
    for _ in range(2): assert torch.equal(epoch(again.train), epoch(dls.train))

def test_new_empty_keeps_the_vocabulary_alone(dls):
    empty = dls.new_empty()
    assert type(empty) is RatingsDataLoaders
    assert (len(empty.train_ds), len(empty.valid_ds), empty.classes, empty.n_users)==(0, 0, dls.classes, dls.n_users)

@pytest.mark.parametrize('use_nn', [False, True])
def test_collab_learner_does_all_its_things(dls, ratings, use_nn, tmp_path):
    assert [n for n,_ in get_emb_sz(dls)]==[dls.n_users, dls.n_items]
    dls.path = tmp_path
    learn = collab_learner(dls, n_factors=4, use_nn=use_nn, y_range=(0, 5.5), metrics=rmse)
    with learn.no_bar(), learn.no_logging():
        learn.fit_one_cycle(2, 5e-3)
        assert np.isfinite(learn.recorder.values[-1]).all()
        assert learn.lr_find(show_plot=False).valley>0
        row = ratings.iloc[0]
        rating,*tensors = learn.predict(row)
        expected = learn.get_preds(dl=dls.test_dl(ratings.head(3)))[0].flatten()[0]
        assert rating==pytest.approx(expected.item(), abs=1e-5) and tensors[0].item()==pytest.approx(rating, abs=1e-6)
        assert learn.predict({'user': row.user, 'movie': row.movie}, with_input=True)[0]==(row.user, row.movie)
        learn.export('m.pkl')
        loaded = load_learner(tmp_path/'m.pkl')
        with loaded.no_bar(): assert loaded.predict(row)[0]==pytest.approx(rating, abs=1e-5)
        assert loaded.dls.n_items==dls.n_items and len(loaded.dls.train_ds)==0

def test_the_loss_comes_with_the_data(dls): assert type(Learner(dls, Toy()).loss_func.func) is nn.MSELoss

def test_predictions_keep_the_order_of_what_was_asked(dls, learn, ratings):
    asked = ratings.sample(50, random_state=1)
    x = dls.test_dl(asked, bs=7)
    preds,targs = learn.get_preds(dl=x)
    assert targs is None
    users,items = (ids_to_rows(asked[c], dls.classes[c]) for c in ('user', 'movie'))
    assert torch.allclose(preds, users + items/100)

@pytest.mark.parametrize('k', [1, 2, 32, 33])
def test_any_number_of_pairs_can_be_asked(dls, learn, ratings, k):
    preds,targs = learn.get_preds(dl=dls.test_dl(ratings.head(k), bs=16))
    assert preds.shape==(k,) and targs is None

def test_with_labels_the_ratings_come_back(dls, learn, ratings):
    preds,targs,losses = learn.get_preds(dl=dls.test_dl(ratings.head(40), with_labels=True), with_loss=True)
    assert targs.tolist()==ratings.rating.tolist()[:40]
    assert torch.allclose(losses, (preds-targs)**2, rtol=1e-4)

def test_training_rows_come_back_in_table_order(dls, learn):
    preds,targs = learn.get_preds(ds_idx=0)
    assert torch.equal(targs, dls.train_ds.y)
    assert torch.allclose(preds, dls.train_ds.x[:,0] + dls.train_ds.x[:,1]/100)

def test_learners_do_not_lose_the_last_batch_of_validation(dls, learn):
    (loss,) = learn.validate()
    x,y = dls.valid_ds[:]
    assert loss==pytest.approx(((x[:,0]+x[:,1]/100-y)**2).mean().item(), rel=1e-4)

def test_results_are_displayed_with_ids(dls, learn, capsys, monkeypatch):
    shown = []
    monkeypatch.setattr('collab_course.loaders.display_df', shown.append)
    assert dls.show_batch(max_n=3) is None
    learn.show_results(max_n=4, shuffle=False)
    assert [list(o) for o in shown]==[['user', 'movie', 'rating'], ['user', 'movie', 'rating', 'prediction']]
    assert [len(o) for o in shown]==[3, 4]
    x,y = dls.valid_ds[:4]
    assert shown[1].user.tolist()==[dls.classes['user'][i] for i in x[:,0]] and shown[1].rating.tolist()==y.tolist()

def test_a_batch_without_ratings_is_shown_without(dls, ratings):
    assert list(dls.test_dl(ratings.head(2)).show_batch(show=False))==['user', 'movie']

def test_decoding_gives_the_shortest_number(dls):
    assert dls.train.decode_batch((torch.tensor([[1, 1]]), torch.tensor([3.3])))[0]==((dls.classes['user'][1],
        dls.classes['movie'][1]), 3.3)


# ---- pairs to predict

def test_pairs_may_be_a_table_dicts_or_a_row(dls, ratings):
    first = {'user': ratings.user[0], 'movie': ratings.movie[0]}
    for o in (ratings.head(1), [first], [ratings.iloc[0]], {k: [v] for k,v in first.items()}):
        assert torch.equal(dls.test_dl(o).one_batch()[0], dls.test_dl(ratings.head(1)).one_batch()[0])

def test_strangers_are_refused_unless_allowed(dls):
    pair = [{'user': 10_000, 'movie': 1}]
    with pytest.raises(ValueError, match='there is no user 10000; the nearest are 30, 29, 28'): dls.test_dl(pair)
    assert dls.test_dl(pair, on_unknown='na').one_batch()[0][0,0]==0
    with pytest.raises(ValueError, match="not 'drop'"): dls.test_dl(pair, on_unknown='drop')

def test_text_for_numbers_is_refused_in_any_case(dls):
    for rule in ('raise', 'na'):
        with pytest.raises(ValueError,
                           match="'user' holds ids of another type.*'1' is text and the ids are whole numbers, "
                                 "such as 1"):
            dls.test_dl([{'user': '1', 'movie': 1}], on_unknown=rule)

def test_missing_columns_and_no_pairs_are_named(dls, ratings):
    with pytest.raises(ValueError, match="no column 'movie'"): dls.test_dl(ratings[['user']])
    with pytest.raises(ValueError, match="no column 'rating'"):
        dls.test_dl(ratings[['user', 'movie']], with_labels=True)
    with pytest.raises(ValueError, match='no pairs'): dls.test_dl(ratings.head(0))

def test_a_missing_rating_to_compare_with_is_named(dls, ratings):
    df = ratings.head(3).assign(rating=[1., np.nan, 2.])
    with pytest.raises(ValueError, match="'rating' has no rating in 1 of 3 rows"): dls.test_dl(df, with_labels=True)

def test_unknown_arguments_are_refused(dls, ratings):
    with pytest.raises(TypeError, match='on_unknwon'): dls.test_dl(ratings, on_unknwon='na')

def test_ids_as_floats_beyond_their_precision_are_refused():
    df = pd.DataFrame({'user': [2**60, 2**60+1]*2, 'movie': [1, 1, 2, 2], 'rating': [1., 2, 3, 4]})
    dls = RatingsDataLoaders.from_df(df, splits=([0, 1, 2], [3]))
    with pytest.raises(ValueError, match=r'as floats, which cannot tell 1152921504606846976 from its neighbour'):
        dls.test_dl([df.iloc[0]])
    assert [dls.test_dl(df.iloc[[i]]).dataset.x[0,0].item() for i in (0, 1)]==[1, 2]

@pytest.mark.parametrize('vocab', ['all', 'train'])
def test_a_validation_part_full_of_strangers_is_said(vocab):
    df = planted_ratings(60, 20, 600).ratings
    with pytest.warns(UserWarning, match='validation rows hold an id without a training row'):
        RatingsDataLoaders.from_df(df, splits=user_split(df, seed=1), vocab=vocab)

def test_a_few_unseen_items_are_not_worth_a_warning():
    pairs = [(u, i) for i in range(10) for u in range(60)] # the first 400 rows hold every user
    df = pd.DataFrame([*pairs, (0, 99)], columns=['user', 'movie']).assign(rating=np.arange(601)%5 + 1.)
    train = [*range(400), *range(420, 600, 60)] # and 3 of the later ones every item but the last
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        RatingsDataLoaders.from_df(df, splits=(train, sorted({*range(601)} - {*train})))

@pytest.mark.parametrize('bs', [0, -1, 2.5, '64', None])
def test_a_batch_has_a_whole_number_of_ratings(ratings, bs):
    with pytest.raises(ValueError, match="bs must be a whole number"): RatingsDataLoaders.from_df(ratings, bs=bs)

def test_a_validation_batch_of_nothing_is_refused(ratings):
    with pytest.raises(ValueError, match='bs must be a whole number'): RatingsDataLoaders.from_df(ratings, val_bs=0)

def test_drop_last_must_leave_a_batch(ratings):
    with pytest.raises(ValueError, match='do not make one batch of 1,000'):
        RatingsDataLoaders.from_df(ratings, seed=1, bs=1000, drop_last=True)

@pytest.mark.parametrize('pct', [0, 1, 2, '0.2', None])
def test_valid_pct_is_named_when_it_is_wrong(ratings, pct):
    with pytest.raises(ValueError, match='valid_pct must be a share between 0 and 1, not'):
        RatingsDataLoaders.from_df(ratings, valid_pct=pct)

def test_a_seed_may_be_a_numpy_number(ratings):
    a,b = (RatingsDataLoaders.from_df(ratings, seed=s).one_batch()[0] for s in (3, np.int64(3)))
    assert torch.equal(a, b)

def test_counts_are_ratings_if_you_insist():
    plays = planted_ratings(300, 10, 2000, step=1, mean=250, bias_sd=40, rating_range=(1, 499)).ratings
    with pytest.raises(ValueError, match='pass rating_range with the ends of'): RatingsDataLoaders.from_df(plays)
    assert RatingsDataLoaders.from_df(plays, rating_range=(1, 499)).n_items==11

@pytest.mark.parametrize('labels', [['5', '4'], [True, 4], [1+1j, 2]])
def test_labels_are_checked_as_in_training(dls, ratings, labels):
    with pytest.raises(ValueError, match='not numeric'):
        dls.test_dl(ratings.head(2).assign(rating=labels), with_labels=True)

def test_labels_that_are_true_and_false_are_1_and_0_as_in_training(dls, ratings):
    two = ratings.head(2).assign(rating=[True, False])
    assert dls.test_dl(two, with_labels=True).dataset.y.tolist()==[1, 0]

@pytest.mark.parametrize('items', [5, 'ratings.csv', None])
def test_pairs_that_are_no_table_are_a_type_error(dls, items):
    with pytest.raises(TypeError, match='DataFrame or a list of dicts'): dls.test_dl(items)

def test_one_dict_is_one_pair(dls, ratings):
    pair = ratings.iloc[0]
    assert len(dls.test_dl({'user': int(pair.user), 'movie': int(pair.movie)}).dataset)==1

def test_a_type_error_names_the_id_that_is_odd():
    with pytest.raises(ValueError, match="'20' is text and the ids are whole numbers, such as 7"):
        ids_to_rows([7, '20'], [na, 7, 20])

def test_a_float_id_that_is_too_large_is_named_itself():
    with pytest.raises(ValueError, match='-9007199254740994 from'):
        ids_to_rows(pd.Series([1., -2.**53-2], name='u'), [na, 1])
