"""How the course works: exercises that name the mistake, progress that stays on your machine, figures that move

```python
from collab_course.course.exercises import practice
ex = practice('one_hot')                  # the exercises of chapter 01
ex.one_hot_lookup.check(one_hot_lookup)   # what came, what was expected, and the likely mistake
ex.one_hot_lookup.hint()                  # one hint after the other
```

Where to look:

- to answer and be checked: `exercises` (`practice`, `Exercise`), `differences` for what differs, in words
- what you have done: `progress` (`keep_progress`, `forget_progress`), `standing` (`progress`, `what_next`)
- what the chapters draw: `walk` (`crosstab`, `board`), `figures` (`play_scores`, `play_runs`)
- for those who write exercises: `pages`, and the notebooks of `nbs/teaching`
- `practice` holds the exercises themselves, with their solutions: don't read them before you have tried
"""
