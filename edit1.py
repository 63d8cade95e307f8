p='/tmp/rooms/sv13/answers.txt'; s=open(p).read()
def rep(a,b,n=1):
    global s
    assert s.count(a)>=1, a
    s=s.replace(a,b)
# choices move to their own page
i=s.index('%%%% markdown 87a1fb6f'); j=s.index('%%%% markdown 7ab7e661')
s=s[:i]+s[j:]
rep("ItemFilter = Collection|Callable[[pd.DataFrame], Any]|None # What may be recommended\n","")
rep("from collab_course.checks import Arg, ArgError, ArgTypeError, as_list, check_above, check_columns\n","from collab_course.checks import Arg, ArgError, ArgTypeError, check_above, check_columns\n")
rep("from collab_course.checks import check_table\n","from collab_course.checks import check_table\nfrom collab_course.choices import Listable\n")
rep("""    n: int, # How many items in each; fewer where fewer are left
    allowed: np.ndarray, # bool, one for each item row
    seen: History|None = None, # What each of these users has rated; None: hide nothing
) -> tuple[np.ndarray, np.ndarray, np.ndarray]: # Flat arrays: which list, item row, mean
    "List the most rated items for each unknown user"
    order = np.argsort(-history.item_counts, kind='stable')
    order = order[allowed[order]]
    lists = []
    for at in range(n_lists):
        own = [] if seen is None else seen[at]
        first = order[:n+len(own)]
        lists.append(first[~np.isin(first, own)][:n])
""","""    n: int, # How many items in each; fewer where fewer are left
    listable: Listable, # What may be listed for each of them
) -> tuple[np.ndarray, np.ndarray, np.ndarray]: # Flat arrays: which list, item row, mean
    "List the most rated items for each unknown user"
    order = np.argsort(-history.item_counts, kind='stable')
    order = order[listable.mask[order]]
    lists = []
    for at in range(n_lists):
        left = order
        if listable.only is not None: left = left[np.isin(left, listable.only[at])]
        if listable.hidden is not None:
            own = listable.hidden[at]
            left = left[:n+len(own)]
            left = left[~np.isin(left, own)]
        lists.append(left[:n])
""")
rep("""    n: int, # How many items in each; fewer where fewer are left
    allowed: np.ndarray, # bool, one for each item row
    seen: History|None = None, # What each of these users has rated; None: hide nothing
) -> tuple[np.ndarray, np.ndarray, np.ndarray]: # Three flat arrays: which list, item row, score
    "List the best items of the mean user for each unknown user"
    if seen is not None and len(seen.items):
        mean_users = np.zeros(n_lists, np.int64)
        return rank_items(model, mean_users, n, allowed, seen)
    mean_user = np.zeros(1, np.int64)
    _,items,scores = rank_items(model, mean_user, n, allowed)
""","""    n: int, # How many items in each; fewer where fewer are left
    listable: Listable, # What may be listed for each of them
) -> tuple[np.ndarray, np.ndarray, np.ndarray]: # Three flat arrays: which list, item row, score
    "List the best items of the mean user for each unknown user"
    hides = listable.hidden is not None and len(listable.hidden.items)
    if hides or listable.only is not None:
        mean_users = np.zeros(n_lists, np.int64)
        return rank_items(model, mean_users, n, listable.mask, listable.hidden, listable.only)
    mean_user = np.zeros(1, np.int64)
    _,items,scores = rank_items(model, mean_user, n, listable.mask)
""")
rep("""allowed = np.array([False, True, True, False])
popular_lists(history, 2, 2, allowed), mean_lists(toy, 2, 1, allowed)""","""two = Listable(np.array([False, True, True, False]))
popular_lists(history, 2, 2, two), mean_lists(toy, 2, 1, two)""")
rep("""test_eq(popular_lists(history, 1, 2, allowed, history.seen.of([1]))[1].tolist(), [])
test_eq(mean_lists(toy, 1, 2, allowed, history.seen.of([2]))[1], [2])
""","""test_eq(popular_lists(history, 1, 2, two.without(history.seen.of([1])))[1].tolist(), [])
test_eq(mean_lists(toy, 1, 2, two.without(history.seen.of([2])))[1], [2])
just = Listable(two.mask, History.from_pairs(np.array([0, 0, 1]), np.array([3, 2, 1]), 2))
test_eq(popular_lists(history, 2, 2, just)[1].tolist(), [2, 1])
test_eq(mean_lists(toy, 2, 2, just)[1].tolist(), [2, 1])
""")
open(p,'w').write(s)

p='/tmp/rooms/sv13/recommender.txt'; s=open(p).read()
rep("from collab_course.answers import Duplicates, ItemFilter, OnMissing,","from collab_course.answers import Duplicates, OnMissing,")
rep("from collab_course.answers import joined_lists, mask_of_flags, mask_of_ids, mean_lists\n","from collab_course.answers import joined_lists, mean_lists\n")
rep("from collab_course.distances import","from collab_course.choices import ItemChoice, Listable, listable_items\nfrom collab_course.distances import")
rep("from collab_course.checks import check_columns\n","from collab_course.checks import check_columns, check_flag\n")
rep("""        filter: ItemFilter = None, # Allowed items: ids, or a function of `.items` that gives a mask
        on_unknown""","""        allowed: ItemChoice = None, # Ids, a function of `.items` that gives a mask, or a table
        exclude: ItemChoice = None, # What to leave out, in the same forms
        min_count: int = 1, # Leave out items with fewer training ratings
        on_unknown""")
rep("""        return self._recommend([user], n, exclude_seen, filter, on_unknown)""","""        choices = (allowed, exclude, min_count)
        return self._recommend([user], n, exclude_seen, choices, on_unknown)""")
rep("""        filter: ItemFilter = None, # Allowed items, as in `recommend`
        on_unknown: OnUnknown = 'raise', # Users""","""        allowed: ItemChoice = None, # As in `recommend`; a table of users and items is for each
        exclude: ItemChoice = None, # What to leave out, in the same forms
        min_count: int = 1, # Leave out items with fewer training ratings
        on_unknown: OnUnknown = 'raise', # Users""")
rep("""        return self._recommend(asked, n, exclude_seen, filter, on_unknown)

    def similar""","""        choices = (allowed, exclude, min_count)
        return self._recommend(asked, n, exclude_seen, choices, on_unknown)

    def similar""")
i=s.index("    def similar(self,"); j=s.index("    def explain(self,")
s=s[:i]+'''    def similar(self,
        item: Any, # Id of an item
        n: int = 10, # How many; fewer, if there are fewer
        by: Literal['cosine', 'euclidean', 'dot'] = 'cosine', # How to compare factors
        min_count: int = 1, # Leave out items with fewer training ratings
        allowed: ItemChoice = None, # Ids, or a function of `.items` that gives a mask
        exclude: ItemChoice = None, # What to leave out, in the same forms
        on_unknown: OnUnknown = 'raise', # Unknown item: raise, like the mean item, or popular items
    ) -> pd.DataFrame: # Item, title where known, score: the measure; the nearest first
        "List the items whose factors are nearest"
        check_similar(n, by, min_count, on_unknown, item=item)
        row = self._item_rows([item], on_unknown)[0]
        mask = self._listable(allowed, exclude, min_count).mask
        vectors = self.served.item_vectors
        best,scores = like_row(vectors, row, self.mean_item, mask, self.history.item_counts, n, by,
                               on_unknown, item)
        return self._table(best, score=scores)

    def similar_users(self,
        user: Any, # Id of a user
        n: int = 10, # How many; fewer, if there are fewer
        by: Literal['cosine', 'euclidean', 'dot'] = 'cosine', # How to compare factors
        min_count: int = 1, # Leave out users with fewer training ratings
        on_unknown: OnUnknown = 'raise', # Unknown user: raise, like the mean user, or keen raters
    ) -> pd.DataFrame: # User, score: the measure; the nearest first
        "List the users whose factors are nearest"
        check_similar(n, by, min_count, on_unknown, user=user)
        row = self._user_rows([user], on_unknown)[0]
        counts = self.history.user_counts
        mask = counts>=min_count
        vectors = self.served.user_vectors
        best,scores = like_row(vectors, row, self.mean_user, mask, counts, n, by, on_unknown, user)
        return pd.DataFrame({self.user_name: self.users_vocab.ids(best), 'score': scores})

    def user_vectors(self) -> tuple[Any, np.ndarray]: # Ids, and a float32 row for each
        "Return the factors of users with training ratings, for a vector index"
        return trained_vectors(self.users_vocab, self.served.user_vectors)

    def item_vectors(self) -> tuple[Any, np.ndarray]: # Ids, and a float32 row for each
        "Return the factors of items with training ratings, for a vector index"
        return trained_vectors(self.items_vocab, self.served.item_vectors)

    def fold_in(self,
        ratings: Table|dict, # Newcomers' ratings, or {item id: rating} of one
        n: int = 10, # How many items for each
        penalty: float = 10., # Price of a row's squared distance from the mean row
        exclude_seen: bool = True, # Leave out what they have rated?
        allowed: ItemChoice = None, # As in `recommend`
        exclude: ItemChoice = None, # What to leave out, in the same forms
        min_count: int = 1, # Leave out items with fewer training ratings
    ) -> pd.DataFrame: # User, item, title where known, score
        "List items for newcomers; nothing is trained and nothing is kept"
        check_whole(n=n)
        check_flag(exclude_seen=exclude_seen)
        new = self._fold(ratings, penalty)
        model = self.served.with_user_rows(new.rows)
        names = pd.Series(new.names)
        listable = self._listable(allowed, exclude, min_count, names)
        if exclude_seen: listable = listable.without(new.seen())
        everybody = np.arange(len(new.names))
        which,items,scores = rank_items(model, everybody, n, listable.mask, listable.hidden,
                                        listable.only)
        users = {self.user_name: names.take(which).reset_index(drop=True)}
        return self._table(items, users, score=scores)

    def update(self,
        ratings: Table, # New ratings with the columns of the training table
        penalty: float = 10., # Price of a row's squared distance from the mean row
    ) -> 'Recommender': # Mean rows and the rows of items trained on stay as they are
        "Create a Recommender that knows more ratings, people and items"
        if isinstance(ratings, dict):
            raise ArgTypeError('update needs a DataFrame: people who stay need an id')
        new = self._fold(ratings, penalty)
        user_rows = np.concatenate([self.served.user_rows, new.rows])
        served = self.served.with_user_rows(user_rows)
        users = self.users_vocab.with_ids(new.names)
        who = new.who + len(self.users_vocab)
        rows = np.stack([who, new.items], axis=1)
        history = self.history.with_newcomers(rows, new.ratings, len(new.names))
        n_added = self.report.get('n_added', 0) + len(rows)
        report = self.report | dict(n_added=n_added)
        same = (self.rating_name, self.titles, self.rating_range, self.mean_user, self.mean_item)
        return self.from_parts(served, users, self.items_vocab, history, *same, report)

'''+s[j:]
rep("""    def _pairs(self, df, on_unknown):
        "Return rows of users and items; 0 where an average stands in"
        strict = 'raise' if on_unknown=='raise' else 'na'
        users = self.users_vocab.rows(df[self.user_name], strict, trained=True,
                                      advice=stand_in_advice)
        items""","""    def _user_rows(self, ids, on_unknown='raise'):
        "Return rows of users; 0 where an average stands in"
        strict = 'raise' if on_unknown=='raise' else 'na'
        return self.users_vocab.rows(ids, strict, trained=True, advice=stand_in_advice)

    def _pairs(self, df, on_unknown):
        "Return rows of users and items; 0 where an average stands in"
        users = self._user_rows(df[self.user_name], on_unknown)
        items""")
i=s.index("    def _allowed(self, filter"); j=s.index("    def _fold(self, ratings")
s=s[:i]+'''    def _listable(self, allowed, exclude, min_count, asked=None):
        "Return what may be listed for the people asked for"
        check_whole(min_count=min_count)
        return listable_items(allowed, exclude, min_count, self.items_vocab, lambda: self.items,
                              asked, self.user_name)

    def _recommend(self, asked, n, exclude_seen, choices, on_unknown):
        "Return the table of recommendations for a column of users"
        check_choice('on_unknown', on_unknown, stand_ins)
        check_whole(n=n)
        check_flag(exclude_seen=exclude_seen)
        strict = on_unknown=='raise'
        rows = self.users_vocab.rows(asked, 'raise' if strict else 'na', trained=strict,
                                     advice=stand_in_advice)
        listable = self._listable(*choices, pd.Series(asked))
        if exclude_seen: listable = listable.without(self.history.seen.of(rows))
        which,items,scores = self._lists(rows, n, listable, on_unknown)
        if rows.all(): ids = self.users_vocab.ids(rows[which])
        else: ids = pd.Series(asked).take(which).reset_index(drop=True)
        users = {self.user_name: ids}
        return self._table(items, users, score=scores)

    def _lists(self, rows, n, listable, on_unknown):
        "Rank items for known users by the model, for others by an average"
        counts = self.history.user_counts[rows]
        known = np.flatnonzero(counts)
        unknown = np.flatnonzero(counts==0)
        mine = listable.of(known)
        lists = rank_items(self.served, rows[known], n, mine.mask, mine.hidden, mine.only)
        if not len(unknown): return lists
        asked = (len(unknown), n, listable.of(unknown))
        if on_unknown=='popular': others = popular_lists(self.history, *asked)
        else: others = mean_lists(self._with_means, *asked)
        return joined_lists((known, lists), (unknown, others))

'''+s[j:]
rep("""%%%% markdown 4b5d5dc6
Each method""","""%%%% markdown
Items and users resemble each other in the same way: by the direction, the distance or the product of their factors.
%%%% code
#| export
def check_similar(
    n: int, # How many
    by: str, # How to compare factors
    min_count: int, # Training ratings that are needed
    on_unknown: str, # What to do about an unknown id
    **asked: Any, # Argument name with the id
):
    "Check what `similar` and `similar_users` are given"
    check_choice('on_unknown', on_unknown, stand_ins)
    check_choice('by', by, tuple(measures))
    check_whole(n=n, min_count=min_count)
    check_one_id(**asked)

def like_row(
    vectors: np.ndarray, # Factors of each row
    row: int, # Row of the id asked for; 0: unknown
    mean: np.ndarray, # The mean row, for an unknown id
    mask: np.ndarray, # bool for each row: may it be listed?
    counts: np.ndarray, # Training ratings of each row
    n: int, # How many
    by: str, # How to compare factors
    on_unknown: str, # Unknown id: 'mean', or 'popular' for the rows with the most ratings
    asked: Any, # The id, for the message
) -> tuple[np.ndarray, np.ndarray]: # Rows, nearest first, and their float64 scores
    "Find the rows whose factors are nearest to those of an id"
    listed = mask.copy()
    listed[[0, row]] = False
    others = np.flatnonzero(listed)
    if row==0 and on_unknown=='popular':
        order = np.argsort(-counts[others], kind='stable')
        best = others[order[:n]]
        return best,np.full(len(best), np.nan)
    vector = vectors[row] if row else mean[:vectors.shape[1]]
    if not vector.any():
        raise ArgError(f'the factors of {brief(asked)} are all zero, or the model has none: '
                       'it is near to nothing')
    return nearest_rows(vectors, vector, others, n, by)

def trained_vectors(
    vocab: Vocab, # Ids, with counts
    vectors: np.ndarray, # Factors of each row
) -> tuple[Any, np.ndarray]: # Ids, and a float32 row for each
    "Return the factors of ids with training ratings"
    rows = np.flatnonzero(vocab.counts>0)
    return vocab.ids(rows),vectors[rows]
%%%% code
vectors = np.array([[0., 0], [1, 0], [1, 1], [0, 2]], np.float32)
like_row(vectors, 1, vectors[0], np.ones(4, bool), np.ones(4), 2, 'cosine', 'raise', 7)
%%%% markdown 4b5d5dc6
Each method""")
open(p,'w').write(s)
p='/tmp/rooms/sv13/served.txt'; s=open(p).read()
rep("    similar_vectors: np.ndarray # What makes items similar, one row each\n","    user_vectors: np.ndarray # What makes users similar, one row each\n    item_vectors: np.ndarray # What makes items similar, one row each\n")
rep("        self.similar_vectors = self.item_factors\n","        self.user_vectors = self.user_factors\n        self.item_vectors = self.item_factors\n")
rep("        self.similar_vectors = self.item_rows\n","        self.user_vectors = self.user_rows\n        self.item_vectors = self.item_rows\n")
open(p,'w').write(s)
p='/tmp/rooms/sv13/choices.txt'; s=open(p).read()
rep('''def check_no_people(''','''def check_one_id(
    **asked: Any, # Argument name with what was passed
):
    "Check that one id is asked for, not several"
    for arg,value in asked.items():
        if pd.api.types.is_hashable(value): continue
        advice = 'ask for one after the other'
        if arg=='user': advice = 'recommend_all(users=…) takes several'
        raise ArgTypeError(Arg(arg), f' must be one id, not {brief(value)}: {advice}', arg=arg,
                           got=value)

def check_no_people(''')
open(p,'w').write(s)
p='/tmp/rooms/sv13/recommender.txt'; s=open(p).read()
rep("import ItemChoice, Listable, listable_items","import ItemChoice, check_one_id, listable_items")
open(p,'w').write(s)
